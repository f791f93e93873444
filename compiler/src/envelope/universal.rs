//! The universal format: `type`, `mesh`, `name` and `labels` at the top (language 2.2).
//!
//! Never mixes with the other format: which of the two it is has been decided before.

use serde_json::Value;

use super::reader::Reader;
use super::{Written, kind};
use crate::diag::{Change, Code, Pointer};
use crate::kinds::{Body, ENVELOPE, Scope};
use crate::model::Format;
use crate::source::Node;

pub(super) fn read(reader: &mut Reader<'_>) -> Option<Written> {
    let root = Pointer::default();
    let type_at = root.field("type");
    let Some(type_name) = reader.string(&type_at) else {
        if reader.present(&type_at).is_none() {
            reader
                .error(Code::MISSING_FIELD, &type_at, "`type` is empty")
                .help("write the name of a kind");
        }
        return None;
    };
    let kind = kind::find(reader, type_name, &type_at)?;
    read_only(reader, &root);
    let (body_at, body) = match kind.body {
        Body::Flat => (root.clone(), Some(flat(reader))),
        Body::Spec => {
            let mut known = ENVELOPE.to_vec();
            known.push("spec");
            reader.only(&root, &known);
            (root.field("spec"), spec(reader, &root.field("spec"), true))
        }
    };
    let name_at = root.field("name");
    let name = reader.string(&name_at).map(str::to_owned);
    if name.is_none() && reader.present(&name_at).is_none() {
        reader
            .error(
                Code::MISSING_FIELD,
                &name_at,
                format!("this {} has no `name`", kind.name),
            )
            .help("write `name: ` and a name");
    }
    let mesh_at = root.field("mesh");
    let mesh = reader.string(&mesh_at).map(str::to_owned);
    if kind.scope == Scope::Mesh && mesh.as_deref() == Some("") {
        reader
            .error(Code::INVALID_NAME, &mesh_at, "the mesh cannot be empty")
            .help("name a mesh, or remove the line for the mesh `default`");
    }
    let mesh = mesh.filter(|mesh| !mesh.is_empty());
    if kind.scope == Scope::Global && mesh.is_some() {
        reader
            .error_key(
                Code::WRONG_SCOPE,
                &mesh_at,
                format!("a {} belongs to no mesh", kind.name),
            )
            .help("remove `mesh`");
    }
    Some(Written {
        kind,
        format: Format::Universal,
        name,
        name_at,
        mesh,
        mesh_at,
        namespace: String::new(),
        labels_at: root.field("labels"),
        created: reader.created(&root.field("creationTime")),
        body_at,
        body,
    })
}

/// Everything but the envelope.
fn flat(reader: &mut Reader<'_>) -> Value {
    let mut fields = match reader.root.to_json() {
        Value::Object(fields) => fields,
        _ => serde_json::Map::new(),
    };
    if fields.remove("spec").is_some() {
        reader
            .error_key(
                Code::UNKNOWN_FIELD,
                &Pointer::default().field("spec"),
                "there is no field `spec` here",
            )
            .help("the fields of this kind stand at the top of the document, beside `type` and `name`");
    }
    for key in ENVELOPE {
        fields.remove(key);
    }
    Value::Object(fields)
}

/// What stands under `spec`. `None`: it is reported as missing or as no mapping.
pub(super) fn spec(reader: &mut Reader<'_>, at: &Pointer, required: bool) -> Option<Value> {
    if reader.present(at).is_some() {
        return reader.mapping(at).map(Node::to_json);
    }
    if required {
        reader
            .error(Code::MISSING_FIELD, at, "this document has no `spec`")
            .help("write `spec: {}` where there is nothing to say");
        return None;
    }
    Some(Value::Object(serde_json::Map::new()))
}

/// What tools print and nobody may set.
pub(super) fn read_only(reader: &mut Reader<'_>, root: &Pointer) {
    let status = root.field("status");
    if reader.present(&status).is_some() {
        reader
            .error_key(
                Code::READ_ONLY_FIELD,
                &status,
                "`status` is written by the mesh, here it has no effect",
            )
            .help("remove it")
            .safe_fix("remove it", |at| vec![Change::Remove(at.clone())]);
    }
}
