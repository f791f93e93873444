//! `meshd revoke`: a token or a proxy that is not to be let in any more.
//!
//! Never needs a meshd that runs: it finds what is revoked in its state directory.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgGroup, Args};

use crate::app::Failure;
use crate::registry::Now;
use crate::state::StateDir;
use crate::{revocation, token};

/// Arguments of `meshd revoke`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).args(["token", "dataplane"]))]
pub struct Revoke {
    /// The state directory of meshd
    #[arg(long, value_name = "DIR")]
    state_dir: PathBuf,
    /// The identifier of a join token, as `meshd tokens` shows it: it ends, and so does what proxies were given for it
    #[arg(long, value_name = "ID")]
    token: Option<String>,
    /// The mesh of the Dataplane
    #[arg(long, value_name = "NAME", default_value = "default")]
    mesh: String,
    /// A Dataplane: its proxy must be enrolled again with a new token
    #[arg(long, value_name = "NAME")]
    dataplane: Option<String>,
}

impl Revoke {
    pub(super) fn revoke(self) -> Result<ExitCode, Failure> {
        let state = StateDir::beside(&self.state_dir)?;
        let Some(id) = self.token else {
            let dataplane = self.dataplane.unwrap_or_default();
            revocation::revoke(&state, &self.mesh, &dataplane, Now::read().unix)?;
            return Ok(ExitCode::SUCCESS);
        };
        if !token::is_id(&id) {
            let why = "the identifier of a join token has 32 hexadecimal digits, as `meshd tokens` and the log show it";
            return Err(Failure::System(format!("`{id}`: {why}")));
        }
        // One that was made elsewhere is not known before somebody shows it.
        token::revoke(&state, &id, Now::read().unix)?;
        Ok(ExitCode::SUCCESS)
    }
}
