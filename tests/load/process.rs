//! A process that runs as long as its owner, and what it says.
//!
//! Never left behind: dropped, it is killed and waited for.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// For anything that must happen after a start.
const PATIENCE: Duration = Duration::from_secs(60);

/// One process, with its output.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    lines: Receiver<String>,
    name: String,
}

impl Process {
    /// Starts it; what it says is kept in `log` too.
    pub(crate) fn start(name: &str, command: &mut Command, log: &Path) -> Result<Self> {
        command.stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn();
        let mut child = child.with_context(|| format!("{name} does not start"))?;
        let (sender, lines) = channel();
        let outputs: [Option<Box<dyn Read + Send>>; 2] = [
            child.stdout.take().map(|out| Box::new(out) as _),
            child.stderr.take().map(|out| Box::new(out) as _),
        ];
        for output in outputs.into_iter().flatten() {
            let sender = sender.clone();
            let path = log.join(format!("{name}.log"));
            let mut file = std::fs::File::options()
                .create(true)
                .append(true)
                .open(path)?;
            thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    // Both are for whoever looks; the process goes on without them.
                    let _ = writeln!(file, "{line}");
                    let _ = sender.send(line);
                }
            });
        }
        let name = name.to_owned();
        Ok(Self { child, lines, name })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it says something.
    pub(crate) fn says(&self, what: &str) -> Result<String> {
        let deadline = Instant::now() + PATIENCE;
        let mut last = Vec::new();
        loop {
            match self
                .lines
                .recv_timeout(deadline - Instant::now().min(deadline))
            {
                Ok(line) if line.contains(what) => return Ok(line),
                Ok(line) => last.push(line),
                Err(why) => {
                    let ended = why == RecvTimeoutError::Disconnected;
                    let how = if ended { "ended" } else { "is silent" };
                    bail!(
                        "{} {how} before it said `{what}`:\n{}",
                        self.name,
                        last.join("\n")
                    )
                }
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> Result<String> {
    let shown = format!("{command:?}");
    let output = command.output().with_context(|| shown.clone())?;
    if !output.status.success() {
        bail!("{shown}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
