//! `meshc new`: the YAML of a service, a permission, a route, with comments that say why each line is there.
//!
//! Never gives a document that the compiler would refuse: what is made of the arguments is checked before anybody sees it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::bail;
use clap::{Args, Subcommand, ValueEnum};

use super::output::Output;
use super::template::{fill, name};
use super::{Outcome, file};
use crate::check;
use crate::compose;
use crate::diag::{Format, render};
use crate::format::format;
use crate::model::Settings;
use crate::world::MemoryWorld;

/// The arguments.
#[derive(Debug, Args)]
pub(super) struct New {
    #[command(subcommand)]
    thing: Thing,
}

#[derive(Debug, Subcommand)]
enum Thing {
    /// A service: what clients call, and which proxies are behind it.
    Service(Service),
    /// A permission: who may call a workload.
    Permission(Permission),
    /// A route: requests below a path go to another service.
    Route(Route),
    /// A canary: a share of what is sent to a service goes to its new version.
    Canary(Canary),
    /// A rate limit: how many requests a workload lets in.
    RateLimit(RateLimit),
    /// A timeout: how long clients of a service wait.
    Timeout(Timeout),
}

/// Where the document goes.
#[derive(Debug, Args)]
struct Place {
    /// The mesh.
    #[arg(long, value_name = "NAME", default_value = "default", value_parser = name)]
    mesh: String,
    /// The file to write, which must not exist. Without it, the document is printed.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print what would be written.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Args)]
struct Service {
    /// Its name.
    #[arg(value_parser = name)]
    name: String,
    /// The port that clients call.
    #[arg(long, default_value_t = 80, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// What is spoken there.
    #[arg(long, value_enum, default_value_t = ProtocolArg::Http)]
    protocol: ProtocolArg,
    /// The label `app` of the Dataplanes behind it [default: its name].
    #[arg(long, value_parser = name)]
    app: Option<String>,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ProtocolArg {
    /// HTTP/1.1.
    Http,
    /// HTTP/2.
    Http2,
    /// gRPC.
    Grpc,
    /// Bytes.
    Tcp,
}

#[derive(Debug, Args)]
struct Permission {
    /// Who is called: the label `app` of its Dataplanes.
    #[arg(value_parser = name)]
    app: String,
    /// Who may call it: the workload (label `kuma.io/workload`) of a client. May be given more than once.
    #[arg(long = "from", value_name = "WORKLOAD", required = true, value_parser = name)]
    clients: Vec<String>,
    /// The trust domain of the clients [default: `MESH.ZONE.mesh.local`].
    #[arg(long, value_name = "NAME")]
    trust_domain: Option<String>,
    /// The zone in the default trust domain.
    #[arg(long, value_name = "ZONE", default_value = "default", value_parser = name)]
    zone: String,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
struct Route {
    /// The service that clients call.
    #[arg(value_parser = name)]
    service: String,
    /// Requests below this path.
    #[arg(long, value_name = "PATH")]
    path: String,
    /// The service that they go to.
    #[arg(long, value_name = "SERVICE", value_parser = name)]
    to: String,
    /// Its port.
    #[arg(long, default_value_t = 80, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
struct Canary {
    /// The service that clients call.
    #[arg(value_parser = name)]
    service: String,
    /// The service of the old version.
    #[arg(long, value_name = "SERVICE", value_parser = name)]
    stable: String,
    /// The service of the new version.
    #[arg(long, value_name = "SERVICE", value_parser = name)]
    canary: String,
    /// The share of the new version, in percent.
    #[arg(long, value_name = "PERCENT", default_value_t = 10, value_parser = clap::value_parser!(u8).range(0..=100))]
    weight: u8,
    /// The port of both.
    #[arg(long, default_value_t = 80, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
struct RateLimit {
    /// Who is called: the label `app` of its Dataplanes.
    #[arg(value_parser = name)]
    app: String,
    /// How many requests.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    requests: u32,
    /// In which time.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = time)]
    per: String,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
struct Timeout {
    /// The service that clients call.
    #[arg(value_parser = name)]
    service: String,
    /// How long a request may take.
    #[arg(long, value_name = "TIME", value_parser = time)]
    request: String,
    #[command(flatten)]
    place: Place,
}

/// A time as documents have it.
fn time(text: &str) -> Result<String, String> {
    match text.parse::<mesh_bundle::Duration>() {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

impl New {
    pub(super) fn run(&self, output: &mut Output) -> Result<Outcome, anyhow::Error> {
        let (place, text) = match &self.thing {
            Thing::Service(service) => (&service.place, service.text()),
            Thing::Permission(permission) => (&permission.place, permission.text()),
            Thing::Route(route) => (&route.place, route.text()),
            Thing::Canary(canary) => (&canary.place, canary.text()),
            Thing::RateLimit(limit) => (&limit.place, limit.text()),
            Thing::Timeout(timeout) => (&timeout.place, timeout.text()),
        };
        if let Some(findings) = refused(&text) {
            bail!("this cannot be:\n{}", findings.trim_end());
        }
        // What came from the arguments stands in quotes so far.
        let text = format(&text).text;
        match &place.output {
            Some(path) if !place.dry_run => {
                if path.symlink_metadata().is_ok() {
                    bail!("{} is there already; nothing is written", path.display());
                }
                file::write(path, text.as_bytes())?;
                output.complain(&format!("wrote {}\n", path.display()));
            }
            _ => output.tell(&text)?,
        }
        Ok(Outcome::Clean)
    }
}

/// What the compiler has against a document, as far as it can be told without the rest of the repository.
fn refused(text: &str) -> Option<String> {
    let files = BTreeMap::from([("new.yaml".to_owned(), text.as_bytes().to_vec())]);
    let settings = Settings {
        partial: true,
        ..Settings::default()
    };
    let checked = check(&MemoryWorld { files }, &settings);
    let found = (&checked.diagnostics, &checked.sources);
    let told = || render(Format::Human { color: false }, found.0, found.1);
    checked.diagnostics.has_errors().then(told)
}

impl Service {
    fn text(&self) -> String {
        let protocol = match self.protocol {
            ProtocolArg::Http => "http",
            ProtocolArg::Http2 => "http2",
            ProtocolArg::Grpc => "grpc",
            ProtocolArg::Tcp => "tcp",
        };
        let values = [
            ("mesh", self.place.mesh.as_str()),
            ("name", &self.name),
            ("app", self.app.as_ref().unwrap_or(&self.name)),
            ("port", &self.port.to_string()),
            ("port-name", protocol),
            ("protocol", protocol),
        ];
        fill(include_str!("../../templates/new/service.yaml"), &values)
    }
}

impl Permission {
    fn text(&self) -> String {
        let mesh = &self.place.mesh;
        let domain = match &self.trust_domain {
            Some(domain) => domain.clone(),
            None => format!("{mesh}.{}.mesh.local", self.zone),
        };
        let clients = self.clients.iter();
        let clients = clients.map(|client| format!("spiffe://{domain}/workload/{client}"));
        let clients: Vec<String> = clients.collect();
        let name = format!("{}-clients", self.app);
        compose::permission(mesh, &name, &[("app", &self.app)], &clients)
    }
}

impl Route {
    fn text(&self) -> String {
        // Quoted, since a path may hold what YAML reads otherwise.
        let path = serde_json::Value::from(self.path.as_str()).to_string();
        let values = [
            ("mesh", self.place.mesh.as_str()),
            ("name", &format!("{}-to-{}", self.service, self.to)),
            ("service", &self.service),
            ("backend", &self.to),
            ("port", &self.port.to_string()),
            ("path", &path),
        ];
        fill(include_str!("../../templates/new/route.yaml"), &values)
    }
}

impl Canary {
    fn text(&self) -> String {
        let values = [
            ("mesh", self.place.mesh.as_str()),
            ("name", &format!("{}-canary", self.service)),
            ("service", &self.service),
            ("stable-weight", &(100 - self.weight.min(100)).to_string()),
            ("canary-weight", &self.weight.to_string()),
            ("stable", &self.stable),
            ("canary", &self.canary),
            ("port", &self.port.to_string()),
        ];
        fill(include_str!("../../templates/new/canary.yaml"), &values)
    }
}

impl RateLimit {
    fn text(&self) -> String {
        let values = [
            ("mesh", self.place.mesh.as_str()),
            ("name", &format!("{}-limit", self.app)),
            ("app", &self.app),
            ("requests", &self.requests.to_string()),
            ("interval", &self.per),
        ];
        fill(include_str!("../../templates/new/rate-limit.yaml"), &values)
    }
}

impl Timeout {
    fn text(&self) -> String {
        let values = [
            ("mesh", self.place.mesh.as_str()),
            ("name", &format!("{}-timeout", self.service)),
            ("service", &self.service),
            ("request", &self.request),
        ];
        fill(include_str!("../../templates/new/timeout.yaml"), &values)
    }
}
