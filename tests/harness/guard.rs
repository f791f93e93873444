//! What ends the processes under test when this process is killed and no destructor runs.
//!
//! Never kills what was reaped already: a number that is free again may be somebody else's.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

/// Reads the whole list of living processes on each line; at the end of its input, which the end of this process is, it kills
/// those of the last line.
const SCRIPT: &str = "trap '' INT TERM HUP; while read -r line; do live=$line; done; [ -z \"$live\" ] || kill -9 $live";

struct Guard {
    shell: Option<Child>,
    living: BTreeSet<u32>,
}

static GUARD: OnceLock<Mutex<Guard>> = OnceLock::new();

/// `pid` runs from now on.
pub(crate) fn born(pid: u32) {
    change(|living| living.insert(pid));
}

/// `pid` was waited for.
pub(crate) fn reaped(pid: u32) {
    change(|living| living.remove(&pid));
}

fn change(change: impl FnOnce(&mut BTreeSet<u32>) -> bool) {
    let guard = GUARD.get_or_init(|| Mutex::new(Guard::start()));
    let mut guard = guard.lock().unwrap_or_else(PoisonError::into_inner);
    change(&mut guard.living);
    guard.tell();
}

impl Guard {
    fn start() -> Self {
        let shell = Command::new("sh")
            .args(["-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self {
            // Without a shell there is no guard; destructors still do their part.
            shell: shell.ok(),
            living: BTreeSet::new(),
        }
    }

    fn tell(&mut self) {
        let list: Vec<String> = self.living.iter().map(u32::to_string).collect();
        if let Some(stdin) = self.shell.as_mut().and_then(|shell| shell.stdin.as_mut()) {
            // A guard that is gone cannot be told anything.
            let _ = writeln!(stdin, "{}", list.join(" "));
        }
    }
}
