//! `meshd fleet`: which authorities live proxies need, for `meshc check --fleet`.
//!
//! Never tells more than that: it is made to lie where pipelines run.

use std::process::ExitCode;

use clap::Args;

use super::ask::Ask;
use super::print;
use crate::app::Failure;

/// Arguments of `meshd fleet`.
#[derive(Debug, Args)]
pub struct Fleet {
    #[command(flatten)]
    ask: Ask,
}

impl Fleet {
    pub(super) fn show(&self) -> Result<ExitCode, Failure> {
        let fleet = self.ask.prompt(("GET", "/v1/fleet"), None)?;
        print(&format!("{fleet:#}\n"))?;
        Ok(ExitCode::SUCCESS)
    }
}
