//! Values as YAML text: what a help shows, and what a fix writes.
//!
//! Never writes what reads back as something else: a text that looks like a number, a boolean or a null is quoted.

use serde_json::{Map, Value};

/// `{a: b, c: "1"}`, in the order given.
pub(crate) fn mapping<K: AsRef<str>, V: AsRef<str>>(pairs: &[(K, V)]) -> String {
    let written = pairs
        .iter()
        .map(|(key, value)| format!("{}: {}", scalar(key.as_ref()), scalar(value.as_ref())));
    format!("{{{}}}", written.collect::<Vec<_>>().join(", "))
}

/// A value in brackets and braces, or a scalar.
pub(crate) fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(flow).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(fields) => {
            let field =
                |(key, value): (&String, &Value)| format!("{}: {}", scalar(key), flow(value));
            let fields: Vec<String> = ordered(fields).into_iter().map(field).collect();
            format!("{{{}}}", fields.join(", "))
        }
        other => other.to_string(),
    }
}

/// The longest mapping that is written in braces rather than as a block, in characters.
const LONGEST_LINE: usize = 60;

/// The keys that say what the rest is about: they come first.
const FIRST: [&str; 4] = ["kind", "type", "name", "targetRef"];

/// A mapping as a block: each entry begins a line, indented by this many columns. Mappings of few scalars stay in braces.
pub(crate) fn block(fields: &Map<String, Value>, indent: usize) -> String {
    let margin = " ".repeat(indent);
    let field = |(key, value): (&String, &Value)| {
        let key = scalar(key);
        match nested(value, indent + 2) {
            Some(nested) => format!("{margin}{key}:\n{nested}"),
            None => format!("{margin}{key}: {}\n", flow(value)),
        }
    };
    ordered(fields).into_iter().map(field).collect()
}

fn ordered(fields: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut fields: Vec<(&String, &Value)> = fields.iter().collect();
    let rank = |key: &str| FIRST.iter().position(|first| *first == key);
    fields.sort_by_key(|(key, _)| rank(key).unwrap_or(FIRST.len()));
    fields
}

/// What does not fit on the line of its key.
fn nested(value: &Value, indent: usize) -> Option<String> {
    let is_scalar = |value: &Value| !matches!(value, Value::Array(_) | Value::Object(_));
    let fits = || flow(value).chars().count() <= LONGEST_LINE;
    match value {
        Value::Object(fields) if fields.values().all(is_scalar) && fits() => None,
        Value::Object(fields) => Some(block(fields, indent)),
        Value::Array(items) if items.iter().all(is_scalar) && fits() => None,
        Value::Array(items) => {
            let margin = " ".repeat(indent);
            let item = |item: &Value| match nested(item, indent + 2) {
                // The first line stands behind the dash.
                Some(nested) => format!("{margin}- {}", nested.trim_start()),
                None => format!("{margin}- {}\n", flow(item)),
            };
            Some(items.iter().map(item).collect())
        }
        _ => None,
    }
}

/// A text as a scalar that is read as this text, in blocks and in brackets.
pub(crate) fn scalar(text: &str) -> String {
    if is_plain(text) {
        text.to_owned()
    } else {
        // JSON's strings are YAML's double-quoted ones.
        Value::from(text).to_string()
    }
}

/// Can it stand without quotes, for every reader of YAML 1.1 and 1.2?
fn is_plain(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || b"-_./".contains(&b);
    let starts = |b: u8| b.is_ascii_alphanumeric() || b == b'/';
    // Only what has a letter that no number has is surely no number.
    let digits = |b: u8| b.is_ascii_hexdigit() || b"xo_.+-".contains(&b);
    let numeric = text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(digits)
        && text.split('.').count() < 3;
    let word = text.to_ascii_lowercase();
    let words = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    let colons = text.replace("://", "");
    text.bytes().next().is_some_and(starts)
        && colons.bytes().all(inner)
        && !numeric
        && !words.contains(&word.as_str())
        && !text.starts_with("---")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_as_it_was() {
        let texts = [
            "api",
            "10.0.0.1",
            "1",
            "1.5",
            "0x1f",
            "1e3",
            "1_000",
            "true",
            "No",
            "y",
            "~",
            "",
            " a",
            "a: b",
            "a #b",
            "*",
            "kuma.io/service",
            "spiffe://a/b",
            "{a}",
            "é",
            "a\nb",
            "12:30:45",
            "-",
            "---",
            "=",
            "2h",
            "<<",
            "2001-01-01",
            "a:",
            "\"",
            "nan",
            ".inf",
        ];
        for text in texts {
            let written = format!("[{}]", scalar(text));
            let read: Vec<serde_yaml::Value> = serde_yaml::from_str(&written).expect("YAML");
            assert_eq!(read, [serde_yaml::Value::from(text)], "{written}");
        }
        assert_eq!(scalar("kuma.io/display-name"), "kuma.io/display-name");
        assert_eq!(
            mapping(&[("app", "web"), ("v", "1")]),
            "{app: web, v: \"1\"}"
        );
    }

    #[test]
    fn blocks_are_read_as_they_were_and_written_as_they_are_formatted() {
        let value = serde_json::json!({
            "to": [
                {"default": {"backends": [{"type": "File", "file": {"path": "/dev/stdout"}}, "x", [[1, 2], []]]},
                 "targetRef": {"kind": "Mesh"}},
            ],
            "empty": {},
            "long": {"a": "a text of so many characters that it does not fit on the line", "b": null},
            "text": "two\nlines",
        });
        let text = block(value.as_object().expect("a mapping"), 0);
        let read: Value = serde_yaml::from_str(&text).expect("YAML");
        assert_eq!(read, value, "{text}");
        let document = format!("type: MeshTimeout\nname: x\n{text}");
        assert_eq!(crate::format::format(&document).text, document);
    }
}
