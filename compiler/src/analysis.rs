//! What a repository says, kept after it has been compiled: what questions about it are answered from.
//!
//! Never says another thing than the bundle: both are made of the same resources by the same steps.

use std::sync::Arc;

use crate::compile::{Compiled, Judgement};
use crate::kinds::Resource;
use crate::lower::Memory;
use crate::model::Settings;
use crate::repository::{Lines, MeshView};

/// A repository that has been compiled, and what it was compiled from.
#[derive(Debug)]
pub struct Analysis {
    /// What came out.
    pub compiled: Compiled,
    pub(crate) settings: Settings,
    /// The documents.
    pub(crate) resources: Arc<Vec<Arc<Resource>>>,
    /// The meshes that the bundle was made of, by name: policies in their order, references resolved.
    pub(crate) meshes: Vec<Arc<MeshView>>,
}

impl Analysis {
    /// Of a repository that was just judged with this memory.
    pub(crate) fn new(mut judgement: Judgement, memory: &Memory, settings: &Settings) -> Self {
        let resources = std::mem::take(&mut judgement.resources);
        Self {
            settings: settings.clone(),
            compiled: judgement.compiled(),
            resources,
            meshes: memory.views().map(Arc::clone).collect(),
        }
    }

    /// Turns places into origins.
    pub(crate) fn lines(&self) -> Lines<'_> {
        Lines {
            sources: &self.compiled.sources,
        }
    }
}
