//! What was served when meshd ended, served again: the last good commit, and a rollout that was under way.
//!
//! Never waits for git: everything is on the disk.

use mesh_bundle::Digest;

use super::baseline;
use super::kept::Kept;
use super::staged::Rolling;
use super::{Desk, Good, Rollout, Stage};
use crate::ca::CaFailure;
use crate::reconcile::Trouble;
use crate::registry::Now;
use crate::snapshot::{GOOD, Journal, Snapshot};
use crate::waves::{Machine, Plan};

impl Rollout {
    /// Serves the last good commit again. `None` where there is none, or where it cannot be used: git has everything.
    ///
    /// # Errors
    /// A key was lost.
    pub(crate) async fn restore(&self) -> Result<Option<(String, Digest)>, CaFailure> {
        let journal = match Journal::open(&self.own, GOOD) {
            Ok(journal) => journal,
            Err(error) => {
                tracing::warn!(%error, "the last good commit cannot be restored");
                return Ok(None);
            }
        };
        let Some(snapshot) = journal.last().cloned() else {
            return Ok(None);
        };
        let mut desk = self.desk().await;
        desk.journal = journal;
        let kept = snapshot.digest;
        let good = match self.compiled_again(snapshot).await {
            Ok(good) => good,
            Err(trouble) => {
                tracing::warn!(error = %trouble.message, diagnostics = trouble.diagnostics, "the last good commit does not compile any more");
                return Ok(None);
            }
        };
        let (revision, digest) = (good.revision.clone(), good.digest);
        if digest != kept {
            tracing::info!(%revision, %digest, %kept, "this version compiles the last good commit differently");
        }
        let rolling = self.resume(&mut desk, &good).await;
        let stage = Stage {
            good: &good,
            next: rolling.as_ref().map(|it| (&it.next, it.machine.moved())),
        };
        if let Err(trouble) = self.claim(&stage.meshes()) {
            tracing::warn!(error = %trouble.message, "the last good commit cannot be restored");
            return Ok(None);
        }
        let authorities = self.load(&stage)?;
        for why in authorities.failed().values() {
            tracing::warn!(%why, "no certificates of this authority");
        }
        let secrets = self.told_secrets(&stage);
        if let Err(trouble) = self.serve(&stage, (authorities, secrets)) {
            tracing::warn!(error = %trouble.message, "the last good commit cannot be delivered any more");
            self.keep_meshes(&desk);
            return Ok(None);
        }
        // Where the history was lost, or a kill came before it was written.
        self.history.restored(&revision, digest);
        desk.good = Some(good);
        desk.rolling = rolling;
        if let Some(rolling) = &mut desk.rolling {
            if rolling.machine.looks_at_traffic().is_some() {
                let before = baseline::read(&self.own, &rolling.next.revision);
                self.registry.restore_baselines(before);
            }
            let seen = self
                .registry
                .observe(self.place.name(), Now::read().instant);
            rolling.machine.expect(&seen.present);
            self.begun.notify_one();
        }
        self.show(&desk);
        Ok(Some((revision, digest)))
    }

    /// The rollout that was under way when meshd ended, or the one that was taken back last.
    async fn resume(&self, desk: &mut Desk, good: &Good) -> Option<Rolling> {
        let (kept, snapshot) = Kept::read(&self.own)?;
        let Some(snapshot) = snapshot else {
            desk.returned = Some(kept);
            return None;
        };
        if kept.revision == good.revision {
            // It had arrived everywhere.
            return None;
        }
        let next = match self.compiled_again(snapshot).await {
            Ok(next) => next,
            Err(trouble) => {
                tracing::warn!(error = %trouble.message, "the commit that was being rolled out does not compile any more");
                return None;
            }
        };
        let gates = next.rollout.clone()?;
        let plan = Plan::new(
            &gates,
            (&good.bundle, &next.bundle),
            &next.labels.by_dataplane(),
        );
        let machine = Machine::new(gates, plan, Now::read().instant);
        let machine = machine.resumed(kept.wave.as_deref(), kept.paused);
        let (revision, wave) = (&next.revision, machine.wave());
        tracing::info!(revision, wave, "a rollout goes on");
        Some(Rolling { next, machine })
    }

    async fn compiled_again(&self, snapshot: Snapshot) -> Result<Good, Trouble> {
        let files = snapshot.files;
        let before = files.clone();
        let documents = vec![self.documents()];
        let compiled = self.compiled(
            move || Ok(files),
            snapshot.revision,
            documents,
            (before, None),
        );
        compiled.await.and_then(|candidate| self.good(candidate))
    }
}
