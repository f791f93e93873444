//! The values that proxies need for TLS with servers outside: where they are read, and who is given which.
//!
//! Never takes a value back because it cannot be read any more: who is away for a moment is not who has left.

use std::collections::BTreeMap;

use mesh_bundle::resource::external::secret_id;
use mesh_bundle::{Bundle, Digest, Manifest, Resource};
use mesh_delivery::message::Secrets;

use crate::ca::Values;

/// Everything that is held for the proxies.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// By the digest of each cluster outside that needs some.
    values: BTreeMap<Digest, Secrets>,
    /// What cannot be read, and what that means.
    unread: Vec<String>,
}

impl Held {
    /// What there is now; what cannot be read is as it was `before`, or missing: then the proxies refuse its traffic.
    pub(crate) fn read(bundle: &Bundle, values: &Values<'_>, before: Option<&Self>) -> Self {
        let mut held = Self::default();
        for (digest, resource) in &bundle.resources {
            let Resource::Cluster(cluster) = &**resource else {
                continue;
            };
            let external = cluster.external.as_ref();
            let Some(tls) = external.and_then(|external| external.tls.as_ref()) else {
                continue;
            };
            let document = cluster.kri.without_section();
            let known = before.and_then(|before| before.values.get(digest));
            let mut found = Secrets::default();
            for source in tls.secrets() {
                let id = secret_id(&document, &source);
                match values.get(&document, &source) {
                    Ok(value) => drop(found.0.insert(id, value)),
                    Err(why) => {
                        let last = known.and_then(|known| known.0.get(&id));
                        let then = match last {
                            Some(_) => "what it was before is used",
                            None => "its traffic is refused",
                        };
                        held.unread.push(format!("{document}: {why}; {then}"));
                        if let Some(last) = last {
                            found.0.insert(id, last.clone());
                        }
                    }
                }
            }
            if !found.0.is_empty() {
                held.values.insert(*digest, found);
            }
        }
        held
    }

    /// With those that only another bundle needs.
    pub(crate) fn with(mut self, other: Self) -> Self {
        for (digest, values) in other.values {
            self.values.entry(digest).or_insert(values);
        }
        for why in other.unread {
            if !self.unread.contains(&why) {
                self.unread.push(why);
            }
        }
        self
    }

    /// Those of one proxy.
    pub(super) fn of(&self, manifest: &Manifest) -> Secrets {
        if self.values.is_empty() {
            return Secrets::default();
        }
        let needed = manifest.entries.values();
        let needed = needed.filter_map(|digest| self.values.get(digest));
        let values = needed.flat_map(|needed| needed.0.clone());
        Secrets(values.collect())
    }

    /// Would every proxy be given the same?
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.values == other.values
    }

    /// For people: the document, the reason, and what follows.
    pub(crate) fn unread(&self) -> &[String] {
        &self.unread
    }
}
