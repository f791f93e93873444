//! Proxies whose certificates an agent beside them gives, and meshd none (the provider `Spire` of a `MeshIdentity`).
//!
//! Never takes what is wanted for what is: a proxy has such a certificate once it holds a configuration that asks for one.

use mesh_bundle::{Digest, Kri};

use super::{Inner, Registry};

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
