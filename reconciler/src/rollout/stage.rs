//! What the proxies are given at a time.
//!
//! Never more than two commits.

use std::collections::BTreeSet;
use std::sync::Arc;

use mesh_bundle::Kri;

use super::Good;

/// What the proxies are given: one commit, or two while one is being rolled out.
pub(super) struct Stage<'a> {
    pub(super) good: &'a Good,
    /// With those who have it.
    pub(super) next: Option<(&'a Good, &'a BTreeSet<Kri>)>,
}

impl<'a> Stage<'a> {
    pub(super) fn only(good: &'a Good) -> Self {
        Self { good, next: None }
    }

    /// Those that it speaks for.
    pub(super) fn meshes(&self) -> Arc<BTreeSet<String>> {
        let good = &self.good.meshes;
        match self.next {
            Some((next, _)) if !next.meshes.is_subset(good) => {
                Arc::new(good.union(&next.meshes).cloned().collect())
            }
            _ => Arc::clone(good),
        }
    }

    /// Is either of them given in waves that look at traffic?
    pub(super) fn measures(&self) -> bool {
        let looks = |good: &Good| good.rollout.as_ref().is_some_and(|it| it.traffic.is_some());
        looks(self.good) || self.next.is_some_and(|(next, _)| looks(next))
    }

    /// Those that either commit ends: revocations are not staged.
    pub(super) fn revoked_tokens(&self) -> Arc<BTreeSet<String>> {
        let good = &self.good.revoked_tokens;
        match self.next {
            Some((next, _)) if !next.revoked_tokens.is_subset(good) => {
                Arc::new(good.union(&next.revoked_tokens).cloned().collect())
            }
            _ => Arc::clone(good),
        }
    }
}
