//! The meshes of this source among those of others: taken before a commit is judged, kept as far as it is served.
//!
//! Never publishes anything of a mesh that it has not taken.

use std::collections::BTreeSet;

use super::{Desk, Rollout};
use crate::candidate::Candidate;
use crate::reconcile::Trouble;
use crate::sources::Taken;

impl Rollout {
    /// Registered Dataplanes that do not fit. Of a mesh that the commit does not name, another source may know.
    pub(super) fn left_out(&self, candidate: &Candidate) -> Vec<(&'static str, String)> {
        let its = |mesh: &String| self.place.alone() || candidate.meshes.contains(mesh);
        let left_out = candidate.left_out.iter().filter(|((mesh, _), _)| its(mesh));
        let left_out = left_out.map(|((mesh, name), why)| {
            let why = format!("{mesh}/{name}: {}", why.trim());
            ("RegisteredDataplaneLeftOut", why)
        });
        left_out.collect()
    }

    /// Takes these meshes for this source, beside what it has.
    ///
    /// # Errors
    /// Another source has one of them.
    pub(crate) fn claim(&self, meshes: &BTreeSet<String>) -> Result<(), Trouble> {
        self.place.claim(meshes).map_err(|Taken { mesh, owner }| {
            let name = self.place.name();
            let why = format!(
                "the mesh `{mesh}` comes from the source `{owner}`, and `{name}` names it too: a mesh comes from one source; it is \
                 free when a commit of `{owner}` that does not name it any more is served"
            );
            Trouble::stalled("MeshOfAnotherSource", why)
        })
    }

    /// Gives up what was claimed and is not served.
    pub(crate) fn keep_meshes(&self, desk: &Desk) {
        let served = desk.stage().map(|stage| stage.meshes());
        self.place.keep(&served.unwrap_or_default());
    }
}
