//! What the rollouts of all sources have together, because it belongs to meshes, or to meshd.
//!
//! Never held while something is compiled or waited for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mesh_compiler::config::Said;

use super::{Registered, Rollout, documents};
use crate::candidate::Documents;
use crate::distrust::Distrust;
use crate::event::Events;
use crate::registry::Registry;
use crate::signer::Signers;
use crate::state::StateDir;

/// Dataplanes that joined by themselves, by mesh and name.
pub(super) type Brought = BTreeMap<(String, String), Registered>;

/// One for all. A copy is the same.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    pub(super) state: Arc<StateDir>,
    pub(super) registry: Arc<Registry>,
    pub(super) events: Arc<Events>,
    /// What the command line says; the rest stands in the commits.
    pub(super) said: Arc<[Said]>,
    /// Of identities whose keys meshd does not hold.
    pub(super) signers: Signers,
    pub(super) distrust: Arc<Mutex<Distrust>>,
    /// Dataplanes that joined by themselves.
    documents: Arc<Mutex<Documents>>,
    /// What joined here and the other meshds were not told yet; `None`: there are none.
    pub(super) untold: Arc<Mutex<Option<Brought>>>,
    /// Whoever reads and writes what is known of authorities.
    turn: Arc<Mutex<()>>,
}

impl Shared {
    pub(crate) fn new(
        state: Arc<StateDir>,
        registry: Arc<Registry>,
        distrust: Distrust,
        (said, signers): (&[Said], Signers),
        events: Arc<Events>,
    ) -> Self {
        let documents = documents::read(&state);
        Self {
            state,
            registry,
            events,
            said: said.into(),
            signers,
            distrust: Arc::new(Mutex::new(distrust)),
            documents: Arc::new(Mutex::new(documents)),
            untold: Arc::default(),
            turn: Arc::default(),
        }
    }

    pub(crate) fn state(&self) -> &StateDir {
        &self.state
    }

    pub(crate) fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    pub(crate) fn events(&self) -> &Arc<Events> {
        &self.events
    }

    pub(super) fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rollout {
    /// Dataplanes that joined by themselves, of this source as far as is known.
    pub(super) fn documents(&self) -> Documents {
        let mut documents = self.joined().clone();
        if !self.place.alone() {
            documents.retain(|(mesh, _), _| !self.place.is_anothers(mesh));
        }
        documents
    }

    /// Those of all sources.
    pub(super) fn joined(&self) -> MutexGuard<'_, Documents> {
        // It is never left half changed.
        let documents = &self.shared.documents;
        documents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
