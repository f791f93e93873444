//! Which instance of a cluster gets a request (language 5.10).
//!
//! Never holds the labels of anybody but the client whose resource it is.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::duration::Duration;
use crate::origin::Sourced;

/// How one of the instances that come into question is chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum Balancer {
    /// One after the other.
    RoundRobin {},
    /// At random.
    Random {},
    /// The one with the fewest requests, of some that are picked at random.
    LeastRequest {
        /// Of how many, at least 2.
        choices: Sourced<u32>,
        /// How much requests count against weights, in millionths.
        bias: Sourced<u64>,
    },
    /// The one that is expected to answer soonest, of some that are picked at random: by how long its responses took, of
    /// which peaks count at once and fade, times what it has to do (Finagle's peak EWMA).
    #[serde(rename = "peakEWMA")]
    PeakEwma {
        /// Of how many, at least 2.
        choices: Sourced<u32>,
        /// After this long a response counts `1/e` of what it did; never zero.
        decay: Sourced<Duration>,
        /// A request that fails counts as one that took at least so long.
        penalty: Sourced<Duration>,
    },
    /// The next one on a ring, by a hash of the request.
    RingHash {
        /// Makes a number of what is hashed.
        function: Sourced<HashFunction>,
        /// Places on the ring, at least.
        min_size: Sourced<u32>,
        /// Places on the ring, at most.
        max_size: Sourced<u32>,
    },
    /// By a hash of the request, in a table.
    Maglev {
        /// A prime number.
        table_size: Sourced<u32>,
    },
}

impl Default for Balancer {
    fn default() -> Self {
        Self::RoundRobin {}
    }
}

/// An instance that is new, or well again, gets less than its share at first: its caches are cold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SlowStart {
    /// How long; never zero.
    pub window: Sourced<Duration>,
    /// How its share grows, in millionths; never zero. 1,000,000: with the time. More: faster at first.
    pub aggression: Sourced<u64>,
    /// Of its share it gets this from the beginning, 1 to 100 percent.
    pub min_weight: Sourced<u8>,
}

impl SlowStart {
    /// With the time, where nothing else is said.
    pub const AGGRESSION: u64 = 1_000_000;
    /// Envoy's.
    pub const MIN_WEIGHT: u8 = 10;
}

/// Makes a number of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum HashFunction {
    /// `xxHash`, 64 bits.
    #[serde(rename = "XXHash")]
    XxHash,
    /// `MurmurHash` 2, 64 bits.
    MurmurHash2,
}

/// A part of what is hashed of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HashPolicy {
    /// What.
    pub of: Hashed,
    /// Where it gives something, the parts after it do not count.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub terminal: bool,
}

/// What is hashed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum Hashed {
    /// A header of the request.
    Header {
        /// Lower case.
        name: String,
    },
    /// A cookie.
    Cookie {
        /// Its name.
        name: String,
        /// Where it is missing, one is made that lives this long; `None`: none is made.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ttl: Option<Duration>,
        /// Of the cookie that is made.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path: Option<String>,
    },
    /// The address of the client.
    SourceAddress {},
    /// A parameter of the query.
    QueryParameter {
        /// Case counts.
        name: String,
    },
    /// A value that a filter keeps. There is none, so it gives nothing.
    FilterState {
        /// Its key.
        key: String,
    },
}

/// Which instances come first, for one client. Without it: those of its zone, then all others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Locality {
    /// Within the zone of the client: the first tag whose value an instance has too puts it into the group of that tag; an
    /// instance without any is in a group of the weight 1. Requests are spread over the groups by their weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Sourced<Vec<AffinityTag>>>,
    /// Other zones.
    pub zones: Sourced<Zones>,
    /// The next priority is used while the share of healthy instances is below this, in millionths.
    pub threshold: Sourced<u32>,
}

/// A label that instances and the client have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AffinityTag {
    /// The key of the label.
    pub key: String,
    /// The client's own value.
    pub value: String,
    /// Of the group of instances that have the same.
    pub weight: u64,
}

/// How other zones are used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    content = "rules",
    rename_all = "camelCase",
    deny_unknown_fields
)]
pub enum Zones {
    /// Like the own one.
    Equal,
    /// All alike, when the own one has too few healthy instances.
    AfterOwn,
    /// By the first rule that names them, at its priority; zones of no rule are not used. The own zone has priority 0.
    ByRule(Vec<FailoverRule>),
}

/// Zones of one priority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FailoverRule {
    /// Above 0, ascending.
    pub priority: u32,
    /// Which.
    pub zones: ZoneSet,
}

/// Some of the zones that are not the client's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    content = "names",
    rename_all = "camelCase",
    deny_unknown_fields
)]
pub enum ZoneSet {
    /// All.
    Any,
    /// These.
    Only(BTreeSet<String>),
    /// All but these.
    AnyExcept(BTreeSet<String>),
}

impl Locality {
    /// Half of them (language 5.10).
    pub const THRESHOLD: u32 = 500_000;

    /// The priority of a zone for a client of the zone `own`; `None`: it is not used.
    #[must_use]
    pub fn priority(locality: Option<&Self>, own: &str, zone: &str) -> Option<u32> {
        match locality.map(|locality| &locality.zones.value) {
            Some(Zones::Equal) => Some(0),
            _ if zone == own => Some(0),
            None | Some(Zones::AfterOwn) => Some(1),
            Some(Zones::ByRule(rules)) => rules
                .iter()
                .find(|rule| rule.zones.holds(zone))
                .map(|rule| rule.priority),
        }
    }

    /// Of the group that an instance of the client's own zone is in.
    #[must_use]
    pub fn weight(&self, labels: &BTreeMap<String, String>) -> u64 {
        let tags = self.affinity.iter().flat_map(|affinity| &affinity.value);
        let mut same = tags.filter(|tag| labels.get(&tag.key) == Some(&tag.value));
        same.next().map_or(1, |tag| tag.weight)
    }
}

impl ZoneSet {
    fn holds(&self, zone: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Only(names) => names.contains(zone),
            Self::AnyExcept(names) => !names.contains(zone),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zones(zones: Zones) -> Locality {
        Locality {
            affinity: None,
            zones: Sourced::built_in(zones),
            threshold: Sourced::built_in(Locality::THRESHOLD),
        }
    }

    #[test]
    fn the_first_rule_that_names_a_zone_gives_its_priority() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let rule = |priority, zones| FailoverRule { priority, zones };
        let by_rule = zones(Zones::ByRule(vec![
            rule(1, ZoneSet::Only(names(&["west"]))),
            rule(3, ZoneSet::AnyExcept(names(&["north"]))),
        ]));
        for (zone, expected) in [
            ("east", Some(0)),
            ("west", Some(1)),
            ("south", Some(3)),
            ("north", None),
        ] {
            assert_eq!(
                Locality::priority(Some(&by_rule), "east", zone),
                expected,
                "{zone}"
            );
        }
        let equal = zones(Zones::Equal);
        assert_eq!(Locality::priority(Some(&equal), "east", "west"), Some(0));
        let after = zones(Zones::AfterOwn);
        assert_eq!(Locality::priority(Some(&after), "east", "west"), Some(1));
        assert_eq!(Locality::priority(None, "east", "west"), Some(1));
        assert_eq!(Locality::priority(None, "east", "east"), Some(0));
    }
}
