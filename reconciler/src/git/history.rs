//! How one commit stands to another.
//!
//! Never believes that a commit is newer because it says so: only what it builds on counts.

use git2::{Oid, Repository};

use super::{Failure, transient};
use crate::settings::Reference;

/// What speaks against `commit` taking the place of `last`.
pub(super) fn objection(
    repository: &Repository,
    reference: &Reference,
    commit: &str,
    last: &str,
) -> Result<Option<String>, Failure> {
    let read = |text: &str| Oid::from_str(text).map_err(|e| transient("reading a commit", &e));
    let (new, old) = (read(commit)?, read(last)?);
    match reference {
        // The operator named it, all of it.
        Reference::Commit(_) => Ok(None),
        // Releases are made on several branches; only going back on one of them is told from going on.
        Reference::Version { .. } => Ok(builds_on(repository, old, new)?
            .then(|| format!("it is older than the last good commit {old}, which builds on it"))),
        _ => Ok((!builds_on(repository, new, old)?)
            .then(|| format!("it does not build on the last good commit {old}"))),
    }
}

/// Is `old` part of the history of `new`, and not `new` itself? What is not there is part of nothing.
fn builds_on(repository: &Repository, new: Oid, old: Oid) -> Result<bool, Failure> {
    if repository.find_commit(old).is_err() {
        return Ok(false);
    }
    repository
        .graph_descendant_of(new, old)
        .map_err(|error| transient("reading the history", &error))
}
