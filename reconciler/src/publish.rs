//! One commit in the form in which it is delivered: each proxy's manifest, the shared bytes, and who serves what.
//!
//! Never changes what was compiled, but for one thing: the trust of each proxy is completed with the authorities that meshd
//! keeps, because a commit cannot know them.

mod measure;
mod proxy;
mod resources;
mod secrets;
mod trust;
mod united;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mesh_bundle::{Bundle, Digest, Kri, Revoked};

use crate::ca::Authorities;

pub(crate) use proxy::{PublishedProxy, Server};
pub(crate) use secrets::Held;
use trust::Completion;

/// What is served from the moment it is handed to the registry.
#[derive(Debug)]
pub(crate) struct Published {
    /// Those that it speaks for, also where they have no Dataplanes.
    pub(crate) meshes: Arc<BTreeSet<String>>,
    pub(crate) authorities: Authorities,
    pub(crate) proxies: BTreeMap<Kri, PublishedProxy>,
    /// By mesh and name: what a control certificate and a token say.
    names: Arc<Names>,
    /// Every service port that somebody serves or is sent to.
    pub(crate) services: Arc<HashSet<Kri>>,
    /// Who serves each service port.
    pub(crate) servers: BTreeMap<Kri, Vec<Arc<Server>>>,
    /// What was given to the proxies beside their configuration.
    pub(crate) secrets: Held,
    /// Identifiers of join tokens that the commit ends.
    pub(crate) revoked_tokens: Arc<BTreeSet<String>>,
    resources: Arc<BTreeMap<Digest, Bytes>>,
    /// Proxies are asked for their traffic.
    pub(crate) measures: bool,
}

/// A bundle that passed the compiler and yet cannot be delivered. A defect, or a limit of the protocol.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Undeliverable {
    #[error("a resource cannot be encoded: {0}")]
    Encoding(#[from] serde_json::Error),
    #[error("{proxy}: {why}")]
    Wanted {
        proxy: Box<Kri>,
        why: mesh_delivery::publisher::Unpublishable,
    },
    #[error("{0} lacks the resource `proxy`")]
    NoProxy(Box<Kri>),
}

/// What goes into a [`Published`] beside the bundle.
#[derive(Debug)]
pub(crate) struct Beside<'a> {
    pub(crate) revision: String,
    /// Those that it speaks for.
    pub(crate) meshes: Arc<BTreeSet<String>>,
    /// Who has another commit than the others, and which.
    pub(crate) moved: Option<(&'a BTreeSet<Kri>, &'a str)>,
    /// Proxies are asked for their traffic.
    pub(crate) measures: bool,
    pub(crate) authorities: Authorities,
    pub(crate) secrets: Held,
    /// Whom the proxies of each mesh are not to believe any more.
    pub(crate) revoked: BTreeMap<String, Vec<Revoked>>,
    /// Identifiers of join tokens that the commit ends.
    pub(crate) revoked_tokens: Arc<BTreeSet<String>>,
    /// Bytes that are the same as before are shared with it.
    pub(crate) before: Option<&'a Published>,
}

type Names = BTreeMap<(String, String), Vec<Kri>>;

impl Published {
    /// Projects a bundle to its proxies. Of what was served before, whatever is the same is taken as it is.
    pub(crate) fn project(bundle: &Bundle, beside: Beside<'_>) -> Result<Self, Undeliverable> {
        let Beside {
            revision,
            meshes,
            moved,
            measures,
            authorities,
            secrets,
            revoked,
            revoked_tokens,
            before,
        } = beside;
        let mut completion = Completion::new(bundle, &authorities, revoked);
        let mut trusts = Vec::with_capacity(bundle.proxies.len());
        for (kri, proxy) in &bundle.proxies {
            trusts.push(completion.trust(kri, &proxy.manifest)?);
        }
        let known = before.map(|before| &*before.resources);
        let resources = resources::encoded(&bundle.resources, completion.into_added(), known)?;
        let resources = Arc::new(resources);
        let revision: Arc<str> = revision.into();
        let moved = moved.map(|(moved, other)| (moved, Arc::<str>::from(other)));
        let (mut proxies, mut servers) = (BTreeMap::new(), BTreeMap::new());
        for ((kri, proxy), trust) in bundle.proxies.iter().zip(&trusts) {
            let revision = match &moved {
                Some((moved, other)) if moved.contains(kri) => other,
                _ => &revision,
            };
            let needed = secrets.of(&proxy.manifest);
            let known = before.and_then(|before| before.proxies.get(kri));
            let known = known.filter(|known| known.is_of(proxy, (trust, &needed)));
            let published = match known {
                Some(known) => known.under(revision, &resources),
                None => {
                    let given = (trust, needed);
                    PublishedProxy::new(bundle, (kri, proxy), given, (revision, &resources))?
                }
            };
            let has_moved = moved.as_ref().is_some_and(|(moved, _)| moved.contains(kri));
            let published = published.measured(match measures {
                true => measure::every(has_moved, bundle.proxies.len()),
                false => Duration::ZERO,
            });
            for (service, server) in &published.serving {
                let list: &mut Vec<_> = servers.entry(service.clone()).or_default();
                list.push(Arc::clone(server));
            }
            proxies.insert(kri.clone(), published);
        }
        let named = before.filter(|before| before.proxies.keys().eq(proxies.keys()));
        let names = match named {
            Some(before) => Arc::clone(&before.names),
            None => Arc::new(names(&proxies)),
        };
        let meeting = named.filter(|before| {
            let mut both = before.proxies.values().zip(proxies.values());
            both.all(|(old, new)| old.meets_those_of(new))
        });
        let services = match meeting {
            Some(before) => Arc::clone(&before.services),
            None => Arc::new(services(&proxies)),
        };
        Ok(Self {
            meshes,
            services,
            authorities,
            names,
            proxies,
            servers,
            secrets,
            revoked_tokens,
            resources,
            measures,
        })
    }

    /// The Dataplanes of a mesh with a name: none, one, or, with namespaces, several.
    pub(crate) fn named(&self, mesh: &str, name: &str) -> &[Kri] {
        let key = (mesh.to_owned(), name.to_owned());
        self.names.get(&key).map_or(&[], Vec::as_slice)
    }

    /// Are they the same Dataplanes?
    pub(crate) fn has_those_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.names, &other.names)
    }
}

fn services(proxies: &BTreeMap<Kri, PublishedProxy>) -> HashSet<Kri> {
    let services = proxies
        .values()
        .flat_map(|proxy| proxy.serves.iter().chain(&proxy.clusters));
    let services: HashSet<&Kri> = services.collect();
    services.into_iter().cloned().collect()
}

fn names(proxies: &BTreeMap<Kri, PublishedProxy>) -> Names {
    let mut names = Names::new();
    for kri in proxies.keys() {
        let key = (kri.mesh().to_owned(), kri.name().to_owned());
        names.entry(key).or_default().push(kri.clone());
    }
    names
}

#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;
