//! Findings as JSON for tools: an array, or one object a line.
//!
//! Never changes what a name means: fields are added, not renamed.

use serde_json::{Value, json};

use super::render::safe;
use super::secret::is_secret;
use super::{Diagnostic, Location};
use crate::edit::Editor;
use crate::source::Sources;

/// One array.
pub(super) fn render(shown: &[&Diagnostic], sources: &Sources) -> String {
    let mut editor = Editor::new(sources);
    let mut text = "[".to_owned();
    for diagnostic in shown {
        let one = object(diagnostic, sources, &mut editor).to_string();
        if text.len() > 1 {
            text.push(',');
        }
        text.push('\n');
        text.push_str(&one);
    }
    text.push_str("\n]\n");
    text
}

/// One object a line.
pub(super) fn lines(shown: &[&Diagnostic], sources: &Sources) -> String {
    let mut editor = Editor::new(sources);
    let mut text = String::new();
    for diagnostic in shown {
        text.push_str(&object(diagnostic, sources, &mut editor).to_string());
        text.push('\n');
    }
    text
}

fn object(diagnostic: &Diagnostic, sources: &Sources, editor: &mut Editor<'_>) -> Value {
    let mut object = place(&diagnostic.at, sources);
    let related = diagnostic.related.iter().map(|(at, words)| {
        let mut related = place(at, sources);
        related.insert("message".to_owned(), json!(safe(words)));
        Value::Object(related)
    });
    let resource = sources.resource(&diagnostic.at).map(ToString::to_string);
    let rest = [
        ("code", json!(diagnostic.code.0)),
        ("severity", json!(diagnostic.severity.word())),
        ("message", json!(safe(&diagnostic.message))),
        ("help", json!(diagnostic.help.as_deref().map(safe))),
        ("document", json!(resource)),
        ("path", json!(safe(&diagnostic.at.pointer.dotted()))),
        ("pointer", json!(safe(&diagnostic.at.pointer.to_string()))),
        ("related", related.collect()),
        ("fix", fix(diagnostic, sources, editor)),
    ];
    object.extend(rest.map(|(key, value)| (key.to_owned(), value)));
    Value::Object(object)
}

/// Byte ranges of the file, in their order. `null` where there is no fix, none without harm, or none to be shown.
fn fix(diagnostic: &Diagnostic, sources: &Sources, editor: &mut Editor<'_>) -> Value {
    let offered = diagnostic.fix.as_ref();
    let Some(fix) = offered.filter(|_| !is_secret(sources, &diagnostic.at)) else {
        return Value::Null;
    };
    let Some(edits) = editor.edits(fix, &diagnostic.at) else {
        return Value::Null;
    };
    let edits = edits
        .into_iter()
        .map(|edit| json!({ "start": edit.span.start, "end": edit.span.end, "text": edit.text }));
    json!({
        "description": fix.description,
        "safe": fix.safe,
        "edits": edits.collect::<Value>(),
    })
}

fn place(at: &Location, sources: &Sources) -> serde_json::Map<String, Value> {
    let place = sources.place(at);
    let fields = [
        ("file", json!(safe(&at.file))),
        ("line", json!(place.line)),
        ("column", json!(place.column)),
        ("endLine", json!(place.end_line)),
        ("endColumn", json!(place.end_column)),
    ];
    fields
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}
