//! `meshd token`, `meshd tokens` and `meshd token-key`: join tokens, made beside a running meshd or elsewhere.
//!
//! Never shows a token that was made before: nothing keeps it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgGroup, Args};

use super::{at_least_a_second, print, written};
use crate::app::Failure;
use crate::ca;
use crate::registry::Now;
use crate::state::StateDir;
use crate::token::{self, Issuer, LONGEST, Order, Scope};

/// Arguments of `meshd token`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("bound").required(true).multiple(true).args(["workload", "dataplane", "label"]))]
#[command(group = ArgGroup::new("signer").required(true).args(["state_dir", "key"]))]
pub struct Token {
    /// The state directory of meshd
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// A file of `meshd token-key`, where there is no meshd
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The mesh of the proxy
    #[arg(long, value_name = "NAME", default_value = "default")]
    mesh: String,
    /// For Dataplanes of this workload
    #[arg(long, value_name = "NAME")]
    workload: Option<String>,
    /// For this Dataplane
    #[arg(long, value_name = "NAME")]
    dataplane: Option<String>,
    /// For Dataplane documents with this label, and the services that select by it (several times: all of them)
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    label: Vec<(String, String)>,
    /// How long it is good: at most 90 days (2160h)
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = at_most_the_longest)]
    ttl: Duration,
    /// For how many proxies
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    uses: u32,
    /// For any number of proxies, until it expires
    #[arg(long, conflicts_with = "uses")]
    reusable: bool,
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

/// Arguments of `meshd token-key`.
#[derive(Debug, Args)]
pub struct TokenKey {
    /// The state directory of meshd
    #[arg(long, value_name = "DIR")]
    state_dir: PathBuf,
    /// Only the public half: for another meshd that is to accept what this one makes
    #[arg(long)]
    public: bool,
    /// The file, readable by its owner only
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

impl Token {
    pub(super) fn create(self) -> Result<ExitCode, Failure> {
        let labels: BTreeMap<String, String> = self.label.into_iter().collect();
        let scope = Scope {
            workload: self.workload,
            dataplane: self.dataplane,
            labels,
        };
        if !scope.is_bounded() {
            return Err(Failure::System("a token has at most 16 labels".to_owned()));
        }
        let order = Order {
            mesh: self.mesh,
            scope,
            ttl: self.ttl,
            uses: (!self.reusable).then_some(self.uses),
        };
        let now = Now::read().unix;
        let token = match (&self.key, &self.state_dir) {
            (Some(key), _) => {
                let (issuer, pin) = Issuer::read(key)?;
                issuer.issue(pin, order, now).0
            }
            (None, state) => {
                let root = state.as_deref().unwrap_or(Path::new("."));
                let (state, control) = ca::control(root, now)?;
                let (token, grant) = token::open(&state)?.issue(control.pin, order, now);
                token::note(&state, grant)?;
                token
            }
        };
        match &self.output {
            Some(path) => written(path, &token)?,
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
            let uses = match record.uses_left() {
                Some(0) => continue,
                Some(uses) => format!("uses left {uses}"),
                None => "reusable".to_owned(),
            };
            let grant = &record.grant;
            if grant.expires > now {
                let left = Duration::from_secs(grant.expires - now);
                let left = mesh_bundle::Duration::from(left);
                let (id, mesh, scope) = (&grant.id, &grant.mesh, &grant.scope);
                text.push_str(&format!(
                    "{id}  mesh {mesh}  {scope}  {uses}  expires in {left}\n"
                ));
            }
        }
        print(&text)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl TokenKey {
    pub(super) fn export(self) -> Result<ExitCode, Failure> {
        let (state, control) = ca::control(&self.state_dir, Now::read().unix)?;
        token::open(&state)?;
        let text = token::export(&state, &control.certificate, self.public)?;
        written(&self.output, &text)?;
        Ok(ExitCode::SUCCESS)
    }
}

fn at_most_the_longest(text: &str) -> Result<Duration, String> {
    let time = at_least_a_second(text)?;
    (time <= LONGEST)
        .then_some(time)
        .ok_or_else(|| "at most 90 days (2160h)".to_owned())
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    let good = !name.is_empty() && name.chars().chain(value.chars()).all(plain);
    good.then(|| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| "a label has the form NAME=VALUE".to_owned())
}
