//! meshd as a process, and what it says on its control socket.
//!
//! Never polls: a revision is waited for with the status request that answers when it has settled.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use tokio::net::UnixStream;

use crate::binary;
use crate::client::{Answer, Connection, Version, request_to};
use crate::clock::Clock;
use crate::patience::{PATIENCE, within};
use crate::process::Process;
use crate::secrecy;

/// One meshd: its arguments stay the same when it is started again.
#[derive(Debug)]
pub struct Meshd {
    repository: String,
    /// A file that says what else would stand on the command line.
    settings: Option<PathBuf>,
    more: Vec<String>,
    environment: Vec<(String, String)>,
    state: PathBuf,
    delivery: SocketAddr,
    admin: SocketAddr,
    process: Mutex<Option<Arc<Process>>>,
}

/// What a join token is bound to.
#[derive(Debug, Clone, Copy)]
pub enum Token<'a> {
    /// Any Dataplane of this workload.
    Workload(&'a str),
    /// One Dataplane.
    Dataplane(&'a str),
}

impl Token<'_> {
    /// The fields inside a token's text.
    ///
    /// # Panics
    /// When the text is no token.
    #[must_use]
    pub fn read(text: &str) -> Value {
        let said = text.trim().split('.').nth(1);
        let json = URL_SAFE_NO_PAD.decode(said.expect("a token with its format"));
        let json = json.expect("base64url");
        serde_json::from_slice(&json).expect("the fields of a token")
    }

    /// A token's text with these fields, under the signature of another.
    ///
    /// # Panics
    /// When the other is no token.
    #[must_use]
    pub fn write(fields: &Value, signed: &str) -> String {
        let (_, signature) = signed.trim().rsplit_once('.').expect("a token");
        let said = URL_SAFE_NO_PAD.encode(fields.to_string());
        format!("mesh1.{said}.{signature}")
    }
}

/// What meshd says of a revision that it has looked at.
#[derive(Debug, Clone)]
pub struct Settled {
    /// All of `/v1/status`.
    pub status: Value,
    /// How long it took from when we began to wait, which is right after the commit.
    pub after: Duration,
}

impl Settled {
    /// The revision that is served.
    #[must_use]
    pub fn revision(&self) -> &str {
        self.text("revision")
    }

    /// The digest of the bundle that is served.
    #[must_use]
    pub fn digest(&self) -> &str {
        self.text("digest")
    }

    /// What `meshc check` says about the last revision; empty when it is good.
    #[must_use]
    pub fn diagnostics(&self) -> &str {
        self.text("diagnostics")
    }

    fn text(&self, field: &str) -> &str {
        self.status.get(field).and_then(Value::as_str).unwrap_or("")
    }
}

impl Meshd {
    /// Not started yet; `repository` is a path or a URL.
    #[must_use]
    pub fn new(repository: &str, state: &Path, delivery: SocketAddr, admin: SocketAddr) -> Self {
        Self {
            repository: repository.to_owned(),
            settings: None,
            more: Vec::new(),
            environment: Vec::new(),
            state: state.to_path_buf(),
            delivery,
            admin,
            process: Mutex::new(None),
        }
    }

    /// Arguments of `meshd run` beyond those that every mesh needs.
    pub fn arguments(&mut self, more: &[&str]) {
        self.more.extend(more.iter().map(|word| (*word).to_owned()));
    }

    /// Lets it go by a clock of its own.
    pub fn clocked(&mut self, clock: &Clock) {
        self.environment.extend(clock.environment());
    }

    /// Lets a file of settings name the repository.
    pub fn configured(&mut self, settings: &Path) {
        self.settings = Some(settings.to_owned());
    }

    /// Starts it and waits until it listens.
    pub async fn start(&self) {
        let process = self.launch();
        process.log().says(0, "listening", &[]).await;
    }

    /// Starts it and does not wait for anything.
    pub fn launch(&self) -> Arc<Process> {
        let mut command = Command::new(binary("meshd"));
        command.arg("run");
        match &self.settings {
            Some(path) => command.arg("--config").arg(path),
            None => command.args(["--repo", &self.repository, "--ref", "main"]),
        };
        command.arg("--state-dir").arg(&self.state);
        command.args(["--listen", &self.delivery.to_string()]);
        command.args(["--admin", &self.admin.to_string()]);
        command.args(["--log-format", "json"]);
        command.args(&self.more);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let process = Arc::new(Process::start("meshd", &mut command));
        secrecy::listens(&self.state, process.log());
        let mut place = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        *place = Some(Arc::clone(&process));
        process
    }

