//! Which instance gets a request, as one client sees it (language 5.10).
//!
//! Never knows which instances or zones there are: the proxy compares them with what is said here.

use std::collections::BTreeSet;

use mesh_bundle::resource::load_balancing::{
    AffinityTag, FailoverRule, HashFunction, Hashed, ZoneSet, Zones,
};
use mesh_bundle::resource::{Balancer, HashPolicy, Locality, SlowStart};
use mesh_bundle::{Duration, Sourced};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::json::Json;
use crate::kinds::mesh_load_balancing_strategy::locality::{self, FailoverType};
use crate::kinds::mesh_load_balancing_strategy::{self as kind, BalancerType, HashPolicyType};
use crate::kinds::scalar::Percentage;
use crate::model::Meta;
use crate::similar::listed;

use super::leaf::{Leaves, plain};

/// Finagle's.
const DECAY: Duration = Duration::from_secs(10);
/// Longer than anybody likes to wait, and forgotten after some times [`DECAY`].
const PENALTY: Duration = Duration::from_secs(1);
/// Built in (language 5.10).
const CHOICES: u32 = 2;
const BIAS: u64 = 1_000_000;
const MIN_RING: u32 = 1_024;
const MAX_RING: u32 = 8_388_608;
const TABLE: u32 = 65_537;

/// How one of the instances is chosen; `None` where no policy says.
pub(super) fn balancer(leaves: &mut Leaves<'_>) -> Option<Sourced<Balancer>> {
    let kind: Sourced<BalancerType> = leaves.read(
        &["loadBalancer", "type"],
        "balancer",
        |value| serde_json::from_value(value.clone()).ok(),
        plain,
    )?;
    let mut number = |member: &str, field: &str, name: &str, built_in: u32| {
        let found = leaves.value(
            &["loadBalancer", member, field],
            &format!("balancer/{name}"),
        );
        found.unwrap_or(Sourced::built_in(built_in))
    };
    let value = match kind.value {
        BalancerType::RoundRobin => Balancer::RoundRobin {},
        BalancerType::Random => Balancer::Random {},
        BalancerType::LeastRequest => Balancer::LeastRequest {
            choices: number("leastRequest", "choiceCount", "choices", CHOICES),
            bias: leaves
                .read(
                    &["loadBalancer", "leastRequest", "activeRequestBias"],
                    "balancer/bias",
                    |value| typed::<Percentage>(value)?.millionths(),
                    plain,
                )
                .unwrap_or(Sourced::built_in(BIAS)),
        },
        BalancerType::PeakEWMA => Balancer::PeakEwma {
            choices: number("peakEWMA", "choiceCount", "choices", CHOICES),
            decay: leaves
                .duration(&["loadBalancer", "peakEWMA", "decayTime"], "balancer/decay")
                .unwrap_or(Sourced::built_in(DECAY)),
            penalty: leaves
                .duration(
                    &["loadBalancer", "peakEWMA", "failurePenalty"],
                    "balancer/penalty",
                )
                .unwrap_or(Sourced::built_in(PENALTY)),
        },
        BalancerType::RingHash => Balancer::RingHash {
            min_size: number("ringHash", "minRingSize", "minSize", MIN_RING),
            max_size: number("ringHash", "maxRingSize", "maxSize", MAX_RING),
            function: leaves
                .value(
                    &["loadBalancer", "ringHash", "hashFunction"],
                    "balancer/function",
                )
                .unwrap_or(Sourced::built_in(HashFunction::XxHash)),
        },
        BalancerType::Maglev => Balancer::Maglev {
            table_size: number("maglev", "tableSize", "tableSize", TABLE),
        },
    };
    Some(Sourced {
        value,
        origin: kind.origin,
    })
}

/// How instances begin that are new; `None` where no policy says, or where the balancer goes by hashes.
pub(super) fn slow_start(
    leaves: &mut Leaves<'_>,
    balancer: Option<&Balancer>,
) -> Option<Box<SlowStart>> {
    if matches!(
        balancer?,
        Balancer::RingHash { .. } | Balancer::Maglev { .. }
    ) {
        return None;
    }
    let path = |name| ["loadBalancer", "slowStart", name];
    let window = leaves.duration(&path("window"), "slowStart/window")?;
    let aggression = leaves.read(
        &path("aggression"),
        "slowStart/aggression",
        |value| typed::<Percentage>(value)?.millionths(),
        plain,
    );
    let min_weight = leaves.value(&path("minWeightPercent"), "slowStart/minWeight");
    Some(Box::new(SlowStart {
        window,
        aggression: aggression.unwrap_or(Sourced::built_in(SlowStart::AGGRESSION)),
        min_weight: min_weight.unwrap_or(Sourced::built_in(SlowStart::MIN_WEIGHT)),
    }))
}

