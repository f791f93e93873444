//! `matchedpolicies-fromrules`: the rules for each inbound, listeners between zones among them.
//!
//! Never merges: rules stand one by one.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::diag::Pointer;
use crate::policy::applies::Subject;
use crate::policy::inbound::{Rule, read_match};

use super::corpus::{Given, documents, given, golden, normal, sections, table, text, world};
use super::same;

/// By address: whom a rule is about, its conf, its document and its place there.
type Rules = BTreeMap<String, Vec<(String, Value, String, u64)>>;

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
    let mut found = Rules::new();
    for (name, address) in &sections {
        let inbound = table.inbound(&subject, name);
        let rule = |rule: &&Rule| {
            let by = inbound.source(rule, &Pointer::default()).unwrap();
            let index = u64::try_from(rule.strength.position).unwrap();
            let peer = format!("{:?}", rule.peer);
            (
                peer,
                normal(&rule.conf.to_value()),
                by.resource.to_string(),
                index,
            )
        };
        let rules: Vec<_> = inbound.rules.iter().map(rule).collect();
        if !rules.is_empty() {
            found.insert(address.clone(), rules);
        }
    }
    same(&found, &expected(&golden(case)))
}

fn expected(golden: &Value) -> Rules {
    let rule = |rule: &Value| {
        let origin = &rule["origin"];
        let peer = rule
            .get("match")
            .and_then(|peer| read_match(&peer.clone().into()));
        let index = origin["RuleIndex"].as_u64().unwrap();
        let kri = text(&origin["Resource"], "kri");
        (format!("{peer:?}"), normal(&rule["conf"]), kri, index)
    };
    let inbounds = golden["InboundRules"].as_object().into_iter().flatten();
    let inbound = |(address, rules): (&String, &Value)| {
        let rules = rules.as_array().unwrap().iter().map(rule);
        (address.clone(), rules.collect())
    };
    inbounds.map(inbound).collect()
}
