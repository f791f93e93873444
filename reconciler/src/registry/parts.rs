//! What is served: a part from each source, and all of them as one.
//!
//! Never takes anything of a mesh away because another source publishes, or because nobody serves it at this moment: what is
//! known of its proxies is there again for the source that does next.

use std::collections::BTreeSet;
use std::sync::Arc;

use mesh_bundle::Kri;
use tokio::time::Instant;

use super::live::Live;
use super::standing::Answers;
use super::{Inner, Now, Registry, service};
use crate::publish::Published;

impl Registry {
    /// The same, for so many sources.
    pub(crate) fn of_sources(self, count: usize) -> Self {
        self.lock().several = count > 1;
        self
    }

    /// What is served now.
    pub(crate) fn published(&self) -> Option<Arc<Published>> {
        self.lock().published.clone()
    }

    /// What is served now of one source.
    pub(crate) fn published_of(&self, source: &str) -> Option<Arc<Published>> {
        self.lock().parts.get(source).cloned()
    }

    /// Serves this of a source from now on. Dataplanes that it does not have any more lose their streams.
    pub(crate) fn publish(&self, source: &str, part: Published) {
        let part = Arc::new(part);
        let now = Now::read();
        let mut inner = self.lock();
        let earlier = inner.parts.insert(source.to_owned(), Arc::clone(&part));
        let before = inner.published.take();
        let published = Published::united(&inner.parts, before.as_deref());
        let Inner { delivery, live, .. } = &mut *inner;
        delivery.publish((before.as_deref(), &published), live, now.instant);
        if before.is_none_or(|before| !published.has_those_of(&before)) {
            inner.keep_only(&published, now);
        }
        inner.keep_services(&published);
        if inner.lost && earlier.is_none() {
            inner.assume_tls(&part);
        }
        Self::asks(&mut inner.measured, (source, &part), now.instant);
        inner.published = Some(published);
        inner.answers = Answers::Unknown;
        inner.dirty.everything = true;
        drop(inner);
        self.touch();
        self.news.notify_one();
    }
}

impl Inner {
    /// What a question is about: one source, or all.
    pub(super) fn asked(&self, source: Option<&str>) -> Option<&Arc<Published>> {
        match source {
            None => self.published.as_ref(),
            Some(source) => self.parts.get(source),
        }
    }

    /// Forgets the Dataplanes that are not there any more.
    fn keep_only(&mut self, published: &Published, now: Now) {
        let there = |kri: &Kri| published.proxies.contains_key(kri);
        let several = self.several;
        self.live.retain(|kri, live| {
            there(kri) || several && !published.meshes.contains(kri.mesh()) && live.lingers(now)
        });
        self.feeds.retain(|kri, _| there(kri));
        let live = &self.live;
        self.keys.retain(|kri| there(kri) || live.contains_key(kri));
        self.measured.keep_only(there);
    }

    fn keep_services(&mut self, published: &Published) {
        let Self {
            services,
            tls_ready,
            live,
            ..
        } = self;
        let there = |service: &Kri| published.services.contains(service);
        services.retain(|service, _| there(service));
        let mut waiting = BTreeSet::new();
        if self.several {
            waiting.extend(live.keys().map(Kri::mesh));
            waiting.retain(|mesh| !published.meshes.contains(*mesh));
        }
        tls_ready.retain(|service| there(service) || waiting.contains(service.mesh()));
    }

    /// Which services had become ready for mTLS was lost. Nobody says it again, and clients that fell back to plaintext
    /// would be refused: whatever can be ready counts as ready.
    fn assume_tls(&mut self, published: &Published) {
        for (service, servers) in &published.servers {
            if service::may_be_tls_ready(published, servers) {
                self.tls_ready.insert(service.clone());
            }
        }
    }
}

impl Live {
    /// Nobody serves its mesh at this moment: it is not there, and is remembered for as long as that means something.
    fn lingers(&mut self, now: Now) -> bool {
        self.lose(now.instant);
        self.is_ready(now.instant) || self.certificates.values().any(|end| *end > now.unix)
    }

    fn lose(&mut self, now: Instant) {
        if let Some(session) = self.session() {
            self.disconnect(session, now);
        }
    }
}
