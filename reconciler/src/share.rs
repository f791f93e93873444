//! Several meshds side by side over one repository: each tells the others, through etcd, which proxies are connected to it
//! and how they are.
//!
//! Never in the way: without etcd every meshd serves its own proxies, with what it heard of the others last, and tells them
//! all again when etcd is back.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mesh_bundle::{Digest, Kri};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::ca::CONTROL;
use crate::etcd::{Change, Etcd, EtcdFailure, Lease};
use crate::random;
use crate::registry::{News, Registry, Told};
use crate::settings;
use crate::status::Status;

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
/// Before the name of the meshd and the KRI of a proxy; gone with the lease.
const LIVE: &str = "live/";
/// Before the KRI of a service whose clients speak mTLS; stays.
const TLS_READY: &str = "tls-ready/";
/// Before the name of the meshd and that of an authority: the digest of its key. Gone with the lease.
const AUTHORITY: &str = "authority/";

/// This meshd among others.
#[derive(Debug)]
pub(crate) struct Share {
    config: settings::Etcd,
    registry: Arc<Registry>,
    status: Arc<Status>,
    /// Of its control authority.
    control: Digest,
    /// Its name among them, another one each time it starts.
    name: String,
}

/// What the others have said.
#[derive(Debug, Default)]
struct Heard {
    proxies: BTreeMap<(String, Kri), Told>,
    services: BTreeSet<Kri>,
    authorities: BTreeMap<(String, String), String>,
}

/// One thing that stands in etcd.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Proxy(String, Kri, Option<Told>),
    TlsReady(Kri),
    Authority(String, String, Option<String>),
}

impl Share {
    pub(crate) fn new(
        config: settings::Etcd,
        registry: Arc<Registry>,
        status: Arc<Status>,
        control: Digest,
    ) -> Self {
        Self {
            config,
            registry,
            status,
            control,
            name: random::hex(8),
        }
    }

