//! The meshd that is measured: started, killed and started again on one state directory.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result};

use crate::cost;
use crate::process::Process;

/// Where proxies connect to.
pub(crate) const PORT: u16 = 5_680;
pub(crate) const ADDRESS: &str = "127.84.0.1:5680";
const ADMIN: &str = "127.84.0.1:5681";

/// meshd, running.
#[derive(Debug)]
pub(crate) struct Server {
    binary: PathBuf,
    repository: PathBuf,
    directory: PathBuf,
    process: Option<Process>,
}

impl Server {
    /// Starts it, and waits until it serves. How long that took is told beside it, in milliseconds.
    pub(crate) fn start(binary: &Path, repository: &Path, directory: &Path) -> Result<(Self, f64)> {
        let mut server = Self {
            binary: binary.to_owned(),
            repository: repository.to_owned(),
            directory: directory.to_owned(),
            process: None,
        };
        let took = server.begin()?;
        Ok((server, took))
    }

    /// Kills it without a word and starts it again; the milliseconds until it listens.
    pub(crate) fn restart(&mut self) -> Result<f64> {
        self.process = None;
        self.begin()
    }

    fn begin(&mut self) -> Result<f64> {
        let since = Instant::now();
        let mut command = Command::new(&self.binary);
        command.args([
            "run", "--ref", "main", "--listen", ADDRESS, "--admin", ADMIN,
        ]);
        command.arg("--repo").arg(&self.repository);
        command.arg("--state-dir").arg(self.state());
        let process = Process::start("meshd", &mut command, &self.directory)?;
        process.says("listening")?;
        self.process = Some(process);
        Ok(since.elapsed().as_secs_f64() * 1_000.0)
    }

    fn state(&self) -> PathBuf {
        self.directory.join("meshd")
    }

    /// The authority that meshd knows proxies by: certificate and key, PEM. The fleet's certificates are signed with it,
    /// since enrolments from one address are held to fifty a second.
    pub(crate) fn authority(&self) -> Result<String> {
        let path = self.state().join("ca").join("control.pem");
        std::fs::read_to_string(&path).with_context(|| path.display().to_string())
    }

    fn pids(&self) -> Vec<u32> {
        self.process.iter().map(Process::pid).collect()
    }

    /// Processor time so far, in seconds.
    pub(crate) fn processor(&self) -> Result<f64> {
        Ok(cost::processor(&self.pids())? / 1e9)
    }

    /// KiB that are its own.
    pub(crate) fn memory(&self) -> Result<f64> {
        cost::anonymous(&self.pids())
    }
}
