//! Which instance gets a request: balancers, hashes, and what comes first for whom (language 5.10).

use mesh_bundle::resource::load_balancing::{HashFunction, Hashed, ZoneSet, Zones};
use mesh_bundle::resource::{Balancer, Cluster, Locality, SlowStart};

use super::*;

/// A policy of web for what it sends to api.
fn strategy(conf: &str) -> String {
    format!(
        "type: MeshLoadBalancingStrategy\nname: s\nspec:\n  targetRef: {{kind: Dataplane, labels: {{app: web}}}}\n  to:\n    - targetRef: {{kind: MeshService, labels: {{kuma.io/display-name: api}}}}\n      default: {conf}\n"
    )
}

fn cluster(compiled: &Compiled, proxy: &str) -> Cluster {
    let mut clusters = config(compiled, proxy).clusters;
    clusters.remove(&port("api", "http")).unwrap()
}

fn balancer(conf: &str) -> Balancer {
    let compiled = story(&strategy(&format!("{{loadBalancer: {conf}}}")));
    assert!(!compiled.diagnostics.has_errors());
    assert_eq!(cluster(&compiled, "api-1").balancer, None);
    let balancer = cluster(&compiled, "web-1").balancer.unwrap();
    assert_eq!(balancer.origin.unwrap().to_string(), "mesh.yaml:7");
    balancer.value
}

#[test]
fn every_balancer_has_its_parameters_and_built_in_ones() {
    assert_eq!(balancer("{type: RoundRobin}"), Balancer::RoundRobin {});
    assert_eq!(balancer("{type: Random}"), Balancer::Random {});
    let Balancer::LeastRequest { choices, bias } = balancer("{type: LeastRequest}") else {
        panic!("not least request");
    };
    assert_eq!((choices.value, bias.value), (2, 1_000_000));
    assert_eq!((choices.origin, bias.origin), (None, None));
    let least = "{type: LeastRequest, leastRequest: {choiceCount: 4, activeRequestBias: \"1.3\"}}";
    let Balancer::LeastRequest { choices, bias } = balancer(least) else {
        panic!("not least request");
    };
    assert_eq!((choices.value, bias.value), (4, 1_300_000));
    assert!(choices.origin.is_some() && bias.origin.is_some());
    let ewma = |conf: &str| match balancer(conf) {
        Balancer::PeakEwma {
            choices,
            decay,
            penalty,
        } => [
            choices.value.to_string(),
            decay.value.to_string(),
            penalty.value.to_string(),
        ],
        _ => panic!("not peak EWMA"),
    };
    assert_eq!(ewma("{type: PeakEWMA}"), ["2", "10s", "1s"]);
    assert_eq!(
        ewma("{type: PeakEWMA, peakEWMA: {choiceCount: 3, decayTime: 5s, failurePenalty: 250ms}}"),
        ["3", "5s", "250ms"]
    );
    let ring = |conf: &str| match balancer(conf) {
        Balancer::RingHash {
            function,
            min_size,
            max_size,
        } => (function.value, min_size.value, max_size.value),
        _ => panic!("not a ring"),
    };
    assert_eq!(
        ring("{type: RingHash}"),
        (HashFunction::XxHash, 1024, 8_388_608)
    );
    assert_eq!(
        ring(
            "{type: RingHash, ringHash: {hashFunction: MurmurHash2, minRingSize: 2, maxRingSize: 9}}"
        ),
        (HashFunction::MurmurHash2, 2, 9)
    );
    let maglev = |conf: &str| match balancer(conf) {
        Balancer::Maglev { table_size } => table_size.value,
        _ => panic!("not maglev"),
    };
    assert_eq!(maglev("{type: Maglev}"), 65_537);
    assert_eq!(maglev("{type: Maglev, maglev: {tableSize: 251}}"), 251);
}

#[test]
fn who_is_new_begins_slowly_where_no_hash_decides() {
    let slow = |conf: &str| {
        let compiled = story(&strategy(&format!("{{loadBalancer: {conf}}}")));
        assert!(!compiled.diagnostics.has_errors());
        cluster(&compiled, "web-1").slow_start
    };
    let found = slow("{type: Random, slowStart: {window: 30s}}").unwrap();
    let SlowStart {
        window,
        aggression,
        min_weight,
    } = *found;
    assert_eq!(window.origin.unwrap().to_string(), "mesh.yaml:7");
    assert_eq!((aggression.value, min_weight.value), (1_000_000, 10));
    let found = "{type: PeakEWMA, slowStart: {window: 1m, aggression: '1.5', minWeightPercent: 5}}";
    let found = slow(found).unwrap();
    assert_eq!(
        (found.aggression.value, found.min_weight.value),
        (1_500_000, 5)
    );
    assert_eq!(slow("{type: Maglev, slowStart: {window: 30s}}"), None);
    assert_eq!(slow("{type: Random}"), None);
}

