//! `_rules`: everything that policies say about a proxy, before it is looked up for one destination.
//!
//! Never warns: what is wrong with a repository is told by `meshc check`.

use std::collections::{BTreeMap, BTreeSet};

use mesh_bundle::Kri;
use serde_json::{Value, json};

use crate::inspect::asked::{Proxy, Section};
use crate::inspect::effective::{Contribution, Effective};
use crate::inspect::matches;
use crate::policy::Table;
use crate::policy::outbound::Towards;

use super::{Api, with};

pub(super) fn rules(api: &Api<'_>, proxy: &Proxy<'_>) -> Value {
    let mut matches = BTreeMap::new();
    let tables = proxy.tables().into_iter();
    let rules = tables.filter_map(|table| of_kind(api, proxy, table, &mut matches));
    let rules: Vec<Value> = rules.collect();
    let matches = matches
        .into_iter()
        .map(|(hash, matches)| json!({"hash": hash, "match": matches}));
    json!({
        "resource": api.meta(proxy.instance.meta),
        "rules": rules,
        "httpMatches": matches.collect::<Vec<_>>(),
    })
}

fn of_kind(
    api: &Api<'_>,
    proxy: &Proxy<'_>,
    table: &Table,
    hashes: &mut BTreeMap<String, Value>,
) -> Option<Value> {
    let mut sections: Vec<&Section> = proxy.sections.iter().collect();
    sections.sort_by_key(|section| (section.port, &section.name));
    let inbounds = sections
        .iter()
        .filter_map(|section| inbound(api, proxy, table, section));
    let inbounds: Vec<Value> = inbounds.collect();
    let targets = targets(api, proxy, table, hashes);
    let wide = proxy.wide(table);
    if inbounds.is_empty() && targets.is_empty() && wide.is_none() {
        return None;
    }
    let answer = json!({
        "type": table.kind,
        "inboundRules": inbounds,
        "toResourceRules": targets,
        "warnings": [],
    });
    let rule = wide.map(|Effective { conf, origins, .. }| {
        let documents = origins.iter().map(|origin| api.document(origin));
        json!({"conf": conf, "origin": documents.collect::<Vec<_>>()})
    });
    Some(with(answer, "proxyRule", rule))
}

fn inbound(api: &Api<'_>, proxy: &Proxy<'_>, table: &Table, section: &Section) -> Option<Value> {
    let rules = proxy
        .received(table, &section.name)
        .into_iter()
        .map(|rule| {
            let answer = json!({"conf": [rule.conf], "origin": [api.item(&rule.origin)]});
            with(answer, "match", rule.peer)
        });
    let rules: Vec<Value> = rules.collect();
    let name = section.is_named.then(|| json!(section.name));
    let inbound = with(json!({"port": section.port, "tags": null}), "name", name);
    (!rules.is_empty()).then(|| json!({"inbound": inbound, "rules": rules}))
}

/// Everything that items of `to` are about, in the order of kinds, names and sections.
fn targets(
    api: &Api<'_>,
    proxy: &Proxy<'_>,
    table: &Table,
    hashes: &mut BTreeMap<String, Value>,
) -> Vec<Value> {
    let subject = proxy.subject();
    let items = table.outbound(&subject).items();
    let targets: BTreeSet<&Towards> = items.into_iter().flat_map(|item| &item.towards).collect();
    let mut answers = Vec::new();
    for towards in targets {
        let Some(effective) = proxy.towards(table, towards) else {
            continue;
        };
        if table.kind == "MeshHTTPRoute" {
            let rules = effective.conf.get("rules").and_then(Value::as_array);
            for written in rules
                .into_iter()
                .flatten()
                .filter_map(|rule| rule.get("matches"))
            {
                hashes.insert(matches::hash(written), written.clone());
            }
        }
        let (of, section) = api.target(towards);
        let origins = effective.origins.iter().map(|origin| api.item(origin));
        let answer = json!({
            "conf": [effective.conf],
            "origin": origins.collect::<Vec<_>>(),
            "resourceMeta": of,
            "resourceSectionName": section,
        });
        answers.push(answer);
    }
    let text = |answer: &Value, pointer: &str| answer.pointer(pointer).map(Value::to_string);
    answers.sort_by_key(|answer| {
        let of = ["type", "name"].map(|name| text(answer, &format!("/resourceMeta/{name}")));
        (of, text(answer, "/resourceSectionName"))
    });
    answers
}

impl Api<'_> {
    /// One item of a document.
    fn item(&self, origin: &Contribution) -> Value {
        json!({
            "resourceMeta": self.document(origin),
            "ruleIndex": origin.rule_index.unwrap_or_default(),
        })
    }

    fn document(&self, origin: &Contribution) -> Value {
        self.named(&origin.kri)
    }

    fn named(&self, kri: &Kri) -> Value {
        let document = self.documents.get(kri);
        document.map_or(Value::Null, |document| self.meta(&document.meta))
    }

    /// What an item is about, and which section of it.
    fn target(&self, towards: &Towards) -> (Value, String) {
        let kri = match towards {
            Towards::Mesh => {
                let mesh = json!({"type": "Mesh", "mesh": "", "name": self.mesh, "labels": self.mesh_labels()});
                return (mesh, String::new());
            }
            Towards::Service(kri) | Towards::Port(kri) | Towards::Route(kri) => kri,
        };
        (self.named(&kri.without_section()), kri.section().to_owned())
    }

    fn mesh_labels(&self) -> Value {
        let mut documents = self.asked.analysis.resources.iter();
        let mesh = documents.find(|document| {
            document.meta.kri.kind() == "m" && document.meta.kri.name() == self.mesh
        });
        mesh.map_or_else(|| json!({}), |mesh| self.labels(&mesh.meta))
    }
}
