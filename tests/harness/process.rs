//! One process under test.
//!
//! Never outlives its owner, and never loses what it said.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use tokio::sync::watch;

use crate::guard;
use crate::log::Log;
use crate::patience::PATIENCE;
use crate::secrecy;

/// A child with its log. Ends when it is dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    pid: u32,
    child: Arc<Mutex<Child>>,
    log: Log,
    status: watch::Receiver<Option<ExitStatus>>,
}

impl Process {
    /// Starts `command` with its stderr read into a [`Log`].
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(name: &str, command: &mut Command) -> Self {
        command.stdin(Stdio::null());
        command.stdout(Stdio::null());
        command.stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        let pid = child.id();
        guard::born(pid);
        let stderr = child.stderr.take();
        let child = Arc::new(Mutex::new(child));
        let log = Log::new(name);
        let (sender, status) = watch::channel(None);
        let (reader_log, reader_child) = (log.clone(), Arc::clone(&child));
        std::thread::spawn(move || {
            if let Some(stderr) = stderr {
                let mut lines = BufReader::new(stderr).split(b'\n');
                while let Some(Ok(line)) = lines.next() {
                    reader_log.push(String::from_utf8_lossy(&line).into_owned());
                }
            }
            let mut child = reader_child.lock().unwrap_or_else(PoisonError::into_inner);
            let status = child.wait().ok();
            guard::reaped(pid);
            reader_log.close();
            // Nobody listens when the process was dropped.
            let _ = sender.send(status);
        });
        Self {
            name: name.to_owned(),
            pid,
            child,
            log,
            status,
        }
    }

    /// What it said so far.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Its number.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// True until it ends.
    #[must_use]
    pub fn runs(&self) -> bool {
        self.status.borrow().is_none()
    }

    /// SIGKILL, and waits until it is gone.
    pub async fn kill(&self) {
        self.strike();
        self.exited().await;
    }

    /// SIGTERM: what a service manager sends first.
    pub fn terminate(&self) {
        // The standard library sends nothing but SIGKILL; every shell can.
        let sent = Command::new("sh")
            .args(["-c", &format!("kill -TERM {}", self.pid)])
            .status();
        assert!(
            sent.as_ref().is_ok_and(ExitStatus::success),
            "{} was not there to be stopped: {sent:?}\n{}",
            self.name,
            self.log
        );
    }

    /// How it ended, as soon as it has.
    ///
    /// # Panics
    /// When it has not within [`PATIENCE`].
    pub async fn exited(&self) -> ExitStatus {
        let mut status = self.status.clone();
        let ended = status.wait_for(Option::is_some);
        match tokio::time::timeout(PATIENCE, ended).await {
            Ok(Ok(status)) => status.unwrap_or_default(),
            Ok(Err(_)) => panic!("nobody waits for {}", self.name),
            Err(_) => panic!(
                "{} did not end within {PATIENCE:?}\n{}",
                self.name, self.log
            ),
        }
    }

    /// How it ended; `None` where it runs for longer.
    pub(crate) async fn ends_within(&self, limit: Duration) -> Option<ExitStatus> {
        let mut status = self.status.clone();
        let ended = tokio::time::timeout(limit, status.wait_for(Option::is_some)).await;
        *ended.ok()?.ok()?
    }

    fn strike(&self) {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        // It may be gone already.
        let _ = child.kill();
    }

    /// Resident memory in KiB, where the system tells it.
    #[must_use]
    pub fn resident_kib(&self) -> Option<u64> {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let line = text.lines().find(|line| line.starts_with("VmRSS:"))?;
        line.split_whitespace().nth(1)?.parse().ok()
    }

    /// How long processors have worked for it, in hundredths of a second, rounded down; whatever else the machine does.
    ///
    /// # Panics
    /// When the system does not tell.
    #[must_use]
    pub fn worked(&self) -> Duration {
        let text = std::fs::read_to_string(format!("/proc/{}/stat", self.pid));
        let text = text.unwrap_or_else(|error| panic!("work of {}: {error}", self.name));
        // proc(5): what follows the name begins with the third field; user and system time are the 14th and 15th.
        let fields = text.rsplit_once(") ").map(|(_, fields)| fields);
        let fields: Vec<_> = fields.unwrap_or_default().split(' ').collect();
        let hundredths = |field: usize| -> u64 {
            let text = fields.get(field - 3).copied().unwrap_or_default();
            text.parse()
                .unwrap_or_else(|_| panic!("no number in {fields:?}"))
        };
        Duration::from_millis(10 * (hundredths(14) + hundredths(15)))
    }

    /// How many files and sockets it has open.
    ///
    /// # Panics
    /// When the system does not tell.
    #[must_use]
    pub fn descriptors(&self) -> u64 {
        let open = std::fs::read_dir(format!("/proc/{}/fd", self.pid)).map(Iterator::count);
        let open = open.unwrap_or_else(|error| panic!("files of {}: {error}", self.name));
        u64::try_from(open).unwrap_or(u64::MAX)
    }

    /// From now on it can open files and sockets up to this number.
    ///
    /// # Panics
    /// When the system does not allow it.
    pub fn limit_descriptors(&self, most: u64) {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        let limit = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        prlimit(pid, Resource::Nofile, limit)
            .unwrap_or_else(|error| panic!("limit of {}: {error}", self.name));
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.strike();
        // Its addresses and its directory are free afterwards.
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = child.wait();
        drop(child);
        let leak = secrecy::mark_in(&self.log);
        assert!(leak.is_none() || std::thread::panicking(), "{leak:?}");
    }
}
