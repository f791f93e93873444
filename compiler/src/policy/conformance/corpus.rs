//! Cases of the corpus, and their documents as the stages before this one would hand them over.
//!
//! Never judges.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mesh_bundle::Kri;
use mesh_bundle::kri::Parts;
use serde_json::{Map, Value};

use crate::diag::{Location, Pointer};
use crate::json::Json;
use crate::model::{Compat, Format, Meta};
use crate::policy::outbound::Towards;
use crate::policy::target::{Target, TargetKind};
use crate::policy::{ConfAt, Descriptor, Shadows, Table, Written, carries};
use crate::source::Node;

#[expect(
    clippy::disallowed_methods,
    reason = "the corpus is no part of the repository, and its absence must be seen"
)]
pub(super) fn cases(suite: &str) -> Vec<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus");
    let corpus = std::env::var_os("MESH_CORPUS").map_or(beside, PathBuf::from);
    let suite = corpus.join("matching").join(suite);
    let Ok(entries) = std::fs::read_dir(&suite) else {
        // Not `eprintln`, which the test harness would swallow.
        let text = format!("SKIPPED: there is no corpus at {}\n", suite.display());
        std::io::stderr().write_all(text.as_bytes()).unwrap();
        return Vec::new();
    };
    let mut cases: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    cases
}

/// Shows a figure, and leaves it in the directory that `MESH_FIGURES` names, for `cargo xtask test` to print.
#[expect(
    clippy::disallowed_methods,
    reason = "figures are for the one who runs the tests, nothing depends on them"
)]
pub(super) fn figure(name: &str, words: &str) {
    println!("{name}: {words}");
    if let Some(directory) = std::env::var_os("MESH_FIGURES").map(PathBuf::from) {
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join(name), format!("{words}\n")).unwrap();
    }
}

/// The documents of a file.
#[expect(
    clippy::disallowed_methods,
    reason = "the corpus is no part of a repository"
)]
pub(super) fn documents(case: &Path, name: &str) -> Vec<Value> {
    let bytes = std::fs::read(case.join(name)).unwrap();
    let trees = crate::source::trees(std::str::from_utf8(&bytes).unwrap());
    trees.iter().flatten().map(Node::to_json).collect()
}

/// The golden answer of a case.
pub(super) fn golden(case: &Path) -> Value {
    documents(case, "golden.yaml").pop().unwrap_or_default()
}

/// One document of a case.
pub(super) struct Given {
    pub(super) kind: String,
    pub(super) meta: Arc<Meta>,
    pub(super) body: Json,
}

pub(super) fn text(value: &Value, key: &str) -> String {
    value
        .get(key)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

/// The documents of a file, each with labels that its own go before.
pub(super) fn world(case: &Path, name: &str, labels: &[(&str, &str)]) -> Vec<Given> {
    let documents = documents(case, name);
    documents
        .iter()
        .map(|document| given(document, labels))
        .collect()
}

pub(super) fn given(document: &Value, added: &[(&str, &str)]) -> Given {
    let kind = text(document, "type");
    let (name, mesh) = (text(document, "name"), text(document, "mesh"));
    let added = added.iter().filter(|_| kind != "Mesh");
    let mut labels: BTreeMap<String, String> = added
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    labels.insert("kuma.io/display-name".to_owned(), name);
    let own = document.get("labels").and_then(Value::as_object);
    for (key, value) in own.into_iter().flatten() {
        labels.insert(key.clone(), value.as_str().unwrap().to_owned());
    }
    let part = |key: &str| labels.get(key).map_or("", String::as_str);
    let global = part("kuma.io/origin") == "global";
    let kri = Kri::new(Parts {
        kind: crate::kinds::find(&kind).map_or("?", |kind| kind.short),
        zone: match global {
            true => "",
            false => part("kuma.io/zone"),
        },
        namespace: part("k8s.kuma.io/namespace"),
        mesh: &mesh,
        name: part("kuma.io/display-name"),
        section: "",
    });
    Given {
        kind,
        meta: Arc::new(Meta {
            kri,
            format: Format::Universal,
            labels,
            created: None,
            at: Location::of_file("case.yaml"),
            body: Pointer::default().field("spec"),
            virtual_document: false,
        }),
        body: document.get("spec").cloned().unwrap_or_default().into(),
    }
}

/// The section names and addresses of the inbounds and listeners of a Dataplane.
pub(super) fn sections(dataplane: &Value) -> Vec<(String, String)> {
    let networking = &dataplane["networking"];
    let lists = ["inbound", "listeners"].map(|list| networking[list].as_array());
    let sections = lists.into_iter().flatten().flatten().map(|section| {
        let own = section.get("address").or_else(|| networking.get("address"));
        let name = match section.get("name").and_then(Value::as_str) {
            Some(name) => name.to_owned(),
            None => section["port"].to_string(),
        };
        let address = own.and_then(Value::as_str).unwrap_or_default();
        (name, format!("{address}:{}", section["port"]))
    });
    sections.collect()
}

/// What an item is about, by labels, whatever the kind.
fn towards(world: &[Given], target: &Target) -> Vec<Towards> {
    let kind = target.kind.as_str();
    let fits = |given: &&Given| given.kind == kind && carries(&given.meta.labels, &target.labels);
    let one = |given: &Given| {
        let kri = given.meta.kri.clone();
        match (&target.section, target.kind) {
            (_, TargetKind::MeshHttpRoute) => Some(Towards::Route(kri)),
            (None, _) => Some(Towards::Service(kri)),
            (Some(section), _) => {
                let ports = given.body.get("ports").and_then(Json::as_array)?;
                let name = |port: &Json| match port.get("name").and_then(Json::as_str) {
                    Some(name) => name.to_owned(),
                    None => port
                        .get("port")
                        .map_or(Value::Null, Json::to_value)
                        .to_string(),
                };
                let found = ports.iter().any(|port| name(port) == *section);
                found.then(|| Towards::Port(kri.with_section(section.as_str())))
            }
        }
    };
    match target.kind {
        TargetKind::Mesh => vec![Towards::Mesh],
        _ => world.iter().filter(fits).filter_map(one).collect(),
    }
}

/// The policies of one kind.
pub(super) fn table(world: &[Given], policies: &[&Given]) -> Table {
    let kind = policies.first().map_or("", |policy| policy.kind.as_str());
    let conf = match kind {
        "MeshHTTPRoute" | "MeshTCPRoute" => ConfAt::Rules,
        _ => ConfAt::Default,
    };
    let descriptor = Descriptor {
        kind: crate::kinds::find(kind).map_or("", |kind| kind.name),
        conf,
        compat: Compat::Off,
    };
    let written = policies.iter().map(|policy| Written {
        meta: &policy.meta,
        body: &policy.body,
    });
    Table::read(descriptor, Shadows::Listed, written, |target, _, _| {
        towards(world, target)
    })
}

/// Durations in one form, and the weight that is meant where none is written.
pub(super) fn normal(value: &Value) -> Value {
    match value {
        Value::String(text) => match text.parse::<mesh_bundle::Duration>() {
            Ok(duration) => Value::String(duration.to_string()),
            Err(_) => value.clone(),
        },
        Value::Array(items) => items.iter().map(normal).collect(),
        Value::Object(fields) => {
            let mut fields: Map<String, Value> = fields
                .iter()
                .map(|(key, value)| (key.clone(), normal(value)))
                .collect();
            if fields.contains_key("kind") && fields.get("weight") == Some(&Value::from(1)) {
                fields.remove("weight");
            }
            Value::Object(fields)
        }
        value => value.clone(),
    }
}