/// What makes requests go to the same instance.
pub(super) fn hash_policies(mut leaves: Leaves<'_>) -> Option<Sourced<Vec<HashPolicy>>> {
    leaves.read(&["hashPolicies"], "hashPolicies", read_hashes, |value| {
        hash_words(&read_hashes(value).unwrap_or_default())
    })
}

/// Which instances come first for a client.
pub(super) fn locality(leaves: &mut Leaves<'_>, client: &Meta) -> Option<Locality> {
    const AT: &str = "localityAwareness";
    let threshold = || Sourced::built_in(Locality::THRESHOLD);
    let disabled = [AT, "disabled"];
    if leaves.merged.leaf(&disabled) == Some(&Value::Bool(true)) {
        let zones = leaves.read(&disabled, "locality/zones", |_| Some(Zones::Equal), plain)?;
        return Some(Locality {
            affinity: None,
            zones,
            threshold: threshold(),
        });
    }
    let member = |name: &str| leaves.merged.leaf(&[AT, name]).is_some();
    if !member("localZone") && !member("crossZone") {
        return None;
    }
    let affinity = leaves.read(
        &[AT, "localZone", "affinityTags"],
        "locality/affinity",
        |value| Some(affinity(&typed::<Vec<_>>(value)?, client)),
        |value| {
            affinity_words(&affinity(
                &typed::<Vec<_>>(value).unwrap_or_default(),
                client,
            ))
        },
    );
    let rules = leaves.read(
        &[AT, "crossZone", "failover"],
        "locality/zones",
        |value| Some(Zones::ByRule(failover(&typed::<Vec<_>>(value)?, client))),
        |value| {
            let rules = failover(&typed::<Vec<_>>(value).unwrap_or_default(), client);
            zones_words(&Zones::ByRule(rules))
        },
    );
    let percentage = leaves.read(
        &[AT, "crossZone", "failoverThreshold", "percentage"],
        "locality/threshold",
        |value| typed::<Percentage>(value)?.parts_per_million(),
        plain,
    );
    // What is configured for one's own zone or for others, without a rule for others, does without them.
    let nowhere = || Sourced {
        value: Zones::ByRule(Vec::new()),
        origin: affinity.as_ref().and_then(|found| found.origin.clone()),
    };
    Some(Locality {
        zones: rules.unwrap_or_else(nowhere),
        affinity,
        threshold: percentage.unwrap_or_else(threshold),
    })
}

/// The keys of all labels that a conf compares.
pub(crate) fn compared(conf: &Json) -> impl Iterator<Item = &str> {
    let path = ["localityAwareness", "localZone", "affinityTags"];
    let tags = path.iter().try_fold(conf, |conf, name| conf.get(name));
    let tags = tags.and_then(Json::as_array).into_iter().flatten();
    tags.filter_map(|tag| tag.get("key")?.as_str())
}

fn typed<T: DeserializeOwned>(value: &Value) -> Option<T> {
    serde_json::from_value(value.clone()).ok()
}

/// A tag that the client itself does not carry has no instance to prefer.
fn affinity(tags: &[locality::AffinityTag], client: &Meta) -> Vec<AffinityTag> {
    let tag = |(index, tag): (usize, &locality::AffinityTag)| {
        let key = tag.key.clone()?;
        let after = u32::try_from(tags.len().saturating_sub(index + 1)).unwrap_or(u32::MAX);
        let unweighted = || 10_u64.saturating_pow(after).saturating_mul(9);
        Some(AffinityTag {
            value: client.labels.get(&key)?.clone(),
            key,
            weight: tag.weight.map_or_else(unweighted, u64::from),
        })
    };
    tags.iter().enumerate().filter_map(tag).collect()
}

