//! A document that is open in the editor: its newest text, whatever the disk has.
//!
//! Never looks at the disk, and never at what the text means.

use gen_lsp_types::{Position, Range, TextDocumentContentChangeEvent, TextDocumentItem};
use mesh_bundle::Digest;

use super::position::{Encoding, Lines};
use crate::source::Span;
use crate::world::Content;

/// An open document.
#[derive(Debug, Clone)]
pub(super) struct Buffer {
    /// As the client writes it.
    pub(super) uri: String,
    /// Of the text, as the client counts.
    pub(super) version: i32,
    text: String,
    lines: Lines,
    digest: Digest,
}

impl Buffer {
    /// A document that was opened.
    pub(super) fn open(document: TextDocumentItem) -> Self {
        let TextDocumentItem {
            uri, version, text, ..
        } = document;
        Self {
            uri: uri.to_string(),
            version,
            lines: Lines::of(&text),
            digest: Digest::of(text.as_bytes()),
            text,
        }
    }

    /// Takes in changes, each of what the one before has left.
    pub(super) fn change(
        &mut self,
        version: i32,
        changes: Vec<TextDocumentContentChangeEvent>,
        encoding: Encoding,
    ) {
        for change in changes {
            match change {
                TextDocumentContentChangeEvent::TextDocumentContentChangePartial(part) => {
                    let span = self.lines.span(&self.text, part.range, encoding);
                    self.text.replace_range(span.start..span.end, &part.text);
                }
                TextDocumentContentChangeEvent::TextDocumentContentChangeWholeDocument(whole) => {
                    self.text = whole.text;
                }
            }
            self.lines = Lines::of(&self.text);
        }
        self.version = version;
        self.digest = Digest::of(self.text.as_bytes());
    }

    /// The newest text.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Which byte is meant.
    pub(super) fn offset(&self, position: Position, encoding: Encoding) -> usize {
        self.lines.offset(&self.text, position, encoding)
    }

    /// Which bytes are meant.
    pub(super) fn span(&self, range: Range, encoding: Encoding) -> Span {
        self.lines.span(&self.text, range, encoding)
    }

    /// Where a span of the newest text is.
    pub(super) fn range(&self, span: Span, encoding: Encoding) -> Range {
        self.lines.range(&self.text, span, encoding)
    }
}

impl Content for Buffer {
    fn bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// Compiling after a keystroke reads what was typed, and nothing else that is open.
    fn version(&self) -> Option<Digest> {
        Some(self.digest)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn opened(text: &str) -> Buffer {
        let document =
            json!({"uri": "file:///a.yaml", "languageId": "yaml", "version": 1, "text": text});
        Buffer::open(serde_json::from_value(document).unwrap())
    }

    #[test]
    fn changes_are_made_one_after_the_other() {
        let mut buffer = opened("name: \u{1f980}\r\nspec: {}\r\n");
        let change = |from: [u32; 2], to: [u32; 2], text: &str| {
            let place = |at: [u32; 2]| json!({"line": at[0], "character": at[1]});
            json!({"range": {"start": place(from), "end": place(to)}, "text": text})
        };
        let changes = json!([
            change([0, 6], [0, 8], "api"),
            change([1, 0], [1, 0], "# \u{e9}\n"),
            change([2, 6], [9, 9], "null"),
        ]);
        let changes = serde_json::from_value(changes).unwrap();
        buffer.change(2, changes, Encoding::Utf16);
        assert_eq!(buffer.text(), "name: api\r\n# \u{e9}\nspec: null");
        assert_eq!(buffer.version, 2);
        let whole = serde_json::from_value(json!([{"text": "a: b"}])).unwrap();
        buffer.change(3, whole, Encoding::Utf16);
        assert_eq!(buffer.text(), "a: b");
        assert_eq!(Content::version(&buffer), Some(Digest::of(b"a: b")));
    }
}
