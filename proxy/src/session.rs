//! One connection from downstream, and whether it may still be there.
//!
//! Never keeps a permission: it is asked again at every request and at every change of the table.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use http::HeaderValue;
use mesh_bundle::decide::{Admission, Peer, Verdict, admit};
use mesh_bundle::{Kri, Origin, RefusalNote};

use crate::account::Refused;
use crate::metrics::{Direction, RequestStats};
use crate::passing::Passing;
use crate::refusal::Refusal;
use crate::shared::{Phase, Shared};
use crate::table::{Bind, InboundTable, Table};
use crate::tls::{Role, TlsPeer, Trust};

/// One connection from downstream.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) shared: Arc<Shared>,
    pub(crate) direction: Direction,
    pub(crate) bind: Bind,
    /// `None`: the workload itself, or a peer that came without mesh TLS.
    pub(crate) peer: Option<TlsPeer>,
    pub(crate) remote: Option<SocketAddr>,
    /// It goes where it was addressed to, and `bind` is nothing that is configured.
    pub(crate) passing: Option<Box<Passing>>,
    /// As metrics name who is at the other end.
    pub(crate) source: Arc<str>,
    /// The trust that the peer was last found to be believed under.
    trust: Mutex<Option<Arc<Trust>>>,
    /// For the requests of an inbound connection.
    pub(crate) stats: OnceLock<Arc<RequestStats>>,
    /// Who the workload is told that they come from.
    client_cert: OnceLock<Option<HeaderValue>>,
}

/// What a session may do under some table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing<'a> {
    /// Go on. `shadow_denied` where a stricter policy would say no.
    Good { shadow_denied: bool },
    /// The listener is gone: what is under way may end, nothing new begins.
    Withdrawn,
    /// Stop.
    Refused(Refusal, Option<&'a Origin>),
}

impl Session {
    pub(crate) fn inbound(
        shared: &Arc<Shared>,
        bind: &Bind,
        (remote, peer): (Option<SocketAddr>, Option<TlsPeer>),
        trust: Arc<Trust>,
    ) -> Arc<Self> {
        let source = match &peer {
            Some(peer) => peer.id.as_str().into(),
            None => "unknown".into(),
        };
        Arc::new(Self {
            shared: Arc::clone(shared),
            direction: Direction::Inbound,
            bind: bind.clone(),
            peer,
            remote,
            passing: None,
            source,
            trust: Mutex::new(Some(trust)),
            stats: OnceLock::new(),
            client_cert: OnceLock::new(),
        })
    }

    pub(crate) fn outbound(
        shared: &Arc<Shared>,
        bind: &Bind,
        remote: Option<SocketAddr>,
        table: &Table,
    ) -> Arc<Self> {
        Arc::new(Self {
            shared: Arc::clone(shared),
            direction: Direction::Outbound,
            bind: bind.clone(),
            peer: None,
            remote,
            passing: None,
            source: Arc::clone(&table.proxy),
            trust: Mutex::new(None),
            stats: OnceLock::new(),
            client_cert: OnceLock::new(),
        })
    }

    /// Of a captured connection that no inbound or outbound is for.
    pub(crate) fn passing(
        shared: &Arc<Shared>,
        passing: Passing,
        remote: Option<SocketAddr>,
        table: &Table,
    ) -> Arc<Self> {
        Arc::new(Self {
            shared: Arc::clone(shared),
            direction: passing.direction,
            bind: passing.bind(),
            peer: None,
            remote,
            source: match passing.direction {
                Direction::Inbound => "unknown".into(),
                Direction::Outbound => Arc::clone(&table.proxy),
            },
            passing: Some(Box::new(passing)),
            trust: Mutex::new(None),
            stats: OnceLock::new(),
            client_cert: OnceLock::new(),
        })
    }

