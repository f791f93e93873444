//! `matchedpolicies-fromrules`: the rules for each inbound, listeners between zones among them; `inbound-rules`: their order alone.
//!
//! Never merges: rules stand one by one.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::diag::Pointer;
use crate::policy::applies::Subject;
use crate::policy::inbound::{Inbound, Rule, read_match};

use super::corpus::{Given, documents, given, golden, normal, sections, table, text, world};
use super::same;

/// Whom a rule is about, its conf, its document and its place there.
type Told = (String, Value, String, u64);

pub(super) fn rules(case: &Path) -> Result<(), String> {
    let dataplane = documents(case, "dataplane.yaml").remove(0);
    let sections = sections(&dataplane);
    let names: Vec<String> = sections.iter().map(|(name, _)| name.clone()).collect();
    let proxy = given(&dataplane, &[]);
    let world = world(case, "policies.yaml", &[]);
    let policies: Vec<&Given> = world.iter().collect();
    let table = table(&world, &policies);
    let subject = Subject {
        meta: &proxy.meta,
        sections: &names,
    };
    let mut found = BTreeMap::new();
    for (name, address) in &sections {
        let rules = ours(&table.inbound(&subject, name));
        if !rules.is_empty() {
            found.insert(address.clone(), rules);
        }
    }
    let golden = golden(case);
    let inbounds = golden["InboundRules"].as_object().into_iter().flatten();
    let expected: BTreeMap<String, Vec<Told>> = inbounds
        .map(|(address, rules)| (address.clone(), theirs(rules)))
        .collect();
    same(&found, &expected)
}

/// The rules of all policies of a case, in the order in which they are tried, whatever proxy they select.
pub(super) fn order(case: &Path) -> Result<(), String> {
    let world = world(case, "input.yaml", &[]);
    let policies: Vec<&Given> = world.iter().collect();
    same(
        &ours(&table(&world, &policies).every_rule()),
        &theirs(&golden(case)),
    )
}

fn ours(inbound: &Inbound<'_>) -> Vec<Told> {
    let told = |rule: &&Rule| {
        let by = inbound.source(rule, &Pointer::default()).unwrap();
        (
            format!("{:?}", rule.peer),
            normal(&rule.conf.to_value()),
            by.resource.to_string(),
            u64::try_from(rule.strength.position).unwrap(),
        )
    };
    inbound.rules.iter().map(told).collect()
}

fn theirs(rules: &Value) -> Vec<Told> {
    let told = |rule: &Value| {
        let origin = &rule["origin"];
        let peer = rule
            .get("match")
            .and_then(|peer| read_match(&peer.clone().into()));
        let index = origin["RuleIndex"].as_u64().unwrap();
        let kri = text(&origin["Resource"], "kri");
        (format!("{peer:?}"), normal(&rule["conf"]), kri, index)
    };
    rules.as_array().into_iter().flatten().map(told).collect()
}
