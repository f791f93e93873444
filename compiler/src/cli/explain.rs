//! `meshc explain`: the page of a code; what a proxy meant that refused a request; or why a request is allowed, denied or
//! routed as it is.
//!
//! Never says what a repository with errors would do: no proxy will ever have it.

use std::path::PathBuf;

use anyhow::{anyhow, bail, ensure};
use clap::Args;
use mesh_bundle::RefusalNote;

use super::form::FormArg;
use super::open::{AtArgs, Opened};
use super::output::Output;
use super::{Outcome, SettingsArgs, open};
use crate::Compiler;
use crate::diag::codes;
use crate::flow::Asked;
use crate::inspect::{self, Question};
use crate::similar;
use crate::world::World;

/// The arguments.
#[derive(Debug, Args)]
#[command(override_usage = "meshc explain [CODE]
       meshc explain <X-MESH-REFUSAL> [OPTIONS]
       meshc explain --from <WHO> --to <WHAT> [METHOD PATH] [OPTIONS]")]
pub(super) struct Explain {
    /// A code, as it stands in brackets: `dangling-ref`; or what a response has in `x-mesh-refusal`. With `--from` and `--to`, the method and the path of a request:
    /// `GET /orders`. Without both, all codes are listed, or a connection is asked about.
    #[arg(value_name = "CODE | X-MESH-REFUSAL | METHOD PATH", num_args = 0..=2)]
    words: Vec<String>,

    #[command(flatten)]
    way: WayArgs,

    /// The directory that holds the documents.
    #[arg(short = 'C', long, value_name = "DIRECTORY", default_value = ".")]
    path: PathBuf,

    /// For people or for programs.
    #[arg(long, value_enum, default_value_t = FormArg::Human, requires = "from")]
    format: FormArg,

    #[command(flatten)]
    at: AtArgs,

    #[command(flatten)]
    settings: SettingsArgs,
}

/// From whom to what.
#[derive(Debug, Args)]
#[command(next_help_heading = "A request or connection")]
struct WayArgs {
    /// Who sends it: a workload, a Dataplane, a service, a SPIFFE ID or a KRI; `Dataplane/web`, `Workload/web` and the like
    /// where a name means several things.
    #[arg(long, value_name = "WHO", requires = "to")]
    from: Option<String>,

    /// Where to: a service, its port (`api:http`) or hostname, a workload, a Dataplane or a KRI.
    #[arg(long, value_name = "WHAT", requires = "from")]
    to: Option<String>,

    /// The name or number of the port, where the service has several.
    #[arg(long, value_name = "PORT", requires = "from")]
    port: Option<String>,

    /// A header of the request. May be given more than once.
    #[arg(long = "header", value_name = "NAME: VALUE", requires = "from", value_parser = header)]
    headers: Vec<(String, String)>,

    /// Only this mesh.
    #[arg(long, value_name = "NAME", requires = "from")]
    mesh: Option<String>,
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once(':')
        .ok_or("write it as `name: value`, such as `x-user: 7`")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

impl Explain {
    pub(super) fn run(&self, output: &mut Output) -> Result<Outcome, anyhow::Error> {
        match (&self.way.from, &self.way.to) {
            (Some(from), Some(to)) => self.request(from, to, output),
            _ => self.code(output),
        }
    }

    fn code(&self, output: &mut Output) -> Result<Outcome, anyhow::Error> {
        let code = match self.words.as_slice() {
            [] => {
                let rows = codes()
                    .iter()
                    .map(|info| format!("{:24}{}\n", info.code.0, info.title));
                output.tell(&rows.collect::<String>())?;
                return Ok(Outcome::Clean);
            }
            [code] => code,
            _ => bail!("a request needs --from and --to: who sends it, and where to"),
        };
        if let Some(info) = codes().iter().find(|info| info.code.0 == code) {
            output.tell(info.page)?;
            return Ok(Outcome::Clean);
        }
        if let Some(text) = self.refusal(code)? {
            output.tell(&text)?;
            return Ok(Outcome::Clean);
        }
        let known = codes().iter().map(|info| info.code.0);
        let word = code.split_once(';').map_or(code.as_str(), |(code, _)| code);
        match similar::nearest(word, known.chain(inspect::refusals())) {
            Some(near) => bail!("there is no code `{code}`; did you mean `{near}`?"),
            None => bail!("there is no code `{code}`; `meshc explain` lists all"),
        }
    }

    /// What a proxy said of a request that it refused, explained; `None` where the word is nothing of that.
    fn refusal(&self, word: &str) -> Result<Option<String>, anyhow::Error> {
        let Ok(note) = word.parse::<RefusalNote>() else {
            return Ok(None);
        };
        let opened = self.world_of(&note)?;
        let world = opened.as_ref().map(|opened| opened.world() as &dyn World);
        Ok(inspect::refused(&note, world))
    }

    /// The repository as the proxy obeyed it, where it is here; otherwise as it is now.
    fn world_of(&self, note: &RefusalNote) -> Result<Option<Opened>, anyhow::Error> {
        if note.line().is_none() {
            return Ok(None);
        }
        let open = |at: &AtArgs| open::open_at(&self.path, at, &self.settings, []);
        let obeyed = open(&self.at.or(note.revision.clone()));
        obeyed.or_else(|_| open(&self.at)).map(Some)
    }

    fn request(&self, from: &str, to: &str, output: &mut Output) -> Result<Outcome, anyhow::Error> {
        let question = Question {
            from: from.to_owned(),
            to: to.to_owned(),
            port: self.way.port.clone(),
            mesh: self.way.mesh.clone(),
            request: asked(&self.words, &self.way.headers)?,
        };
        let opened = open::open_at(&self.path, &self.at, &self.settings, [])?;
        // Whether it is allowed or denied, the question is answered; findings leave it open.
        let mut compiler = Compiler::default();
        let analysis = opened.sound_by(&mut compiler, output).ok_or_else(|| {
            anyhow!("a repository with errors does nothing that could be explained")
        })?;
        let form = self.format.into();
        let text = inspect::explain(&analysis, (compiler, opened.world()), &question, form)?;
        output.tell(&text)?;
        Ok(Outcome::Clean)
    }
}

/// A request in words, such as `GET /orders` or `/orders`; `None`: nothing is said of it.
pub(super) fn asked(
    words: &[String],
    headers: &[(String, String)],
) -> Result<Option<Asked>, anyhow::Error> {
    let (method, target) = match words {
        [] if headers.is_empty() => return Ok(None),
        [] => ("GET", "/"),
        [target] => ("GET", target.as_str()),
        [method, target] => (method.as_str(), target.as_str()),
        _ => bail!("a request is a method and a path, such as `GET /orders`"),
    };
    ensure!(
        target.starts_with('/'),
        "`{target}` is no path: one begins with `/`, and stands behind a method, such as `GET /orders`"
    );
    let request = Asked::new(method, target);
    let headers = headers.iter();
    Ok(Some(headers.fold(request, |asked, (name, value)| {
        asked.with(name, value)
    })))
}
