//! A commit that compiles, as it lies on the desk.
//!
//! Never shows what documents hold.

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::sync::Arc;

use mesh_bundle::{Bundle, Digest};
use mesh_compiler::config::rollout as gates;
use mesh_compiler::model::Settings;
use mesh_compiler::{Labels, Secrets};

use crate::candidate::{Candidate, Files, Name};
use crate::snapshot::Snapshot;
use crate::suspension::Withheld;

/// A commit that compiles.
#[derive(Clone)]
pub(super) struct Good {
    pub(super) revision: String,
    pub(super) digest: Digest,
    pub(super) rollout: Option<gates::Rollout>,
    pub(super) labels: Labels,
    pub(super) bundle: Arc<Bundle>,
    pub(super) secrets: Secrets,
    pub(super) settings: Settings,
    pub(super) revoked_tokens: Arc<BTreeSet<String>>,
    pub(super) files: Files,
    pub(super) inventory: HashSet<Name>,
    /// Those that it speaks for.
    pub(super) meshes: Arc<BTreeSet<String>>,
}

/// Nothing of what documents hold.
impl fmt::Debug for Good {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Good")
            .field("revision", &self.revision)
            .finish_non_exhaustive()
    }
}

impl Good {
    pub(super) fn new(candidate: Candidate) -> Self {
        Self {
            revision: candidate.revision,
            digest: candidate.digest,
            rollout: candidate.rollout,
            labels: candidate.labels,
            bundle: Arc::new(candidate.bundle),
            secrets: candidate.secrets,
            files: candidate.files,
            settings: candidate.settings,
            revoked_tokens: candidate.revoked_tokens,
            inventory: candidate.inventory,
            meshes: candidate.meshes,
        }
    }

    /// Without what a rollback must not bring back.
    ///
    /// # Errors
    /// See [`mesh_bundle::Resource::encode`].
    pub(super) fn withhold(&mut self, withheld: &Withheld) -> Result<(), serde_json::Error> {
        withheld.from(Arc::make_mut(&mut self.bundle))?;
        let tokens = Arc::make_mut(&mut self.revoked_tokens);
        tokens.extend(withheld.revoked_tokens.iter().cloned());
        Ok(())
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot {
            revision: self.revision.clone(),
            digest: self.digest,
            files: self.files.clone(),
        }
    }
}
