//! Text in two columns: what is, and which line says so.
//!
//! Never fits its columns to the content: a longer name must not move every other line of a snapshot. Never forgets where a
//! note is from: a line is kept as the place that it is until it is written.

use mesh_bundle::Origin;

use super::words;

/// Where the right column begins.
const NOTE: usize = 72;

/// A text that grows line by line.
#[derive(Debug, Default)]
pub(super) struct Page {
    rows: Vec<Row>,
    /// Does an empty line come next?
    is_apart: bool,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// How far it is indented.
    pub(super) depth: usize,
    /// What is.
    pub(super) text: String,
    /// What says so.
    pub(super) note: Note,
    /// Does an empty line come before it?
    is_apart: bool,
}

/// What says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Note {
    /// Nothing is said about it.
    Nothing,
    /// Something that has no line.
    Words(String),
    /// Lines of documents, or documents that nobody wrote.
    Lines(Vec<Origin>),
}

impl Page {
    /// An empty line, except at the top.
    pub(super) fn gap(&mut self) {
        self.is_apart = !self.rows.is_empty();
    }

    /// A line without a note.
    pub(super) fn line(&mut self, depth: usize, text: &str) {
        self.noted(depth, text, Note::Nothing);
    }

    /// A line with a note.
    pub(super) fn noted(&mut self, depth: usize, text: &str, note: impl Into<Note>) {
        self.rows.push(Row {
            depth,
            text: text.to_owned(),
            note: note.into(),
            is_apart: std::mem::take(&mut self.is_apart),
        });
    }

    /// Goes on with what another page is made of.
    pub(super) fn extend(&mut self, rows: &[Row]) {
        for row in rows {
            self.noted(row.depth, &row.text, row.note.clone());
        }
    }

    /// What it is made of.
    pub(super) fn rows(self) -> Vec<Row> {
        self.rows
    }

    pub(super) fn finish(self) -> String {
        let mut text = String::new();
        for row in &self.rows {
            row.write(&mut text);
        }
        text
    }
}

impl Row {
    /// As a line without its note.
    pub(super) fn bare(&self) -> String {
        let mut text = String::new();
        let note = Note::Nothing;
        Self {
            note,
            ..self.clone()
        }
        .write(&mut text);
        text
    }

    /// As a line of a text.
    fn write(&self, text: &mut String) {
        if self.is_apart {
            text.push('\n');
        }
        let left = format!("{:indent$}{}", "", self.text, indent = self.depth * 2);
        let note = self.note.words();
        if note.is_empty() {
            text.push_str(left.trim_end());
        } else {
            text.push_str(&format!("{left:<NOTE$}  {note}"));
        }
        text.push('\n');
    }
}

impl Note {
    fn words(&self) -> String {
        match self {
            Self::Nothing => String::new(),
            Self::Words(words) => words.clone(),
            Self::Lines(lines) => {
                let lines: Vec<String> = lines.iter().map(words::origin).collect();
                lines.join(", ")
            }
        }
    }
}

impl Note {
    /// What set a value; `None` is what is built into the language.
    pub(super) fn of(origin: Option<&Origin>) -> Self {
        origin.map_or_else(|| Self::from("built in"), Self::from)
    }
}

impl From<&str> for Note {
    fn from(words: &str) -> Self {
        Self::Words(words.to_owned())
    }
}

impl From<&Origin> for Note {
    fn from(origin: &Origin) -> Self {
        Self::Lines(vec![origin.clone()])
    }
}
