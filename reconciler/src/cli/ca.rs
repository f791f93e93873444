//! `meshd ca`: the authorities that meshd holds the keys of.
//!
//! Never shows a key.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::print;
use crate::app::Failure;
use crate::ca::{self, Step};
use crate::registry::Now;

/// Arguments of `meshd ca`.
#[derive(Debug, Args)]
pub struct Ca {
    /// The state directory of meshd
    #[arg(long, value_name = "DIR")]
    state_dir: PathBuf,
    /// Only the fingerprint that a proxy knows meshd by (`mesh-proxy run --meshd-pin`)
    #[arg(long)]
    pin: bool,
}

impl Ca {
    pub(super) fn show(&self) -> Result<ExitCode, Failure> {
        let now = Now::read().unix;
        let (state, control) = ca::control(&self.state_dir, now)?;
        if self.pin {
            print(&format!("{}\n", control.pin))?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut text = String::new();
        for kept in ca::list(&state)? {
            let left = Duration::from_secs(kept.not_after.saturating_sub(now));
            let left = mesh_bundle::Duration::from(left);
            text.push_str(&format!("{}  {}  ends in {left}\n", kept.name, kept.pin));
        }
        for anchor in ca::steps(&state, now)? {
            let step = match anchor.step {
                Step::Spreading => "trusted; signs when every proxy knows it".to_owned(),
                Step::Signing => "trusted; signs".to_owned(),
                Step::Retiring { until } => {
                    let left = Duration::from_secs(until.saturating_sub(now));
                    let left = mesh_bundle::Duration::from(left);
                    format!("trusted for {left} more; signs no more")
                }
            };
            let (mesh, domain, pin) = (anchor.mesh, anchor.trust_domain, anchor.pin);
            text.push_str(&format!("{mesh}/{domain}  {pin}  {step}\n"));
        }
        print(&text)?;
        Ok(ExitCode::SUCCESS)
    }
}
