//! The last word about a commit that compiles, before it is served.
//!
//! Never asks what a gate has been asked before: that comes with compiling.

use super::{Outcome, Trouble, guard};
use crate::candidate::Candidate;
use crate::git::Commit;
use crate::rollout::{Desk, Rollout};

/// Publishes a commit that nothing speaks against: neither another source, nor what it removes, nor whom it distrusts.
pub(super) fn admit(
    rollout: &Rollout,
    desk: &mut Desk,
    candidate: Candidate,
    (commit, most): (&Commit, u8),
) -> Result<Outcome, Trouble> {
    let claimed = rollout.claim(&candidate.meshes);
    claimed.map_err(|trouble| trouble.about(&commit.id))?;
    verify(commit, &candidate, desk, most)?;
    guard::trusted(commit, &candidate, rollout)?;
    publish(rollout, desk, candidate, commit)
}

fn verify(commit: &Commit, candidate: &Candidate, desk: &Desk, most: u8) -> Result<(), Trouble> {
    let Some(served) = desk.inventory() else {
        return Ok(());
    };
    match guard::objection(served, &candidate.inventory, most) {
        Some(why) if !commit.says(guard::TRAILER) => {
            Err(Trouble::stalled("PruneGuard", why).about(&commit.id))
        }
        _ => Ok(()),
    }
}

fn publish(
    rollout: &Rollout,
    desk: &mut Desk,
    candidate: Candidate,
    commit: &Commit,
) -> Result<Outcome, Trouble> {
    let (revision, digest) = (candidate.revision.clone(), candidate.digest);
    let warnings = candidate.warnings.clone();
    let done = rollout.publish(desk, candidate, commit)?;
    Ok(Outcome {
        revision,
        digest,
        proxies: done.proxies,
        warnings,
        degraded: done.degraded,
        verified: None,
    })
}
