//! Which source each meshd serves a mesh from: a mesh comes from one source, wherever it is served.
//!
//! Never waited for longer than a moment: without etcd each meshd goes by what it serves, and by the order of its settings.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use super::{Session, Share};
use crate::etcd::{Change, Etcd, EtcdFailure};
use crate::settings;
use crate::sources::{Elsewhere, Sources};

/// Before the name of the meshd and a mesh: the name of the source. Gone with the lease.
const MESH: &str = "mesh/";
/// For the words of others, before a meshd that serves nothing yet decides by itself.
const PATIENCE: Duration = Duration::from_secs(5);

/// Hears what others serve, before the first commits are judged.
pub(crate) async fn hear(config: &settings::Etcd, sources: &Sources) {
    let read = async {
        let mut etcd = Etcd::connect(config).await?;
        etcd.read(MESH).await
    };
    let why = match tokio::time::timeout(PATIENCE, read).await {
        Ok(Ok((_, found))) => return hear_all("", &found, sources),
        Ok(Err(failure)) => failure.to_string(),
        Err(_) => format!("it has not answered within {PATIENCE:?}"),
    };
    tracing::warn!(
        error = why,
        "etcd does not say which source other meshds serve each mesh from: the order of the settings counts"
    );
}

/// Everything that was read at once.
pub(super) fn hear_all(name: &str, found: &[Change], sources: &Sources) {
    let told = found.iter().filter_map(|change| {
        let (meshd, mesh, source) = understand(name, change)?;
        Some(((meshd.to_owned(), mesh.to_owned()), source?))
    });
    let told: Elsewhere = told.collect();
    sources.first().rollout.place().hears_all(told);
}

/// `None`: a word of the meshd with this `name`, or one that is not of these.
fn understand<'a>(name: &str, change: &'a Change) -> Option<(&'a str, &'a str, Option<String>)> {
    let (meshd, mesh) = change.key.strip_prefix(MESH)?.split_once('/')?;
    let source = change.value.as_ref();
    let source = source.map(|source| String::from_utf8_lossy(source).into_owned());
    (meshd != name).then_some((meshd, mesh, source))
}

impl Share {
    /// One word, if it is one of these.
    pub(super) fn hear_mesh(&self, change: &Change) {
        if let Some((meshd, mesh, source)) = understand(&self.name, change) {
            let place = self.gate.sources.first().rollout.place();
            place.hears((meshd, mesh), source);
        }
    }

    /// What the others do not know of what is served here.
    pub(super) async fn tell_meshes(&self, session: &mut Session<'_>) -> Result<(), EtcdFailure> {
        let sources = &self.gate.sources;
        if sources.alone() {
            return Ok(());
        }
        let served = sources.first().rollout.place().served();
        let changes = changes(&self.name, &session.meshes, &served);
        if !changes.is_empty() {
            session.write(&changes).await?;
            session.meshes = served;
        }
        Ok(())
    }
}

fn changes(
    name: &str,
    told: &BTreeMap<String, String>,
    served: &BTreeMap<String, String>,
) -> Vec<Change> {
    let key = |mesh: &String| format!("{MESH}{name}/{mesh}");
    let gone = told.keys().filter(|mesh| !served.contains_key(*mesh));
    let gone = gone.map(|mesh| Change {
        key: key(mesh),
        value: None,
    });
    let new = served
        .iter()
        .filter(|(mesh, source)| told.get(*mesh) != Some(*source));
    let new = new.map(|(mesh, source)| Change::put(key(mesh), Bytes::from(source.clone())));
    gone.chain(new).collect()
}
