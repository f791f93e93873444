//! `meshd ca`: the authorities that meshd holds the keys of, and those whose root is kept elsewhere.
//!
//! Never shows a key.

mod offline;

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
#[command(args_conflicts_with_subcommands = true)]
pub struct Ca {
    #[command(subcommand)]
    what: Option<offline::Offline>,
    #[command(flatten)]
    show: Option<Show>,
}

/// What is shown where nothing is to be done.
#[derive(Debug, Args)]
struct Show {
    /// The state directory of meshd
    #[arg(long, value_name = "DIR")]
    state_dir: PathBuf,
    /// Only the fingerprint that a proxy knows meshd by (`mesh-proxy run --meshd-pin`)
    #[arg(long)]
    pin: bool,
}

impl Ca {
    pub(super) fn work(self) -> Result<ExitCode, Failure> {
        match (self.what, self.show) {
            (Some(what), _) => what.work(),
            (None, Some(show)) => show.show(),
            (None, None) => Err(Failure::System(
                "`--state-dir DIR` is missing: the state directory of meshd".to_owned(),
            )),
        }
    }
}

impl Show {
    fn show(&self) -> Result<ExitCode, Failure> {
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
            text.push_str(&format!("{}  {}  ends in {left}", kept.name, kept.pin));
            if let Some(root) = kept.root {
                text.push_str(&format!(", root {root}"));
            }
            if kept.requested {
                text.push_str(", another certificate is requested");
            }
            text.push('\n');
        }
        if let Some(former) = ca::former(&state, now)? {
            let left = Duration::from_secs(former.until.saturating_sub(now));
            let (name, left) = (ca::CONTROL, mesh_bundle::Duration::from(left));
            text.push_str(&format!(
                "{name}  {}  the one before, trusted for {left} more\n",
                former.pin
            ));
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
