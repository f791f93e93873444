//! Where each source keeps what is its own: `sources/NAME/` of the state directory, and what lay beside that before.
//!
//! Never gives what one source has kept to another: where it cannot be told whose it is, meshd does not start.

use std::sync::Arc;

use crate::snapshot::GOOD;
use crate::state::{StateDir, StateFailure};

/// Holds a directory for each source.
pub(crate) const DIRECTORY: &str = "sources";
/// The caches of repositories, by source, also of versions that kept everything else of the one source at the top.
const CACHES: &str = "git";
/// What is a source's own. The last good commit is moved last: while it lies at the top, the move is not over.
const OWN: [&str; 6] = [
    "suspended.json",
    "history.json",
    "rollout.json",
    "rollout-traffic.json",
    "next.log",
    GOOD,
];

/// The directory of a source.
pub(crate) fn below(name: &str) -> String {
    format!("{DIRECTORY}/{name}")
}

/// The directories of these sources, made where they are missing, with what an earlier version has kept.
///
/// # Errors
/// In words.
pub(crate) fn open(state: &StateDir, names: &[String]) -> Result<Vec<Arc<StateDir>>, String> {
    let failed = |failure: StateFailure| failure.to_string();
    if let [only] = names {
        renamed(state, only).map_err(failed)?;
    }
    if OWN.iter().any(|file| state.path(file).exists()) {
        let owner = owner(state, names)?;
        moved(state, owner).map_err(failed)?;
        tracing::info!(
            source = owner,
            "what an earlier version has kept lies below `{DIRECTORY}/` now"
        );
    }
    for stray in state.list(DIRECTORY).map_err(failed)? {
        if !names.contains(&stray) {
            tracing::warn!(
                source = stray,
                "the settings name no such source: what is kept of it, also that it is suspended, counts for nothing"
            );
        }
    }
    let part = |name: &String| state.part(&below(name)).map(Arc::new);
    names
        .iter()
        .map(part)
        .collect::<Result<_, _>>()
        .map_err(failed)
}

/// A source that is the only one, as before, and has another name now: it is the same to whoever has no other.
fn renamed(state: &StateDir, only: &str) -> Result<(), StateFailure> {
    let known = state.list(DIRECTORY)?;
    if let [earlier] = known.as_slice()
        && earlier != only
    {
        state.rename(&below(earlier), &below(only))?;
        tracing::info!(earlier, source = only, "the source has another name now");
    }
    Ok(())
}

/// Whose it is what lies at the top.
fn owner<'a>(state: &StateDir, names: &'a [String]) -> Result<&'a str, String> {
    if let [only] = names {
        return Ok(only);
    }
    let known = names.iter().filter(|name| {
        let cache = state.path(CACHES).join(name.as_str());
        cache.exists()
    });
    match known.collect::<Vec<_>>().as_slice() {
        [one] => Ok(one),
        _ => Err(format!(
            "what an earlier version has kept is of one source, and it cannot be told of which: start once with that `[[source]]` \
             alone, one of `{}`",
            names.join("`, `")
        )),
    }
}

fn moved(state: &StateDir, owner: &str) -> Result<(), StateFailure> {
    let directory = below(owner);
    let part = state.part(&directory)?;
    // An earlier version has been running again since: what it has written last counts, whole.
    if state.path(GOOD).exists() && part.path(GOOD).exists() {
        for file in OWN.iter().rev() {
            part.remove(file)?;
        }
    }
    for file in OWN {
        if state.path(file).exists() {
            state.rename(file, &format!("{directory}/{file}"))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> (tempfile::TempDir, StateDir) {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDir::open(directory.path()).unwrap();
        (directory, state)
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn text(state: &StateDir, file: &str) -> Option<String> {
        let bytes = state.read(file).unwrap()?;
        Some(String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[test]
    fn what_an_earlier_version_kept_goes_to_its_source_once() {
        let (_directory, state) = state();
        for file in [GOOD, "suspended.json"] {
            state.write(file, b"1").unwrap();
        }
        state.write("proxies.json", b"{}").unwrap();
        let parts = open(&state, &names(&["shop"])).unwrap();
        assert_eq!(text(&parts[0], GOOD).as_deref(), Some("1"));
        assert_eq!(text(&parts[0], "suspended.json").as_deref(), Some("1"));
        assert_eq!(text(&state, GOOD), None);
        assert!(state.path("proxies.json").exists());
        // An earlier version ran again, and followed git.
        state.write(GOOD, b"2").unwrap();
        let parts = open(&state, &names(&["shop"])).unwrap();
        assert_eq!(text(&parts[0], GOOD).as_deref(), Some("2"));
        assert_eq!(text(&parts[0], "suspended.json"), None);
    }

    #[test]
    fn a_move_that_a_kill_cut_short_goes_on() {
        let (_directory, state) = state();
        state.write("sources/shop/suspended.json", b"1").unwrap();
        state.write(GOOD, b"1").unwrap();
        let parts = open(&state, &names(&["shop"])).unwrap();
        assert_eq!(text(&parts[0], GOOD).as_deref(), Some("1"));
        assert_eq!(text(&parts[0], "suspended.json").as_deref(), Some("1"));
    }

    #[test]
    fn among_several_the_one_that_was_followed_is_known_by_its_cache() {
        let (_directory, state) = state();
        state.write(GOOD, b"1").unwrap();
        let both = names(&["shop", "bank"]);
        let error = open(&state, &both).unwrap_err();
        assert!(error.contains("`shop`, `bank`"), "{error}");
        assert_eq!(text(&state, GOOD).as_deref(), Some("1"));
        state.write("git/bank/HEAD", b"").unwrap();
        let parts = open(&state, &both).unwrap();
        assert_eq!(text(&parts[0], GOOD), None);
        assert_eq!(text(&parts[1], GOOD).as_deref(), Some("1"));
    }

    #[test]
    fn a_source_that_is_alone_may_have_another_name() {
        let (_directory, state) = state();
        state.write("sources/old/suspended.json", b"1").unwrap();
        let parts = open(&state, &names(&["new"])).unwrap();
        assert_eq!(text(&parts[0], "suspended.json").as_deref(), Some("1"));
        // Of several, none takes the place of another.
        let parts = open(&state, &names(&["a", "b"])).unwrap();
        assert!(parts.iter().all(|it| text(it, "suspended.json").is_none()));
        // Nor does it once there are several directories.
        let parts = open(&state, &names(&["c"])).unwrap();
        assert_eq!(text(&parts[0], "suspended.json"), None);
    }
}
