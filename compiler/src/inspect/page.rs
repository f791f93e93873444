//! Text in two columns: what is, and which line says so.
//!
//! Never fits its columns to the content: a longer name must not move every other line of a snapshot.

/// Where the right column begins.
const NOTE: usize = 72;

/// A text that grows line by line.
#[derive(Debug, Default)]
pub(super) struct Page {
    text: String,
}

impl Page {
    /// An empty line, except at the top.
    pub(super) fn gap(&mut self) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
    }

    /// A line without a note.
    pub(super) fn line(&mut self, depth: usize, text: &str) {
        self.noted(depth, text, "");
    }

    /// A line with a note.
    pub(super) fn noted(&mut self, depth: usize, text: &str, note: &str) {
        let left = format!("{:indent$}{text}", "", indent = depth * 2);
        if note.is_empty() {
            self.text.push_str(left.trim_end());
        } else {
            self.text.push_str(&format!("{left:<NOTE$}  {note}"));
        }
        self.text.push('\n');
    }

    pub(super) fn finish(self) -> String {
        self.text
    }
}
