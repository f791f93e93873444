//! Answers about precedence and merging that nobody here wrote, compared with ours.
//!
//! The corpus lies at `../shared/corpus` beside the repository, or where `MESH_CORPUS` says; without it these tests skip
//! loudly. Zone proxies, and cases that test the labels of another control plane, are left out.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::applies::Subject;
use super::outbound::Outbound;
use super::target::TargetKind;
use super::*;
use crate::diag::Diagnostics;
use crate::lower::route::{read_matches, rules};
use crate::model::Format;
use crate::source::Sources;
use crate::world::MemoryWorld;

#[expect(
    clippy::disallowed_methods,
    reason = "the corpus is no part of the repository, and its absence must be seen"
)]
fn cases(suite: &str) -> Vec<PathBuf> {
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

/// The documents of a file.
#[expect(
    clippy::disallowed_methods,
    reason = "the corpus is no part of a repository"
)]
fn documents(case: &Path, name: &str) -> Vec<Value> {
    let files = BTreeMap::from([(name.to_owned(), std::fs::read(case.join(name)).unwrap())]);
    let sources = Sources::load(&MemoryWorld { files }, &mut Diagnostics::default());
    let files: Vec<_> = sources.files().collect();
    let roots = files.iter().flat_map(|(_, file)| &file.documents);
    roots
        .filter_map(|document| Some(document.root.as_ref()?.to_json()))
        .collect()
}

/// One document of a case, as the stages before this one would hand it over.
struct Given {
    kind: String,
    meta: Meta,
    body: Value,
}

