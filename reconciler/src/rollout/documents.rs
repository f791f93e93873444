//! Documents of Dataplanes that are not in git: whether a proxy may bring one, and where they are kept.
//!
//! Never takes the name of a file from a document before its parts are known to be plain.

use mesh_delivery::message::Denied;

use crate::candidate::{Documents, Name};
use crate::state::{StateDir, StateFailure};
use crate::token::Grant;

const DIRECTORY: &str = "dataplanes";
/// The limit of a DNS name, which every name of a resource is.
const NAME_LIMIT: usize = 253;

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
