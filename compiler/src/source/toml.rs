//! A `meshc.toml` as a source of findings: where its keys stand.
//!
//! Never says what a key is set to, nor what it means: `config` does.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::node::{Entry, Layout, Node, NodeKind};
use super::{Document, Identity, Outline, SourceFile, Span};

impl SourceFile {
    /// Its one document is flat: each key by its whole name, `gates.max-proxies`. A text that is no TOML has none.
    pub(crate) fn of_toml(text: &str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut file = Self::new(text.to_owned());
        let Ok(table) = DeTable::parse(text) else {
            return file;
        };
        let mut entries = Vec::new();
        flatten(table.get_ref(), "", &mut entries);
        entries.sort_by_key(|entry| entry.key_span);
        let span = Span {
            start: 0,
            end: text.len(),
        };
        let root = Node {
            kind: NodeKind::Mapping(entries, Layout::Block),
            span,
        };
        file.documents.push(Document {
            index: 0,
            outline: Some(Outline::of(&root, text)),
            span,
            comments: Vec::new(),
            identity: Identity::Unknown,
        });
        file
    }
}

/// Tables nest no deeper than the parser lets them.
fn flatten(table: &DeTable<'_>, before: &str, entries: &mut Vec<Entry>) {
    for (name, value) in table {
        let key = format!("{before}{}", name.get_ref());
        let span = |spanned: std::ops::Range<usize>| Span {
            start: spanned.start,
            end: spanned.end,
        };
        entries.push(Entry {
            key: key.clone(),
            key_span: span(Spanned::span(name)),
            value: Node {
                // Its key is what is shown of it.
                kind: NodeKind::Null,
                span: span(value.span()),
            },
        });
        if let DeValue::Table(inner) = value.get_ref() {
            flatten(inner, &format!("{key}."), entries);
        }
    }
}
