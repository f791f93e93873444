//! A rollout on the disk: what a meshd that was killed in the middle goes on with.
//!
//! Never says that a wave has a commit before it is written here: after a kill the same proxies have it again.

use mesh_bundle::Digest;
use serde::{Deserialize, Serialize};

use super::baseline;
use crate::snapshot::{NEXT, Snapshot};
use crate::state::{StateDir, StateFailure};
use crate::waves::Breach;
use crate::waves::traffic::Figures;

const FILE: &str = "rollout.json";
const FORMAT: u32 = 1;

/// Where a rollout was, or how it ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kept {
    format: u32,
    pub(super) revision: String,
    pub(super) digest: Digest,
    /// The wave that was reached; `None`: nobody has it yet.
    pub(super) wave: Option<String>,
    pub(super) paused: bool,
    /// How often an operator wanted the same commit to be tried again, among several meshds.
    #[serde(default)]
    pub(super) attempt: u32,
    /// It was taken back from everybody, and is not tried again.
    pub(super) returned: Option<Breach>,
    /// What traffic showed then; not kept on the disk.
    #[serde(skip)]
    pub(super) traffic: Option<Figures>,
}

impl Kept {
    pub(super) fn new(revision: &str, digest: Digest) -> Self {
        Self {
            format: FORMAT,
            revision: revision.to_owned(),
            digest,
            wave: None,
            paused: false,
            attempt: 0,
            returned: None,
            traffic: None,
        }
    }

    pub(super) fn write(&self, state: &StateDir) -> Result<(), StateFailure> {
        // Texts and flags: this cannot fail.
        state.write(FILE, &serde_json::to_vec(self).unwrap_or_default())
    }

    /// What was under way, with the files of its commit unless it was taken back. One that is damaged is as none, in the
    /// log: git has the commit, and its rollout begins anew.
    pub(super) fn read(state: &StateDir) -> Option<(Self, Option<Snapshot>)> {
        let bytes = match state.read(FILE) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return None,
            Err(error) => return forgotten(&error),
        };
        let kept: Self = match serde_json::from_slice(&bytes) {
            Ok(kept) => kept,
            Err(error) => return forgotten(&error),
        };
        if kept.format != FORMAT {
            return forgotten(&format!("it has format {}", kept.format));
        }
        if kept.returned.is_some() {
            return Some((kept, None));
        }
        match Snapshot::read(state, NEXT) {
            Ok(Some(snapshot)) if snapshot.revision == kept.revision => {
                Some((kept, Some(snapshot)))
            }
            Ok(_) => forgotten(&"the files of its commit are not there"),
            Err(error) => forgotten(&error),
        }
    }

    /// There is no rollout any more.
    pub(super) fn remove(state: &StateDir) -> Result<(), StateFailure> {
        state.remove(FILE)?;
        baseline::remove(state)?;
        state.remove(NEXT)
    }
}

fn forgotten<T>(why: &dyn std::fmt::Display) -> Option<T> {
    tracing::warn!(%why, "`{FILE}` cannot be used: a rollout that was under way begins anew");
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_under_way_comes_back_with_its_files_or_not_at_all() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDir::open(directory.path()).unwrap();
        assert_eq!(Kept::read(&state), None);
        let mut kept = Kept::new("c3d1", Digest::of(b"bundle"));
        kept.wave = Some("canary".to_owned());
        kept.write(&state).unwrap();
        assert_eq!(Kept::read(&state), None, "its files are missing");
        let snapshot = Snapshot {
            revision: "c3d1".to_owned(),
            digest: kept.digest,
            files: std::iter::empty().collect(),
        };
        snapshot.write(&state, NEXT).unwrap();
        assert_eq!(
            Kept::read(&state),
            Some((kept.clone(), Some(snapshot.clone())))
        );
        let other = Snapshot {
            revision: "0ld".to_owned(),
            ..snapshot
        };
        other.write(&state, NEXT).unwrap();
        assert_eq!(Kept::read(&state), None, "they are of another commit");
        kept.returned = Some(Breach {
            gate: "Rejected".to_owned(),
            message: "2 proxies".to_owned(),
        });
        kept.write(&state).unwrap();
        assert_eq!(Kept::read(&state), Some((kept, None)));
        for damage in ["", "{", "{\"format\":2}"] {
            state.write(FILE, damage.as_bytes()).unwrap();
            assert_eq!(Kept::read(&state), None);
        }
        Kept::remove(&state).unwrap();
        assert_eq!(Kept::read(&state), None);
    }
}
