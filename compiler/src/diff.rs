//! What a change means: who can reach what now, what is limited otherwise, whose configuration it is.
//!
//! Never compares documents, and never files: two repositories that say the same in other words are the same. Never leaves
//! a difference out: what is no edge and no destination outside is a setting, whatever it is called.

mod edges;
pub mod gates;
mod grouped;
mod human;
mod json;
mod leaf;
mod markdown;
mod meaning;
mod names;
mod outside;
mod proxies;
mod settings;
mod told;
mod unequal;
mod words;

use std::collections::BTreeSet;

use mesh_bundle::{Bundle, Kri, Origin};

use crate::flow::callers::Caller;
use crate::flow::{Asked, Flows, Reach};
use crate::parallel;
use meaning::Meanings;
use names::Names;

pub use human::human;
pub use json::json;
pub use markdown::markdown;

/// Everything that is different between two bundles.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// Who can reach what, sorted by service port and caller.
    pub edges: Vec<Edge>,
    /// What may be reached outside of the mesh, sorted.
    pub outside: Vec<Outside>,
    /// Every other value, sorted.
    pub settings: Vec<Setting>,
    /// Whose configuration is different.
    pub proxies: Proxies,
    /// How things are called.
    names: Names,
}

/// What changes between a caller and a service port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// Who.
    pub caller: Caller,
    /// The service with the section name of the port.
    pub port: Kri,
    /// May it: what the servers of the port say, were they asked directly. Equal where that does not change.
    pub access: (Reach, Reach),
    /// Does it: what becomes of the requests that its proxies send there. Classes of requests for which that changes.
    pub traffic: Vec<Traffic>,
    /// All classes of requests are in `traffic`, and change alike.
    pub is_whole: bool,
    /// False: the routes tell too many requests apart, and only some were looked at.
    pub is_exact: bool,
    /// Where `access` changes: nothing is sent there as this caller, and nothing was.
    pub is_idle: bool,
    /// What decides it now, or, for what is gone, decided it before.
    pub cause: Option<Origin>,
}

/// What becomes of one class of requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traffic {
    /// In the words of the route that it takes.
    pub requests: String,
    /// One of them.
    pub example: Asked,
    /// How much of them was served.
    pub before: Reach,
    /// How much is.
    pub after: Reach,
}

/// A destination outside of the mesh, opened or closed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Outside {
    /// `api.example.com:443`
    pub destination: String,
    /// Whose traffic may go there now, and could not before.
    pub opened: BTreeSet<Kri>,
    /// Who may go there now, though no proxy with the same identity could before.
    pub newly: BTreeSet<Caller>,
    /// Whose traffic could, and may not now.
    pub closed: BTreeSet<Kri>,
    /// The document.
    pub cause: Option<Origin>,
}

/// What a setting is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// The traffic of proxies to a service port.
    To(Kri),
    /// The traffic that proxies take at the inbound of this section name.
    At(String),
    /// The listener of proxies for traffic from the workload, by `address:port`.
    Listener(String),
    /// Proxies themselves.
    Proxy,
    /// Whom proxies trust.
    Trust,
    /// The authority of a `MeshIdentity`.
    Issuer(Kri),
}

/// A value that is different.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Setting {
    /// What it is about.
    pub subject: Subject,
    /// Which value, such as `timeouts.request`; empty for all of it.
    pub path: String,
    /// `None`: it was not there.
    pub before: Option<String>,
    /// `None`: it is gone.
    pub after: Option<String>,
    /// What set it before.
    pub before_origin: Option<Origin>,
    /// What sets it now.
    pub after_origin: Option<Origin>,
    /// For whom.
    pub proxies: BTreeSet<Kri>,
    /// It is a permission, and edges say what it does for each of them.
    pub is_told: bool,
}

/// Whose configuration is different.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    /// Proxies that were not there.
    pub added: Vec<Kri>,
    /// Proxies that are gone.
    pub removed: Vec<Kri>,
    /// Proxies that are told something else.
    pub changed: Vec<ChangedProxy>,
    /// Proxies that are told the same from other lines.
    pub moved: usize,
}

/// A proxy that is told something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedProxy {
    /// Its Dataplane.
    pub kri: Kri,
    /// How much larger its manifest and all that it names are, in canonical bytes.
    pub growth: i64,
    /// Of the resources that it does not have yet.
    pub sent: u64,
}

/// Compares two bundles.
#[must_use]
pub fn diff(before: &Bundle, after: &Bundle) -> Difference {
    if before.digest == after.digest {
        return Difference::default();
    }
    let (old, new) = parallel::both(|| Flows::new(before), || Flows::new(after));
    let sides = Sides {
        names: Names::of([&old, &new]),
        before: old,
        after: new,
        meanings: Meanings::new(before, after),
    };
    let ports = sides.changed_ports();
    let edges = edges::edges(&sides, &ports);
    let differing = proxies::differing(&sides);
    let mut settings = settings::settings(&sides, &ports, &differing);
    told::mark(&sides, &edges, &mut settings);
    Difference {
        edges,
        outside: outside::outside(&sides),
        settings,
        proxies: proxies::proxies(&sides, &differing),
        names: sides.names,
    }
}

impl Difference {
    /// Does the change mean nothing?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Proxies {
            added,
            removed,
            changed,
            moved: _,
        } = &self.proxies;
        self.edges.is_empty()
            && self.outside.is_empty()
            && self.settings.is_empty()
            && added.is_empty()
            && removed.is_empty()
            && changed.is_empty()
    }
}

/// Two bundles that can be asked.
struct Sides<'b> {
    before: Flows<'b>,
    after: Flows<'b>,
    meanings: Meanings<'b>,
    names: Names,
}

impl Sides<'_> {
    /// Does meshd vouch for other trust domains?
    fn other_issuers(&self) -> bool {
        let vouched = |bundle: &Bundle| -> BTreeSet<(String, String)> {
            let issuers = bundle
                .issuers
                .values()
                .filter(|issuer| issuer.publish_trust);
            issuers
                .map(|issuer| (issuer.mesh.clone(), issuer.trust_domain.as_str().to_owned()))
                .collect()
        };
        vouched(self.before.bundle()) != vouched(self.after.bundle())
    }

    /// The service ports whose servers are others, or let others in.
    fn changed_ports(&self) -> BTreeSet<Kri> {
        let all = self.other_issuers();
        let served = |flows: &Flows<'_>| -> BTreeSet<Kri> {
            let proxies = flows.bundle().proxies.values();
            let endpoints = proxies.flat_map(|proxy| &proxy.endpoints);
            endpoints.map(|endpoint| endpoint.service.clone()).collect()
        };
        let mut ports = served(&self.before);
        ports.extend(served(&self.after));
        ports.retain(|port| all || self.is_changed(port));
        ports
    }

    fn is_changed(&self, port: &Kri) -> bool {
        let (old, new) = (self.before.servers(port), self.after.servers(port));
        let same = |(old, new): (&crate::flow::Server<'_>, &crate::flow::Server<'_>)| {
            let id = |server: &crate::flow::Server<'_>| {
                server
                    .node
                    .identity()
                    .map(|identity| identity.spiffe_id.clone())
            };
            old.node.kri == new.node.kri
                && old.endpoint == new.endpoint
                && self.meanings.lead_alike(old.digest, new.digest)
                && id(old) == id(new)
                && old.node.trust() == new.node.trust()
        };
        old.len() != new.len() || !old.iter().zip(new).all(same)
    }
}

#[cfg(test)]
mod tests;
