//! mesh-proxy as a process, and what it says on its admin port.
//!
//! Never asks again and again: readiness is a request that answers when it is there.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mesh_bundle::Digest;
use serde_json::Value;

use crate::binary;
use crate::client::Client;
use crate::log::{Line, Log};
use crate::patience::PATIENCE;
use crate::process::Process;
use crate::secrecy;

/// The shortest life of a certificate that the language knows, and some patience.
const LIFETIME: Duration = Duration::from_secs(75);

/// One mesh-proxy: its arguments stay the same when it is started again.
#[derive(Debug)]
pub struct Proxy {
    name: String,
    state: PathBuf,
    /// What it is started by; empty: by us.
    through: Vec<String>,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    process: Mutex<Option<Arc<Process>>>,
}

impl Proxy {
    /// Not started yet. The state is kept in `state/<name>`.
    #[must_use]
    pub fn new(name: &str, meshd: &str, token: &Path, state: &Path) -> Self {
        let state: PathBuf = state.join(name);
        let words = [
            "run",
            "--meshd",
            meshd,
            "--token-file",
            &token.to_string_lossy(),
            "--state-dir",
            &state.to_string_lossy(),
            "--admin",
            "127.0.0.1:0",
            "--log-format",
            "json",
        ];
        Self {
            name: name.to_owned(),
            through: Vec::new(),
            arguments: words.iter().map(|word| (*word).to_owned()).collect(),
            state,
            environment: Vec::new(),
            process: Mutex::new(None),
        }
    }

    /// The same with more arguments.
    #[must_use]
    pub fn with(mut self, more: &[&str]) -> Self {
        self.arguments
            .extend(more.iter().map(|word| (*word).to_owned()));
        self
    }

    /// The same with these variables in its environment.
    #[must_use]
    pub fn knowing(mut self, variables: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        self.environment.extend(variables.iter().map(owned));
        self
    }

    /// The same, started by the program that these words begin with.
    #[must_use]
    pub fn through(mut self, words: Vec<String>) -> Self {
        self.through = words;
        self
    }

    /// Starts it, again where it was started before, and does not wait for anything.
    pub fn launch(&self) -> Arc<Process> {
        let program = binary("mesh-proxy");
        let mut command = match self.through.split_first() {
            None => Command::new(program),
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(program);
                command
            }
        };
        command.args(&self.arguments);
        // Where tests run, telemetry of the tests may be wanted somewhere.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("OTEL_") {
                command.env_remove(name);
            }
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let process = Arc::new(Process::start(&self.name, &mut command));
        secrecy::listens(&self.state, process.log());
        let mut place = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        *place = Some(Arc::clone(&process));
        process
    }

    /// Starts it, again where it was started before, and waits until it is ready.
    pub async fn start(&self) {
        self.launch();
        self.ready().await;
    }

    /// The line with which it says that it serves.
    pub async fn ready(&self) -> Line {
        self.log().says(0, "ready", &[]).await
    }

    /// Its Dataplane.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The process that was started last.
    ///
    /// # Panics
    /// When none was.
    #[must_use]
    pub fn process(&self) -> Arc<Process> {
        let place = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(
            place
                .as_ref()
                .unwrap_or_else(|| panic!("{} was not started", self.name)),
        )
    }

    /// What the process that was started last said.
    #[must_use]
    pub fn log(&self) -> Log {
        self.process().log().clone()
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

    /// A client for its admin port.
    pub async fn admin(&self) -> Client {
        let line = self.log().says(0, "listening", &[]).await;
        let admin = line.field("admin");
        let address = admin
            .parse()
            .unwrap_or_else(|error| panic!("{}: admin `{admin}`: {error}", self.name));
        Client::http1(address)
    }

    /// `/config` as it is now.
    pub async fn config(&self) -> Value {
        self.admin().await.get("/config").await.json()
    }

    /// Waits until what it is configured with, endpoints included, fulfils the condition.
    ///
    /// # Panics
    /// When it does not within [`PATIENCE`].
    pub async fn configured(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let mut path = "/config".to_owned();
        let search = async {
            loop {
                let answer = self.admin().await.get(&path).await;
                let config: Value = answer.json();
                if holds(&config) {
                    return config;
                }
                let seen = Digest::of(answer.text().as_bytes());
                path = format!("/config?timeout={}s&unlike={seen}", PATIENCE.as_secs());
            }
        };
        match tokio::time::timeout(PATIENCE, search).await {
            Ok(config) => config,
            Err(_) => panic!(
                "{} never had {what}; it has {}\n{}",
                self.name,
                self.config().await,
                self.log()
            ),
        }
    }

    /// The text of `/metrics`.
    pub async fn metrics(&self) -> String {
        self.admin().await.get("/metrics").await.text().to_owned()
    }

    /// Waits until it says that it is ready, on its admin port.
    ///
    /// # Panics
    /// When it does not within [`PATIENCE`].
    pub async fn readyz(&self) {
        let path = format!("/readyz?timeout={}s", PATIENCE.as_secs().saturating_sub(5));
        let answer = self.admin().await.get(&path).await;
        assert!(
            answer.status == 200,
            "{} is not ready: {}\n{}",
            self.name,
            answer.text(),
            self.log()
        );
    }

    /// Returns when it has a certificate for its workload that it did not begin with.
    pub async fn renewed(&self) {
        self.renewed_since(0).await;
    }

    /// Returns when it has taken another certificate for its workload after this mark of its log.
    pub async fn renewed_since(&self, mark: usize) {
        let log = self.log();
        let renewed = |line: &Line| line.message() == "certificate renewed";
        log.find_within(LIFETIME, mark, "that it has a new certificate", renewed)
            .await;
    }
}
