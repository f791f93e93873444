//! Several meshds side by side over one repository: each tells the others, through etcd, which proxies are connected to it
//! and how they are, who joined by himself, and what is revoked.
//!
//! Never in the way: without etcd every meshd serves its own proxies, with what it heard of the others last, and tells them
//! all again when etcd is back.

mod lead;
mod live;
mod measured;
mod meshes;
mod stays;
mod uses;
mod vouch;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;

use crate::authority::Gate;
use crate::ca::CONTROL;
use crate::etcd::{Change, Etcd, EtcdFailure, Lease};
use crate::random;
use crate::registry::Now;
use crate::rollout::{Measured, Registered};
use crate::settings;

use live::{AUTHORITY, Heard};
pub(crate) use meshes::hear;
use stays::{Inbox, Own, Stays};
pub(crate) use uses::Uses;
pub(crate) use vouch::Voucher;

/// For how long the others believe in a meshd that is silent. The endpoints of its proxies stay for some time after that,
/// so that they can connect to another one.
const LEASE: Duration = Duration::from_secs(15);
/// Between two words that meshd is there.
const KEEP: Duration = Duration::from_secs(3);
/// What happens within this time is told together.
const COALESCE: Duration = Duration::from_millis(20);
/// Between two attempts to reach etcd.
const AGAIN: Duration = Duration::from_secs(2);
/// For the farewell.
const FAREWELL: Duration = Duration::from_secs(2);
/// Between two looks at what nobody needs to know any more.
const PRUNE: Duration = Duration::from_hours(1);

/// This meshd among others.
#[derive(Debug)]
pub(crate) struct Share {
    config: settings::Etcd,
    gate: Arc<Gate>,
    voucher: Voucher,
    inbox: Arc<Inbox>,
    /// Its name among them, another one each time it starts.
    name: String,
}

/// A conversation with etcd, from a connection to its end.
struct Session<'a> {
    etcd: Etcd,
    lease: Lease,
    heard: &'a mut Heard,
    stays: Stays,
    /// Which authorities were told.
    authorities: BTreeMap<String, String>,
    /// From which source each mesh was told to be served.
    meshes: BTreeMap<String, String>,
    /// What was told of traffic, by key.
    measured: BTreeMap<String, Measured>,
}

impl Share {
    pub(crate) fn new(config: settings::Etcd, gate: Arc<Gate>) -> Self {
        Self {
            voucher: Voucher::new(&gate.control),
            config,
            gate,
            inbox: Arc::default(),
            name: random::hex(8),
        }
    }

    /// Does what the others have said, until `stop`: beside [`Self::run`].
    pub(crate) fn work(&self, stop: watch::Receiver<bool>) -> impl Future<Output = ()> + use<> {
        let (inbox, gate) = (Arc::clone(&self.inbox), Arc::clone(&self.gate));
        async move { inbox.work(gate, stop).await }
    }

