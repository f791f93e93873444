//! The endpoints of one service port, and whether its clients speak mTLS to it.
//!
//! Never takes back that a service is ready for mTLS: clients that spoke mTLS must not fall back to plaintext.

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_bundle::Kri;
use mesh_delivery::message::{ClusterEndpoints, Endpoint};
use tokio::time::Instant;

use super::live::Live;
use crate::publish::{Published, Server};

/// The two clocks: one for graces, one for certificates.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    pub(crate) instant: Instant,
    /// Seconds since 1970.
    pub(crate) unix: u64,
}

impl Now {
    /// Of this machine.
    pub(crate) fn read() -> Self {
        let unix = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Self {
            instant: Instant::now(),
            unix: unix.map_or(0, |duration| duration.as_secs()),
        }
    }
}

/// What clients of a service port are told; `None`: what they know already.
pub(super) fn endpoints(
    (servers, tls_ready): (&[Arc<Server>], bool),
    live: &BTreeMap<Kri, Live>,
    known: Option<&ClusterEndpoints>,
    now: Now,
) -> Option<ClusterEndpoints> {
    let ready = |server: &&Arc<Server>| {
        let live = live.get(&server.proxy);
        server.healthy
            && live.is_some_and(|live| {
                live.is_ready(now.instant) && live.is_answering(server.endpoint.id.section())
            })
    };
    let ready: BTreeMap<&Kri, &Endpoint> = servers
        .iter()
        .filter(ready)
        .map(|server| (&server.endpoint.id, &server.endpoint))
        .collect();
    let same = known.is_some_and(|known| {
        known.tls_ready == tls_ready
            && known
                .endpoints
                .iter()
                .eq(ready.iter().map(|(id, it)| (*id, *it)))
    });
    if same {
        return None;
    }
    let ready = ready.into_iter();
    Some(ClusterEndpoints {
        endpoints: ready.map(|(id, it)| (id.clone(), it.clone())).collect(),
        tls_ready,
    })
}

/// Does every proxy that serves it have an identity that its clients trust?
pub(super) fn may_be_tls_ready(published: &Published, servers: &[Arc<Server>]) -> bool {
    let trusted = |server: &Arc<Server>| {
        published
            .proxies
            .get(&server.proxy)
            .is_some_and(|proxy| proxy.trusted)
    };
    !servers.is_empty() && servers.iter().all(trusted)
}

/// Does every proxy that serves it have an identity that its clients trust, and every one that is there a certificate
/// (language 3.3)?
pub(super) fn is_tls_ready(
    published: &Published,
    servers: &[Arc<Server>],
    live: &BTreeMap<Kri, Live>,
    now: Now,
) -> bool {
    let mut somebody = false;
    for server in servers {
        let Some(proxy) = published.proxies.get(&server.proxy) else {
            return false;
        };
        let Some(identity) = proxy.identity.as_ref().filter(|_| proxy.trusted) else {
            return false;
        };
        let Some(live) = live.get(&server.proxy) else {
            continue;
        };
        if live.is_present(now.instant) {
            if !live.is_certified(&identity.issuer, now.unix) {
                return false;
            }
            somebody = true;
        }
    }
    somebody
}
