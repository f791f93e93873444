//! What a push has brought and nobody has accepted yet: the objects that a `pre-receive` hook is asked about are in a
//! directory of their own.
//!
//! Never looks anywhere but below the object database of the repository itself.

use std::path::PathBuf;

use git2::Repository;

/// The repository with what git has put into quarantine for the hook that we are run by.
pub(super) fn with(repository: Repository) -> Repository {
    if let Some(place) = place(&repository)
        && let Ok(odb) = repository.odb()
    {
        // Without it, the objects are missing, which is told.
        let _ = odb.add_disk_alternate(&place);
    }
    repository
}

#[expect(
    clippy::disallowed_methods,
    reason = "git has no other way to say where they are, and a commit is the same wherever it is"
)]
fn place(repository: &Repository) -> Option<String> {
    let place = PathBuf::from(std::env::var_os("GIT_QUARANTINE_PATH")?);
    let place = place.canonicalize().ok()?;
    let own = repository.commondir().join("objects").canonicalize().ok()?;
    match place.starts_with(own) {
        true => place.to_str().map(str::to_owned),
        false => None,
    }
}
