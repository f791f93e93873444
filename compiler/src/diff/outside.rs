//! What may be reached outside of the mesh.
//!
//! Never asks whether anybody is there.

use std::collections::{BTreeMap, BTreeSet};

use mesh_bundle::resource::{Passthrough, PassthroughDestination, PassthroughMode, Resource};
use mesh_bundle::{Bundle, Digest, Key, Kri, Origin};

use super::{Outside, Sides};
use crate::flow::Flows;
use crate::flow::callers::Caller;

/// By destination: who may go there, and the document that says so.
type Open = BTreeMap<String, (BTreeSet<Kri>, Option<Origin>)>;

pub(super) fn outside(sides: &Sides<'_>) -> Vec<Outside> {
    let (before, after) = (open(sides.before.bundle()), open(sides.after.bundle()));
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let none = (BTreeSet::new(), None);
    names
        .into_iter()
        .filter_map(|name| {
            let (old, closed_by) = before.get(name).unwrap_or(&none);
            let (new, opened_by) = after.get(name).unwrap_or(&none);
            (old != new).then(|| Outside {
                destination: name.clone(),
                newly: &callers(&sides.after, new) - &callers(&sides.before, old),
                opened: new - old,
                closed: old - new,
                cause: opened_by.clone().or_else(|| closed_by.clone()),
            })
        })
        .collect()
}

fn callers(flows: &Flows<'_>, proxies: &BTreeSet<Kri>) -> BTreeSet<Caller> {
    let nodes = proxies.iter().filter_map(|kri| flows.node(kri));
    let ids = nodes.map(|node| node.identity().map(|own| own.spiffe_id.clone()));
    ids.map(|id| id.map_or(Caller::Plain, Caller::Named))
        .collect()
}

fn open(bundle: &Bundle) -> Open {
    let mut leading: BTreeMap<Digest, Vec<(String, Option<Origin>)>> = BTreeMap::new();
    for (digest, resource) in &bundle.resources {
        let names = match &**resource {
            Resource::Cluster(cluster) => cluster
                .external
                .iter()
                .flat_map(|external| {
                    let endpoints = external.endpoints.iter();
                    endpoints.map(|to| {
                        (
                            format!("{}:{}", to.address, to.port),
                            Some(cluster.origin.clone()),
                        )
                    })
                })
                .collect(),
            Resource::Passthrough(passthrough) => let_through(passthrough),
            _ => Vec::new(),
        };
        if !names.is_empty() {
            leading.insert(*digest, names);
        }
    }
    let mut open = Open::new();
    for (kri, proxy) in &bundle.proxies {
        let entries = proxy.manifest.entries.iter();
        for (key, digest) in entries {
            if !matches!(key, Key::Cluster(_) | Key::Passthrough) {
                continue;
            }
            for (name, origin) in leading.get(digest).into_iter().flatten() {
                let known = open.entry(name.clone()).or_default();
                known.0.insert(kri.clone());
                if known.1.is_none() {
                    known.1.clone_from(origin);
                }
            }
        }
    }
    open
}

fn let_through(passthrough: &Passthrough) -> Vec<(String, Option<Origin>)> {
    match passthrough.mode.value {
        PassthroughMode::None => Vec::new(),
        PassthroughMode::All => {
            vec![(
                "passthrough to anything".to_owned(),
                passthrough.mode.origin.clone(),
            )]
        }
        PassthroughMode::Matched => {
            let matches = passthrough.matches.iter();
            matches
                .map(|each| {
                    let to = match &each.destination {
                        PassthroughDestination::Address { ip } => ip.to_string(),
                        PassthroughDestination::Range { network, length } => {
                            format!("{network}/{length}")
                        }
                        PassthroughDestination::Domain { name } => name.clone(),
                        PassthroughDestination::Subdomains { of } => format!("*.{of}"),
                    };
                    let port = each.port.map_or(String::new(), |port| format!(":{port}"));
                    let name = format!("passthrough to {to}{port}");
                    (name, Some(each.origin.clone()))
                })
                .collect()
        }
    }
}
