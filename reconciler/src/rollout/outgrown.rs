//! Dataplanes whose identity a commit has changed: what they were given as who they were is not believed for long.
//!
//! Never takes the old certificate away before the proxy has said that it uses the new one, or had time to.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::Duration;

use mesh_bundle::Kri;

use super::Rollout;
use crate::distrust::Name;
use crate::publish::Published;
use crate::registry::Now;

/// For a proxy to take its new certificate; one that is away comes back with the old one and takes it then.
const PATIENCE: Duration = Duration::from_secs(60);
/// A commit that changes more identities than these moves a mesh to other names: the old ones end by themselves.
const MOST_AT_ONCE: usize = 256;

/// Who has changed, and is still waited for.
#[derive(Debug, Default)]
pub(super) struct Outgrown {
    waiting: BTreeMap<Name, Change>,
}

#[derive(Debug, Clone)]
struct Change {
    proxy: Kri,
    /// What was issued until then says who it was. Seconds since 1970.
    until: u64,
    /// When the last of that ends.
    end: u64,
}

impl Outgrown {
    /// What a certificate says at least that is issued to it now.
    pub(super) fn issued(&self, name: &Name, now: u64) -> u64 {
        let change = self.waiting.get(name);
        change.map_or(now, |change| now.max(change.until.saturating_add(1)))
    }
}

impl Rollout {
    /// Notes whose identity is another one from now on. To be called before anybody is given the new one.
    pub(super) fn note_outgrown(&self, before: Option<&Published>, after: &Published) {
        let Some(before) = before else { return };
        let now = Now::read().unix;
        let changed = after.proxies.iter().filter_map(|(proxy, after)| {
            let was = before.proxies.get(proxy)?.identity.as_ref()?;
            let is = after.identity.as_ref();
            if is.is_some_and(|is| is.spiffe_id == was.spiffe_id) {
                return None;
            }
            let name = (proxy.mesh().to_owned(), proxy.name().to_owned());
            let end = self.registry.certified_until(std::slice::from_ref(proxy));
            (end > now).then(|| {
                let (proxy, until) = (proxy.clone(), self.issued(&name, now));
                (name, Change { proxy, until, end })
            })
        });
        let changed: Vec<_> = changed.collect();
        if changed.len() > MOST_AT_ONCE {
            let count = changed.len();
            tracing::info!(
                count,
                "many identities change at once: earlier certificates end by themselves"
            );
            return;
        }
        let mut outgrown = self.outgrown.lock().unwrap_or_else(PoisonError::into_inner);
        outgrown.waiting.extend(changed);
    }

    /// Ends the earlier certificates of whoever holds what is published now, or had time enough.
    pub(crate) async fn settle_outgrown(&self, now: u64) {
        let due: Vec<(Name, Change)> = {
            let mut outgrown = self.outgrown.lock().unwrap_or_else(PoisonError::into_inner);
            if outgrown.waiting.is_empty() {
                return;
            }
            let due = |change: &Change| {
                change.until.saturating_add(PATIENCE.as_secs()) <= now
                    || self.registry.holds_what_is_wanted(&change.proxy)
            };
            outgrown
                .waiting
                .extract_if(.., |_, change| due(change))
                .collect()
        };
        if due.is_empty() {
            return;
        }
        let desk = self.desk().await;
        self.distrust_all(due.into_iter().map(|(name, change)| {
            let (mesh, dataplane) = (name.0.as_str(), name.1.as_str());
            tracing::info!(
                mesh,
                dataplane,
                "another identity: its earlier certificates are revoked"
            );
            (name, (change.until, change.end))
        }));
        self.tell_distrusted(&desk);
    }
}
