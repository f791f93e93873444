//! Faults: in which order they are tried, by whom they are met.

use mesh_bundle::decide::{Peer, faults};

use super::*;

const RULES: &str = "type: MeshFaultInjection
name: b
spec:
  rules:
    - default: {http: [{delay: {value: 1s, percentage: 100}}, {abort: {httpStatus: 500, percentage: 100}}]}
---
type: MeshFaultInjection
name: a
spec:
  rules:
    - default: {http: [{abort: {httpStatus: 501, percentage: 100}}]}
    - matches:
        - spiffeID: {type: Exact, value: spiffe://td/workload/web}
        - spiffeID: {type: Prefix, value: spiffe://td}
      default: {http: [{delay: {value: 2s, percentage: '12.5'}, responseBandwidth: {limit: 50 kbps, percentage: 100}}]}
";

#[test]
fn specific_matches_come_first_then_weak_policies_and_every_element_acts() {
    let compiled = story(RULES);
    let config = config(&compiled, "api-1");
    let (_, policy) = &config.inbounds["http"];
    let order: Vec<(u32, bool, u32)> = policy
        .faults
        .iter()
        .map(|rule| (rule.number, rule.peer.is_some(), rule.origin.line))
        .collect();
    assert_eq!(
        order,
        [(0, true, 15), (0, true, 15), (1, false, 5), (2, false, 11)]
    );
    let met = |id: Option<&str>| {
        let id = id.map(|id| id.parse().unwrap());
        let peer = Peer {
            identity: id.as_ref(),
            sni: None,
        };
        let met = faults(&policy.faults, &peer, || 0);
        let abort = met.abort.unwrap();
        let line = abort.origin.line;
        (met.delay.as_secs(), abort.status, line, met.bits_per_second)
    };
    // Both matches of the rule hold, and it acts once.
    assert_eq!(
        met(Some("spiffe://td/workload/web")),
        (3, 500, 5, Some(50_000))
    );
    assert_eq!(
        met(Some("spiffe://td/workload/db")),
        (3, 500, 5, Some(50_000))
    );
    assert_eq!(met(Some("spiffe://other/web")), (1, 500, 5, None));
    assert_eq!(met(None), (1, 500, 5, None));
}

#[test]
fn there_are_none_where_there_are_no_requests() {
    let compiled = story(RULES);
    let config = config(&compiled, "db-1");
    assert_eq!(config.inbounds["sql"].1.faults, []);
}

#[test]
fn shares_are_exact() {
    let compiled = story(RULES);
    let config = config(&compiled, "api-1");
    let fault = &config.inbounds["http"].1.faults[0].acts[0];
    assert_eq!(fault.delay.as_ref().unwrap().parts_per_million, 125_000);
    assert_eq!(fault.abort, None);
}
