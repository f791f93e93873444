//! Values as YAML text: what a help shows, and what a fix writes.
//!
//! Never writes what reads back as something else: a text that looks like a number, a boolean or a null is quoted.

use serde_json::Value;

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
            let fields: Vec<String> = fields.iter().map(field).collect();
            format!("{{{}}}", fields.join(", "))
        }
        other => other.to_string(),
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
}
