//! What a repository says, kept after it has been compiled: what questions about it are answered from.
//!
//! Never says another thing than the bundle: both are made of the same resources by the same steps.

use std::sync::Arc;

use crate::compile::Compiled;
use crate::kinds::Resource;
use crate::model::Settings;
use crate::repository::{Lines, MeshView, meshes};

/// A repository that has been compiled, and what it was compiled from.
#[derive(Debug)]
pub struct Analysis {
    /// What came out.
    pub compiled: Compiled,
    pub(crate) settings: Settings,
    /// The documents.
    pub(crate) resources: Vec<Arc<Resource>>,
}

impl Analysis {
    pub(crate) fn new(
        compiled: Compiled,
        resources: Vec<Arc<Resource>>,
        settings: &Settings,
    ) -> Self {
        Self {
            settings: settings.clone(),
            compiled,
            resources,
        }
    }

    /// Turns places into origins.
    pub(crate) fn lines(&self) -> Lines<'_> {
        Lines {
            sources: &self.compiled.sources,
        }
    }

    /// The meshes, by name: policies in their order, references resolved.
    pub(crate) fn meshes(&self) -> Vec<MeshView> {
        meshes(&self.resources, self.lines(), &self.settings)
    }
}
