//! `meshd fleet`: which authorities live proxies need, for `meshc check --fleet`.
//!
//! Never tells more than that: it is made to lie where pipelines run.

use std::process::ExitCode;

use clap::Args;

use super::ask::{Ask, Of};
use super::print;
use crate::app::Failure;

/// Arguments of `meshd fleet`.
#[derive(Debug, Args)]
pub struct Fleet {
    #[command(flatten)]
    ask: Ask,
    #[command(flatten)]
    of: Of,
}

impl Fleet {
    pub(super) fn show(&self) -> Result<ExitCode, Failure> {
        let fleet = self.ask.prompt(("GET", &self.of.at("/v1/fleet")), None)?;
        print(&format!("{fleet:#}\n"))?;
        Ok(ExitCode::SUCCESS)
    }
}
