//! Control certificates that no longer count, because an operator said so.
//!
//! Never forgets: a revocation stays until the last certificate that it is about has expired.

use std::collections::BTreeMap;
use std::time::Duration;

use mesh_bundle::Digest;
use serde::{Deserialize, Serialize};

use crate::state::{StateDir, StateFailure};

const DIRECTORY: &str = "revoked";
/// Longer than any control certificate lives.
pub(crate) const KEPT: Duration = Duration::from_hours(90 * 24);

/// Every control certificate of one Dataplane that was issued until then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Revocation {
    mesh: String,
    dataplane: String,
    /// Seconds since 1970.
    until: u64,
}

/// What is revoked, as it was read last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Revocations {
    until: BTreeMap<(String, String), u64>,
}

/// Revokes what a Dataplane holds now; it can be enrolled again with a new token.
///
/// # Errors
/// The state directory cannot be written.
pub fn revoke(state: &StateDir, mesh: &str, dataplane: &str, now: u64) -> Result<(), StateFailure> {
    let revocation = Revocation {
        mesh: mesh.to_owned(),
        dataplane: dataplane.to_owned(),
        until: now,
    };
    // Two texts and a number: this cannot fail.
    let json = serde_json::to_vec_pretty(&revocation).unwrap_or_default();
    let name = Digest::of(format!("{mesh}/{dataplane}").as_bytes()).short();
    state.write(&format!("{DIRECTORY}/{name}.json"), &json)
}

impl Revocations {
    /// Reads the files. One that cannot be read keeps the whole from being replaced: better too strict.
    pub(crate) fn read(state: &StateDir, now: u64) -> Result<Self, String> {
        let mut revocations = Self::default();
        for name in state.list(DIRECTORY).map_err(|error| error.to_string())? {
            let path = format!("{DIRECTORY}/{name}");
            let bytes = state.read(&path).map_err(|error| error.to_string())?;
            let Some(bytes) = bytes else { continue };
            let revocation: Revocation = serde_json::from_slice(&bytes)
                .map_err(|error| format!("`{path}` is damaged: {error}"))?;
            if revocation.until.saturating_add(KEPT.as_secs()) < now {
                // Best effort; it is looked at again.
                let _ = state.remove(&path);
                continue;
            }
            let key = (revocation.mesh, revocation.dataplane);
            revocations.until.insert(key, revocation.until);
        }
        Ok(revocations)
    }

    /// Each Dataplane, and until when what it was given is revoked.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&(String, String), u64)> {
        self.until.iter().map(|(key, until)| (key, *until))
    }

    /// What is revoked here and not there.
    pub(crate) fn beyond(&self, other: &Self) -> Vec<(String, String)> {
        let until = self.until.iter();
        until
            .filter(|(key, until)| other.until.get(key) != Some(until))
            .map(|(key, _)| key.clone())
            .collect()
    }

    /// Does a certificate that was issued at this moment no longer count?
    pub(crate) fn covers(&self, mesh: &str, dataplane: &str, issued: u64) -> bool {
        let key = (mesh.to_owned(), dataplane.to_owned());
        self.until.get(&key).is_some_and(|until| issued <= *until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_issued_before_is_revoked_and_what_comes_after_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDir::open(directory.path()).unwrap();
        assert_eq!(Revocations::read(&state, 0), Ok(Revocations::default()));
        revoke(&state, "shop", "web-1", 1_000).unwrap();
        let revocations = Revocations::read(&state, 1_000).unwrap();
        assert!(revocations.covers("shop", "web-1", 1_000));
        assert!(!revocations.covers("shop", "web-1", 1_001));
        assert!(!revocations.covers("shop", "web-2", 1));
        assert!(!revocations.covers("other", "web-1", 1));
        state.write("revoked/x.json", b"{").unwrap();
        Revocations::read(&state, 1_000).unwrap_err();
        state.remove("revoked/x.json").unwrap();
        let later = 1_000 + KEPT.as_secs() + 1;
        assert_eq!(Revocations::read(&state, later), Ok(Revocations::default()));
        assert_eq!(state.list("revoked").unwrap(), [""; 0]);
    }
}
