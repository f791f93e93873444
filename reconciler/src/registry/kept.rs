//! What the registry must still know after a restart: who was ready, whose workload did not answer, who has certificates,
//! which services speak mTLS.
//!
//! Never a list of addresses: those are in the documents.

use std::collections::{BTreeMap, BTreeSet};

use mesh_bundle::Kri;
use serde::{Deserialize, Serialize};

use crate::snapshot;
use crate::state::{StateDir, StateFailure};

const FILE: &str = "proxies.json";

/// A small file, written when it changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Kept {
    /// Proxies that traffic is sent to.
    pub(super) ready: BTreeSet<Kri>,
    /// Section names of inbounds whose workload does not answer.
    pub(super) unhealthy: BTreeMap<Kri, BTreeSet<String>>,
    /// When the newest certificate of each proxy and issuer ends.
    pub(super) certificates: BTreeMap<Kri, BTreeMap<Kri, u64>>,
    /// Service ports whose clients speak mTLS.
    pub(super) tls_ready: BTreeSet<Kri>,
    /// The file was there once, and cannot be read.
    #[serde(skip)]
    pub(super) lost: bool,
}

impl Kept {
    /// A file that is damaged or lost counts as empty, and is told: proxies come back and say how they are.
    pub(crate) fn read(state: &StateDir) -> Self {
        let read = state.read(FILE).map_err(|error| error.to_string());
        let parsed = read.and_then(|bytes| match bytes {
            Some(bytes) => serde_json::from_slice(&bytes).map_err(|error| error.to_string()),
            None if snapshot::served(state).is_some() => Err("it is not there".to_owned()),
            None => Ok(Self::default()),
        });
        parsed.unwrap_or_else(|error| {
            tracing::warn!(%error, file = FILE, "what was known of the proxies is lost; they will say it again");
            Self {
                lost: true,
                ..Self::default()
            }
        })
    }

    pub(crate) fn write(&self, state: &StateDir) -> Result<(), StateFailure> {
        // Texts and numbers: this cannot fail.
        state.write(FILE, &serde_json::to_vec_pretty(self).unwrap_or_default())
    }
}