#[test]
fn the_parameters_of_a_weaker_policy_count_for_a_stronger_one_of_the_same_type() {
    let weak = "type: MeshLoadBalancingStrategy\nname: weak\nspec:\n  to:\n    - targetRef: {kind: Mesh}\n      default: {loadBalancer: {type: RingHash, ringHash: {minRingSize: 7}}}\n---\n";
    let compiled = story(&format!(
        "{weak}{}",
        strategy("{loadBalancer: {type: RingHash, ringHash: {maxRingSize: 70}}}")
    ));
    let Some(Balancer::RingHash {
        min_size, max_size, ..
    }) = cluster(&compiled, "web-1")
        .balancer
        .map(|found| found.value)
    else {
        panic!("not a ring");
    };
    assert_eq!((min_size.value, max_size.value), (7, 70));
    assert_eq!(min_size.origin.unwrap().resource.name(), "weak");
    // What the stronger one says of another type is inactive.
    let compiled = story(&format!(
        "{weak}{}",
        strategy("{loadBalancer: {type: Random}}")
    ));
    let found = cluster(&compiled, "web-1").balancer.unwrap().value;
    assert_eq!(found, Balancer::Random {});
}

#[test]
fn hashes_are_of_a_destination_or_of_a_route() {
    let route = "---\ntype: MeshHTTPRoute\nname: r\nspec:\n  to:\n    - targetRef: {kind: MeshService, labels: {kuma.io/display-name: api}, sectionName: http}\n      rules:\n        - matches: [{path: {type: PathPrefix, value: /v2}}]\n          default: {backendRefs: [{kind: MeshService, labels: {kuma.io/display-name: api-v2}, port: 80}]}\n---\ntype: MeshLoadBalancingStrategy\nname: of-route\nspec:\n  to:\n    - targetRef: {kind: MeshHTTPRoute, labels: {kuma.io/display-name: r}}\n      default: {hashPolicies: [{type: QueryParameter, queryParameter: {name: q}}]}\n";
    let conf = "{hashPolicies: [{type: Header, header: {name: x-user}, terminal: true}, {type: Cookie, cookie: {name: c, ttl: 1h, path: /}}, {type: Connection, connection: {sourceIP: true}}, {type: Connection, connection: {sourceIP: false}}]}";
    let compiled = story(&format!("{}{route}", strategy(conf)));
    assert!(!compiled.diagnostics.has_errors());
    let api = destination(&compiled, "web-1", &port("api", "http"));
    let policies = api.hash_policies.unwrap().value;
    assert_eq!(policies.len(), 3);
    assert!(policies[0].terminal && !policies[1].terminal);
    assert_eq!(
        policies[0].of,
        Hashed::Header {
            name: "x-user".to_owned()
        }
    );
    let Hashed::Cookie { ttl, .. } = &policies[1].of else {
        panic!("no cookie");
    };
    assert_eq!(ttl.unwrap().to_string(), "1h0m0s");
    assert_eq!(policies[2].of, Hashed::SourceAddress {});
    let Traffic::Http { routes } = api.traffic else {
        panic!("not HTTP");
    };
    let own = routes[0].hash_policies.as_ref().unwrap();
    assert_eq!(
        own.value[0].of,
        Hashed::QueryParameter {
            name: "q".to_owned()
        }
    );
    assert_eq!(own.origin.as_ref().unwrap().resource.name(), "of-route");
    assert_eq!(routes[1].hash_policies, None);
}

/// `web-1` carries `tier: front`, `api-1` is `version: v1`.
fn locality(conf: &str, target: &str) -> (Compiled, Option<Locality>) {
    let text = strategy(&format!("{{localityAwareness: {conf}}}"));
    let compiled = story(&text.replace(
        "kind: MeshService, labels: {kuma.io/display-name: api}",
        target,
    ));
    assert!(
        !compiled.diagnostics.has_errors(),
        "{:?}",
        compiled.diagnostics.list
    );
    let locality = cluster(&compiled, "web-1").locality;
    (compiled, locality.map(|own| *own))
}

