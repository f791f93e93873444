//! Why git cannot be asked, in words that say what helps.
//!
//! Never tries to help itself: what may be trusted and what is fetched is up to whoever owns the machine.

use std::path::Path;

use git2::{Config, Error, ErrorCode, Repository};

/// What may help where some of the history is not there.
pub(super) const SHALLOW: &str = ": this clone is shallow, `git fetch --unshallow` gets the rest";

/// What may help where some of the objects are not there.
const PARTIAL: &str =
    ": this clone is partial (`--filter`), `git fetch --refetch --no-filter` gets the rest";

/// Why the repository that a directory is in is not opened.
pub(super) fn unopened(path: &Path, error: &Error) -> String {
    let shown = path.display();
    let said = error.message();
    match error.code() {
        ErrorCode::NotFound => format!("{shown} is in no git repository: {said}"),
        ErrorCode::Owner => {
            let top = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
            let top = top.ancestors().find(|above| above.join(".git").exists());
            let top = top.unwrap_or(path).display();
            format!(
                "the git repository of {shown} belongs to another user, so it is not read: `git config --global --add safe.directory {top}` trusts it"
            )
        }
        _ => format!("the git repository of {shown} cannot be read: {said}"),
    }
}

/// What may help where an object is not there.
pub(super) fn missing_object(repository: &Repository) -> &'static str {
    let promised = |config: Config| {
        let mut entries = config.entries(Some(r"remote\..*\.promisor")).ok()?;
        entries.next()?.ok().map(drop)
    };
    match repository.config().ok().and_then(promised) {
        Some(()) => PARTIAL,
        None => "",
    }
}
