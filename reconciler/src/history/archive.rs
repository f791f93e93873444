//! Bundles of earlier commits, compiled again from what git has of them.
//!
//! Never asks the network: what meshd has fetched once is in its cache. Never takes what comes out for what was published
//! without comparing the digests.

use std::sync::Arc;
use std::time::Duration;

use mesh_bundle::{Bundle, Digest};
use mesh_compiler::Compiler;
use mesh_compiler::config::Said;
use mesh_compiler::diff;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::Entry;
use crate::candidate::{Candidate, Files};
use crate::git::{Source, SourceConfig};

/// Two bundles of the largest repository that is admitted.
const DEADLINE: Duration = Duration::from_mins(2);

/// In which form a difference is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Human,
    Json,
    Markdown,
}

impl Shape {
    /// As it is written in a request.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "human" => Some(Self::Human),
            "json" => Some(Self::Json),
            "markdown" => Some(Self::Markdown),
            _ => None,
        }
    }
}

/// What two publications differ in.
#[derive(Debug, Serialize)]
pub(crate) struct Compared {
    /// A text, or, as JSON, an object.
    pub(crate) told: Value,
    /// There is a difference.
    pub(crate) different: bool,
    /// What does not come out as it was published, in words.
    pub(crate) remarks: Vec<String>,
}

/// Where commits are read again.
#[derive(Debug)]
pub(crate) struct Archive {
    config: SourceConfig,
    /// What the command line says; the rest stands in the commits.
    said: Arc<[Said]>,
    /// One difference at a time: each holds two bundles.
    turn: Semaphore,
}

impl Archive {
    pub(crate) fn new(config: SourceConfig, said: &Arc<[Said]>) -> Self {
        Self {
            config,
            said: Arc::clone(said),
            turn: Semaphore::new(1),
        }
    }

    /// Where the commits are.
    pub(crate) fn config(&self) -> &SourceConfig {
        &self.config
    }

    /// What is different between two publications.
    ///
    /// # Errors
    /// In words: git does not have the commits any more, they do not compile, or somebody else asks already.
    pub(crate) async fn compare(
        &self,
        before: Entry,
        after: Entry,
        shape: Shape,
    ) -> Result<Compared, String> {
        let busy = "another difference is being computed; ask again";
        let _turn = self.turn.try_acquire().map_err(|_| busy)?;
        let (config, said) = (self.config.clone(), Arc::clone(&self.said));
        let task = tokio::task::spawn_blocking(move || {
            let source = Source::kept(config).map_err(|failure| failure.to_string())?;
            // Files that are equal on both sides are read once.
            let mut compiler = Compiler::default();
            let mut compiled = |entry: &Entry| again(&source, &mut compiler, &said, entry);
            let (before, first) = compiled(&before)?;
            let (after, second) = compiled(&after)?;
            let difference = diff::diff(&before, &after);
            let told = match shape {
                Shape::Human => json!(diff::human(&difference, None)),
                Shape::Markdown => json!(diff::markdown(&difference, None)),
                Shape::Json => diff::json(&difference, None),
            };
            let remarks = first.into_iter().chain(second).collect();
            let different = !difference.is_empty();
            Ok(Compared {
                told,
                different,
                remarks,
            })
        });
        match tokio::time::timeout(DEADLINE, task).await {
            Ok(Ok(compared)) => compared,
            Ok(Err(error)) => Err(format!("comparing broke down: {error}")),
            Err(_) => Err(format!("comparing took more than {DEADLINE:?}")),
        }
    }
}

/// The bundle of a commit, and a remark where it is not what was published.
fn again(
    source: &Source,
    compiler: &mut Compiler,
    said: &[Said],
    entry: &Entry,
) -> Result<(Bundle, Option<String>), String> {
    let revision = &entry.revision;
    let world = source.world_of(revision);
    let world = world.map_err(|failure| gone(revision, &failure.to_string()))?;
    let before = Files::default();
    let compiled = Candidate::compile(compiler, &world, revision.clone(), said, &before);
    let candidate = compiled.map_err(|flawed| {
        format!(
            "`{revision}` does not compile with this meshd any more:\n{}",
            flawed.text
        )
    })?;
    let remark = differs(entry, candidate.digest);
    Ok((candidate.bundle, remark))
}

/// For whoever asks for a commit that git does not give any more.
pub(crate) fn gone(revision: &str, why: &str) -> String {
    format!(
        "`{revision}` cannot be read from what meshd has of the repository: {why}; a branch that was rewritten or a \
         cache that was made anew may lack it"
    )
}

/// A remark where a commit compiles to something else than what was published.
pub(crate) fn differs(entry: &Entry, digest: Digest) -> Option<String> {
    let Entry {
        revision,
        digest: published,
        ..
    } = entry;
    (digest != *published).then(|| {
        format!(
            "`{revision}` was published as {published} and compiles to {digest} now: this meshd is another version, or \
             was given other settings"
        )
    })
}
