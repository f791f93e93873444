//! Settings on the command line and in the environment, which count more than those of `meshc.toml`.
//!
//! Never judges a value: the table of settings does, for whoever said it.

use clap::{Args, ValueEnum};

use crate::config::{Effective, KEYS, Origin, Said, key, settle};
use crate::world::World;

/// What a bundle depends on beside the documents.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Settings that a bundle depends on")]
pub(super) struct SettingsArgs {
    /// Name of the local zone [default: `default`].
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,

    /// Whether the repository speaks for one zone or for many [default: `zone`].
    #[arg(long, value_enum)]
    mode: Option<ModeArg>,

    /// Kubernetes namespace whose policies are for the whole mesh [default: `kuma-system`].
    #[arg(long, value_name = "NAMESPACE")]
    system_namespace: Option<String>,

    /// Leave out the policies that every mesh has by default.
    #[arg(long)]
    no_default_policies: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ModeArg {
    /// Every resource is of the local zone.
    Zone,
    /// Resources without a zone label are of all zones.
    Global,
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
        let mode = self.mode.map(|mode| match mode {
            ModeArg::Zone => "zone".to_owned(),
            ModeArg::Global => "global".to_owned(),
        });
        let defaults = self.no_default_policies.then(|| "false".to_owned());
        let flags = [
            ("zone", "zone", self.zone.clone()),
            ("mode", "mode", mode),
            (
                "system-namespace",
                "system-namespace",
                self.system_namespace.clone(),
            ),
            ("default-policies", "no-default-policies", defaults),
        ];
        let more = more.into_iter().map(|(name, value)| (name, name, value));
        let flags = flags.into_iter().chain(more);
        let flags = flags.filter_map(|(name, flag, value)| {
            let said: Said = (key(name)?, value?, Origin::Flag(flag));
            Some(said)
        });
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
