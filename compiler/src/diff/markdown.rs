//! A difference as one comment of a pull request.
//!
//! Never longer than hosts take: a graph of too many arrows is left out, and said to be.

use std::collections::BTreeMap;

use super::Difference;
use super::gates::Verdict;
use super::grouped::{self, Line};
use crate::diag::counted;

/// People stop reading much earlier than hosts do.
const LINES: usize = 100;
/// Hosts refuse comments of more than 65,536 characters. Gates, and who has another configuration, want room too.
const BYTES: usize = 48 * 1024;
/// More arrows are no picture.
const ARROWS: usize = 50;

/// By the first line a bot finds the comment that it wrote before, and replaces it.
#[must_use]
pub fn markdown(difference: &Difference, verdict: Option<&Verdict>) -> String {
    let mut page = "<!-- meshc diff -->\n## What this change means for the mesh\n\n".to_owned();
    if difference.is_empty() {
        page.push_str("Nothing: no change in meaning.\n");
    }
    if let Some(verdict) = verdict {
        gates(&mut page, verdict);
    }
    if let Some(summary) = grouped::summary(difference) {
        page.push_str(&format!("**{summary}**\n\n"));
    }
    let chapters = [
        ("Who reaches what", grouped::edges(difference)),
        ("Outside of the mesh", grouped::outside(difference)),
        ("Settings", grouped::settings(difference)),
    ];
    for (place, (title, lines)) in chapters.into_iter().enumerate() {
        if lines.is_empty() {
            continue;
        }
        page.push_str(&format!("### {title}\n\n"));
        if place == 0 {
            page.push_str(&graph(difference));
        }
        table(&mut page, &lines);
        page.push('\n');
    }
    if let Some(line) = grouped::configurations(difference) {
        page.push_str(&format!("**Proxies:** {}\n", cell(&line)));
    }
    page
}

/// As many lines as people read and a page may have.
fn table(page: &mut String, lines: &[Line]) {
    page.push_str("| | what | where |\n|---|---|---|\n");
    let mut shown = 0;
    for Line { sign, text, place } in lines.iter().take(LINES) {
        let row = format!("| `{sign}` | {} | {} |\n", cell(text), cell(place));
        if page.len() + row.len() > BYTES {
            break;
        }
        page.push_str(&row);
        shown += 1;
    }
    if shown < lines.len() {
        let more = counted(lines.len() - shown, "line");
        page.push_str(&format!("\n{more} more not shown.\n"));
    }
}

fn gates(page: &mut String, verdict: &Verdict) {
    if !verdict.broken.is_empty() {
        page.push_str("### Broken gates\n\n");
    }
    for broken in &verdict.broken {
        let causes: Vec<String> = broken.causes.iter().map(ToString::to_string).collect();
        page.push_str(&format!(
            "* **{}** ({}): {}\n  * where: {}\n  * help: {}\n",
            broken.gate.code().0,
            cell(&broken.rule.to_string()),
            cell(&broken.message),
            cell(&causes.join(", ")),
            cell(&broken.help)
        ));
    }
    for allowed in &verdict.allowed {
        page.push_str(&format!("* Allowed: {}\n", cell(allowed)));
    }
    if !verdict.broken.is_empty() || !verdict.allowed.is_empty() {
        page.push('\n');
    }
}

/// Names of people may hold what means something in a table.
fn cell(text: &str) -> String {
    let mut cell = String::new();
    for c in text.chars() {
        match c {
            // A comment between them keeps `@name` from calling somebody: a backslash does not.
            '@' => cell.push_str("@<!-- -->"),
            '|' | '*' | '_' | '`' | '<' | '[' | '\\' => {
                cell.push('\\');
                cell.push(c);
            }
            '&' => cell.push_str("&amp;"),
            '\n' | '\r' => cell.push(' '),
            c => cell.push(c),
        }
    }
    cell
}

fn graph(difference: &Difference) -> String {
    let arrows = grouped::arrows(difference);
    if arrows.len() > ARROWS {
        return format!("{} edges change: too many for a graph.\n\n", arrows.len());
    }
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    for arrow in &arrows {
        for name in [&arrow.from, &arrow.to] {
            let next = names.len();
            names.entry(name).or_insert(next);
        }
    }
    let mut graph = "```mermaid\nflowchart LR\n".to_owned();
    for (name, number) in &names {
        let label: String = name.chars().filter(|c| !"\"`<>".contains(*c)).collect();
        graph.push_str(&format!("  n{number}[\"{label}\"]\n"));
    }
    for arrow in &arrows {
        let number = |name: &str| names.get(name).copied().unwrap_or_default();
        let line = match arrow.sign {
            '+' => "-->|opened|",
            '-' => "-.->|closed|",
            _ => "-->|changed|",
        };
        graph.push_str(&format!(
            "  n{} {line} n{}\n",
            number(&arrow.from),
            number(&arrow.to)
        ));
    }
    graph.push_str("```\n\n");
    graph
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_never_longer_than_hosts_take() {
        let line = |length: usize| Line {
            sign: '+',
            text: "*".repeat(length),
            place: String::new(),
        };
        let mut page = String::new();
        let lines: Vec<Line> = (0..150).map(|_| line(20)).collect();
        table(&mut page, &lines);
        assert!(page.ends_with("\n50 lines more not shown.\n"), "{page}");
        let mut page = String::new();
        let lines: Vec<Line> = (0..4).map(|_| line(10_000)).collect();
        table(&mut page, &lines);
        assert!(page.len() < BYTES + 100 && page.ends_with("\n2 lines more not shown.\n"));
    }

    #[test]
    fn what_people_write_is_shown_as_it_is() {
        assert_eq!(cell("a|b*c &lt; <i>"), "a\\|b\\*c &amp;lt; \\<i>");
        assert_eq!(cell("by @octocat"), "by @<!-- -->octocat");
    }
}