    pub(crate) fn peer(&self) -> Peer<'_> {
        self.peer.as_ref().map(TlsPeer::as_peer).unwrap_or_default()
    }

    /// What `x-forwarded-client-cert` says; the same for all requests.
    pub(crate) fn client_cert(&self) -> Option<HeaderValue> {
        let told = self.client_cert.get_or_init(|| {
            let uri = format!("URI={}", self.peer_id()?);
            HeaderValue::try_from(uri).ok()
        });
        told.clone()
    }

    pub(crate) fn peer_id(&self) -> Option<&str> {
        self.peer.as_ref().map(|peer| peer.id.as_str())
    }

    /// Asked anew at every change, and for inbound requests at every one.
    pub(crate) fn standing<'a>(&self, table: &'a Table) -> Standing<'a> {
        if let Some(passing) = &self.passing {
            return passing.standing(table);
        }
        match self.direction {
            Direction::Outbound if table.outbounds.contains_key(&self.bind) => Standing::Good {
                shadow_denied: false,
            },
            Direction::Outbound => Standing::Withdrawn,
            Direction::Inbound => match table.inbounds.get(&self.bind) {
                Some(inbound) => self.inbound_standing(table, inbound),
                None => Standing::Withdrawn,
            },
        }
    }

    fn inbound_standing<'a>(&self, table: &'a Table, inbound: &'a InboundTable) -> Standing<'a> {
        if let Some(peer) = &self.peer
            && !self.is_believed(peer, table)
        {
            return Standing::Refused(Refusal::PeerIdentity, None);
        }
        let peer = self.peer.as_ref().map(TlsPeer::as_peer);
        match admit(&inbound.policy, peer.as_ref()) {
            Admission::Plain { .. } | Admission::Asked(Verdict::Permit { .. }) => Standing::Good {
                shadow_denied: false,
            },
            Admission::Asked(Verdict::ShadowDeny { .. }) => Standing::Good {
                shadow_denied: true,
            },
            Admission::Asked(Verdict::Deny { origin }) => {
                Standing::Refused(Refusal::Permission, Some(origin))
            }
            Admission::NeedsTls { origin } => Standing::Refused(Refusal::Handshake, origin),
        }
    }

    /// Signatures are verified only when the trust has changed.
    fn is_believed(&self, peer: &TlsPeer, table: &Table) -> bool {
        let mut held = self.trust.lock().unwrap_or_else(PoisonError::into_inner);
        let same = held
            .as_ref()
            .is_some_and(|held| Arc::ptr_eq(held, &table.trust) || held.is_same_as(&table.trust));
        let believed = same || peer.is_trusted_by(&table.trust, Role::Client);
        if believed {
            *held = Some(Arc::clone(&table.trust));
        }
        believed
    }

    /// Waits until the session must end, and says why. What was permitted before is asked again first, so that no change
    /// falls between.
    pub(crate) async fn until_refused(&self) -> Refusal {
        let mut news = self.shared.news();
        loop {
            if *news.borrow_and_update() == Phase::Over {
                return Refusal::Draining;
            }
            let table = self.shared.table();
            match self.standing(&table) {
                Standing::Good { .. } => {}
                Standing::Withdrawn => return Refusal::Withdrawn,
                Standing::Refused(refusal, origin) => {
                    let refusal = revoked(refusal);
                    self.refused(refusal, origin, &table);
                    return refusal;
                }
            }
            if news.changed().await.is_err() {
                return Refusal::Draining;
            }
        }
    }

    /// Waits until the server at the other end may not be a server of its service any more.
    pub(crate) async fn until_distrusted(&self, peer: Option<&TlsPeer>, cluster: &Kri) -> Refusal {
        let Some(peer) = peer else {
            return std::future::pending().await;
        };
        let mut news = self.shared.news();
        let mut trust = None;
        loop {
            news.mark_unchanged();
            let table = self.shared.table();
            let same = |held: &Arc<Trust>| held.is_same_as(&table.trust);
            let trusted =
                trust.as_ref().is_some_and(same) || peer.is_trusted_by(&table.trust, Role::Server);
            let known = table.clusters.iter().find(|known| known.kri == *cluster);
            // A cluster that nothing leads to any more says nothing about its servers.
            if !trusted || known.is_some_and(|known| !known.identities.contains(&peer.id)) {
                return Refusal::ServerIdentity;
            }
            trust = Some(Arc::clone(&table.trust));
            drop(table);
            if news.changed().await.is_err() {
                return Refusal::Draining;
            }
        }
    }

    /// The section name of the inbound, or the destination, while it is configured.
    fn place<'a>(&'a self, table: &'a Table) -> Option<&'a str> {
        if let Some(passing) = &self.passing {
            return Some(&passing.label);
        }
        match self.direction {
            Direction::Inbound => {
                let inbound = table.inbounds.get(&self.bind);
                inbound.map(|inbound| inbound.name.as_str())
            }
            Direction::Outbound => {
                let outbound = table.outbounds.get(&self.bind);
                outbound.map(|outbound| &*outbound.destination.label)
            }
        }
    }

    /// What the other end is told of a refusal; `None` where this proxy stands at an edge.
    pub(crate) fn note(
        &self,
        refusal: Refusal,
        origin: Option<&Origin>,
        table: &Table,
    ) -> Option<RefusalNote> {
        if self.shared.hides_refusals() {
            return None;
        }
        let mut note = RefusalNote::of(refusal.row().label);
        let place = self.place(table).map(str::to_owned);
        match self.direction {
            Direction::Inbound => note.inbound = place,
            Direction::Outbound => note.destination = place,
        }
        note.revision = Some(table.revision.to_string());
        Some(origin.into_iter().fold(note, RefusalNote::caused_by))
    }

    /// Tells of a refusal.
    pub(crate) fn refused(&self, refusal: Refusal, origin: Option<&Origin>, table: &Table) {
        Refused {
            direction: self.direction,
            refusal,
            reason: None,
            remote: None,
            peer: self.peer_id(),
            place: self.place(table).unwrap_or_default(),
            origin,
            revision: &table.revision,
        }
        .tell(&self.shared.metrics);
    }
}

/// What was permitted once, and now is not.
pub(crate) fn revoked(refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::Permission => Refusal::Revoked,
        other => other,
    }
}