    /// The process that was started last.
    ///
    /// # Panics
    /// When none was.
    #[must_use]
    pub fn process(&self) -> Arc<Process> {
        let place = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(place.as_ref().expect("meshd was started"))
    }

    /// The last lines of its log; nothing where it was never started.
    pub(crate) fn last_words(&self) -> String {
        let place = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        let process = place.as_ref();
        process.map_or_else(String::new, |process| process.log().to_string())
    }

    /// SIGKILL, and waits until it is gone.
    pub async fn kill(&self) {
        self.process().kill().await;
    }

    /// Where proxies connect to.
    #[must_use]
    pub fn delivery(&self) -> SocketAddr {
        self.delivery
    }

    /// Where it tells about itself.
    #[must_use]
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Its state directory.
    #[must_use]
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// A join token for the mesh `default`, written into `file`.
    pub async fn token(&self, bound: Token<'_>, file: &Path) {
        let (option, name) = match bound {
            Token::Workload(name) => ("--workload", name),
            Token::Dataplane(name) => ("--dataplane", name),
        };
        let file = file.to_string_lossy();
        let words = [
            "token", "--mesh", "default", option, name, "--output", &file,
        ];
        self.command(&words).await;
    }

    /// Runs a command of `meshd` that has nothing to do with the process or its state directory.
    ///
    /// # Panics
    /// When it fails.
    pub async fn alone(&self, words: &[&str]) {
        let mut command = Command::new(binary("meshd"));
        command.args(words);
        let output = tokio::task::spawn_blocking(move || command.output()).await;
        let output = output.expect("a task").expect("meshd");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "meshd {words:?}: {said}");
    }

    /// Runs a command of `meshd` on the state directory, beside the process that runs.
    ///
    /// # Panics
    /// When it fails.
    pub async fn command(&self, words: &[&str]) {
        let output = self.commanded(words).await;
        assert!(
            output.status.success(),
            "meshd {words:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// The same, whatever comes of it.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn commanded(&self, words: &[&str]) -> Output {
        let mut command = Command::new(binary("meshd"));
        command.args(words).arg("--state-dir").arg(&self.state);
        let output = tokio::task::spawn_blocking(move || command.output()).await;
        output.expect("a task").expect("meshd")
    }

    /// A request on its control socket.
    ///
    /// # Panics
    /// When there is no whole answer in time.
    pub async fn ask(&self, method: &str, path: &str, body: &str) -> Answer {
        let socket = self.state.join("control.sock");
        let mut request = request_to("meshd", method, path, body);
        let json = hyper::header::HeaderValue::from_static("application/json");
        let headers = request.headers_mut();
        headers.insert(hyper::header::CONTENT_TYPE, json);
        let answer = async {
            let stream = UnixStream::connect(&socket).await;
            let stream = stream.map_err(|error| error.to_string())?;
            let mut connection = Connection::over(stream, Version::Http1).await?;
            connection.send(request).await
        };
        let answer = within("a whole answer", answer).await;
        answer.unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// What it says of `revision` once it has looked at it and, where it published it, every connected proxy has acknowledged.
    ///
    /// # Panics
    /// When that does not happen within [`PATIENCE`].
    pub async fn settled(&self, revision: &str) -> Settled {
        let begin = Instant::now();
        let path = format!(
            "/v1/status?settled={revision}&timeout={}s",
            PATIENCE.as_secs().saturating_sub(5)
        );
        let answer = self.ask("GET", &path, "").await;
        assert!(
            answer.status == 200,
            "{revision} did not settle: {} {}\n{}",
            answer.status,
            answer.text(),
            self.process().log()
        );
        Settled {
            status: answer.json(),
            after: begin.elapsed(),
        }
    }

    /// What it says of itself now.
    pub async fn status(&self) -> Settled {
        let answer = self.ask("GET", "/v1/status", "").await;
        Settled {
            status: answer.json(),
            after: Duration::ZERO,
        }
    }
}