fn text(value: &Value, key: &str) -> String {
    value
        .get(key)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

/// `side` is where the documents originate, in the words of the corpus: `zone-k8s`, `global-uni`.
fn given(document: &Value, side: Option<&str>) -> Given {
    let kind = text(document, "type");
    let (name, mesh) = (text(document, "name"), text(document, "mesh"));
    let mut labels: BTreeMap<String, String> = BTreeMap::new();
    let mut label = |key: &str, value: &str| labels.insert(key.to_owned(), value.to_owned());
    label("kuma.io/display-name", &name);
    if let Some(side) = side.filter(|_| kind != "Mesh") {
        match side.starts_with("zone") {
            true => {
                label("kuma.io/origin", "zone");
                label("kuma.io/zone", side);
            }
            false => drop(label("kuma.io/origin", "global")),
        }
        if side.ends_with("k8s") {
            label("k8s.kuma.io/namespace", "ns-k8s");
        }
    }
    let own = document.get("labels").and_then(Value::as_object);
    for (key, value) in own.into_iter().flatten() {
        labels.insert(key.clone(), value.as_str().unwrap().to_owned());
    }
    let short = match kind.as_str() {
        "MeshExternalService" => "extsvc",
        "MeshRetry" => "mr",
        kind => crate::kinds::find(kind).map_or("?", |kind| kind.short),
    };
    let part = |key: &str| labels.get(key).cloned().unwrap_or_default();
    let global = labels
        .get("kuma.io/origin")
        .is_some_and(|origin| origin == "global");
    let kri = Kri {
        kind: short.to_owned(),
        zone: if global {
            String::new()
        } else {
            part("kuma.io/zone")
        },
        namespace: part("k8s.kuma.io/namespace"),
        mesh,
        name: part("kuma.io/display-name"),
        section: String::new(),
    };
    Given {
        kind,
        meta: Meta {
            kri,
            format: Format::Universal,
            labels,
            created: None,
            at: Location::of_file("case.yaml"),
            body: Pointer::default().field("spec"),
            virtual_document: false,
        },
        body: document.get("spec").cloned().unwrap_or_default(),
    }
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
                let ports = given.body.get("ports").and_then(Value::as_array)?;
                let name = |port: &Value| match port.get("name").and_then(Value::as_str) {
                    Some(name) => name.to_owned(),
                    None => port["port"].to_string(),
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

fn table(world: &[Given], policies: &[&Given]) -> Table {
    let conf = match policies.first().map(|policy| policy.kind.as_str()) {
        Some("MeshHTTPRoute" | "MeshTCPRoute") => ConfAt::Rules,
        _ => ConfAt::Default,
    };
    let descriptor = Descriptor { kind: "any", conf };
    let written = policies.iter().map(|policy| Written {
        meta: &policy.meta,
        body: &policy.body,
    });
    Table::read(descriptor, Shadows::Listed, written, |target, _, _| {
        towards(world, target)
    })
}

/// Durations in one form, and the weight that is meant where none is written.
fn normal(value: &Value) -> Value {
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

fn effective(outbound: &Outbound<'_>, towards: &Towards, routes: bool) -> Value {
    let items = outbound.covering(towards);
    if !routes {
        return normal(&outbound.fold(&items).to_value());
    }
    let rules = rules(outbound, &items);
    let rule = |rule: &crate::lower::route::Rule| {
        let matches = format!("{:?}", rule.matches);
        Value::Array(vec![Value::String(matches), normal(&rule.conf.to_value())])
    };
    rules.iter().map(rule).collect()
}

/// The golden conf in the same shape.
fn golden_conf(conf: &Value, routes: bool) -> Value {
    if !routes {
        return normal(conf);
    }
    let rules = conf["rules"].as_array().unwrap();
    let rule = |rule: &Value| {
        let matches = format!("{:?}", read_matches(rule.get("matches")));
        let mut conf = normal(&rule["default"]);
        if let Some(conf) = conf.as_object_mut() {
            conf.retain(|_, value| !value.is_null());
        }
        Value::Array(vec![Value::String(matches), conf])
    };
    rules.iter().map(rule).collect()
}

#[test]
fn outbound_rules() {
    for case in cases("outbound-resourcerules") {
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        let topology = name.split_once("__").unwrap().1.to_owned();
        let side = topology
            .split_once("-2-")
            .map_or(topology.as_str(), |(side, _)| side);
        let world: Vec<Given> = documents(&case, "input.yaml")
            .iter()
            .map(|document| given(document, Some(side)))
            .collect();
        let matched: Vec<&Given> = world
            .iter()
            .filter(|given| given.meta.kri.name.starts_with("matched-for-rules-"))
            .collect();
        let routes = matched.iter().any(|given| given.kind == "MeshHTTPRoute");
        let table = table(&world, &matched);
        let outbound = table.every_item();
        let targets: BTreeSet<&Towards> = outbound
            .items()
            .iter()
            .flat_map(|item| &item.towards)
            .collect();
        let mut found = BTreeMap::new();
        for towards in targets {
            let kri = match towards {
                Towards::Mesh => "kri_m____mesh-1_".to_owned(),
                Towards::Service(kri) | Towards::Port(kri) | Towards::Route(kri) => kri.to_string(),
            };
            let origins: Vec<(String, usize)> = outbound
                .covering(towards)
                .iter()
                .map(|item| {
                    (
                        table.policies[item.policy].meta.kri.name.clone(),
                        item.strength.position,
                    )
                })
                .collect();
            found.insert(kri, (effective(&outbound, towards, routes), origins));
        }
        let golden = documents(&case, "golden.yaml").pop().unwrap_or_default();
        let expected: BTreeMap<String, (Value, Vec<(String, usize)>)> = golden
            .as_object()
            .into_iter()
            .flatten()
            .map(|(kri, rule)| {
                let origins = rule["Origin"].as_array().unwrap().iter().map(|origin| {
                    let name = &origin["Resource"]["Labels"]["kuma.io/display-name"];
                    let index = usize::try_from(origin["RuleIndex"].as_u64().unwrap()).unwrap();
                    (name.as_str().unwrap().to_owned(), index)
                });
                (
                    kri.clone(),
                    (golden_conf(&rule["Conf"][0], routes), origins.collect()),
                )
            })
            .collect();
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn outbound_order() {
    for case in cases("outbound-sort") {
        let world: Vec<Given> = documents(&case, "input.yaml")
            .iter()
            .map(|document| given(document, None))
            .collect();
        let policies: Vec<&Given> = world.iter().collect();
        let table = table(&world, &policies);
        let outbound = table.every_item();
        let found: Vec<(String, Value)> = outbound
            .items()
            .iter()
            .map(|item| {
                let kri = &table.policies[item.policy].meta.kri;
                (kri.name.clone(), normal(&item.conf))
            })
            .collect();
        let golden = documents(&case, "golden.yaml").pop().unwrap_or_default();
        let expected: Vec<(String, Value)> = golden
            .as_array()
            .into_iter()
            .flatten()
            .map(|entry| {
                (
                    text(&entry["Meta"], "name"),
                    normal(&entry["Entry"]["default"]),
                )
            })
            .collect();
        assert_eq!(found, expected, "{}", case.display());
    }
}

#[test]
fn matched_policies() {
    for case in cases("matchedpolicies-dataplanepolicies") {
        let proxy = documents(&case, "dataplane.yaml").remove(0);
        let inbounds = proxy["networking"]["inbound"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let sections: Vec<String> = inbounds
            .iter()
            .map(
                |inbound| match inbound.get("name").and_then(Value::as_str) {
                    Some(name) => name.to_owned(),
                    None => inbound["port"].to_string(),
                },
            )
            .collect();
        let mut proxy = given(&proxy, None);
        let world: Vec<Given> = documents(&case, "policies.yaml")
            .iter()
            .map(|document| given(document, None))
            .collect();
        let golden = documents(&case, "golden.yaml").pop().unwrap_or_default();
        let expected: Vec<String> = golden["items"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|item| text(item, "kri"))
            .collect();
        // The question was about one kind.
        let asked = golden["items"][0]["type"].as_str().unwrap_or_default();
        let policies: Vec<&Given> = world.iter().filter(|given| given.kind == asked).collect();
        // One case has its proxy in another mesh than its policies, which the question does not look at.
        let mesh = policies.first().map(|policy| policy.meta.kri.mesh.clone());
        proxy.meta.kri.mesh = mesh.unwrap_or_default();
        let subject = Subject {
            meta: &proxy.meta,
            sections: &sections,
        };
        let table = table(&world, &policies);
        let applied = table
            .policies
            .iter()
            .filter(|policy| policy.applies(&subject));
        let found: Vec<String> = applied.map(|policy| policy.meta.kri.to_string()).collect();
        assert_eq!(found, expected, "{}", case.display());
    }
}
