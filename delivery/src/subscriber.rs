//! The proxy's half of a session: frames become whole configurations, deltas become whole sets of endpoints.
//!
//! Never does I/O, and never gives the proxy anything that is not verified against its root: a mixture of two
//! configurations does not get past here.

mod assembly;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mesh_bundle::{Digest, Kri};

use crate::bounds;
use crate::message::{
    Certificate, ClusterEndpoints, EndpointsChange, FromProxy, Hello, Received, Secrets, TRAFFIC,
    ToProxy, Update,
};
use assembly::Assembly;

/// What a session gives to the proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A whole configuration, verified. Answer it with [`FromProxy::Ack`] or [`FromProxy::Nack`]; nothing else follows
    /// before that.
    Configuration(Received),
    /// All endpoints of one cluster, after the change. Empty without `tls_ready` may also mean that no configuration
    /// names it any more.
    Endpoints {
        /// The key of the cluster.
        service: Kri,
        /// The whole set.
        endpoints: ClusterEndpoints,
    },
    /// All secrets that the proxy needs from now on.
    Secrets(Secrets),
    /// The answer to [`FromProxy::CertificateRequest`].
    Certificate(Certificate),
    /// The other answer to it.
    CertificateRefused {
        /// The `MeshIdentity`; `None`: the control certificate.
        issuer: Option<Kri>,
        /// In words.
        reason: String,
    },
    /// From now on, tell your traffic this often by [`FromProxy::Traffic`].
    Measure {
        /// Zero: no more.
        every: Duration,
    },
}

/// What follows from a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing yet.
    Wait,
    /// The proxy is told.
    Tell(Event),
    /// meshd is told, without the proxy: a [`FromProxy::Nack`].
    Refuse(FromProxy),
}

/// meshd broke the protocol. The session is over; the proxy keeps what it has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A change began before the one before it was answered.
    #[error("a change to {next} came before the change to {offered} was answered")]
    Impatient {
        /// Not answered yet.
        offered: Digest,
        /// What came.
        next: Digest,
    },
    /// A frame of another change before the last frame of this one.
    #[error("frames of different changes are mixed")]
    Mixed,
    /// A difference from something that was never acknowledged.
    #[error("a difference came where nothing is held")]
    Baseless,
    /// More than any mesh has.
    #[error("more than {} clusters or endpoints of a cluster", bounds::ENDPOINTS)]
    TooManyEndpoints,
}

/// The proxy wants to send what makes no sense now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misplaced {
    /// An answer to a configuration that is not the one offered.
    #[error("no configuration with root {root} waits for an answer")]
    NotOffered {
        /// What was answered.
        root: Digest,
    },
    /// A session begins once.
    #[error("a session has one hello")]
    SecondHello,
    /// An older meshd would not understand it.
    #[error("meshd has not asked for traffic")]
    Unasked,
}

/// One session, as the proxy sees it. Give it every [message](Subscriber::receive), and show it every
/// [answer](Subscriber::send).
#[derive(Debug, Default)]
pub struct Subscriber {
    /// What was acknowledged last.
    held: Option<Received>,
    /// Given to the proxy, not answered.
    offered: Option<Received>,
    assembly: Option<Assembly>,
    endpoints: BTreeMap<Kri, ClusterEndpoints>,
    /// meshd has asked for traffic, so it knows what that is.
    measures: bool,
}

impl Subscriber {
    /// A session of a proxy that holds this already.
    #[must_use]
    pub fn new(held: Option<Received>) -> Self {
        Self {
            held,
            ..Self::default()
        }
    }

    /// How it begins.
    #[must_use]
    pub fn hello(&self, version: &str) -> Hello {
        let held = self.held.as_ref();
        Hello {
            version: version.to_owned(),
            root: held.map(|held| held.root),
            revision: held.map_or_else(String::new, |held| held.revision.clone()),
            capabilities: BTreeSet::from([TRAFFIC.to_owned()]),
        }
    }

    /// A message from meshd.
    ///
    /// # Errors
    /// See [`Violation`].
    pub fn receive(&mut self, message: ToProxy) -> Result<Step, Violation> {
        let event = match message {
            ToProxy::Update(update) => return self.update(update),
            ToProxy::Endpoints(change) => self.change_endpoints(change)?,
            ToProxy::Secrets(secrets) => Event::Secrets(secrets),
            ToProxy::Certificate(certificate) => Event::Certificate(certificate),
            ToProxy::CertificateRefused { issuer, reason } => {
                Event::CertificateRefused { issuer, reason }
            }
            ToProxy::Measure { every } => {
                self.measures = true;
                Event::Measure { every }
            }
        };
        Ok(Step::Tell(event))
    }

    /// The proxy is about to send this.
    ///
    /// # Errors
    /// It answers what was not offered, tells what it was not asked for, or says hello again.
    pub fn send(&mut self, message: &FromProxy) -> Result<(), Misplaced> {
        match message {
            FromProxy::Ack { root } => self.held = Some(self.answered(*root)?),
            FromProxy::Nack { root, .. } => drop(self.answered(*root)?),
            FromProxy::Hello(_) => return Err(Misplaced::SecondHello),
            FromProxy::Traffic(_) if !self.measures => return Err(Misplaced::Unasked),
            FromProxy::Traffic(_)
            | FromProxy::CertificateRequest { .. }
            | FromProxy::Status { .. } => {}
        }
        Ok(())
    }

    fn answered(&mut self, root: Digest) -> Result<Received, Misplaced> {
        self.offered
            .take_if(|offered| offered.root == root)
            .ok_or(Misplaced::NotOffered { root })
    }

    fn update(&mut self, update: Update) -> Result<Step, Violation> {
        if let Some(offered) = &self.offered {
            return Err(Violation::Impatient {
                offered: offered.root,
                next: update.root,
            });
        }
        let mut assembly = match self.assembly.take() {
            Some(assembly) if assembly.continues(&update) => assembly,
            Some(_) => return Err(Violation::Mixed),
            None => Assembly::begin(&update, self.held.as_ref()).ok_or(Violation::Baseless)?,
        };
        let last = update.last;
        assembly.add(update);
        if !last {
            self.assembly = Some(assembly);
            return Ok(Step::Wait);
        }
        Ok(match assembly.finish() {
            Ok(received) => {
                self.offered = Some(received.clone());
                Step::Tell(Event::Configuration(received))
            }
            Err((root, reason)) => Step::Refuse(FromProxy::Nack {
                root,
                key: None,
                pointer: String::new(),
                reason,
            }),
        })
    }

    /// A set that was never sent is empty, and an empty one is not kept.
    fn change_endpoints(&mut self, change: EndpointsChange) -> Result<Event, Violation> {
        let service = change.service;
        let mut set = self.endpoints.remove(&service).unwrap_or_default();
        if change.complete {
            set.endpoints.clear();
        }
        for id in &change.removals {
            set.endpoints.remove(id);
        }
        for endpoint in change.upserts {
            set.endpoints.insert(endpoint.id.clone(), endpoint);
        }
        set.tls_ready = change.tls_ready;
        let limit = bounds::ENDPOINTS;
        if set.endpoints.len() > limit || self.endpoints.len() >= limit {
            return Err(Violation::TooManyEndpoints);
        }
        if !set.endpoints.is_empty() {
            self.endpoints.insert(service.clone(), set.clone());
        }
        Ok(Event::Endpoints {
            service,
            endpoints: set,
        })
    }
}
