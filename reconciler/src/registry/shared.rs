//! What several meshds tell each other of the proxies that are connected to each.
//!
//! Never takes a proxy away because another meshd is silent: what it said last counts until etcd says that it is gone.

use std::collections::{BTreeMap, BTreeSet};

use mesh_bundle::{Digest, Kri};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::live::Rejection;
use super::standing::Answers;
use super::{Inner, Registry};

/// What another meshd says of a proxy that is connected to it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Told {
    pub(super) ready: bool,
    pub(super) draining: bool,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) unhealthy: BTreeSet<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) held: Option<Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rejected: Option<Rejection>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) certificates: BTreeMap<Kri, u64>,
}

/// What another meshd has not been told yet.
#[derive(Debug, Default)]
pub(super) struct Untold {
    proxies: BTreeSet<Kri>,
    services: BTreeSet<Kri>,
}

/// What changed here since the last look.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// `None`: it is not connected here any more.
    pub(crate) proxies: Vec<(Kri, Option<Told>)>,
    /// Clients speak mTLS to these from now on.
    pub(crate) services: Vec<Kri>,
}

impl News {
    pub(crate) fn is_empty(&self) -> bool {
        self.proxies.is_empty() && self.services.is_empty()
    }
}

impl Inner {
    /// Something of a proxy changed.
    pub(super) fn note(&mut self, proxy: &Kri) {
        if let Some(untold) = &mut self.untold {
            untold.proxies.insert(proxy.clone());
        }
    }

    /// A service became ready for mTLS.
    pub(super) fn note_service(&mut self, service: &Kri) {
        if let Some(untold) = &mut self.untold {
            untold.services.insert(service.clone());
        }
    }
}

impl Registry {
    /// Begins to collect what others are to be told, and returns all that they should know now.
    pub(crate) fn share(&self) -> News {
        let mut inner = self.lock();
        inner.untold = Some(Untold::default());
        let told = inner.live.iter();
        let told = told.filter_map(|(kri, live)| Some((kri.clone(), Some(live.told()?))));
        News {
            proxies: told.collect(),
            services: inner.tls_ready.iter().cloned().collect(),
        }
    }

    /// What changed since it was asked last.
    pub(crate) fn news(&self) -> News {
        let mut inner = self.lock();
        let Untold { proxies, services } =
            inner.untold.replace(Untold::default()).unwrap_or_default();
        let told = |kri: Kri| {
            let told = inner.live.get(&kri).and_then(super::live::Live::told);
            (kri, told)
        };
        News {
            proxies: proxies.into_iter().map(told).collect(),
            services: services.into_iter().collect(),
        }
    }

    /// Another meshd says this of a proxy; `None`: it is not connected there any more.
    pub(crate) fn hear(&self, meshd: &str, proxy: &Kri, told: Option<Told>, now: Instant) {
        let mut inner = self.lock();
        let Some(published) = inner.published.clone() else {
            return;
        };
        // Of a commit that this meshd does not serve yet: it is heard again when that is published.
        let Some(serves) = published.proxies.get(proxy).map(|proxy| &proxy.serves) else {
            return;
        };
        inner.answers = Answers::Unknown;
        let live = inner.live.entry(proxy.clone()).or_default();
        live.hear(meshd, told, now);
        inner.dirty.services.extend(serves.iter().cloned());
        drop(inner);
        self.touch();
    }

    /// Everything that all others say: whoever is not in it is not connected to any of them.
    pub(crate) fn hear_all(&self, told: &BTreeMap<(String, Kri), Told>, now: Instant) {
        let gone: Vec<(String, Kri)> = {
            let inner = self.lock();
            let known = inner.live.iter();
            let elsewhere =
                known.filter_map(|(kri, live)| Some((live.elsewhere()?.to_owned(), kri.clone())));
            elsewhere
                .filter(|place| !told.contains_key(place))
                .collect()
        };
        for (meshd, kri) in gone {
            self.hear(&meshd, &kri, None, now);
        }
        for ((meshd, kri), told) in told {
            self.hear(meshd, kri, Some(told.clone()), now);
        }
    }

    /// There is something for the others that stands elsewhere than here.
    pub(crate) fn tell_others(&self) {
        self.news.notify_one();
    }

    /// Waits until there is something for the others, or a commit was published.
    pub(crate) async fn has_news(&self) {
        self.news.notified().await;
    }

    /// Another meshd found a service ready for mTLS: its clients speak mTLS from now on, wherever they are connected.
    pub(crate) fn hear_tls_ready(&self, service: &Kri) {
        let mut inner = self.lock();
        let known = inner
            .published
            .as_ref()
            .is_some_and(|published| published.servers.contains_key(service));
        if !known || !inner.tls_ready.insert(service.clone()) {
            return;
        }
        inner.dirty.services.insert(service.clone());
        drop(inner);
        self.touch();
    }
}
