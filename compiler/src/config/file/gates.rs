//! The table `[gates]`.
//!
//! Never takes a gate that could not be broken, or not be kept, for one.

use globset::GlobBuilder;
use toml::Spanned;
use toml::de::DeValue;

use super::{Entry, MOST_PATTERNS, Reader, kind};
use crate::config::gates::{Gates, Names, Owner, Told};

/// Its keys.
const GATES: [&str; 7] = [
    "max-proxies",
    "max-proxies-percent",
    "allow-new-external",
    "max-removed-edges-percent",
    "removal-trailer",
    "tests",
    "owners",
];
/// Those of one owner.
const OWNER: [&str; 2] = ["identities", "services"];

impl Reader<'_> {
    pub(super) fn gates(&mut self, value: &Spanned<DeValue<'_>>) {
        let Some(table) = value.get_ref().as_table() else {
            let message = format!("`gates` is a table, not {}", kind(value.get_ref()));
            return self.complain(Some(value.span()), message, None);
        };
        let mut gates = Gates {
            file: self.path.to_owned(),
            ..Gates::default()
        };
        for entry in table {
            let (name, value) = entry;
            match name.get_ref().as_ref() {
                "max-proxies" => gates.max_proxies = self.number(entry, u32::MAX),
                "max-proxies-percent" => gates.max_proxies_percent = self.number(entry, 100),
                "max-removed-edges-percent" => {
                    gates.max_removed_edges_percent = self.number(entry, 100);
                }
                "allow-new-external" => gates.allow_new_external = self.switch(entry),
                "tests" => gates.tests = self.switch(entry),
                "removal-trailer" => gates.removal_trailer = self.trailer(entry),
                "owners" => gates.owners = self.owners(value),
                _ => self.unknown("gate", entry, GATES.into_iter()),
            }
        }
        self.content.gates = Some(gates);
    }

    fn told<T>(&self, value: T, entry: Entry<'_, '_>) -> Told<T> {
        let line = self.place(entry.1.span().start).0;
        Told { value, line }
    }

    pub(super) fn number(&mut self, entry: Entry<'_, '_>, most: u32) -> Option<Told<u32>> {
        let (name, value) = entry;
        let number = match value.get_ref() {
            DeValue::Integer(text) => u32::from_str_radix(text.as_str(), text.radix()).ok(),
            _ => None,
        };
        match number.filter(|number| *number <= most) {
            Some(number) => Some(self.told(number, entry)),
            None => {
                let message = format!("`{}` is a whole number from 0 to {most}", name.get_ref());
                self.complain(Some(value.span()), message, None);
                None
            }
        }
    }

    fn switch(&mut self, entry: Entry<'_, '_>) -> Option<Told<bool>> {
        let (name, value) = entry;
        match value.get_ref() {
            DeValue::Boolean(on) => Some(self.told(*on, entry)),
            other => {
                let message = format!(
                    "`{}` is `true` or `false`, not {}",
                    name.get_ref(),
                    kind(other)
                );
                self.complain(Some(value.span()), message, None);
                None
            }
        }
    }

    fn trailer(&mut self, entry: Entry<'_, '_>) -> Option<Told<String>> {
        let value = entry.1;
        let text = value.get_ref().as_str().unwrap_or_default();
        let inside = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if text.is_empty() || !text.chars().all(inside) {
            let message = "`removal-trailer` is the name of a trailer";
            let help = "use letters, digits and `-`, as in `Signed-off-by`".to_owned();
            self.complain(Some(value.span()), message, Some(help));
            return None;
        }
        Some(self.told(text.to_owned(), entry))
    }

    fn owners(&mut self, value: &Spanned<DeValue<'_>>) -> Vec<Owner> {
        let tables = value.get_ref().as_table();
        let Some(tables) = tables.filter(|tables| tables.len() <= MOST_PATTERNS) else {
            let message =
                format!("`gates.owners` is a table of at most {MOST_PATTERNS} directories");
            self.complain(Some(value.span()), message, None);
            return Vec::new();
        };
        let owners = tables.iter().filter_map(|entry| self.owner(entry));
        owners.collect()
    }

    fn owner(&mut self, (name, value): Entry<'_, '_>) -> Option<Owner> {
        let directory = name.get_ref().trim_end_matches('/');
        let directory = if directory == "." { "" } else { directory };
        let odd = |part: &str| {
            part.is_empty() || part.contains(['*', '?', '[', '{']) || part.starts_with('.')
        };
        if !directory.is_empty() && directory.split('/').any(odd) {
            let message = format!("`{}` is no directory", name.get_ref());
            let help = "name it from the directory of this file, such as `teams/payments`; what is in it belongs to it";
            self.complain(Some(name.span()), message, Some(help.to_owned()));
            return None;
        }
        let Some(table) = value.get_ref().as_table().filter(|table| !table.is_empty()) else {
            let message =
                "for each directory there is a table with `identities`, `services` or both";
            self.complain(Some(value.span()), message, None);
            return None;
        };
        let whole = format!("{}{directory}", self.content.lint.directory);
        let mut owner = Owner {
            directory: whole.trim_end_matches('/').to_owned(),
            line: self.place(name.span().start).0,
            identities: None,
            services: None,
        };
        for entry in table {
            match entry.0.get_ref().as_ref() {
                "identities" => owner.identities = self.names(entry),
                "services" => owner.services = self.names(entry),
                _ => self.unknown("part of an owner", entry, OWNER.into_iter()),
            }
        }
        Some(owner)
    }

    fn names(&mut self, (name, value): Entry<'_, '_>) -> Option<Names> {
        let list = value.get_ref().as_array();
        let Some(list) = list.filter(|list| list.len() <= MOST_PATTERNS) else {
            let message = format!(
                "`{}` is a list of at most {MOST_PATTERNS} patterns",
                name.get_ref()
            );
            self.complain(Some(value.span()), message, None);
            return None;
        };
        let mut names = Vec::new();
        for each in list {
            let text = each.get_ref().as_str().unwrap_or_default();
            // The paths of identities have `/`, which a `*` goes over.
            match GlobBuilder::new(text).literal_separator(false).build() {
                Ok(glob) if !text.is_empty() => names.push(glob.compile_matcher()),
                _ => {
                    let message = format!("`{text}` is no pattern of names");
                    self.complain(Some(each.span()), message, None);
                }
            }
        }
        Some(Names(names))
    }
}
