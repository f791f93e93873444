//! Two values, leaf by leaf: what changed, from what, to what, and which lines say so.
//!
//! Never compares lists by place: an element is the same one as before if it is about the same.

use std::collections::BTreeMap;

use mesh_bundle::Origin;
use serde_json::{Map, Value};

use super::meaning::{strip, text};
use super::names::Names;
use super::words;

/// One value that is different.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Leaf {
    /// `timeouts.request`
    pub(super) path: String,
    /// As people write it; `None`: it was not there.
    pub(super) before: Option<String>,
    pub(super) after: Option<String>,
    /// What set it; `None` for what is built in or not there.
    pub(super) origins: (Option<Origin>, Option<Origin>),
}

/// Lists that are tried in their order.
const ORDERED: [&str; 5] = ["routes", "filters", "matches", "peers", "peerTimeouts"];

/// What a route may say for itself, in the place of its destination.
const OF_ROUTE: [&str; 4] = ["accessLog", "hashPolicies", "retry", "timeouts"];

/// The leaves that differ.
pub(super) fn leaves(names: &Names, before: &Value, after: &Value) -> Vec<Leaf> {
    let mut walk = Walk {
        names,
        roots: (before, after),
        leaves: Vec::new(),
    };
    walk.values("", (Some(before), Some(after)), (None, None));
    walk.leaves
}

type Pair<'v> = (Option<&'v Value>, Option<&'v Value>);
/// Elements by what they are about.
type Named = [(String, Value)];
type Origins = (Option<Origin>, Option<Origin>);

struct Walk<'n> {
    names: &'n Names,
    roots: (&'n Value, &'n Value),
    leaves: Vec<Leaf>,
}

impl Walk<'_> {
    fn values(&mut self, path: &str, (old, new): Pair<'_>, above: Origins) {
        // What is `null` is not there.
        let there = |value: &&Value| !value.is_null();
        let pair = self.effective(path, (old.filter(there), new.filter(there)));
        let origins = origins(pair, above);
        match pair {
            (Some(Value::Object(old)), Some(Value::Object(new))) if !is_leaf(old) => {
                self.objects(path, (old, new), &origins);
            }
            // A share is one of a whole: all of them are said at once.
            (Some(Value::Array(old)), Some(Value::Array(new))) if path.ends_with("backends") => {
                let plain = |value: &Value| {
                    let mut value = value.clone();
                    strip(&mut value);
                    text(&value)
                };
                let differs = |(was, is): &(&Value, &Value)| plain(was) != plain(is);
                let other = old.iter().zip(new).find(differs);
                let first = (old.first(), new.first());
                let (was, is) = other.map_or(first, |(was, is)| (Some(was), Some(is)));
                let origins = (origin(was, origins.0), origin(is, origins.1));
                self.leaf(path, pair, origins);
            }
            // Whom a list names, the list says, and each name is told.
            (old @ (Some(Value::Object(_)) | None), new)
                if path == "permissions" && old.is_some() != new.is_some() =>
            {
                let empty = Map::new();
                let map = |value: Option<&'_ Value>| value.and_then(Value::as_object).cloned();
                let (old, new) = (map(old), map(new));
                let pair = (
                    old.as_ref().unwrap_or(&empty),
                    new.as_ref().unwrap_or(&empty),
                );
                self.objects(path, pair, &origins);
            }
            (Some(Value::Array(old)), Some(Value::Array(new))) => {
                self.lists(path, (old, new), &origins);
            }
            (Some(Value::Array(only)), None) if is_by_name(path) => {
                self.lists(path, (only, &[]), &origins);
            }
            (None, Some(Value::Array(only))) if is_by_name(path) => {
                self.lists(path, (&[], only), &origins);
            }
            (None, Some(Value::Object(only))) | (Some(Value::Object(only)), None)
                if is_route(path) =>
            {
                let is_new = pair.0.is_none();
                self.leaf(path, pair, origins.clone());
                self.limits(path, only, is_new, &origins);
            }
            _ => self.leaf(path, pair, origins),
        }
    }

    /// What a route has no value of its own for, it takes from its destination.
    fn effective<'v>(&self, path: &str, pair: Pair<'v>) -> Pair<'v>
    where
        Self: 'v,
    {
        let own = path.rsplit_once('.');
        let own = own.filter(|(route, key)| is_route(route) && OF_ROUTE.contains(key));
        let Some((_, key)) = own else { return pair };
        match pair {
            (None, Some(new)) => (self.roots.0.get(key), Some(new)),
            (Some(old), None) => (Some(old), self.roots.1.get(key)),
            both => both,
        }
    }

    /// What a route that came or went has of its own; of limits, those that somebody has set.
    fn limits(&mut self, path: &str, route: &Map<String, Value>, is_new: bool, origins: &Origins) {
        let mut tell = |path: &str, value: &Value| {
            let there = Some(value).filter(|value| !value.is_null());
            let pair = if is_new { (None, there) } else { (there, None) };
            let origins = (
                origin(pair.0, origins.0.clone()),
                origin(pair.1, origins.1.clone()),
            );
            self.leaf(path, pair, origins);
        };
        for (key, value) in route
            .iter()
            .filter(|(key, _)| OF_ROUTE.contains(&key.as_str()))
        {
            match value {
                Value::Object(limits) if key == "timeouts" => {
                    let set = limits
                        .iter()
                        .filter(|(_, limit)| limit.get("origin").is_some());
                    set.for_each(|(name, limit)| tell(&format!("{path}.{key}.{name}"), limit));
                }
                value => tell(&format!("{path}.{key}"), value),
            }
        }
    }

    fn leaf(&mut self, path: &str, (old, new): Pair<'_>, origins: Origins) {
        let said = |value: Option<&Value>| {
            let mut value = value?.clone();
            strip(&mut value);
            (!value.is_null()).then(|| words::value(self.names, path, &value))
        };
        let (before, after) = (said(old), said(new));
        if before != after {
            let origins = match origins {
                (None, None) => (old.and_then(within), new.and_then(within)),
                known => known,
            };
            self.leaves.push(Leaf {
                path: path.to_owned(),
                before,
                after,
                origins,
            });
        }
    }

    fn objects(
        &mut self,
        path: &str,
        (old, new): (&Map<String, Value>, &Map<String, Value>),
        origins: &Origins,
    ) {
        let mut keys: Vec<&String> = old.keys().chain(new.keys()).collect();
        keys.sort();
        keys.dedup();
        for key in keys.into_iter().filter(|key| *key != "origin") {
            // Where a value stands beside its origin, it is the value that has a name.
            let inner = match (path, key.as_str()) {
                ("", key) => key.to_owned(),
                (path, "value") => path.to_owned(),
                (path, key) => format!("{path}.{key}"),
            };
            self.values(&inner, (old.get(key), new.get(key)), origins.clone());
        }
    }

    fn lists(&mut self, path: &str, (old, new): (&[Value], &[Value]), origins: &Origins) {
        let (old, new) = (named(self.names, old), named(self.names, new));
        let is_ordered = path
            .rsplit('.')
            .next()
            .is_some_and(|last| ORDERED.contains(&last));
        if is_ordered {
            self.order(path, (&old, &new), origins);
        }
        let by_name = |list: &'_ [(String, Value)]| -> BTreeMap<String, Value> {
            list.iter().cloned().collect()
        };
        let (old, new) = (by_name(&old), by_name(&new));
        let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
        names.sort();
        names.dedup();
        for name in names {
            let inner = format!("{path}[{name}]");
            self.values(&inner, (old.get(name), new.get(name)), origins.clone());
        }
    }

    /// What is in both, in another order.
    fn order(&mut self, path: &str, (old, new): (&Named, &Named), origins: &Origins) {
        let common = |own: &Named, others: &Named| -> Vec<String> {
            let names = own.iter().map(|(name, _)| name);
            let known = |name: &&String| others.iter().any(|(other, _)| other == *name);
            names.filter(known).cloned().collect()
        };
        let (before, after) = (common(old, new), common(new, old));
        if before != after {
            self.leaves.push(Leaf {
                path: format!("{path}.order"),
                before: Some(before.join(", ")),
                after: Some(after.join(", ")),
                origins: origins.clone(),
            });
        }
    }
}

