//! Proxies whose certificates an agent beside them gives, and meshd none (the provider `Spire` of a `MeshIdentity`).
//!
//! Never takes what is wanted for what is: a proxy has such a certificate once it holds a configuration that asks for one.

use mesh_bundle::{Digest, Kri};

use super::live::Live;
use super::{Inner, Registry};

/// The end of a certificate that an agent has given: a proxy that holds a configuration for it has one, and renews it
/// without a word to meshd.
pub(super) const BY_AGENT: u64 = u64::MAX;

impl Live {
    /// It holds a configuration whose certificate an agent gives, as this identity says; or another one.
    /// Whether that is new.
    fn hold_by_agent(&mut self, identity: Option<&Kri>) -> bool {
        let before = self.certificates.len();
        self.certificates
            .retain(|issuer, end| *end != BY_AGENT || Some(issuer) == identity);
        let lost = self.certificates.len() != before;
        let Some(issuer) = identity else { return lost };
        let known = self.certificates.get(issuer) == Some(&BY_AGENT);
        if !known {
            self.certificates.insert(issuer.clone(), BY_AGENT);
        }
        lost || !known
    }
}

impl Inner {
    /// A proxy holds this. Whether its services must be worked out again for that.
    fn hold_by_agent(&mut self, proxy: &Kri, root: Digest) -> bool {
        let Some(published) = self.published.clone() else {
            return false;
        };
        let wanted = published.proxies.get(proxy);
        let Some(wanted) = wanted.filter(|it| it.wanted.root() == root) else {
            return false;
        };
        let identity = wanted.identity.as_ref();
        let by_agent = identity.filter(|identity| identity.agent.is_some());
        let by_agent = by_agent.map(|identity| &identity.issuer);
        let live = self.live.get_mut(proxy);
        let new = live.is_some_and(|live| live.hold_by_agent(by_agent));
        if new {
            self.dirty.services.extend(wanted.serves.iter().cloned());
            self.note(proxy);
        }
        new
    }
}

impl Registry {
    /// A proxy says that it holds this configuration.
    pub(super) fn note_agent(&self, proxy: &Kri, root: Digest) {
        let new = self.lock().hold_by_agent(proxy, root);
        if new {
            self.touch();
            self.news.notify_one();
        }
    }
}
