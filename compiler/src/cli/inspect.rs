//! `meshc inspect`: what proxies will do, and which line says so.
//!
//! Never shows a configuration of a repository with errors: no proxy will ever have it.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use clap::{Args, Subcommand, ValueEnum};

use super::form::FormArg;
use super::open::{AtArgs, Opened};
use super::output::Output;
use super::{Outcome, SettingsArgs, open};
use crate::Analysis;
use crate::inspect::{self, Form, Query, kuma};
use crate::model::Compat;

/// The arguments.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Inspect {
    #[command(subcommand)]
    question: Option<Question>,

    /// The directory that holds the documents; with `--as kuma`, a path of Kuma's API.
    #[arg(default_value = ".")]
    path: PathBuf,

    /// A proxy, by the name of its Dataplane or by its KRI. Without it, all proxies are listed. With `--as kuma`, the
    /// directory.
    proxy: Option<String>,

    /// Show what would change for the proxy if shadow policies (`kuma.io/effect: shadow`) counted.
    #[arg(long, requires = "proxy")]
    with_shadow: bool,

    #[command(flatten)]
    answer: AnswerArgs,
}

/// Things have names: that of the document, `Kind/name`, or the KRI.
#[derive(Debug, Subcommand)]
enum Question {
    /// The policies that apply to a proxy, kind by kind, the strongest last.
    Policies(OfProxy),
    /// What holds for the traffic that a proxy sends, by destination.
    Outbounds(OfProxy),
    /// Where the traffic of a proxy to a destination goes, in the order of trying.
    Routes(OfDestination),
    /// What holds for the traffic that a proxy takes, by inbound.
    Inbounds(OfProxy),
    /// Metrics, traces and passthrough of a proxy.
    ProxyWide(OfProxy),
    /// Who a proxy is, and whom it believes.
    Identity(OfProxy),
    /// The names of a service, and what gives them.
    Hostnames(OfService),
    /// The proxies that a policy applies to, or that are behind a service.
    Dataplanes(OfSelector),
}

#[derive(Debug, Args)]
struct OfProxy {
    /// The proxy.
    dataplane: String,
    #[command(flatten)]
    place: PlaceArgs,
}

#[derive(Debug, Args)]
struct OfDestination {
    /// The proxy.
    dataplane: String,
    /// A service and its port, such as `api:http`; `api` alone where it has one port.
    destination: String,
    #[command(flatten)]
    place: PlaceArgs,
}

#[derive(Debug, Args)]
struct OfService {
    /// The service.
    service: String,
    #[command(flatten)]
    place: PlaceArgs,
}

#[derive(Debug, Args)]
struct OfSelector {
    /// The policy or the service.
    name: String,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Where to look, and how to tell.
#[derive(Debug, Args)]
struct PlaceArgs {
    /// The directory that holds the documents.
    #[arg(default_value = ".")]
    path: PathBuf,
    #[command(flatten)]
    answer: AnswerArgs,
}

#[derive(Debug, Args)]
struct AnswerArgs {
    /// For people or for programs.
    #[arg(long, value_enum, default_value_t = FormArg::Human)]
    format: FormArg,

    /// Read the documents and apply the policies as another mesh does; a path of its API gets its answer.
    #[arg(long = "as", value_enum, value_name = "MESH")]
    others: Option<OtherArg>,

    #[command(flatten)]
    at: AtArgs,

    #[command(flatten)]
    settings: SettingsArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OtherArg {
    /// Kuma.
    Kuma,
}

impl Inspect {
    pub(super) fn run(&self, output: &mut Output) -> Result<Outcome, anyhow::Error> {
        if let Some(question) = &self.question {
            let (query, place) = question.query();
            return place.answer.tell(&place.path, output, |analysis, form| {
                Ok(inspect::query(analysis, &query, form)?)
            });
        }
        match &self.proxy {
            Some(proxy) if self.with_shadow => return self.with_shadow(proxy, output),
            _ if self.answer.others.is_some() => return self.as_kuma(output),
            _ => {}
        }
        self.answer.tell(&self.path, output, |analysis, form| {
            let compiled = &analysis.compiled;
            Ok(match &self.proxy {
                Some(proxy) => inspect::proxy(compiled, proxy, form)?,
                None => inspect::proxies(compiled, form)?,
            })
        })
    }

    /// The first argument is a path of the API.
    fn as_kuma(&self, output: &mut Output) -> Result<Outcome, anyhow::Error> {
        let path = self.path.to_string_lossy();
        let directory = Path::new(self.proxy.as_deref().unwrap_or("."));
        let analysis = self.answer.opened(directory)?.analysed();
        let answer = kuma::answer(&analysis, &path)?;
        output.tell(&answer.text())?;
        match answer.refusal() {
            Some(refusal) => Err(anyhow!(refusal)),
            None => Ok(Outcome::Clean),
        }
    }

    fn with_shadow(&self, proxy: &str, output: &mut Output) -> Result<Outcome, anyhow::Error> {
        let mut opened = self.answer.opened(&self.path)?;
        let before = opened.sound(output);
        opened.settings.with_shadow = true;
        let after = opened.sound(output);
        let (Some(before), Some(after)) = (before, after) else {
            return Ok(Outcome::Findings);
        };
        let (before, after) = (&before.compiled, &after.compiled);
        let form = self.answer.form();
        output.tell(&inspect::with_shadow(before, after, proxy, form)?)?;
        Ok(Outcome::Clean)
    }
}

impl Question {
    fn query(&self) -> (Query, &PlaceArgs) {
        match self {
            Self::Policies(of) => (Query::Policies(of.dataplane.clone()), &of.place),
            Self::Outbounds(of) => (Query::Outbounds(of.dataplane.clone()), &of.place),
            Self::Routes(of) => {
                let (proxy, destination) = (of.dataplane.clone(), of.destination.clone());
                (Query::Routes(proxy, destination), &of.place)
            }
            Self::Inbounds(of) => (Query::Inbounds(of.dataplane.clone()), &of.place),
            Self::ProxyWide(of) => (Query::ProxyWide(of.dataplane.clone()), &of.place),
            Self::Identity(of) => (Query::Identity(of.dataplane.clone()), &of.place),
            Self::Hostnames(of) => (Query::Hostnames(of.service.clone()), &of.place),
            Self::Dataplanes(of) => (Query::Dataplanes(of.name.clone()), &of.place),
        }
    }
}

impl AnswerArgs {
    fn tell(
        &self,
        path: &Path,
        output: &mut Output,
        text: impl Fn(&Analysis, Form) -> Result<String, anyhow::Error>,
    ) -> Result<Outcome, anyhow::Error> {
        let Some(analysis) = self.opened(path)?.sound(output) else {
            return Ok(Outcome::Findings);
        };
        output.tell(&text(&analysis, self.form())?)?;
        Ok(Outcome::Clean)
    }

    fn form(&self) -> Form {
        self.format.into()
    }

    fn opened(&self, path: &Path) -> Result<Opened, anyhow::Error> {
        let mut opened = open::open_at(path, &self.at, &self.settings, [])?;
        if self.others == Some(OtherArg::Kuma) {
            opened.settings.compat = Compat::Kuma;
        }
        Ok(opened)
    }
}
