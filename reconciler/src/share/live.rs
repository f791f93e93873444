//! What meshds tell each other for as long as they run: how their proxies are, and which authorities they sign with.
//!
//! Never repeats what this meshd has said itself.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use mesh_bundle::Kri;
use tokio::time::Instant;

use crate::etcd::Change;
use crate::registry::{News, Registry, Told};

/// Before the name of the meshd and the KRI of a proxy; gone with the lease.
const LIVE: &str = "live/";
/// Before the KRI of a service whose clients speak mTLS; stays.
const TLS_READY: &str = "tls-ready/";
/// Before the name of the meshd and that of an authority: the digest of its key. Gone with the lease.
pub(super) const AUTHORITY: &str = "authority/";

/// What the others have said.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) proxies: BTreeMap<(String, Kri), Told>,
    services: BTreeSet<Kri>,
    pub(super) authorities: BTreeMap<(String, String), String>,
}

/// One thing that stands in etcd.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    Proxy(String, Kri, Option<Told>),
    TlsReady(Kri),
    Authority(String, String, Option<String>),
}

/// One word to the registry.
pub(super) fn tell(registry: &Registry, said: Option<&Said>) {
    match said {
        Some(Said::Proxy(meshd, proxy, told)) => {
            registry.hear(meshd, proxy, told.clone(), Instant::now());
        }
        Some(Said::TlsReady(service)) => registry.hear_tls_ready(service),
        Some(Said::Authority(..)) | None => {}
    }
}

/// `None`: the word of the meshd with this `name`, or one that is not of these.
pub(super) fn understand(name: &str, change: &Change) -> Option<Said> {
    if let Some(service) = change.key.strip_prefix(TLS_READY) {
        change.value.as_ref()?;
        return Some(Said::TlsReady(service.parse().ok()?));
    }
    let others = |part: &str| {
        let (meshd, rest) = change.key.strip_prefix(part)?.split_once('/')?;
        (meshd != name).then(|| (meshd.to_owned(), rest))
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

/// As the meshd with this `name` writes it.
pub(super) fn said(name: &str, news: News) -> Vec<Change> {
    let proxies = news.proxies.into_iter().map(|(proxy, told)| Change {
        key: format!("{LIVE}{name}/{proxy}"),
        // Texts and numbers: this cannot fail.
        value: told.map(|told| Bytes::from(serde_json::to_vec(&told).unwrap_or_default())),
    });
    let services = news.services.into_iter();
    let services =
        services.map(|service| Change::put(format!("{TLS_READY}{service}"), Bytes::new()));
    proxies.chain(services).collect()
}

impl Heard {
    /// All of it to the registry.
    pub(super) fn tell_all(&self, registry: &Registry) {
        registry.hear_all(&self.proxies, Instant::now());
        for service in &self.services {
            registry.hear_tls_ready(service);
        }
    }

    pub(super) fn take(&mut self, said: Option<Said>) {
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