    /// Shares until `stop`.
    pub(crate) async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut heard = Heard::default();
        loop {
            let failure = match self.session(&mut heard, &mut stop).await {
                Ok(()) => return,
                Err(failure) => failure,
            };
            for source in self.gate.sources.each() {
                source.rollout.connected(false);
            }
            self.trouble(Some(failure.to_string()));
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(AGAIN) => {}
            }
        }
    }

    /// From a connection to its end. `Ok`: meshd stops.
    async fn session(
        &self,
        heard: &mut Heard,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<(), EtcdFailure> {
        let mut etcd = Etcd::connect(&self.config).await?;
        let lease = etcd.lease(LEASE).await?;
        let (revision, found) = etcd.read("").await?;
        *heard = Heard::default();
        let mut session = Session {
            etcd,
            lease,
            heard,
            stays: Stays::default(),
            authorities: BTreeMap::new(),
            meshes: BTreeMap::new(),
            measured: BTreeMap::new(),
        };
        meshes::hear_all(&self.name, &found, &self.gate.sources);
        for change in &found {
            session.heard.take(live::understand(&self.name, change));
            session.stays.take(change, &self.voucher, &self.inbox);
        }
        self.begin_to_measure(&found);
        self.begin_to_steer(&found);
        let registry = &self.gate.registry;
        session.heard.tell_all(registry);
        let all = live::said(&self.name, registry.share());
        session.write(&all).await?;
        self.agree(&mut session).await?;
        self.tell_meshes(&mut session).await?;
        let rollout = Arc::clone(&self.gate.sources.first().rollout);
        let registered = tokio::task::spawn_blocking(move || rollout.share_registered());
        let registered = registered.await.unwrap_or_default();
        self.tell_what_stays(&mut session, &registered).await?;
        tracing::info!(
            name = self.name,
            proxies = session.heard.proxies.len(),
            "sharing with other meshds through etcd"
        );
        let shared = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => None,
            ended = self.follow(&mut session, revision) => Some(ended),
        };
        match shared {
            None => {
                // Who is connected here has to find another one: the sooner that is known, the better.
                let Session { etcd, lease, .. } = &mut session;
                let _ = tokio::time::timeout(FAREWELL, etcd.revoke(lease)).await;
                Ok(())
            }
            Some(ended) => ended.map(|never| match never {}),
        }
    }

    async fn follow(
        &self,
        session: &mut Session<'_>,
        revision: i64,
    ) -> Result<Infallible, EtcdFailure> {
        let registry = &self.gate.registry;
        let mut changes = session.etcd.watch(revision).await?;
        let mut keep = tokio::time::interval(KEEP);
        let mut prune = tokio::time::interval(PRUNE);
        let mut published = registry.published();
        loop {
            tokio::select! {
                changes = changes.next() => {
                    for change in changes? {
                        let said = live::understand(&self.name, &change);
                        live::tell(registry, said.as_ref());
                        session.heard.take(said);
                        session.stays.take(&change, &self.voucher, &self.inbox);
                        self.steered(&change);
                        self.hear_mesh(&change);
                        self.measured(&change);
                    }
                    self.agree(session).await?;
                }
                _ = keep.tick() => {
                    session.lease.keep().await?;
                    self.tell_what_stays(session, &BTreeMap::new()).await?;
                    self.tell_meshes(session).await?;
                    self.tell_measured(session).await?;
                    self.steer(session).await?;
                }
                _ = prune.tick() => {
                    let outlived = session.stays.outlived(Now::read().unix);
                    session.etcd.write(&outlived, None).await?;
                }
                () = registry.has_news() => {
                    tokio::time::sleep(COALESCE).await;
                    let news = registry.news();
                    if !news.is_empty() {
                        session.write(&live::said(&self.name, news)).await?;
                    }
                    let registered = self.gate.sources.first().rollout.newly_registered();
                    self.tell_what_stays(session, &registered).await?;
                    self.tell_meshes(session).await?;
                    self.steer(session).await?;
                    // Words about proxies that were not published yet are understood now.
                    let now = registry.published();
                    let same = now.as_ref().zip(published.as_ref()).is_some_and(|(now, known)| Arc::ptr_eq(now, known));
                    published = now;
                    if !same {
                        session.heard.tell_all(registry);
                        self.agree(session).await?;
                    }
                }
            }
        }
    }

    /// Without a lease: it outlives this meshd.
    async fn tell_what_stays(
        &self,
        session: &mut Session<'_>,
        registered: &BTreeMap<(String, String), Registered>,
    ) -> Result<(), EtcdFailure> {
        let own = Own::of(&self.gate);
        let untold = session.stays.untold(registered, &own, &self.voucher);
        session.etcd.write(&untold, None).await
    }

    /// Tells the others which authorities this meshd signs with, and an operator where another one has other keys: a proxy
    /// could not move between the two, and what one certifies the peers of the other would refuse.
    async fn agree(&self, session: &mut Session<'_>) -> Result<(), EtcdFailure> {
        let control = self.gate.control.pin().to_string();
        let mut ours = BTreeMap::from([(CONTROL.to_owned(), control)]);
        if let Some(published) = self.gate.registry.published() {
            let usable = published.authorities.usable().iter();
            ours.extend(usable.filter_map(|(issuer, authority)| {
                Some((issuer.to_string(), authority.pin()?.to_string()))
            }));
        }
        if ours != session.authorities {
            let change = |(authority, pin): (&String, Option<&String>)| Change {
                key: format!("{AUTHORITY}{}/{authority}", self.name),
                value: pin.map(|pin| Bytes::from(pin.clone())),
            };
            let told = session.authorities.keys();
            let gone = told.filter(|authority| !ours.contains_key(*authority));
            let gone = gone.map(|authority| (authority, None));
            let new = ours.iter().map(|(authority, pin)| (authority, Some(pin)));
            let changes: Vec<Change> = new.chain(gone).map(change).collect();
            session.write(&changes).await?;
            session.authorities.clone_from(&ours);
        }
        let heard = session.heard.authorities.iter();
        let mut differs = heard
            .filter(|((_, authority), pin)| ours.get(authority).is_some_and(|own| own != *pin));
        let differs = differs.next().map(|((meshd, authority), _)| {
            format!(
                "the meshd `{meshd}` has another key for the authority `{authority}`: all meshds of a mesh need the same `ca` \
                 directory, or certificate authorities that are given to them"
            )
        });
        let doubted = session.stays.doubted.as_ref().map(|key| {
            format!("what stands in etcd under `{key}` was said by no meshd with the control authority of this one, and counts for nothing")
        });
        self.trouble(differs.or(doubted));
        Ok(())
    }

    fn trouble(&self, why: Option<String>) {
        let each = self.gate.sources.each();
        let news = each.map(|source| source.status.shared(why.clone()));
        if news.fold(false, |all, one| all | one) {
            match why {
                Some(why) => tracing::error!(
                    why,
                    "not everything is shared with other meshds; what they said last counts"
                ),
                None => tracing::info!("everything is shared with other meshds"),
            }
        }
    }
}

impl Session<'_> {
    /// What goes with the lease of this meshd.
    async fn write(&mut self, changes: &[Change]) -> Result<(), EtcdFailure> {
        self.etcd.write(changes, Some(self.lease.id)).await
    }
}
