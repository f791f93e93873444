//! Which instance gets a request, on a page.
//!
//! Never leaves out a parameter that the balancer looks at.

use mesh_bundle::resource::load_balancing::HashFunction;
use mesh_bundle::resource::{Balancer, Cluster, HashPolicy, Locality, SlowStart};
use mesh_bundle::{Key, Sourced};

use crate::inspect::words;
use crate::lower::load_balancing::{affinity_words, hash_words, zones_words};

use super::Telling;

impl Telling<'_> {
    pub(super) fn hash_policies(
        &mut self,
        depth: usize,
        policies: Option<&Sourced<Vec<HashPolicy>>>,
        key: &Key,
        place: &str,
    ) {
        if let Some(policies) = policies {
            let told = sourced(policies, hash_words(&policies.value));
            self.value(depth, "hash", &told, key, place);
        }
    }

    pub(super) fn balancing(&mut self, cluster: &Cluster, key: &Key) {
        if let Some(balancer) = &cluster.balancer {
            self.balancer(balancer, key);
        }
        if let Some(slow_start) = &cluster.slow_start {
            self.slow_start(slow_start, key);
        }
        if let Some(locality) = &cluster.locality {
            self.locality(locality, key);
        }
    }

    fn balancer(&mut self, balancer: &Sourced<Balancer>, key: &Key) {
        let mut numbers: Vec<(&str, &str, Sourced<String>)> = Vec::new();
        let number = |value: &Sourced<u32>| sourced(value, value.value.to_string());
        let name = match &balancer.value {
            Balancer::RoundRobin {} => "round robin",
            Balancer::Random {} => "random",
            Balancer::LeastRequest { choices, bias } => {
                numbers.push(("choices", "choices", number(choices)));
                let factor = sourced(bias, factor(bias.value));
                numbers.push(("bias", "bias", factor));
                "least request"
            }
            Balancer::PeakEwma {
                choices,
                decay,
                penalty,
            } => {
                numbers.push(("choices", "choices", number(choices)));
                numbers.push(("decay", "decay", sourced(decay, decay.value.to_string())));
                let words = penalty.value.to_string();
                numbers.push(("penalty", "penalty", sourced(penalty, words)));
                "peak EWMA"
            }
            Balancer::RingHash {
                function,
                min_size,
                max_size,
            } => {
                let name = match function.value {
                    HashFunction::XxHash => "XXHash",
                    HashFunction::MurmurHash2 => "MurmurHash2",
                };
                numbers.push(("function", "function", sourced(function, name.to_owned())));
                numbers.push(("min size", "minSize", number(min_size)));
                numbers.push(("max size", "maxSize", number(max_size)));
                "ring hash"
            }
            Balancer::Maglev { table_size } => {
                numbers.push(("table size", "tableSize", number(table_size)));
                "maglev"
            }
        };
        let told = sourced(balancer, name.to_owned());
        self.value(1, "balancer", &told, key, "balancer");
        for (name, field, value) in numbers {
            self.value(2, name, &value, key, &format!("balancer/{field}"));
        }
    }

    fn slow_start(&mut self, slow_start: &SlowStart, key: &Key) {
        let SlowStart {
            window,
            aggression,
            min_weight,
        } = slow_start;
        let told = sourced(window, format!("for {}", window.value));
        self.value(1, "slow start", &told, key, "slowStart/window");
        let told = sourced(aggression, factor(aggression.value));
        self.value(2, "aggression", &told, key, "slowStart/aggression");
        let told = sourced(min_weight, format!("{} %", min_weight.value));
        self.value(2, "min weight", &told, key, "slowStart/minWeight");
    }

    fn locality(&mut self, locality: &Locality, key: &Key) {
        if let Some(affinity) = &locality.affinity {
            let told = sourced(affinity, affinity_words(&affinity.value));
            self.value(1, "prefers", &told, key, "locality/affinity");
        }
        let told = sourced(&locality.zones, zones_words(&locality.zones.value));
        self.value(1, "zones", &told, key, "locality/zones");
        let share = words::percent(u64::from(locality.threshold.value), 1_000_000);
        let told = sourced(&locality.threshold, format!("healthy below {share}"));
        self.value(1, "next zone", &told, key, "locality/threshold");
    }
}

fn sourced<T>(value: &Sourced<T>, words: String) -> Sourced<String> {
    Sourced {
        value: words,
        origin: value.origin.clone(),
    }
}

/// Millionths as people write them.
fn factor(millionths: u64) -> String {
    let text = format!("{}.{:06}", millionths / 1_000_000, millionths % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
