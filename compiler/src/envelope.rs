//! What a document is: its kind, name, mesh and labels, in either of the two formats (language 2.2 to 2.6).
//!
//! Never looks into the body, but for the `to` items that decide the role of a policy. A document of another tool is
//! skipped in silence; one that could be meant for the mesh never is.

mod core_secret;
mod foreign;
mod kind;
mod kubernetes;
mod label;
mod name;
mod reader;
mod role;
mod universal;

use std::collections::BTreeSet;

use mesh_bundle::Kri;
use mesh_bundle::kri::Parts;
use serde_json::Value;

use crate::diag::{Code, Diagnostic, Diagnostics, Location, Pointer};
use crate::kinds::{KindInfo, Scope};
use crate::lookup::Lookup;
use crate::model::{Compat, Meta, Settings};
use crate::reading::Judged;
use crate::source::{Node, NodeKind, Parsed};

pub(crate) use label::is_label_text;
pub(crate) use reader::quoted;

use reader::Reader;

/// Does its `apiVersion` say that another tool reads it?
pub(crate) fn is_foreign(root: &Node) -> bool {
    kubernetes::is_foreign(root)
}

/// A document whose envelope has been read.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    pub(crate) kind: &'static KindInfo,
    pub(crate) meta: Meta,
    /// The document.
    pub(crate) root: &'a Node,
    /// The file that it stands in.
    pub(crate) text: &'a str,
    /// As it was written, without the keys of the envelope.
    pub(crate) body: Value,
    /// It has a name: later stages may see it.
    pub(crate) sound: bool,
    /// Its `spec` is missing or no mapping, which has been reported.
    pub(crate) bodiless: bool,
}

/// What a format says in its own places.
struct Written {
    kind: &'static KindInfo,
    format: crate::model::Format,
    name: Option<String>,
    name_at: Pointer,
    mesh: Option<String>,
    mesh_at: Pointer,
    namespace: String,
    labels_at: Pointer,
    created: Option<String>,
    body_at: Pointer,
    body: Option<Value>,
}

/// What a document is.
pub(crate) enum Outcome<'a> {
    Draft(Box<Draft<'a>>),
    Empty,
    /// Of another tool.
    Foreign,
    /// There is something, and nobody knows what.
    Unread,
}

/// Reads the envelope of a document, which stands in `text`.
pub(crate) fn read<'a>(
    document: &'a Parsed,
    text: &'a str,
    at: &Location,
    settings: &Settings,
    diagnostics: &mut Diagnostics,
) -> Outcome<'a> {
    let Some(root) = &document.root else {
        diagnostics.list.extend(document.findings.iter().cloned());
        return match document.findings.is_empty() && document.span.end == 0 {
            true => Outcome::Empty,
            false => Outcome::Unread,
        };
    };
    let ambiguous = document
        .findings
        .iter()
        .any(|finding| finding.at.pointer.steps.len() < 2);
    if foreign::is_foreign(root, &at.file) && !ambiguous {
        return Outcome::Foreign;
    }
    diagnostics.list.extend(document.findings.iter().cloned());
    if !document.findings.is_empty() {
        return Outcome::Unread;
    }
    let mut reader = Reader::new(root, at.clone(), settings, diagnostics);
    if !matches!(root.kind, NodeKind::Mapping(..)) {
        not_a_document(&mut reader, root);
        return Outcome::Unread;
    }
    let written = match (
        root.entry("type"),
        root.entry("apiVersion"),
        root.entry("kind"),
    ) {
        _ if core_secret::is_ours(root) => core_secret::read(&mut reader),
        (Some(_), None, None) => universal::read(&mut reader),
        (None, Some(_), Some(_)) => kubernetes::read(&mut reader),
        (Some(_), api_version, _) => {
            let other = if api_version.is_some() {
                "apiVersion"
            } else {
                "kind"
            };
            reader
                .error_key(Code::MIXED_ENVELOPE, &Pointer::default().field(other), format!("this document has both `type` and `{other}`"))
                .help("a document has `type` and `name`, or `apiVersion`, `kind` and `metadata`; `meshc explain mixed-envelope` shows both");
            None
        }
        _ => {
            nameless(&mut reader, root);
            None
        }
    };
    match written {
        Some(written) => Outcome::Draft(Box::new(draft(&mut reader, root, text, written))),
        None => Outcome::Unread,
    }
}

fn not_a_document(reader: &mut Reader<'_>, root: &Node) {
    let message = format!(
        "a document must be a mapping of fields, found {}",
        root.noun()
    );
    let text = root.as_str().unwrap_or_default();
    let finding = reader.error(Code::WRONG_TYPE, &Pointer::default(), message);
    if text.starts_with("version https://git-lfs") {
        finding.help("this is a pointer of Git LFS: commit the file itself");
    } else {
        finding.help("a document begins with `type: ` and the name of a kind");
    }
}

