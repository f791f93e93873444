//! `outbound-resourcerules`: what all items that cover a destination make together, and in which order.
//!
//! Never looks at whom the policies are about: the question was asked after that.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use crate::json::Json;
use crate::lower::route::{self, read_matches};
use crate::policy::Table;
use crate::policy::applies::Subject;
use crate::policy::outbound::{Outbound, Towards};

use super::corpus::{Given, documents, given, golden, normal, table, world};
use super::same;

/// By KRI: the conf, and the documents and items that it is made of, the weakest first.
type Rules = BTreeMap<String, (Value, Vec<(String, usize)>)>;

pub(super) fn rules(case: &Path) -> Result<(), String> {
    let name = case.file_name().unwrap().to_string_lossy().into_owned();
    let topology = name.split_once("__").unwrap().1.to_owned();
    let side = topology
        .split_once("-2-")
        .map_or(topology.as_str(), |(side, _)| side);
    let world = world(case, "input.yaml", &labels(side));
    let matched: Vec<&Given> = world
        .iter()
        .filter(|given| given.meta.kri.name().starts_with("matched-for-rules-"))
        .collect();
    let routes = matched.iter().any(|given| given.kind == "MeshHTTPRoute");
    let table = table(&world, &matched);
    same(&found(&table, routes), &expected(&golden(case), routes))
}

/// Where documents originate, in the words of the corpus: `zone-k8s`, `global-uni`.
fn labels(side: &str) -> Vec<(&'static str, &str)> {
    let mut labels = match side.starts_with("zone") {
        true => vec![("kuma.io/origin", "zone"), ("kuma.io/zone", side)],
        false => vec![("kuma.io/origin", "global")],
    };
    if side.ends_with("k8s") {
        labels.push(("k8s.kuma.io/namespace", "ns-k8s"));
    }
    labels
}

fn found(table: &Table, routes: bool) -> Rules {
    let outbound = table.every_item();
    let items = outbound.items();
    let targets: BTreeSet<&Towards> = items.iter().flat_map(|item| &item.towards).collect();
    let mut found = BTreeMap::new();
    for towards in targets {
        let kri = match towards {
            Towards::Mesh => "kri_m____mesh-1_".to_owned(),
            Towards::Service(kri) | Towards::Port(kri) | Towards::Route(kri) => kri.to_string(),
        };
        let covering = outbound.covering(towards);
        let origins = covering.iter().map(|item| {
            let name = table.policies[item.policy].meta.kri.name();
            (name.to_owned(), item.strength.position)
        });
        found.insert(
            kri,
            (effective(&outbound, towards, routes), origins.collect()),
        );
    }
    found
}

fn effective(outbound: &Outbound<'_>, towards: &Towards, routes: bool) -> Value {
    let items = outbound.covering(towards);
    if !routes {
        return normal(&outbound.fold(&items).to_value());
    }
    let rules = route::rules(outbound, &items);
    let rule = |rule: &route::Rule| {
        let matches = format!("{:?}", rule.matches);
        Value::Array(vec![Value::String(matches), normal(&rule.conf.to_value())])
    };
    rules.iter().map(rule).collect()
}

fn expected(golden: &Value, routes: bool) -> Rules {
    let rule = |(kri, rule): (&String, &Value)| {
        let origins = rule["Origin"].as_array().unwrap().iter().map(|origin| {
            let name = &origin["Resource"]["Labels"]["kuma.io/display-name"];
            let index = usize::try_from(origin["RuleIndex"].as_u64().unwrap()).unwrap();
            (name.as_str().unwrap().to_owned(), index)
        });
        let conf = golden_conf(&rule["Conf"][0], routes);
        (kri.clone(), (conf, origins.collect()))
    };
    golden.as_object().into_iter().flatten().map(rule).collect()
}

/// The golden conf in the same shape.
fn golden_conf(conf: &Value, routes: bool) -> Value {
    if !routes {
        return normal(conf);
    }
    let rules = conf["rules"].as_array().unwrap();
    let rule = |rule: &Value| {
        let matches = format!(
            "{:?}",
            read_matches(rule.get("matches").cloned().map(Json::from).as_ref())
        );
        let mut conf = normal(&rule["default"]);
        if let Some(conf) = conf.as_object_mut() {
            conf.retain(|_, value| !value.is_null());
        }
        Value::Array(vec![Value::String(matches), conf])
    };
    rules.iter().map(rule).collect()
}

/// Every item of every policy of a case is looked up for its proxy.
pub(super) fn answered(case: &Path) {
    let dataplane = documents(case, "dataplane.yaml").remove(0);
    let dataplane = given(&dataplane, &[]);
    let world = world(case, "policies.yaml", &[]);
    let kinds: BTreeSet<&String> = world.iter().map(|given| &given.kind).collect();
    for kind in kinds {
        let policies: Vec<&Given> = world.iter().filter(|given| given.kind == *kind).collect();
        let table = table(&world, &policies);
        let subject = Subject {
            meta: &dataplane.meta,
            sections: &[],
        };
        let outbound = table.outbound(&subject);
        for item in outbound.items() {
            for towards in &item.towards {
                assert!(!outbound.covering(towards).is_empty());
            }
        }
    }
}