/// Is it a list that is told by its elements, also where there is none on the other side?
fn is_by_name(path: &str) -> bool {
    path == "traffic.routes" || path.starts_with("permissions.")
}

/// Is it the path of a route as a whole?
fn is_route(path: &str) -> bool {
    let name = path.strip_prefix("traffic.routes[");
    name.is_some_and(|name| name.ends_with(']') && !name.contains("]."))
}

/// Small things that are said in one word, such as how something is matched.
fn is_leaf(object: &Map<String, Value>) -> bool {
    let keys = object.keys().map(String::as_str).collect::<Vec<_>>();
    matches!(
        keys.as_slice(),
        ["type", "value"] | ["content", "type"] | ["name", "type"]
    )
}

/// Elements by what they are about; those that are about the same are counted.
fn named(names: &Names, list: &[Value]) -> Vec<(String, Value)> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    list.iter()
        .map(|value| {
            let name = words::element(names, value).unwrap_or_else(|| {
                let mut plain = value.clone();
                strip(&mut plain);
                plain.as_str().map_or_else(|| text(&plain), str::to_owned)
            });
            let count = seen.entry(name.clone()).or_default();
            *count += 1;
            let name = match *count {
                1 => name,
                again => format!("{name} #{again}"),
            };
            (name, value.clone())
        })
        .collect()
}

/// The origins of both. What is built in and gone, or new, is so because of what stands above it on the other side.
fn origins(pair: Pair<'_>, above: Origins) -> Origins {
    let own = (
        origin(pair.0, above.0.clone()),
        origin(pair.1, above.1.clone()),
    );
    match (pair, own) {
        ((Some(_), None), (None, None)) => (None, above.1),
        ((None, Some(_)), (None, None)) => (above.0, None),
        (_, own) => own,
    }
}

/// The first origin in a value: of what is there as a whole, one of its parts says where.
fn within(value: &Value) -> Option<Origin> {
    match value {
        Value::Object(map) => {
            let own = map.get("origin");
            let own = own.and_then(|own| serde_json::from_value(own.clone()).ok());
            own.or_else(|| map.values().find_map(within))
        }
        Value::Array(list) => list.iter().find_map(within),
        _ => None,
    }
}

/// The origin that stands beside a value, or above it.
fn origin(value: Option<&Value>, above: Option<Origin>) -> Option<Origin> {
    let own = value?.get("origin");
    let own = own.and_then(|own| serde_json::from_value(own.clone()).ok());
    // A value that could have an origin beside it, and has none, is built in.
    let is_built_in = || {
        value
            .and_then(Value::as_object)
            .is_some_and(|map| map.len() == 1 && map.contains_key("value"))
    };
    match own {
        Some(own) => Some(own),
        None if is_built_in() => None,
        None => above,
    }
}
