//! The reference page of a kind, in Markdown.
//!
//! Never depends on anything but the kind and the codes that it is given.

use std::fmt::Write;

use crate::diag::CodeInfo;

use super::{Field, KindReference};

impl KindReference {
    /// The name of its page, without extension: `mesh-http-route`.
    #[must_use]
    pub fn slug(&self) -> String {
        let letters: Vec<char> = self.name.chars().collect();
        let mut slug = String::new();
        for (index, letter) in letters.iter().enumerate() {
            let before = index.checked_sub(1).and_then(|before| letters.get(before));
            let after = letters.get(index + 1);
            let lower = |letter: Option<&char>| letter.is_some_and(char::is_ascii_lowercase);
            if letter.is_ascii_uppercase() && before.is_some() && (lower(before) || lower(after)) {
                slug.push('-');
            }
            slug.push(letter.to_ascii_lowercase());
        }
        slug
    }

    /// The page. `codes` are those that findings about this kind may have, `link` leads from the page to theirs.
    #[must_use]
    pub fn page(&self, codes: &[&CodeInfo], link: impl Fn(&CodeInfo) -> String) -> String {
        let mut page = format!("# {}\n\n{}\n\n", self.name, self.purpose);
        page += &self.facts();
        let _ = write!(page, "\n## Example\n\n```yaml\n{}```\n", self.example);
        page += "\n## Fields\n\n";
        page += &self.table();
        if !codes.is_empty() {
            page += "\n## Findings\n\nWhat `meshc check` may say about it, beside what it says about every document:\n\n";
            for code in codes {
                let _ = writeln!(
                    page,
                    "* [`{}`]({}): {}",
                    code.code.0,
                    link(code),
                    code.title
                );
            }
        }
        page
    }

    fn facts(&self) -> String {
        let words = |kinds: &[&str]| {
            let kinds: Vec<String> = kinds.iter().map(|kind| format!("`{kind}`")).collect();
            kinds.join(", ")
        };
        let scope = match self.of_mesh {
            true => "a mesh",
            false => "no mesh: it is global",
        };
        let fields = match self.has_spec {
            true => "under `spec`",
            false => "beside `type` and `name`; under `spec` on Kubernetes",
        };
        let mut rows = vec![
            ("belongs to", scope.to_owned()),
            ("its fields stand", fields.to_owned()),
            ("in resource names", format!("`kri_{}_…`", self.short)),
        ];
        if self.system_only {
            rows.push((
                "on Kubernetes",
                "only in the namespace of the control plane".to_owned(),
            ));
        }
        if !self.top.is_empty() {
            rows.push(("`targetRef`: whose proxies", words(self.top)));
        }
        let item = |name: &&'static str| match *name {
            "to" => "`to`: traffic that the proxies send",
            "rules" => "`rules`: traffic that the proxies receive",
            _ => "`default`: the proxy as a whole",
        };
        if !self.items.is_empty() {
            let items: Vec<&str> = self.items.iter().map(item).collect();
            rows.push(("says something about", items.join("; ")));
        }
        if !self.to.is_empty() {
            let to: Vec<&str> = self.to.iter().map(String::as_str).collect();
            rows.push(("`to[].targetRef`: towards what", words(&to)));
        }
        let mut table = "| | |\n|---|---|\n".to_owned();
        for (what, said) in rows {
            let _ = writeln!(table, "| {what} | {said} |");
        }
        table
    }

    fn table(&self) -> String {
        if self.fields.is_empty() {
            return "None.\n".to_owned();
        }
        let mut table =
            "| field | type | required | default | what it is |\n|---|---|---|---|---|\n"
                .to_owned();
        for Field {
            path,
            noun,
            required,
            default,
            text,
        } in &self.fields
        {
            let required = if *required { "yes" } else { "" };
            let default = cell(default.as_deref().unwrap_or_default());
            let text = cell(text);
            let _ = writeln!(
                table,
                "| `{path}` | {noun} | {required} | {default} | {text} |"
            );
        }
        table
    }
}

/// A bar would end the cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
