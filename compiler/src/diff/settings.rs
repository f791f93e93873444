//! Every value that is different, whoever has it.
//!
//! Never compares one pair of resources twice: thousands of proxies share them.

use std::collections::{BTreeMap, BTreeSet};

use mesh_bundle::{Bundle, Digest, Key, Kri, Origin, Resource};
use serde_json::Value;

use super::leaf::{Leaf, leaves};
use super::meaning::with_origins;
use super::names::Names;
use super::proxies::{Differing, Entry};
use super::unequal::unequal;
use super::{Setting, Sides, Subject, words};
use crate::flow::{Flows, Node, Server};
use crate::parallel::{self, SMALL};

/// What a value is about, and the two resources that hold it.
type Compared = (Subject, Option<Digest>, Option<Digest>);

/// By subject, path, value before and value after.
type Merged = BTreeMap<(Subject, String, Option<String>, Option<String>), Setting>;

pub(super) fn settings(
    sides: &Sides<'_>,
    ports: &BTreeSet<Kri>,
    differing: &[Differing<'_>],
) -> Vec<Setting> {
    let mut merged = Merged::new();
    let mut compared: BTreeMap<Compared, BTreeSet<Kri>> = BTreeMap::new();
    for Differing { old, new, entries } in differing {
        for Entry { key, was, is, same } in entries {
            let Some(subject) = subject(key, was.is_some() && is.is_some()) else {
                continue;
            };
            let gone = was.is_none() != is.is_none();
            if let (Key::Outbound(_), true) = (key, gone) {
                let node = if was.is_some() { old } else { new };
                if let Some(leaf) = listener(&sides.names, *node, key, is.is_some()) {
                    let own = BTreeSet::from([new.kri.clone()]);
                    add(&mut merged, subject.clone(), leaf, &own);
                }
            } else if !same {
                let whose = compared.entry((subject, *was, *is)).or_default();
                whose.insert(new.kri.clone());
            }
        }
    }
    let compared: Vec<(Compared, BTreeSet<Kri>)> = compared.into_iter().collect();
    let told = parallel::map(&compared, SMALL, |((_, was, is), _)| {
        values(sides, *was, *is)
    });
    for (((subject, ..), proxies), leaves) in compared.into_iter().zip(told) {
        for leaf in leaves {
            add(&mut merged, subject.clone(), leaf, &proxies);
        }
    }
    issuers(sides, &mut merged);
    for port in ports {
        for leaf in served(sides, port) {
            add(
                &mut merged,
                Subject::To(port.clone()),
                leaf,
                &BTreeSet::new(),
            );
        }
    }
    merged.into_values().collect()
}

/// What is different between two resources.
fn values(sides: &Sides<'_>, was: Option<Digest>, is: Option<Digest>) -> Vec<Leaf> {
    let held = |bundle: &Bundle, digest: Option<Digest>| bundle.resources.get(&digest?).cloned();
    let (old, new) = (
        held(sides.before.bundle(), was),
        held(sides.after.bundle(), is),
    );
    let (old, new) = match old.as_deref().zip(new.as_deref()) {
        Some((old, new)) => {
            let (old, new) = unequal(old, new);
            (shown(Some(&old)), shown(Some(&new)))
        }
        None => (shown(old.as_deref()), shown(new.as_deref())),
    };
    leaves(&sides.names, &old, &new)
}

/// A listener that came or went, with where it leads: its destination came or went with it.
fn listener(names: &Names, node: Node<'_>, key: &Key, is_new: bool) -> Option<Leaf> {
    let Key::Outbound(name) = key else {
        return None;
    };
    let mut outbounds = node.outbounds();
    let (_, outbound) = outbounds.find(|(own, _)| own == name)?;
    let port = &outbound.destination;
    let destination = node.destination(port);
    let destination = destination.and_then(|(_, own)| serde_json::to_value(own).ok());
    let routes = destination
        .as_ref()
        .and_then(|own| words::routes(names, own));
    let told = match routes {
        Some(routes) => format!("to {} ({routes})", names.port(port)),
        None => format!("to {}", names.port(port)),
    };
    let origin = Some(outbound.origin.clone());
    Some(match is_new {
        true => Leaf {
            path: "listener".to_owned(),
            before: None,
            after: Some(told),
            origins: (None, origin),
        },
        false => Leaf {
            path: "listener".to_owned(),
            before: Some(told),
            after: None,
            origins: (origin, None),
        },
    })
}

fn add(merged: &mut Merged, subject: Subject, leaf: Leaf, proxies: &BTreeSet<Kri>) {
    let key = (
        subject.clone(),
        leaf.path.clone(),
        leaf.before.clone(),
        leaf.after.clone(),
    );
    let known = merged.entry(key).or_insert_with(|| Setting {
        subject,
        path: leaf.path,
        before: leaf.before,
        after: leaf.after,
        before_origin: leaf.origins.0,
        after_origin: leaf.origins.1,
        proxies: BTreeSet::new(),
        is_told: false,
    });
    known.proxies.extend(proxies.iter().cloned());
}

/// What an entry of a manifest is about. Of one that came or went, `None` where another entry says it.
fn subject(key: &Key, in_both: bool) -> Option<Subject> {
    Some(match key {
        Key::Destination(port) | Key::Cluster(port) if in_both => Subject::To(port.clone()),
        Key::InboundPolicy(section) if in_both => Subject::At(section.clone()),
        Key::Destination(_) | Key::Cluster(_) | Key::InboundPolicy(_) => return None,
        Key::Inbound(section) => Subject::At(section.clone()),
        Key::Outbound(address) => Subject::Listener(address.clone()),
        Key::Trust => Subject::Trust,
        Key::Proxy | Key::Metrics | Key::Tracing | Key::Passthrough => Subject::Proxy,
    })
}

/// A resource as it is compared; where there is none, nothing.
fn shown(resource: Option<&Resource>) -> Value {
    let Some(resource) = resource else {
        return Value::Null;
    };
    let mut value = with_origins(resource);
    let kind = match resource {
        Resource::Metrics(_) => Some("metrics"),
        Resource::Tracing(_) => Some("tracing"),
        Resource::Passthrough(_) => Some("passthrough"),
        _ => None,
    };
    if let Some(map) = value.as_object_mut() {
        map.remove("type");
        map.remove("kri");
    }
    match kind {
        Some(kind) => Value::Object([(kind.to_owned(), value)].into_iter().collect()),
        None => value,
    }
}

fn issuers(sides: &Sides<'_>, merged: &mut Merged) {
    let (before, after) = (
        &sides.before.bundle().issuers,
        &sides.after.bundle().issuers,
    );
    let names: BTreeSet<&Kri> = before.keys().chain(after.keys()).collect();
    for name in names {
        let value = |issuer: Option<&mesh_bundle::Issuer>| {
            issuer.map_or(Value::Null, |issuer| {
                serde_json::to_value(issuer).unwrap_or_default()
            })
        };
        for leaf in leaves(
            &sides.names,
            &value(before.get(name)),
            &value(after.get(name)),
        ) {
            add(
                merged,
                Subject::Issuer(name.clone()),
                leaf,
                &BTreeSet::new(),
            );
        }
    }
}

/// Who serves a port, and how it is spoken to.
fn served(sides: &Sides<'_>, port: &Kri) -> Vec<Leaf> {
    let mut found = Vec::new();
    let leaf = |path: &str, before, after, origins| Leaf {
        path: path.to_owned(),
        before,
        after,
        origins,
    };
    let words = |server: &Server<'_>| {
        let endpoint = server.endpoint;
        let health = if endpoint.healthy { "" } else { " (not ready)" };
        let name = sides.names.proxy(server.node.kri);
        let labels = endpoint
            .labels
            .iter()
            .map(|(key, value)| format!(" {key}={value}"));
        let labels: String = labels.collect();
        format!(
            "{name} {}:{}{labels}{health}",
            endpoint.address, endpoint.port
        )
    };
    let named = |flows: &Flows<'_>| -> BTreeMap<String, Origin> {
        let servers = flows.servers(port).iter();
        servers
            .map(|server| (words(server), server.inbound.origin.clone()))
            .collect()
    };
    let (old, new) = (named(&sides.before), named(&sides.after));
    for (name, origin) in old.iter().filter(|(name, _)| !new.contains_key(*name)) {
        let origins = (Some(origin.clone()), None);
        found.push(leaf("server", Some(name.clone()), None, origins));
    }
    for (name, origin) in new.iter().filter(|(name, _)| !old.contains_key(*name)) {
        let origins = (None, Some(origin.clone()));
        found.push(leaf("server", None, Some(name.clone()), origins));
    }
    if old.is_empty() || new.is_empty() {
        return found;
    }
    let spoken = |flows: &Flows<'_>| match flows.is_tls_ready(port) {
        true => Some("mTLS".to_owned()),
        false => Some("plaintext".to_owned()),
    };
    let (old, new) = (spoken(&sides.before), spoken(&sides.after));
    if old != new {
        found.push(leaf("transport", old, new, (None, None)));
    }
    found
}
