//! Who is told of events.
//!
//! Never without a signature where a secret is given.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use super::anchor;
use super::value::Endpoint;
use crate::event::Severity;

/// Somebody who is sent events as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Notify {
    /// Where each event is posted to.
    pub url: Endpoint,
    /// File of the secret that the header `X-Signature: sha256=...` is made with.
    pub secret_file: Option<PathBuf>,
    /// The least severity that is told: `info`, which is everything, or `error`.
    #[serde(default = "everything")]
    pub severity: Severity,
    /// PEM file of certificate authorities, instead of those of the system.
    pub ca: Option<PathBuf>,
}

fn everything() -> Severity {
    Severity::Info
}

impl Notify {
    pub(super) fn begin_at(&mut self, directory: &Path) {
        for path in [&mut self.secret_file, &mut self.ca].into_iter().flatten() {
            anchor(path, directory);
        }
    }
}
