//! The fields of a kind as rows of a table.
//!
//! Never leaves a field out: a table that is not complete is of no use to who looks one up.

use serde_json::{Map, Value};

use crate::kinds::{Body, KindInfo};

use super::remark::Remark;

/// One field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// `spec.to[].default.http.requestTimeout`.
    pub path: String,
    /// What may stand there, in words.
    pub noun: String,
    /// It must be set.
    pub required: bool,
    /// What holds where it is not set, in Markdown.
    pub default: Option<String>,
    /// What it is, in Markdown.
    pub text: String,
}

/// Deeper than any kind goes.
const DEEPEST: usize = 16;

/// All fields of a body.
pub(super) fn fields(kind: &KindInfo, body: &Map<String, Value>) -> Vec<Field> {
    let prefix = match kind.body {
        Body::Spec => "spec.",
        Body::Flat => "",
    };
    let root = Value::Object(body.clone());
    let mut walk = Walk {
        root: &root,
        found: Vec::new(),
    };
    walk.inside(&root, prefix, DEEPEST);
    walk.found
}

struct Walk<'a> {
    root: &'a Value,
    found: Vec<Field>,
}

impl<'a> Walk<'a> {
    /// The fields of a mapping.
    fn inside(&mut self, schema: &'a Value, prefix: &str, depth: usize) {
        let properties = schema.get("properties").and_then(Value::as_object);
        for (name, property) in properties.into_iter().flatten() {
            self.field(property, &format!("{prefix}{name}"), depth);
        }
    }

    /// The words that a field inside of `property` is narrowed down to where it stands.
    fn narrow(&mut self, property: &'a Value, path: &str) {
        let all = property.get("allOf").and_then(Value::as_array);
        let narrowed = all.into_iter().flatten();
        let narrowed = narrowed.filter_map(|one| one.get("properties")?.as_object());
        for (name, words) in narrowed.flatten() {
            let path = format!("{path}.{name}");
            let noun = self.noun(&[words]);
            let found = self.found.iter_mut().find(|field| field.path == path);
            if let Some(field) = found {
                field.noun = noun;
            }
        }
    }

    fn field(&mut self, property: &'a Value, path: &str, depth: usize) {
        let parts = self.parts(property);
        let text = property.get("description").and_then(Value::as_str);
        let remark = Remark::read(text.unwrap_or_default());
        let built_in = remark.built_in.map(|value| format!("{value} (built in)"));
        self.found.push(Field {
            path: path.to_owned(),
            noun: self.noun(&parts),
            required: remark.required,
            default: remark.default.or(built_in),
            text: remark.text,
        });
        if depth == 0 {
            return;
        }
        for part in parts {
            self.inside(part, &format!("{path}."), depth - 1);
            if let Some(item) = part.get("items") {
                for item in self.parts(item) {
                    self.inside(item, &format!("{path}[]."), depth - 1);
                }
            }
        }
        self.narrow(property, path);
    }

    /// A schema with all that it refers to.
    fn parts(&self, schema: &'a Value) -> Vec<&'a Value> {
        let mut parts = vec![schema];
        let target = schema.get("$ref").and_then(Value::as_str);
        let target = target.and_then(|target| target.strip_prefix('#'));
        if let Some(target) = target.and_then(|target| self.root.pointer(target)) {
            parts.extend(self.parts(target));
        }
        for key in ["allOf", "anyOf"] {
            let all = schema.get(key).and_then(Value::as_array);
            for one in all.into_iter().flatten() {
                // What only narrows down what another part says has no fields of its own.
                if one.get("type").is_some() || one.get("$ref").is_some() {
                    parts.extend(self.parts(one));
                }
            }
        }
        parts
    }

    fn noun(&self, parts: &[&'a Value]) -> String {
        let words = parts.iter().find_map(|part| part.get("enum"));
        if let Some(words) = words.and_then(Value::as_array) {
            let words = words.iter().filter_map(Value::as_str);
            let words: Vec<String> = words.map(|word| format!("`{word}`")).collect();
            return words.join(" ");
        }
        let duration = |part: &&&Value| part.get("format").is_some_and(|f| f == "go-duration");
        if parts.iter().any(|part| duration(&part)) {
            return "duration".to_owned();
        }
        let mut nouns: Vec<String> = Vec::new();
        for part in parts {
            let types = match part.get("type") {
                Some(Value::Array(types)) => types.iter().filter_map(Value::as_str).collect(),
                Some(Value::String(one)) => vec![one.as_str()],
                _ => Vec::new(),
            };
            for one in types {
                let noun = match one {
                    "array" => self.list(part),
                    "object"
                        if part
                            .get("additionalProperties")
                            .is_some_and(Value::is_object) =>
                    {
                        "map of strings".to_owned()
                    }
                    "object" => "mapping".to_owned(),
                    other => other.to_owned(),
                };
                if !nouns.contains(&noun) {
                    nouns.push(noun);
                }
            }
        }
        match nouns.is_empty() {
            true => "anything".to_owned(),
            false => nouns.join(" or "),
        }
    }

    fn list(&self, part: &'a Value) -> String {
        match part.get("items") {
            Some(item) => format!("list of {}", plural(&self.noun(&self.parts(item)))),
            None => "list".to_owned(),
        }
    }
}

fn plural(noun: &str) -> String {
    match noun.starts_with('`') {
        true => noun.to_owned(),
        false => format!("{noun}s"),
    }
}
