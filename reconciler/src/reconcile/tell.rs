//! A pass, as a line of the log.
//!
//! Never a line of its own for what was said before: the loop asks only where something is new.

use super::{Outcome, Trouble};
use crate::git::Commit;
use crate::sources::Place;

/// What an audit wants to know: which commit, whose, and what was served before.
pub(super) fn tell(
    place: &Place,
    outcome: &Result<Outcome, Trouble>,
    commit: Option<&Commit>,
    before: Option<&str>,
) {
    let source = (!place.alone()).then(|| place.name());
    match outcome {
        Ok(outcome) => {
            let Outcome {
                revision, digest, ..
            } = outcome;
            let proxies = outcome.proxies;
            let diagnostics = outcome.warnings.as_deref();
            let author = commit.map(|commit| commit.author.as_str());
            let subject = commit.map(|commit| commit.subject.as_str());
            tracing::info!(source, %revision, %digest, proxies, author, subject, before, diagnostics, "published");
            for (reason, why) in &outcome.degraded {
                tracing::warn!(source, reason, error = why, "degraded");
            }
        }
        Err(trouble) => {
            let Trouble {
                reason, message, ..
            } = trouble;
            let revision = trouble.revision.as_deref();
            let diagnostics = trouble.diagnostics.as_deref();
            tracing::warn!(
                source,
                revision,
                reason,
                error = message,
                diagnostics,
                "not published"
            );
        }
    }
}
