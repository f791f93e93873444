//! A page as text.
//!
//! Never decides where a comment belongs: that is known by now.

use super::page::{Comment, Item, Page, Value};

/// Columns of each level.
const STEP: usize = 2;

/// Between what stands on a line and the comment after it.
const BEFORE_NOTE: &str = "  ";

/// Writes a document.
pub(super) fn page(page: &Page) -> String {
    let mut text = String::new();
    comments(&mut text, &page.head, 0);
    match &page.value {
        Value::Mapping(items, tail) => {
            if let Some(first) = items.first().filter(|first| first.blank)
                && !text.is_empty()
                && first.before.is_empty()
            {
                text.push('\n');
            }
            text.push_str(&mapping(items, tail, 0));
        }
        // The whole of it in brackets.
        value => text.push_str(inline(value, 0, None).trim_start()),
    }
    text
}

/// Without a blank line at the beginning.
fn comments(text: &mut String, comments: &[Comment], indent: usize) {
    for comment in comments {
        if comment.blank && !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&format!("{}{}\n", spaces(indent), comment.text));
    }
}

fn mapping(items: &[Item], tail: &[Comment], indent: usize) -> String {
    block(items, tail, indent, |item| {
        let note = item.note.as_deref();
        let written = match &item.value {
            Value::Mapping(items, tail) => nested(note, &mapping(items, tail, indent + STEP)),
            Value::Sequence(items, tail) => nested(note, &sequence(items, tail, indent + STEP)),
            value => inline(value, indent, note),
        };
        format!("{}{}:{written}", spaces(indent), item.key)
    })
}

fn sequence(items: &[Item], tail: &[Comment], indent: usize) -> String {
    block(items, tail, indent, |item| {
        let note = item.note.as_deref();
        let written = match &item.value {
            Value::Mapping(items, tail) => mapping(items, tail, indent + STEP),
            Value::Sequence(items, tail) => sequence(items, tail, indent + STEP),
            value => return format!("{}-{}", spaces(indent), inline(value, indent, note)),
        };
        match note.is_some() {
            true => format!("{}-{}", spaces(indent), nested(note, &written)),
            // The first line stands behind the dash.
            false => format!("{}- {}", spaces(indent), written.trim_start()),
        }
    })
}

fn block(items: &[Item], tail: &[Comment], indent: usize, one: impl Fn(&Item) -> String) -> String {
    let mut text = String::new();
    for item in items {
        comments(&mut text, &item.before, indent);
        if item.blank && !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&one(item));
    }
    comments(&mut text, tail, indent);
    text
}

/// On the lines after a key or a dash.
fn nested(note: Option<&str>, block: &str) -> String {
    format!("{}\n{block}", beside(note))
}

/// On the line of a key or a dash, which it begins in.
fn inline(value: &Value, indent: usize, note: Option<&str>) -> String {
    let note = beside(note);
    match value {
        Value::Line(line) => format!(" {line}{note}\n"),
        Value::Folded(lines) => {
            let lines = lines.iter().enumerate().map(|(number, line)| match number {
                0 => format!(" {line}"),
                _ if line.is_empty() => String::new(),
                _ => format!("{}{line}", spaces(indent + STEP)),
            });
            format!("{}{note}\n", lines.collect::<Vec<_>>().join("\n"))
        }
        Value::Text(header, lines) => {
            let lines = lines.iter().map(|line| match line.is_empty() {
                true => "\n".to_owned(),
                false => format!("{}{line}\n", spaces(indent + STEP)),
            });
            format!(" {header}{note}\n{}", lines.collect::<String>())
        }
        Value::Nothing | Value::Mapping(..) | Value::Sequence(..) => format!("{note}\n"),
    }
}

fn beside(note: Option<&str>) -> String {
    note.map_or_else(String::new, |note| format!("{BEFORE_NOTE}{note}"))
}

fn spaces(count: usize) -> String {
    " ".repeat(count)
}
