//! `meshd token` and `meshd tokens`: join tokens, made beside a running meshd.
//!
//! Never shows a token that was made before: only its hash is kept.

use std::fs::{OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgGroup, Args};
use zeroize::Zeroizing;

use super::{at_least_a_second, print};
use crate::app::Failure;
use crate::ca;
use crate::registry::Now;
use crate::state::StateDir;
use crate::token::{self, Bound, Order};

/// Arguments of `meshd token`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("bound").required(true).args(["workload", "dataplane"]))]
pub struct Token {
    /// The state directory of meshd
    #[arg(long, value_name = "DIR")]
    state_dir: PathBuf,
    /// The mesh of the proxy
    #[arg(long, value_name = "NAME", default_value = "default")]
    mesh: String,
    /// For any Dataplane of this workload
    #[arg(long, value_name = "NAME")]
    workload: Option<String>,
    /// For this Dataplane
    #[arg(long, value_name = "NAME")]
    dataplane: Option<String>,
    /// How long it is good
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = at_least_a_second)]
    ttl: Duration,
    /// For how many proxies
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    uses: u32,
    /// Write it into this file, readable by its owner only, instead of printing it
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Arguments of `meshd tokens`.
#[derive(Debug, Args)]
pub struct Tokens {
    /// The state directory of meshd
    #[arg(long, value_name = "DIR")]
    state_dir: PathBuf,
}

impl Token {
    pub(super) fn create(self) -> Result<ExitCode, Failure> {
        let bound = match (self.workload, self.dataplane) {
            (Some(workload), _) => Bound::Workload(workload),
            (None, dataplane) => Bound::Dataplane(dataplane.unwrap_or_default()),
        };
        let order = Order {
            mesh: self.mesh,
            bound,
            ttl: self.ttl,
            uses: self.uses,
        };
        let now = Now::read().unix;
        let (state, pin) = ca::control_pin(&self.state_dir, now)?;
        let token = token::create(&state, pin, order, now)?;
        match &self.output {
            Some(path) => write_private(path, &token).map_err(|error| {
                Failure::System(format!("writing `{}`: {error}", path.display()))
            })?,
            None => print(&format!("{}\n", token.as_str()))?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Tokens {
    pub(super) fn list(&self) -> Result<ExitCode, Failure> {
        let state = StateDir::beside(&self.state_dir)?;
        let now = Now::read().unix;
        let mut text = String::new();
        for record in token::list(&state)? {
            let bound = match &record.bound {
                Bound::Workload(name) => format!("workload {name}"),
                Bound::Dataplane(name) => format!("dataplane {name}"),
            };
            if record.expires > now && record.uses_left > 0 {
                let left = Duration::from_secs(record.expires - now);
                let left = mesh_bundle::Duration::from(left);
                let (id, mesh, uses) = (&record.id, &record.mesh, record.uses_left);
                text.push_str(&format!(
                    "{id}  mesh {mesh}  {bound}  uses left {uses}  expires in {left}\n"
                ));
            }
        }
        print(&text)?;
        Ok(ExitCode::SUCCESS)
    }
}

fn write_private(path: &Path, token: &Zeroizing<String>) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(token.as_bytes())?;
    file.write_all(b"\n")
}