    /// Shares until `stop`.
    pub(crate) async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut heard = Heard::default();
        loop {
            let failure = match self.session(&mut heard, &mut stop).await {
                Ok(()) => return,
                Err(failure) => failure,
            };
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
        let mut lease = etcd.lease(LEASE).await?;
        let (revision, found) = etcd.read("").await?;
        *heard = Heard::default();
        for change in &found {
            heard.take(self.understand(change));
        }
        self.hear_all(heard);
        let all = self.registry.share();
        etcd.write(&self.said(all), Some(lease.id)).await?;
        let mut authorities = BTreeMap::new();
        self.agree(&mut etcd, &lease, heard, &mut authorities)
            .await?;
        tracing::info!(
            name = self.name,
            proxies = heard.proxies.len(),
            "sharing with other meshds through etcd"
        );
        let shared = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => None,
            ended = self.follow(&mut etcd, &mut lease, (heard, authorities), revision) => Some(ended),
        };
        match shared {
            None => {
                // Who is connected here has to find another one: the sooner that is known, the better.
                let _ = tokio::time::timeout(FAREWELL, etcd.revoke(&lease)).await;
                Ok(())
            }
            Some(ended) => ended.map(|never| match never {}),
        }
    }

    async fn follow(
        &self,
        etcd: &mut Etcd,
        lease: &mut Lease,
        (heard, mut authorities): (&mut Heard, BTreeMap<String, String>),
        revision: i64,
    ) -> Result<Infallible, EtcdFailure> {
        let mut changes = etcd.watch(revision).await?;
        let mut keep = tokio::time::interval(KEEP);
        let mut published = self.registry.published();
        loop {
            tokio::select! {
                changes = changes.next() => {
                    for change in changes? {
                        let said = self.understand(&change);
                        self.hear(said.as_ref());
                        heard.take(said);
                    }
                    self.agree(etcd, lease, heard, &mut authorities).await?;
                }
                _ = keep.tick() => lease.keep().await?,
                () = self.registry.has_news() => {
                    tokio::time::sleep(COALESCE).await;
                    let news = self.registry.news();
                    if !news.is_empty() {
                        etcd.write(&self.said(news), Some(lease.id)).await?;
                    }
                    // Words about proxies that were not published yet are understood now.
                    let now = self.registry.published();
                    let same = now.as_ref().zip(published.as_ref()).is_some_and(|(now, known)| Arc::ptr_eq(now, known));
                    published = now;
                    if !same {
                        self.hear_all(heard);
                        self.agree(etcd, lease, heard, &mut authorities).await?;
                    }
                }
            }
        }
    }

    /// Tells the others which authorities this meshd signs with, and an operator where another one has other keys: a proxy
    /// could not move between the two, and what one certifies the peers of the other would refuse.
    async fn agree(
        &self,
        etcd: &mut Etcd,
        lease: &Lease,
        heard: &Heard,
        told: &mut BTreeMap<String, String>,
    ) -> Result<(), EtcdFailure> {
        let mut ours = BTreeMap::from([(CONTROL.to_owned(), self.control.to_string())]);
        if let Some(published) = self.registry.published() {
            let usable = published.authorities.usable().iter();
            ours.extend(usable.filter_map(|(issuer, authority)| {
                Some((issuer.to_string(), authority.pin()?.to_string()))
            }));
        }
        if ours != *told {
            let change = |(authority, pin): (&String, Option<&String>)| Change {
                key: format!("{AUTHORITY}{}/{authority}", self.name),
                value: pin.map(|pin| Bytes::from(pin.clone())),
            };
            let gone = told
                .keys()
                .filter(|authority| !ours.contains_key(*authority));
            let gone = gone.map(|authority| (authority, None));
            let new = ours.iter().map(|(authority, pin)| (authority, Some(pin)));
            let changes: Vec<Change> = new.chain(gone).map(change).collect();
            etcd.write(&changes, Some(lease.id)).await?;
            told.clone_from(&ours);
        }
        let differs = heard
            .authorities
            .iter()
            .find(|((_, authority), pin)| ours.get(authority).is_some_and(|own| own != *pin));
        self.trouble(differs.map(|((meshd, authority), _)| {
            format!(
                "the meshd `{meshd}` has another key for the authority `{authority}`: all meshds of a mesh need the same `ca` \
                 directory, or certificate authorities that are given to them"
            )
        }));
        Ok(())
    }

    fn trouble(&self, why: Option<String>) {
        if self.status.shared(why.clone()) {
            match why {
                Some(why) => tracing::error!(
                    why,
                    "not everything is shared with other meshds; what they said last counts"
                ),
                None => tracing::info!("everything is shared with other meshds"),
            }
        }
    }

    fn hear_all(&self, heard: &Heard) {
        self.registry.hear_all(&heard.proxies, Instant::now());
        for service in &heard.services {
            self.registry.hear_tls_ready(service);
        }
    }

    fn hear(&self, said: Option<&Said>) {
        match said {
            Some(Said::Proxy(meshd, proxy, told)) => {
                self.registry
                    .hear(meshd, proxy, told.clone(), Instant::now());
            }
            Some(Said::TlsReady(service)) => self.registry.hear_tls_ready(service),
            Some(Said::Authority(..)) | None => {}
        }
    }

    /// `None`: our own word, or one that this version does not know.
    fn understand(&self, change: &Change) -> Option<Said> {
        if let Some(service) = change.key.strip_prefix(TLS_READY) {
            change.value.as_ref()?;
            return Some(Said::TlsReady(service.parse().ok()?));
        }
        let others = |part: &str| {
            let (meshd, rest) = change.key.strip_prefix(part)?.split_once('/')?;
            (meshd != self.name).then(|| (meshd.to_owned(), rest))
        };
        if let Some((meshd, authority)) = others(AUTHORITY) {
            let pin = change.value.as_ref();
            let pin = pin.map(|pin| String::from_utf8_lossy(pin).into_owned());
            return Some(Said::Authority(meshd, authority.to_owned(), pin));
        }
        let (meshd, proxy) = others(LIVE)?;
        let told = match &change.value {
            Some(value) => Some(serde_json::from_slice(value).ok()?),
            None => None,
        };
        Some(Said::Proxy(meshd, proxy.parse().ok()?, told))
    }

    fn said(&self, news: News) -> Vec<Change> {
        let name = &self.name;
        let proxies = news.proxies.into_iter().map(|(proxy, told)| Change {
            key: format!("{LIVE}{name}/{proxy}"),
            // Texts and numbers: this cannot fail.
            value: told.map(|told| Bytes::from(serde_json::to_vec(&told).unwrap_or_default())),
        });
        let services = news.services.into_iter().map(|service| Change {
            key: format!("{TLS_READY}{service}"),
            value: Some(Bytes::new()),
        });
        proxies.chain(services).collect()
    }
}

impl Heard {
    fn take(&mut self, said: Option<Said>) {
        match said {
            Some(Said::Proxy(meshd, proxy, Some(told))) => {
                self.proxies.insert((meshd, proxy), told);
            }
            Some(Said::Proxy(meshd, proxy, None)) => {
                self.proxies.remove(&(meshd, proxy));
            }
            Some(Said::TlsReady(service)) => {
                self.services.insert(service);
            }
            Some(Said::Authority(meshd, authority, Some(pin))) => {
                self.authorities.insert((meshd, authority), pin);
            }
            Some(Said::Authority(meshd, authority, None)) => {
                self.authorities.remove(&(meshd, authority));
            }
            None => {}
        }
    }
}
