//! Documents of Dataplanes that are not in git: whether a proxy may bring one, and where they are kept.
//!
//! Never takes the name of a file from a document before its parts are known to be plain.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mesh_delivery::message::Denied;
use serde::{Deserialize, Serialize};

use crate::candidate::{Documents, Name};
use crate::state::{StateDir, StateFailure};
use crate::token::Grant;

const DIRECTORY: &str = "dataplanes";
/// The limit of a DNS name, which every name of a resource is.
const NAME_LIMIT: usize = 253;

/// A document, and when it was registered: of two for one Dataplane the later one counts.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Registered {
    /// Seconds since 1970.
    pub(crate) at: u64,
    pub(crate) document: String,
}

/// Everything that was registered and not removed since. What cannot be read is left out, and told.
pub(super) fn read(state: &StateDir) -> Documents {
    let mut documents = Documents::new();
    let told = |error: StateFailure| {
        tracing::warn!(%error, "a registered Dataplane cannot be restored; it has to be enrolled again");
    };
    for mesh in state.list(DIRECTORY).map_err(told).unwrap_or_default() {
        let directory = format!("{DIRECTORY}/{mesh}");
        for file in state.list(&directory).map_err(told).unwrap_or_default() {
            let Some(name) = file.strip_suffix(".yaml") else {
                continue;
            };
            let path = format!("{directory}/{file}");
            if let Some(bytes) = state.read(&path).map_err(told).unwrap_or_default() {
                let key = (mesh.clone(), name.to_owned());
                documents.insert(key, bytes.to_vec());
            }
        }
    }
    documents
}

pub(super) fn write(
    state: &StateDir,
    (mesh, name): &(String, String),
    document: &[u8],
) -> Result<(), StateFailure> {
    state.write(&format!("{DIRECTORY}/{mesh}/{name}.yaml"), document)
}

/// The same, by when they were registered.
pub(super) fn registered(state: &StateDir) -> BTreeMap<(String, String), Registered> {
    let documents = read(state).into_iter();
    let registered = documents.filter_map(|(key, document)| {
        let (at, document) = (at(state, &key)?, String::from_utf8(document).ok()?);
        Some((key, Registered { at, document }))
    });
    registered.collect()
}

/// When the document for this Dataplane was registered, by the time of its file.
pub(super) fn at(state: &StateDir, (mesh, name): &(String, String)) -> Option<u64> {
    let path = state.path(&format!("{DIRECTORY}/{mesh}/{name}.yaml"));
    let modified = fs::metadata(path).ok()?.modified().ok()?;
    let since = modified.duration_since(UNIX_EPOCH).ok()?;
    Some(since.as_secs())
}

/// It was registered then. A file system that does not take it makes the document only look newer.
pub(super) fn date(state: &StateDir, (mesh, name): &(String, String), at: u64) {
    let path = state.path(&format!("{DIRECTORY}/{mesh}/{name}.yaml"));
    let dated = File::options().write(true).open(path);
    let at: SystemTime = UNIX_EPOCH + Duration::from_secs(at);
    let _ = dated.and_then(|file| file.set_modified(at));
}

/// May it have this mesh and name, whoever said so?
pub(super) fn is_named(name: &Name, key: &(String, String)) -> bool {
    is_file_name(key)
        && name.namespace().is_empty()
        && (name.mesh(), name.name()) == (key.0.as_str(), key.1.as_str())
}

/// Can it be the name of a file?
pub(super) fn is_file_name((mesh, name): &(String, String)) -> bool {
    is_plain(mesh) && is_plain(name)
}

/// Does the document say what the token permits and the proxy asked for?
pub(super) fn check(name: &Name, token: &Grant, asked: Option<&str>) -> Result<(), Denied> {
    if !is_plain(name.mesh()) || !is_plain(name.name()) || !name.namespace().is_empty() {
        let why = "the document must have a `mesh` and a `name`, in the universal format";
        return Err(Denied::Invalid(why.to_owned()));
    }
    if name.mesh() != token.mesh {
        return Err(Denied::Forbidden(format!(
            "the token is for the mesh `{}`, the document is of the mesh `{}`",
            token.mesh,
            name.mesh()
        )));
    }
    let expected = token.scope.dataplane.as_deref();
    for expected in [expected, asked].into_iter().flatten() {
        if name.name() != expected {
            return Err(Denied::Forbidden(format!(
                "the proxy may be `{expected}`, the document is of `{}`",
                name.name()
            )));
        }
    }
    Ok(())
}

fn is_plain(part: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b);
    !part.is_empty()
        && part.len() <= NAME_LIMIT
        && !part.starts_with('.')
        && part.bytes().all(plain)
}
