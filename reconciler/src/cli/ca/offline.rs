//! `meshd ca root`, `request`, `sign` and `install`: a root that is kept where no meshd is, and what it vouches for in meshd.
//!
//! Never needs a meshd that runs, and never both the root and the state directory on one machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use mesh_bundle::kri::Parts;
use mesh_bundle::{Kri, TrustDomain};
use zeroize::Zeroizing;

use super::super::{at_least_a_second, print, written};
use crate::app::Failure;
use crate::ca::{self, Seal};
use crate::registry::Now;
use crate::secret;
use crate::state::StateDir;

/// From a root to an authority of meshd.
#[derive(Debug, Subcommand)]
pub(super) enum Offline {
    /// Make a root for a trust domain, where it is to be kept
    Root(Root),
    /// Make a key for an authority in the state directory, and a request for its certificate
    Request(Request),
    /// Sign a request with a root, where that is kept
    Sign(Sign),
    /// Make another control authority, which meshd and its proxies know each other by from the next start of meshd on
    RotateControl(RotateControl),
    /// Take what the root has signed: meshd signs with it from its next look on
    Install(Install),
}

/// Arguments of `meshd ca root`.
#[derive(Debug, Args)]
pub(super) struct Root {
    /// The trust domain that it vouches for
    #[arg(long, value_name = "NAME")]
    trust_domain: TrustDomain,
    /// How long it lives
    #[arg(long, value_name = "TIME", default_value = "87600h", value_parser = at_least_a_second)]
    ttl: Duration,
    #[command(flatten)]
    seal: Sealed,
    /// The file for its key and its certificate, readable by its owner only
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

/// Arguments of `meshd ca request`.
#[derive(Debug, Args)]
pub(super) struct Request {
    #[command(flatten)]
    of: Of,
    /// The file for the request
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

/// Arguments of `meshd ca sign`.
#[derive(Debug, Args)]
pub(super) struct Sign {
    /// The file of `meshd ca root`
    #[arg(long, value_name = "FILE")]
    root: PathBuf,
    #[command(flatten)]
    seal: Sealed,
    /// The file of `meshd ca request`
    #[arg(long, value_name = "FILE")]
    request: PathBuf,
    /// How long what it signs lives, and no longer than the root
    #[arg(long, value_name = "TIME", default_value = "8760h", value_parser = at_least_a_second)]
    ttl: Duration,
    /// The file for the certificate, with that of the root behind it
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

/// Arguments of `meshd ca install`.
#[derive(Debug, Args)]
pub(super) struct Install {
    #[command(flatten)]
    of: Of,
    /// The file of `meshd ca sign`: certificates, the root last
    #[arg(long, value_name = "FILE")]
    chain: PathBuf,
}

/// Arguments of `meshd ca rotate-control`.
#[derive(Debug, Args)]
pub(super) struct RotateControl {
    /// The state directory of meshd
    #[arg(long, value_name = "DIR")]
    state_dir: PathBuf,
    #[command(flatten)]
    seal: Sealed,
}

/// Which authority of which meshd.
#[derive(Debug, Args)]
struct Of {
    /// The state directory of meshd
    #[arg(long, value_name = "DIR")]
    state_dir: PathBuf,
    /// The mesh of the `MeshIdentity`
    #[arg(long, value_name = "NAME", default_value = "default")]
    mesh: String,
    /// The zone of meshd
    #[arg(long, value_name = "NAME", default_value = "default")]
    zone: String,
    /// The `MeshIdentity` that it signs for: its name, or its KRI, as `meshd ca` shows it
    #[arg(long, value_name = "NAME")]
    identity: String,
    #[command(flatten)]
    seal: Sealed,
}

/// Whether a key is sealed.
#[derive(Debug, Args)]
struct Sealed {
    /// A file with the secret that the key is sealed with; for a state directory, that of its `meshd.toml`
    #[arg(long, value_name = "FILE")]
    seal_file: Option<PathBuf>,
}

impl Offline {
    pub(super) fn work(self) -> Result<ExitCode, Failure> {
        let now = Now::read().unix;
        match self {
            Self::Root(root) => {
                let seal = root.seal.read()?;
                let text = ca::root(&root.trust_domain, seal.as_ref(), root.ttl, now)?;
                written(&root.output, &text)?;
            }
            Self::Request(request) => {
                let (state, name) = request.of.open()?;
                public(&request.output, &ca::request(&state, &name)?)?;
            }
            Self::Sign(sign) => {
                let (root, asked) = (read(&sign.root)?, read(&sign.request)?);
                let seal = sign.seal.read()?;
                let chain = ca::sign(&root, seal.as_ref(), &asked, sign.ttl, now)?;
                public(&sign.output, &chain)?;
            }
            Self::RotateControl(rotate) => {
                let state = StateDir::beside(&rotate.state_dir)?.sealed_by(rotate.seal.read()?);
                let control = ca::rotate(&state, now)?;
                print(&format!("{}  {}\n", ca::CONTROL, control.pin))?;
            }
            Self::Install(install) => {
                let (state, name) = install.of.open()?;
                let kept = ca::install(&state, &name, &read(&install.chain)?, now)?;
                let left = Duration::from_secs(kept.not_after.saturating_sub(now));
                let left = mesh_bundle::Duration::from(left);
                let (name, pin) = (kept.name, kept.pin);
                print(&format!("{name}  {pin}  ends in {left}\n"))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Of {
    fn open(&self) -> Result<(StateDir, String), Failure> {
        let state = StateDir::beside(&self.state_dir)?.sealed_by(self.seal.read()?);
        let name: Kri = match self.identity.starts_with("kri_") {
            true => self
                .identity
                .parse()
                .map_err(|error| Failure::System(format!("`{}`: {error}", self.identity)))?,
            false => Kri::new(Parts {
                kind: "mid",
                mesh: &self.mesh,
                zone: &self.zone,
                name: &self.identity,
                ..Parts::default()
            }),
        };
        Ok((state, name.to_string()))
    }
}

impl Sealed {
    fn read(&self) -> Result<Option<Seal>, Failure> {
        let secret = self.seal_file.as_deref().map(secret::read).transpose();
        Ok(secret.map_err(Failure::System)?.map(Seal::new))
    }
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let failed = |error| Failure::System(format!("reading `{}`: {error}", path.display()));
    fs::read(path).map(Zeroizing::new).map_err(failed)
}

fn public(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error| Failure::System(format!("writing `{}`: {error}", path.display()));
    fs::write(path, text).map_err(failed)
}