fn nameless(reader: &mut Reader<'_>, root: &Node) {
    let keys = root.entries().iter().map(|entry| entry.key.as_str());
    let meant = keys.clone().find(|key| {
        let near = crate::similar::nearest(key, ["type", "apiVersion", "kind"]);
        near.is_some() && *key != "kind" && *key != "apiVersion"
    });
    let (missing, help) = match (root.entry("kind"), root.entry("apiVersion")) {
        (Some(_), _) => ("apiVersion", "write `apiVersion: kuma.io/v1alpha1`, or write `type` instead of `kind`".to_owned()),
        (_, Some(_)) => ("kind", "write `kind: ` and the name of a kind".to_owned()),
        _ => ("type", match meant {
            Some(key) => format!("is `{key}` meant to be `type`?"),
            None => "write `type: ` and the name of a kind; files that are not for the mesh belong outside of the directory that meshc checks".to_owned(),
        }),
    };
    reader
        .error(
            Code::MISSING_FIELD,
            &Pointer::default(),
            format!("this document has no `{missing}`"),
        )
        .help(help);
}

/// Checks what both formats have in common, and computes what follows from it.
fn draft<'a>(
    reader: &mut Reader<'_>,
    root: &'a Node,
    text: &'a str,
    written: Written,
) -> Draft<'a> {
    let Written { kind, format, .. } = written;
    let named = match &written.name {
        Some(name) => name::check(reader, kind, name, &written.name_at),
        None => false,
    };
    let mesh = match kind.scope {
        Scope::Global => String::new(),
        Scope::Mesh => written.mesh.clone().unwrap_or_else(|| "default".to_owned()),
    };
    let meshed = kind.scope == Scope::Global || name::check_mesh(reader, &mesh, &written.mesh_at);
    let name = written.name.clone().unwrap_or_default();
    let role = role::of(reader, &written);
    let computed = label::Computed {
        kind,
        format,
        name: &name,
        mesh: &mesh,
        namespace: &written.namespace,
        role,
    };
    let labelled = label::read(reader, &computed, &written.labels_at);
    let meta = Meta {
        kri: Kri::new(Parts {
            kind: kind.short,
            mesh: &mesh,
            zone: &labelled.zone,
            namespace: &labelled.namespace,
            name: &labelled.name,
            section: "",
        }),
        format,
        labels: labelled.labels,
        created: written.created,
        at: reader.at.clone(),
        body: written.body_at,
        virtual_document: false,
    };
    Draft {
        kind,
        meta,
        root,
        text,
        bodiless: written.body.is_none(),
        body: written
            .body
            .unwrap_or_else(|| Value::Object(serde_json::Map::new())),
        sound: match reader.settings.compat {
            Compat::Off => named && meshed,
            Compat::Kuma => !name.is_empty(),
        },
    }
}

/// Where a document says its name.
fn name_of(meta: &Meta) -> Location {
    let root = Pointer::default();
    Location {
        pointer: match meta.format {
            crate::model::Format::Universal => root.field("name"),
            crate::model::Format::Kubernetes => root.field("metadata").field("name"),
        },
        ..meta.at.clone()
    }
}

/// Says which documents are one too many, and are then not `sound`.
pub(crate) fn duplicates(documents: &[&Judged], sound: &mut [bool], diagnostics: &mut Diagnostics) {
    let mut first: Lookup<&Kri, &Meta> = Lookup::default();
    for (document, sound) in documents.iter().zip(sound) {
        let meta = document.meta();
        if !*sound {
            continue;
        }
        let Some(earlier) = first.get(&&meta.kri) else {
            first.insert(&meta.kri, meta);
            continue;
        };
        let name = meta.kri.name();
        let kind = document.kind.name;
        let message = match meta.kri.mesh() {
            "" => format!("there are two documents for the {kind} `{name}`"),
            mesh => format!("there are two documents for the {kind} `{name}` of mesh `{mesh}`"),
        };
        diagnostics
            .push(Diagnostic::new(
                Code::DUPLICATE_RESOURCE,
                name_of(meta),
                message,
            ))
            .related(name_of(earlier), "the first stands here")
            .help("remove one of them, or give it another name");
        *sound = false;
    }
}

/// Says which meshes nobody declares.
pub(crate) fn meshes(documents: &[&Judged], sound: &[bool], diagnostics: &mut Diagnostics) {
    let named = documents
        .iter()
        .filter(|document| document.kind.name == "Mesh");
    let mut names: BTreeSet<&str> = named.map(|document| document.meta().kri.name()).collect();
    if names.is_empty() {
        names.insert("default");
    }
    let sound = documents.iter().zip(sound).filter(|(_, sound)| **sound);
    for (document, _) in sound {
        let meta = document.meta();
        let mesh = meta.kri.mesh();
        if document.kind.scope == Scope::Global || names.contains(mesh) {
            continue;
        }
        let at = Location {
            pointer: match meta.format {
                crate::model::Format::Universal => Pointer::default().field("mesh"),
                crate::model::Format::Kubernetes => label::at_kubernetes().field("kuma.io/mesh"),
            },
            ..meta.at.clone()
        };
        let message = format!("no document declares the mesh `{mesh}`");
        let finding = diagnostics.push(Diagnostic::new(Code::UNKNOWN_MESH, at, message));
        let declared = crate::similar::listed(names.iter().copied(), "and");
        match crate::similar::nearest(mesh, names.iter().copied()) {
            Some(near) => finding.help(format!("did you mean `{near}`?")),
            None => finding.help(format!(
                "declared is {declared}; add a Mesh document for another"
            )),
        };
    }
}
