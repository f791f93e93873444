//! The flags for what a bundle depends on: the same for meshc and meshd.
//!
//! Never says what counts: whoever has the file and the environment too settles that.

use clap::{Args, ValueEnum};

use super::{Origin, Said, key};

/// What a bundle depends on beside the documents. What these do not say stands in `meshc.toml`.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Settings that a bundle depends on")]
pub struct Flags {
    /// Name of the local zone [default: `default`].
    #[arg(long, value_name = "ZONE", value_parser = |text: &str| judged("zone", text))]
    zone: Option<String>,

    /// Whether the repository speaks for one zone or for many [default: `zone`].
    #[arg(long, value_enum)]
    mode: Option<ModeArg>,

    /// Kubernetes namespace whose policies are for the whole mesh [default: `kuma-system`].
    #[arg(long, value_name = "NAMESPACE", value_parser = |text: &str| judged("system-namespace", text))]
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

impl Flags {
    /// What the command line says.
    #[must_use]
    pub fn said(&self) -> Vec<Said> {
        let mode = self.mode.map(|mode| match mode {
            ModeArg::Zone => "zone".to_owned(),
            ModeArg::Global => "global".to_owned(),
        });
        let defaults = self.no_default_policies.then(|| "false".to_owned());
        let namespace = self.system_namespace.clone();
        let flags = [
            ("zone", "zone", self.zone.clone()),
            ("mode", "mode", mode),
            ("system-namespace", "system-namespace", namespace),
            ("default-policies", "no-default-policies", defaults),
        ];
        let said = |(name, flag, value): (&str, &'static str, Option<String>)| {
            Some((key(name)?, value?, Origin::Flag(flag)))
        };
        flags.into_iter().filter_map(said).collect()
    }
}

/// A value that its setting can have.
fn judged(name: &str, value: &str) -> Result<String, String> {
    let trouble = key(name).and_then(|key| key.judge(value).err());
    match trouble {
        None => Ok(value.to_owned()),
        Some((what, None)) => Err(what),
        Some((what, Some(help))) => Err(format!("{what}: {help}")),
    }
}