#[test]
fn affinity_is_weighed_by_place_and_compared_with_the_clients_own_labels() {
    let tags = "{localZone: {affinityTags: [{key: tier}, {key: rack}, {key: app}]}}";
    let (compiled, found) = locality(tags, "kind: Mesh");
    let found = found.unwrap();
    let told: Vec<(String, String, u64)> = found
        .affinity
        .unwrap()
        .value
        .into_iter()
        .map(|tag| (tag.key, tag.value, tag.weight))
        .collect();
    let tag = |key: &str, value: &str, weight| (key.to_owned(), value.to_owned(), weight);
    // It carries no `rack`, which keeps its place in the weights all the same.
    assert_eq!(told, [tag("tier", "front", 900), tag("app", "web", 9)]);
    // Without a rule for other zones they are not used.
    assert_eq!(found.zones.value, Zones::ByRule(Vec::new()));
    let labels = |proxy: &str| {
        let (_, proxy) = compiled
            .bundle
            .proxies
            .iter()
            .find(|(kri, _)| kri.name() == proxy)
            .unwrap();
        proxy.endpoints[0].labels.clone()
    };
    let only_app = |value: &str| BTreeMap::from([("app".to_owned(), value.to_owned())]);
    assert_eq!(labels("api-1"), only_app("api"));
    assert_eq!(labels("db-1"), only_app("db"));
    let weighted = "{localZone: {affinityTags: [{key: tier, weight: 5}, {key: app, weight: 50}]}}";
    let (_, found) = locality(weighted, "kind: Mesh");
    let weights: Vec<u64> = found
        .unwrap()
        .affinity
        .unwrap()
        .value
        .iter()
        .map(|tag| tag.weight)
        .collect();
    assert_eq!(weights, [5, 50]);
}

#[test]
fn clients_with_other_labels_are_given_other_clusters() {
    let conf = "type: MeshLoadBalancingStrategy\nname: s\nspec:\n  to:\n    - targetRef: {kind: Mesh}\n      default: {localityAwareness: {localZone: {affinityTags: [{key: app}]}}}\n";
    let compiled = story(conf);
    let value = |proxy: &str| {
        let locality = cluster(&compiled, proxy).locality.unwrap();
        locality.affinity.unwrap().value[0].value.clone()
    };
    assert_eq!(value("web-1"), "web");
    assert_eq!(value("api-1"), "api");
}

#[test]
fn rules_for_other_zones_are_those_of_the_clients_zone() {
    let rules = "{crossZone: {failover: [{from: {zones: [east]}, to: {type: Any}}, {to: {type: Only, zones: [west]}}, {from: {zones: [default]}, to: {type: None}}, {from: {zones: [default, x]}, to: {type: AnyExcept, zones: [north]}}], failoverThreshold: {percentage: \"70.5\"}}}";
    let (_, found) = locality(rules, "kind: Mesh");
    let found = found.unwrap();
    assert_eq!(found.threshold.value, 705_000);
    let Zones::ByRule(rules) = &found.zones.value else {
        panic!("no rules");
    };
    let told: Vec<(u32, &ZoneSet)> = rules
        .iter()
        .map(|rule| (rule.priority, &rule.zones))
        .collect();
    let names = |name: &str| [name.to_owned()].into();
    assert_eq!(
        told,
        [
            (2, &ZoneSet::Only(names("west"))),
            (4, &ZoneSet::AnyExcept(names("north")))
        ]
    );
    let priority = |zone: &str| Locality::priority(Some(&found), "default", zone);
    assert_eq!(
        ["default", "west", "south", "north"].map(priority),
        [Some(0), Some(2), Some(4), None]
    );
}

#[test]
fn zones_are_alike_where_locality_does_not_count() {
    let (_, found) = locality(
        "{disabled: true, localZone: {affinityTags: [{key: app}]}}",
        "kind: Mesh",
    );
    let found = found.unwrap();
    assert_eq!(found.zones.value, Zones::Equal);
    assert_eq!(found.affinity, None);
    assert!(found.zones.origin.is_some());
    let (_, found) = locality("{disabled: false}", "kind: Mesh");
    assert_eq!(found, None);
    let (_, found) = locality(
        "{crossZone: {failoverThreshold: {percentage: 70}}}",
        "kind: Mesh",
    );
    let found = found.unwrap();
    assert_eq!(found.zones.value, Zones::ByRule(Vec::new()));
    assert_eq!(found.threshold.value, 700_000);
}
