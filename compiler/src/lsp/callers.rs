//! Who may call a service.
//!
//! Never decides it: every identity of the repository is asked for, at every inbound behind every port.

use std::collections::BTreeSet;

use mesh_bundle::SpiffeId;
use mesh_bundle::decide::Peer;

use crate::flow::{Flows, Reach};
use crate::service::Service;

/// Who may.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Callers {
    /// Identities of proxies of the repository.
    pub(super) identities: BTreeSet<SpiffeId>,
    /// Who comes without mesh TLS, too.
    pub(super) anybody: bool,
    /// Inbounds that were asked.
    pub(super) servers: usize,
}

/// Those whom some inbound behind some port lets in.
pub(super) fn callers(flows: &Flows<'_>, service: &Service) -> Callers {
    let mut callers = Callers::default();
    for port in &service.ports {
        let servers = flows.servers(&service.kri(port));
        callers.servers += servers.len();
        callers.anybody |= flows.access(servers, None) != Reach::No;
        for id in flows.identities().keys() {
            let peer = Peer {
                identity: Some(id),
                sni: None,
            };
            if !callers.identities.contains(*id) && flows.access(servers, Some(&peer)) != Reach::No
            {
                callers.identities.insert((*id).clone());
            }
        }
    }
    callers
}

/// `1 proxy`, `14 proxies`.
pub(super) fn proxies(count: usize) -> String {
    match count {
        1 => "1 proxy".to_owned(),
        count => format!("{count} proxies"),
    }
}
