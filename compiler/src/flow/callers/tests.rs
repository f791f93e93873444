use std::collections::BTreeMap;

use mesh_bundle::resource::{PermissionRule, Permissions, TlsMode};
use mesh_bundle::{Bundle, Origin};

use super::*;

/// A bundle of one policy with these rules; `*` at the end is a prefix.
fn bundle(rules: &[&str]) -> Bundle {
    let origin = Origin {
        resource: "kri_mtp_default___x_".parse().unwrap(),
        file: "a.yaml".to_owned(),
        line: 1,
    };
    let rule = |text: &&str| PermissionRule {
        peer: PeerMatch {
            spiffe_id: Some(match text.strip_suffix('*') {
                Some(prefix) => SpiffeMatch::Prefix(prefix.parse().unwrap()),
                None => SpiffeMatch::Exact(text.parse().unwrap()),
            }),
            sni: None,
        },
        origin: origin.clone(),
    };
    let permissions = Permissions {
        deny: Vec::new(),
        allow: rules.iter().map(rule).collect(),
        allow_with_shadow_deny: Vec::new(),
        unmatched: origin.clone(),
    };
    let policy = InboundPolicy::new(TlsMode::Strict, Some(permissions));
    let resource = Resource::InboundPolicy(policy);
    let digest = resource.encode().unwrap().0;
    let resources = BTreeMap::from([(digest, std::sync::Arc::new(resource))]);
    Bundle::seal(BTreeMap::new(), BTreeMap::new(), resources).unwrap()
}

fn told(rules: &[&str]) -> Vec<String> {
    let bundle = bundle(rules);
    let callers = callers(&[&Flows::new(&bundle)]);
    callers
        .iter()
        .map(|caller| match caller.identity() {
            Some(id) if !matches!(caller, Caller::Named(_)) => format!("{caller} = {id}"),
            _ => caller.to_string(),
        })
        .collect()
}

#[test]
fn every_combination_of_rules_has_somebody() {
    assert_eq!(told(&[]), ["anybody without mesh TLS"]);
    assert_eq!(
        told(&[
            "spiffe://td/a",
            "spiffe://td/a*",
            "spiffe://td/a/other",
            "spiffe://td/a/1*"
        ]),
        [
            "anybody without mesh TLS",
            "spiffe://td/a",
            "spiffe://td/a/other",
            "spiffe://td/a* = spiffe://td/a/2-other",
            "spiffe://td/a/1* = spiffe://td/a/1/other",
            "any other identity of td = spiffe://td/other",
        ]
    );
}

#[test]
fn where_a_prefix_is_a_whole_trust_domain_nobody_is_left() {
    assert_eq!(
        told(&["spiffe://td*"]),
        [
            "anybody without mesh TLS",
            "spiffe://td* = spiffe://td/other"
        ]
    );
}
