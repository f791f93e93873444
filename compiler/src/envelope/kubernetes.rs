//! The Kubernetes format: `apiVersion`, `kind` and `metadata` (language 2.3).
//!
//! Never judges documents of other tools: a repository holds Deployments beside policies.

use serde_json::Value;

use super::reader::Reader;
use super::universal::{read_only, spec};
use super::{Written, core_secret, kind, label, name};
use crate::diag::{Change, Code, Pointer, Severity};
use crate::kinds::{Body, KindInfo, Scope};
use crate::model::Format;
use crate::source::Node;
use crate::yaml;

const GROUP: &str = "kuma.io/";
const API_VERSION: &str = "kuma.io/v1alpha1";

/// What `metadata` may hold. All but the first four is written by the cluster.
const METADATA: [&str; 15] = [
    "name",
    "namespace",
    "labels",
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "managedFields",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// A document of another tool. A core Secret of our own type is not one.
pub(super) fn is_foreign(root: &Node) -> bool {
    let text = |key: &str| root.get(key).and_then(Node::as_str);
    let Some(api_version) = text("apiVersion") else {
        return false;
    };
    root.get("kind").is_some() && !api_version.starts_with(GROUP) && !core_secret::is_ours(root)
}

pub(super) fn read(reader: &mut Reader<'_>) -> Option<Written> {
    let root = Pointer::default();
    let version_at = root.field("apiVersion");
    let version = reader.string(&version_at)?;
    if version != API_VERSION {
        reader
            .error(
                Code::UNSUPPORTED,
                &version_at,
                format!("`{version}` is not a version of this language"),
            )
            .help(format!("write `{API_VERSION}`"));
        return None;
    }
    let kind_at = root.field("kind");
    let kind_name = reader.string(&kind_at)?;
    let kind = kind::find(reader, kind_name, &kind_at)?;
    read_only(reader, &root);
    let mut known = vec!["apiVersion", "kind", "metadata", "spec", "status"];
    if kind.name == "Dataplane" {
        known.push("mesh");
    }
    reader.only(&root, &known);
    let spec_at = root.field("spec");
    let body = spec(reader, &spec_at, kind.body == Body::Spec);
    Some(written(reader, kind, spec_at, body))
}

/// A document of a kind, from what its metadata says and its body.
pub(super) fn written(
    reader: &mut Reader<'_>,
    kind: &'static KindInfo,
    body_at: Pointer,
    body: Option<Value>,
) -> Written {
    let metadata = Pointer::default().field("metadata");
    reader.mapping(&metadata);
    reader.only(&metadata, &METADATA);
    annotations(reader, &metadata);
    let name_at = metadata.field("name");
    let name = reader.string(&name_at).map(str::to_owned);
    if name.is_none() && reader.present(&name_at).is_none() {
        reader
            .error(
                Code::MISSING_FIELD,
                &name_at,
                format!("this {} has no `metadata.name`", kind.name),
            )
            .help("write `name: ` and a name under `metadata`");
    }
    let namespace = namespace(reader, kind, &metadata.field("namespace"));
    let (mesh_at, mesh) = mesh(reader, kind);
    Written {
        kind,
        format: Format::Kubernetes,
        name,
        name_at,
        mesh,
        mesh_at,
        namespace,
        labels_at: label::at_kubernetes(),
        created: reader.created(&metadata.field("creationTimestamp")),
        body_at,
        body,
    }
}

/// In a label; a Dataplane has a field for it as well.
fn mesh(reader: &mut Reader<'_>, kind: &KindInfo) -> (Pointer, Option<String>) {
    let label_at = label::at_kubernetes().field("kuma.io/mesh");
    let field_at = Pointer::default().field("mesh");
    if kind.name == "Dataplane" && reader.present(&field_at).is_some() {
        let mesh = reader.string(&field_at).map(str::to_owned);
        return (field_at, mesh);
    }
    // Labels that are no strings are reported where labels are read.
    let node = reader.present(&label_at).and_then(Node::as_str);
    let mesh = node.filter(|mesh| !mesh.is_empty()).map(str::to_owned);
    if let (Scope::Global, Some(_)) = (kind.scope, &mesh) {
        reader
            .error_key(
                Code::WRONG_SCOPE,
                &label_at,
                format!("a {} belongs to no mesh", kind.name),
            )
            .help("remove the label");
    }
    (label_at, mesh)
}

fn namespace(reader: &mut Reader<'_>, kind: &KindInfo, at: &Pointer) -> String {
    let given = reader.string(at).filter(|given| !given.is_empty());
    if kind.name == "Mesh" {
        if given.is_some() {
            reader
                .error_key(Code::WRONG_SCOPE, at, "a Mesh belongs to no namespace")
                .help("remove `namespace`");
        }
        return String::new();
    }
    let system = reader.settings.system_namespace.clone();
    let Some(given) = given else {
        return match kind.system_only {
            true => system,
            false => "default".to_owned(),
        };
    };
    name::check_namespace(reader, given, at);
    if kind.system_only && given != system {
        let certain = reader.settings.knows_system_namespace();
        let message = format!("a {} lives in the namespace `{system}` only", kind.name);
        let finding = reader.error(Code::WRONG_NAMESPACE, at, message);
        finding.help(format!("write `namespace: {system}`, or remove the line"));
        if !certain {
            finding.severity = Severity::Warning;
        }
    }
    given.to_owned()
}

/// Annotations that had a meaning once.
fn annotations(reader: &mut Reader<'_>, metadata: &Pointer) {
    let at = metadata.field("annotations");
    let Some(annotations) = reader.mapping(&at) else {
        return;
    };
    if annotations.get("kuma.io/mesh").is_some() {
        reader
            .error_key(
                Code::LEGACY,
                &at.field("kuma.io/mesh"),
                "the mesh is not read from an annotation",
            )
            .help(
                match annotations.get("kuma.io/mesh").and_then(Node::as_str) {
                    Some(mesh) => {
                        let label = yaml::mapping(&[("kuma.io/mesh", mesh)]);
                        format!("use a label: `metadata: {{labels: {label}}}`")
                    }
                    None => "move `kuma.io/mesh` to `metadata.labels`".to_owned(),
                },
            )
            .safe_fix("make it a label", |at| {
                let labels = Pointer::default().field("metadata").field("labels");
                let mesh = annotations.get("kuma.io/mesh").map(Node::to_json);
                let insert =
                    mesh.map(|mesh| Change::Insert(labels, "kuma.io/mesh".to_owned(), mesh));
                let remove = Change::Remove(at.clone());
                std::iter::once(remove).chain(insert).collect()
            });
    }
    let shown = annotations.get("kuma.io/display-name");
    let name = reader.present(&metadata.field("name"));
    let same = shown.and_then(Node::as_str) == name.and_then(Node::as_str);
    if shown.is_some() && !same {
        reader
            .error_key(
                Code::UNSUPPORTED,
                &at.field("kuma.io/display-name"),
                "another display name than `metadata.name` is not supported yet",
            )
            .help("remove the annotation");
    }
}
