//! What a resource means: all of it but where it was written.
//!
//! Never looks at a line or the name of a file: a file that is renamed means what it meant.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use mesh_bundle::resource::{InboundPolicy, RateLimits, Timeouts, Traffic};
use mesh_bundle::{Bundle, Digest, Resource, digest};
use serde_json::Value;

use super::unequal::unequal;
use crate::lookup::Lookup;

/// The meanings of two bundles, compared.
#[derive(Debug)]
pub(super) struct Meanings<'b> {
    pub(super) before: &'b Bundle,
    pub(super) after: &'b Bundle,
    /// Pairs that have been compared.
    known: Mutex<Pairs>,
    /// The same, for where they lead.
    led: Mutex<Pairs>,
}

type Pairs = Lookup<(Digest, Digest), bool>;

impl<'b> Meanings<'b> {
    pub(super) fn new(before: &'b Bundle, after: &'b Bundle) -> Self {
        Self {
            before,
            after,
            known: Mutex::default(),
            led: Mutex::default(),
        }
    }

    /// Do a resource of the first and one of the second mean the same?
    pub(super) fn same(&self, old: Digest, new: Digest) -> bool {
        self.once(&self.known, (old, new), Clone::clone)
    }

    /// Do all requests that take a destination or a cluster of the first end where those of one of the second do, and does an
    /// inbound let in whom it let in, whatever limits them on their way?
    pub(super) fn lead_alike(&self, old: Digest, new: Digest) -> bool {
        self.once(&self.led, (old, new), way)
    }

    /// What several ask at the same time is asked twice, and answered alike.
    fn once(
        &self,
        known: &Mutex<Pairs>,
        pair: (Digest, Digest),
        of: impl Fn(&Resource) -> Resource,
    ) -> bool {
        if pair.0 == pair.1 {
            return true;
        }
        let locked = || known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = locked().get(&pair) {
            return *known;
        }
        let equal = self.equal(pair, of);
        locked().insert(pair, equal);
        equal
    }

    fn equal(&self, (old, new): (Digest, Digest), of: impl Fn(&Resource) -> Resource) -> bool {
        let (old, new) = (
            self.before.resources.get(&old),
            self.after.resources.get(&new),
        );
        old.zip(new).is_some_and(|(old, new)| {
            let (old, new) = unequal(old, new);
            let (old, new) = (of(&old), of(&new));
            // What is equal with its lines needs no look without them.
            old == new || meaning(&old) == meaning(&new)
        })
    }
}

/// What decides where a request ends, and who may send it: without limits, balancing, repetition and logs, which differ for
/// many proxies at once where a policy of the whole mesh does.
fn way(resource: &Resource) -> Resource {
    match resource.clone() {
        Resource::Destination(mut own) => {
            if let Traffic::Http { routes } = &mut own.traffic {
                for route in routes {
                    route.timeouts = None;
                    route.hash_policies = None;
                    route.access_log = None;
                    route.retry = None;
                }
            }
            own.timeouts = Box::default();
            own.hash_policies = None;
            own.access_log = None;
            own.retry = None;
            Resource::Destination(own)
        }
        Resource::Cluster(mut own) => {
            own.connect_timeout = Timeouts::default().connect;
            own.balancer = None;
            own.locality = None;
            own.slow_start = None;
            own.circuit_breaker = None;
            own.health_check = None;
            Resource::Cluster(own)
        }
        Resource::InboundPolicy(own) => {
            let way = InboundPolicy {
                timeouts: Box::default(),
                peer_timeouts: Vec::new(),
                rate_limits: RateLimits::default(),
                faults: Vec::new(),
                access_logs: Vec::new(),
                circuit_breaker: None,
                ..own
            };
            Resource::InboundPolicy(way)
        }
        other => other,
    }
}

/// A resource as a value without origins, lists without an order in one.
pub(super) fn meaning(resource: &Resource) -> Value {
    let mut value = with_origins(resource);
    strip(&mut value);
    value
}

/// A resource as a value.
pub(super) fn with_origins(resource: &Resource) -> Value {
    // What is made of strings, numbers and lists has a value.
    let mut value = serde_json::to_value(resource).unwrap_or_default();
    if let Some(Value::Object(permissions)) = value.get_mut("permissions") {
        permissions.remove("unmatched");
        permissions.values_mut().for_each(unordered);
    }
    // Numbers only tell rules apart.
    for list in ["faults", "accessLogs"] {
        let rules = value.get_mut(list).and_then(Value::as_array_mut);
        for rule in rules.into_iter().flatten() {
            rule.as_object_mut().map(|rule| rule.remove("number"));
        }
    }
    value
}

/// The order of permissions means nothing, nor how often one is there.
fn unordered(list: &mut Value) {
    let Value::Array(rules) = list else { return };
    rules.sort_by_cached_key(|rule| rule.get("peer").map(text));
    let mut seen = BTreeSet::new();
    rules.retain(|rule| seen.insert(rule.get("peer").map(text)));
}

/// Takes every origin out.
pub(super) fn strip(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.remove("origin");
            map.values_mut().for_each(strip);
        }
        Value::Array(list) => list.iter_mut().for_each(strip),
        _ => {}
    }
}

/// The canonical text of a value.
pub(super) fn text(value: &Value) -> String {
    let bytes = digest::canonical(value).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::compile;
    use crate::flow::tests::SHOP;
    use crate::model::Settings;
    use crate::world::MemoryWorld;

    /// The shop with other words in one place.
    fn shop(from: &str, to: &str) -> Bundle {
        let files: BTreeMap<_, _> = SHOP
            .iter()
            .map(|(path, text)| ((*path).to_owned(), text.replace(from, to).into_bytes()))
            .collect();
        let compiled = compile(&MemoryWorld { files }, &Settings::default());
        assert!(!compiled.diagnostics.has_errors(), "{from} -> {to}");
        compiled.bundle
    }

    /// What every destination that changes says: is its meaning the same, and does it lead where it led?
    fn compared(from: &str, to: &str) -> BTreeSet<(bool, bool)> {
        let (before, after) = (shop("", ""), shop(from, to));
        let meanings = Meanings::new(&before, &after);
        let mut found = BTreeSet::new();
        for (kri, proxy) in &before.proxies {
            for (key, old) in &proxy.manifest.entries {
                let new = after.proxies[kri].manifest.entries[key];
                if matches!(key, mesh_bundle::Key::Destination(_)) && *old != new {
                    found.insert((meanings.same(*old, new), meanings.lead_alike(*old, new)));
                }
            }
        }
        found
    }

    #[test]
    fn limits_lead_nowhere_else_and_weights_do() {
        let limits = compared("requestTimeout: 3s", "requestTimeout: 4s");
        assert_eq!(limits, BTreeSet::from([(false, true)]));
        let weights = compared("weight: 10", "weight: 11");
        assert_eq!(weights, BTreeSet::from([(false, false)]));
    }
}
