//! A secret of the mesh as Kubernetes knows secrets: a core `Secret` of a type of our own (language 2.3).
//!
//! Never takes any other Secret for one of ours, and never repeats a value.

use serde_json::{Map, Value};

use super::kubernetes;
use super::reader::Reader;
use super::universal::read_only;
use super::{Written, kind};
use crate::diag::{Code, Pointer};
use crate::source::Node;

/// What the types of our own begin with.
const TYPES: &str = "system.kuma.io/";

/// What such a document may hold.
const FIELDS: [&str; 7] = [
    "apiVersion",
    "kind",
    "metadata",
    "type",
    "data",
    "stringData",
    "immutable",
];

/// Whether a document is one.
pub(super) fn is_ours(root: &Node) -> bool {
    let text = |key: &str| root.get(key).and_then(Node::as_str);
    text("kind") == Some("Secret") && text("type").is_some_and(|name| name.starts_with(TYPES))
}

pub(super) fn read(reader: &mut Reader<'_>) -> Option<Written> {
    let root = Pointer::default();
    let version_at = root.field("apiVersion");
    if reader.string(&version_at) != Some("v1") {
        let message = "a Secret of Kubernetes is of the version `v1`";
        reader
            .error(Code::INVALID_VALUE, &version_at, message)
            .help("write `apiVersion: v1`");
        return None;
    }
    let type_at = root.field("type");
    let written = reader.string(&type_at)?;
    let name = match written.strip_prefix(TYPES) {
        Some("secret") => "Secret",
        Some("global-secret") => "GlobalSecret",
        _ => {
            let message = format!("`{written}` is not a type of secret");
            let help = format!("one of `{TYPES}secret`, `{TYPES}global-secret`");
            reader
                .error(Code::INVALID_VALUE, &type_at, message)
                .help(help);
            return None;
        }
    };
    let kind = kind::find(reader, name, &type_at)?;
    read_only(reader, &root);
    reader.only(&root, &FIELDS);
    let plain_at = root.field("stringData");
    if reader.present(&plain_at).is_some() {
        let message = "the value of a secret of the mesh is not read from `stringData`";
        reader
            .error_key(Code::UNSUPPORTED, &plain_at, message)
            .help("write it in base64: `data: {value: …}`");
    }
    let body = value(reader, &root.field("data"));
    Some(kubernetes::written(reader, kind, root, Some(body)))
}

/// The body as documents of our own have it: its one value under `data`.
fn value(reader: &mut Reader<'_>, at: &Pointer) -> Value {
    let mut body = Map::new();
    if reader.mapping(at).is_some() {
        reader.only(at, &["value"]);
        if let Some(value) = reader.string(&at.field("value")) {
            body.insert("data".to_owned(), Value::from(value));
        }
    }
    Value::Object(body)
}
