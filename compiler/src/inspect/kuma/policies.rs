//! `_policies`: what holds for a proxy, an inbound, an outbound, or the requests that a route matched.
//!
//! Never names a policy that has nothing to say about what was asked for.

use std::collections::BTreeSet;

use mesh_bundle::Kri;
use serde_json::{Value, json};

use crate::inspect::asked::Proxy;
use crate::inspect::effective::{Contribution, Effective, is_route};
use crate::inspect::routes::for_route;
use crate::policy::outbound::Towards;

use super::{Refusal, with};

pub(super) fn of_proxy(proxy: &Proxy<'_>) -> Value {
    let tables = proxy.tables().into_iter();
    let policies = tables.filter_map(|table| proxy.wide(table)).map(|effective| {
        json!({"kind": effective.kind, "conf": effective.conf, "origins": origins(&effective.origins)})
    });
    json!({"policies": policies.collect::<Vec<_>>()})
}

pub(super) fn of_outbound(proxy: &Proxy<'_>, outbound: &Kri) -> Value {
    let towards = towards(outbound);
    let tables = proxy.tables().into_iter().filter(|table| !is_route(table));
    list(tables.filter_map(|table| proxy.towards(table, &towards)))
}

pub(super) fn of_route(proxy: &Proxy<'_>, outbound: &Kri, route: &Kri) -> Value {
    list(for_route(proxy, outbound, &route.without_section()).into_iter())
}

pub(super) fn of_inbound(proxy: &Proxy<'_>, inbound: &Kri) -> Result<Value, Refusal> {
    let known = |name: &str| proxy.sections.iter().any(|section| section.name == name);
    if !known(inbound.section()) {
        return Err(Refusal::not_found("Could not retrieve inbound"));
    }
    let subject = proxy.subject();
    let mut policies = Vec::new();
    for table in proxy.tables() {
        let rules = proxy.received(table, inbound.section());
        if rules.is_empty() {
            continue;
        }
        // Policies are numbered in their order.
        let applied = table.inbound(&subject, inbound.section()).rules;
        let applied: BTreeSet<usize> = applied.iter().map(|rule| rule.policy).collect();
        let applied = applied
            .iter()
            .filter_map(|index| table.policies.get(*index));
        let origins: Vec<Value> = applied
            .map(|policy| json!({"kri": policy.meta.kri}))
            .collect();
        let rules = rules.into_iter().map(|rule| {
            let answer = json!({"kri": rule.origin.kri, "conf": rule.conf});
            with(answer, "match", rule.peer)
        });
        let rules: Vec<Value> = rules.collect();
        policies.push(json!({"kind": table.kind, "origins": origins, "rules": rules}));
    }
    Ok(json!({"policies": policies}))
}

/// What an outbound stands for.
pub(super) fn towards(outbound: &Kri) -> Towards {
    match outbound.section().is_empty() {
        true => Towards::Service(outbound.clone()),
        false => Towards::Port(outbound.clone()),
    }
}

fn list(effective: impl Iterator<Item = Effective>) -> Value {
    let policies = effective.map(|effective| {
        json!({"kind": effective.kind, "conf": [effective.conf], "origins": origins(&effective.origins)})
    });
    json!({"policies": policies.collect::<Vec<_>>()})
}

/// Every document once, the weakest first.
pub(super) fn origins(origins: &[Contribution]) -> Vec<Value> {
    let mut seen = BTreeSet::new();
    let first = origins.iter().filter(|origin| seen.insert(&origin.kri));
    first.map(|origin| json!({"kri": origin.kri})).collect()
}
