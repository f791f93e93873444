//! Settings on the command line and in the environment, which count more than those of `meshc.toml`.
//!
//! Never judges a value: the table of settings does, for whoever said it.

use clap::Args;

use crate::config::{Effective, Flags, KEYS, Origin, Said, key, settle};
use crate::world::World;

/// What a bundle depends on beside the documents.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct SettingsArgs {
    #[command(flatten)]
    flags: Flags,
}

impl SettingsArgs {
    /// What counts for a repository. `more` are settings of the command line beside these.
    pub(super) fn effective(
        &self,
        world: &dyn World,
        more: impl IntoIterator<Item = (&'static str, Option<String>)>,
    ) -> Result<Effective, anyhow::Error> {
        Ok(settle(world, self.said(more)?)?)
    }

    /// What the environment and the command line say.
    pub(super) fn said(
        &self,
        more: impl IntoIterator<Item = (&'static str, Option<String>)>,
    ) -> Result<Vec<Said>, anyhow::Error> {
        let more = more.into_iter().filter_map(|(name, value)| {
            let said: Said = (key(name)?, value?, Origin::Flag(name));
            Some(said)
        });
        let flags = self.flags.said().into_iter().chain(more);
        Ok(environment()?.into_iter().chain(flags).collect())
    }
}

/// An empty variable is as good as none: pipelines cannot always take one away.
#[expect(
    clippy::disallowed_methods,
    reason = "the only place that asks the environment, for settings that `meshc config show` lists with where they are from"
)]
fn environment() -> Result<Vec<Said>, anyhow::Error> {
    let mut said = Vec::new();
    for key in &KEYS {
        let Some(value) = std::env::var_os(key.variable) else {
            continue;
        };
        let value = value
            .into_string()
            .map_err(|_| anyhow::anyhow!("{}: it is not UTF-8", key.variable))?;
        if !value.is_empty() {
            said.push((key, value, Origin::Environment(key.variable)));
        }
    }
    Ok(said)
}
