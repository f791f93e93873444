//! How meshd keeps the keys of its authorities.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use super::anchor;

/// The keys of the authorities that meshd makes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Ca {
    /// File of a passphrase, or of random text: keys in the state directory are sealed with it. Keep it elsewhere; without it
    /// they are lost.
    pub seal_file: Option<PathBuf>,
}

impl Ca {
    pub(super) fn begin_at(&mut self, directory: &Path) {
        if let Some(path) = &mut self.seal_file {
            anchor(path, directory);
        }
    }
}
