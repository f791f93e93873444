//! Compiling, on a thread of its own and for a bounded time.
//!
//! Never two commits at a time: what is remembered of the last one is there once.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use mesh_compiler::World;

use super::Rollout;
use crate::candidate::gates::{Asked, Base};
use crate::candidate::{Candidate, Documents, Files};
use crate::reconcile::Trouble;

/// Compiling the largest repository that is admitted takes seconds.
const COMPILE_DEADLINE: Duration = Duration::from_mins(2);

impl Rollout {
    /// Compiles a commit with groups of registered Dataplanes, on a thread of its own, for as long as that may take. What
    /// did not change of what was served `before` is not read again.
    pub(super) async fn compiled<W: World>(
        &self,
        world: impl FnOnce() -> Result<W, Trouble> + Send + 'static,
        revision: String,
        documents: Vec<Documents>,
        (before, asked): (Files, Option<(Asked, Base)>),
    ) -> Result<Candidate, Trouble> {
        let (compiler, said) = (Arc::clone(&self.compiler), Arc::clone(&self.shared.said));
        let about = revision.clone();
        let task = tokio::task::spawn_blocking(move || {
            let world = world()?;
            // What is remembered is only ever replaced as a whole.
            let mut compiler = compiler.lock().unwrap_or_else(PoisonError::into_inner);
            let asked = asked.as_ref().map(|(asked, base)| (asked, base));
            let asked = (&before, asked);
            let candidate = Candidate::judged(&mut compiler, &world, revision, &said, asked);
            let mut candidate = candidate.map_err(|flawed| {
                let message = format!("{}; what was published before is served", flawed.first);
                Trouble::stalled(flawed.reason, message).with_diagnostics(flawed.text)
            })?;
            for group in &documents {
                candidate.admit(&mut compiler, group);
            }
            Ok(candidate)
        });
        let outcome = match tokio::time::timeout(COMPILE_DEADLINE, task).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) => Err(Trouble::stalled(
                "CompilerDefect",
                format!("the compiler broke down over this commit: {error}"),
            )),
            Err(_) => Err(Trouble::stalled(
                "CompileTimeout",
                format!("compiling took more than {COMPILE_DEADLINE:?}"),
            )),
        };
        outcome.map_err(|trouble| trouble.about(&about))
    }
}
