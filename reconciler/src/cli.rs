//! The command line of meshd.
//!
//! Never takes a secret as an argument: arguments are shown to everybody on the host.

use std::fs::{OpenOptions, Permissions};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{ArgGroup, Args, Parser, Subcommand};
use mesh_compiler::config::Flags;
use zeroize::Zeroizing;

use crate::app::{self, Config, Failure};
use crate::log::LogFormat;
use crate::registry::Now;
use crate::state::StateDir;
use crate::token::{self, Bound, Order};
use crate::{ca, revocation};

/// Follows a git repository, compiles it, and delivers it to the proxies of the mesh.
#[derive(Debug, Parser)]
#[command(name = "meshd", version, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What meshd can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Follow a repository and serve the proxies
    Run(Run),
    /// Make a join token for a new proxy
    Token(Token),
    /// List the join tokens that are not used up or expired
    Tokens(Tokens),
    /// End a join token, or the certificates of a proxy that meshd knows it by
    Revoke(Revoke),
}

/// Arguments of `meshd run`.
#[derive(Debug, Args)]
pub struct Run {
    /// Path of a repository, or a file:// or https:// URL
    #[arg(long, value_name = "PATH-OR-URL")]
    repo: String,
    /// Branch, tag or full reference name
    #[arg(long = "ref", value_name = "NAME", default_value = "main")]
    reference: String,
    /// Directory inside the repository that holds the documents
    #[arg(long, value_name = "DIR")]
    path: Option<String>,
    /// PEM file of certificate authorities for https://, beside those of the system
    #[arg(long, value_name = "FILE")]
    repo_ca: Option<PathBuf>,
    /// Where keys and the last good commit are kept; made where it is missing
    #[arg(long, value_name = "DIR")]
    state_dir: PathBuf,
    /// Address for proxies
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:5680")]
    listen: SocketAddr,
    /// Address for health, metrics and status
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:5681")]
    admin: SocketAddr,
    /// Time between two looks at the repository
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = at_least_a_second)]
    poll: Duration,
    /// How log lines look
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    log_format: LogFormat,
    // With the same values, `meshc build` makes the same bundle.
    #[command(flatten)]
    settings: Flags,
}

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

/// Arguments of `meshd revoke`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).args(["token", "dataplane"]))]
pub struct Revoke {
    /// The state directory of meshd
    #[arg(long, value_name = "DIR")]
    state_dir: PathBuf,
    /// The identifier of a join token, as `meshd tokens` shows it
    #[arg(long, value_name = "ID")]
    token: Option<String>,
    /// The mesh of the Dataplane
    #[arg(long, value_name = "NAME", default_value = "default")]
    mesh: String,
    /// A Dataplane: its proxy must be enrolled again with a new token
    #[arg(long, value_name = "NAME")]
    dataplane: Option<String>,
}

impl Cli {
    /// Does what the command line says.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::Run(run) => run.run(),
            Command::Token(token) => token.create(),
            Command::Tokens(tokens) => tokens.list(),
            Command::Revoke(revoke) => revoke.revoke(),
        }
    }
}

impl Run {
    fn run(self) -> Result<(), Failure> {
        crate::log::start(self.log_format);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::System(error.to_string()))?;
        let outcome = runtime.block_on(app::run(Config {
            repository: self.repo,
            reference: self.reference,
            path: self.path,
            authorities: self.repo_ca,
            state: self.state_dir,
            listen: self.listen,
            admin: self.admin,
            poll: self.poll,
            settings: self.settings.said(),
        }));
        // A fetch that hangs is not waited for.
        runtime.shutdown_background();
        outcome
    }
}

impl Token {
    fn create(self) -> Result<(), Failure> {
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
            Some(path) => write_private(path, &token)
                .map_err(|error| Failure::System(format!("writing `{}`: {error}", path.display()))),
            None => print(&format!("{}\n", token.as_str())),
        }
    }
}

impl Tokens {
    fn list(&self) -> Result<(), Failure> {
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
        print(&text)
    }
}

impl Revoke {
    fn revoke(self) -> Result<(), Failure> {
        let state = StateDir::beside(&self.state_dir)?;
        let Some(id) = self.token else {
            let dataplane = self.dataplane.unwrap_or_default();
            revocation::revoke(&state, &self.mesh, &dataplane, Now::read().unix)?;
            return Ok(());
        };
        match token::revoke(&state, &id)? {
            true => Ok(()),
            false => Err(Failure::System(format!("there is no join token `{id}`"))),
        }
    }
}

fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::System(error.to_string()))
        }
        _ => Ok(()),
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

fn at_least_a_second(text: &str) -> Result<Duration, String> {
    let time: mesh_bundle::Duration = text.parse().map_err(|error| format!("{error}"))?;
    let time = time.as_std();
    (time >= Duration::from_secs(1))
        .then_some(time)
        .ok_or_else(|| "at least 1s".to_owned())
}