/// The rules that hold for the zone of the client. One that leads to no zone stops none after it.
fn failover(rules: &[locality::Failover], client: &Meta) -> Vec<FailoverRule> {
    let own = client.kri.zone();
    let names = |zones: Option<&Vec<String>>| -> BTreeSet<String> {
        zones.into_iter().flatten().cloned().collect()
    };
    let rule = |(index, rule): (usize, &locality::Failover)| {
        let from = rule.from.as_ref();
        if from.is_some_and(|from| !from.zones.iter().any(|zone| zone == own)) {
            return None;
        }
        let to = rule.to.as_ref()?;
        let zones = match to.kind? {
            FailoverType::None => return None,
            FailoverType::Any => ZoneSet::Any,
            FailoverType::Only => ZoneSet::Only(names(to.zones.as_ref())),
            FailoverType::AnyExcept => ZoneSet::AnyExcept(names(to.zones.as_ref())),
        };
        Some(FailoverRule {
            priority: u32::try_from(index).ok()?.checked_add(1)?,
            zones,
        })
    };
    rules.iter().enumerate().filter_map(rule).collect()
}

fn read_hashes(value: &Value) -> Option<Vec<HashPolicy>> {
    let policies: Vec<kind::HashPolicy> = typed(value)?;
    Some(policies.iter().filter_map(hash).collect())
}

fn hash(policy: &kind::HashPolicy) -> Option<HashPolicy> {
    let of = match policy.kind? {
        HashPolicyType::Header => Hashed::Header {
            name: policy.header.as_ref()?.name.as_ref()?.to_ascii_lowercase(),
        },
        HashPolicyType::Cookie => {
            let cookie = policy.cookie.as_ref()?;
            Hashed::Cookie {
                name: cookie.name.clone()?,
                ttl: cookie.ttl.map(|ttl| ttl.0),
                path: cookie.path.clone(),
            }
        }
        HashPolicyType::Connection => {
            policy.connection.as_ref()?.source_ip.filter(|on| *on)?;
            Hashed::SourceAddress {}
        }
        HashPolicyType::QueryParameter => Hashed::QueryParameter {
            name: policy.query_parameter.as_ref()?.name.clone()?,
        },
        HashPolicyType::FilterState => Hashed::FilterState {
            key: policy.filter_state.as_ref()?.key.clone()?,
        },
    };
    Some(HashPolicy {
        of,
        terminal: policy.terminal.unwrap_or_default(),
    })
}

/// What is hashed, in its order.
pub(crate) fn hash_words(policies: &[HashPolicy]) -> String {
    let word = |policy: &HashPolicy| {
        let of = match &policy.of {
            Hashed::Header { name } => format!("header {name}"),
            Hashed::Cookie { name, ttl, .. } => match ttl {
                Some(ttl) => format!("cookie {name} (made for {ttl})"),
                None => format!("cookie {name}"),
            },
            Hashed::SourceAddress {} => "address of the client".to_owned(),
            Hashed::QueryParameter { name } => format!("query parameter {name}"),
            Hashed::FilterState { key } => format!("filter state {key}"),
        };
        match policy.terminal {
            true => format!("{of}, else"),
            false => of,
        }
    };
    let words: Vec<String> = policies.iter().map(word).collect();
    match words.is_empty() {
        true => "nothing".to_owned(),
        false => words.join(" "),
    }
}

/// Tags with the client's values and their weights.
pub(crate) fn affinity_words(tags: &[AffinityTag]) -> String {
    let word = |tag: &AffinityTag| format!("{}={} ×{}", tag.key, tag.value, tag.weight);
    let words: Vec<String> = tags.iter().map(word).collect();
    match words.is_empty() {
        true => "nobody: the proxy carries none of the labels".to_owned(),
        false => words.join(", "),
    }
}

/// Other zones in the order in which they are used.
pub(crate) fn zones_words(zones: &Zones) -> String {
    let set = |zones: &ZoneSet| match zones {
        ZoneSet::Any => "all".to_owned(),
        ZoneSet::Only(names) => listed(names.iter().map(String::as_str), "and"),
        ZoneSet::AnyExcept(names) => {
            format!(
                "all but {}",
                listed(names.iter().map(String::as_str), "and")
            )
        }
    };
    match zones {
        Zones::Equal => "all alike".to_owned(),
        Zones::AfterOwn => "own, then all".to_owned(),
        Zones::ByRule(rules) if rules.is_empty() => "own, no other".to_owned(),
        Zones::ByRule(rules) => {
            let rules: Vec<String> = rules.iter().map(|rule| set(&rule.zones)).collect();
            format!("own, then {}", rules.join(", then "))
        }
    }
}
