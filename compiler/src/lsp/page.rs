//! What is shown beside a place, in Markdown or, to an editor that has none, in plain words.
//!
//! Never longer than somebody reads.

use gen_lsp_types::{Contents, MarkupContent, MarkupKind};

/// Things that are listed before the rest is only counted.
pub(super) const MOST: usize = 10;

/// Paragraphs on their way.
#[derive(Debug)]
pub(super) struct Page {
    markdown: bool,
    paragraphs: Vec<String>,
}

impl Page {
    pub(super) fn new(markdown: bool) -> Self {
        Self {
            markdown,
            paragraphs: Vec::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.paragraphs.is_empty()
    }

    pub(super) fn add(&mut self, paragraph: impl Into<String>) {
        let paragraph = paragraph.into();
        if !paragraph.is_empty() {
            self.paragraphs.push(paragraph);
        }
    }

    /// Lines, as many as somebody reads.
    pub(super) fn list(&mut self, lines: impl ExactSizeIterator<Item = String>) {
        let left = lines.len().saturating_sub(MOST);
        let mut list: Vec<String> = lines.take(MOST).map(|line| format!("- {line}")).collect();
        if left > 0 {
            list.push(format!("- and {left} more"));
        }
        self.add(list.join("\n"));
    }

    /// Text that keeps its layout.
    pub(super) fn text(&mut self, text: &str) {
        let text = text.trim_end();
        self.add(match self.markdown {
            true => format!("```text\n{text}\n```"),
            false => text.to_owned(),
        });
    }

    pub(super) fn strong(&self, words: &str) -> String {
        match self.markdown {
            true => format!("**{words}**"),
            false => words.to_owned(),
        }
    }

    /// A name that leads to a line, counted from 1.
    pub(super) fn link(&self, words: &str, uri: &str, line: u32) -> String {
        match self.markdown {
            true => format!("[{words}]({uri}#L{line})"),
            false => words.to_owned(),
        }
    }

    pub(super) fn contents(self) -> Contents {
        Contents::MarkupContent(MarkupContent {
            kind: match self.markdown {
                true => MarkupKind::Markdown,
                false => MarkupKind::PlainText,
            },
            value: self.paragraphs.join("\n\n"),
        })
    }
}
