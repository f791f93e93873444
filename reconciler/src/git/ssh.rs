//! Git's protocol over SSH: the program `ssh` of OpenSSH carries it, so that libgit2 needs neither libssh2 nor OpenSSL.
//!
//! Never trusts a host key that the operator did not write down, never asks anybody anything, never reads a configuration or
//! an environment that is not meshd's, and never waits beyond the deadline of the fetch.

mod address;

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use git2::Remote;
use git2::transport::{Service, SmartSubtransport, SmartSubtransportStream, Transport};

pub(crate) use address::Address;

use super::access::Access;
use super::{Failure, PACK_LIMIT, deadline};
use crate::settings::{self, Source};

/// Bytes of the list of references: a million of them fit.
const REFERENCES_LIMIT: usize = 128 << 20;
/// Bytes of what `ssh` complains about that are kept.
const WORDS_LIMIT: u64 = 16 * 1024;
/// Characters of it that are shown.
const SHOWN: usize = 300;
/// Where `ssh` is looked for.
const PROGRAMS: &str = "/usr/local/bin:/usr/bin:/bin";
/// What OpenSSH would do by itself, and must not.
const OPTIONS: [&str; 18] = [
    "BatchMode=yes",
    "StrictHostKeyChecking=yes",
    "GlobalKnownHostsFile=/dev/null",
    "UpdateHostKeys=no",
    "VerifyHostKeyDNS=no",
    "IdentitiesOnly=yes",
    "IdentityAgent=none",
    "PreferredAuthentications=publickey",
    "ClearAllForwardings=yes",
    "ForwardAgent=no",
    "PermitLocalCommand=no",
    "ControlMaster=no",
    "ControlPath=none",
    "ProxyCommand=none",
    "EscapeChar=none",
    "ConnectTimeout=10",
    "ServerAliveInterval=5",
    "LogLevel=ERROR",
];

/// How to get in at one server.
#[derive(Debug, Clone)]
pub(super) struct Login {
    address: Address,
    key: PathBuf,
    known_hosts: PathBuf,
}

impl Login {
    /// Of a source that SSH reaches; checks what can be checked here.
    pub(super) fn read(source: &Source, address: Address) -> Result<Self, Failure> {
        // Again: a directory may stand before what the settings have judged.
        let judged = source.ssh.as_ref().map_or(Ok(()), settings::Ssh::check);
        judged.map_err(Failure::Stalled)?;
        let Some(settings::Ssh { key, known_hosts }) = source.ssh.clone() else {
            let why = "needs `ssh = { key = \"FILE\", known-hosts = \"FILE\" }` in a `[[source]]` of `meshd.toml`";
            return Err(Failure::Stalled(format!("`{}` {why}", source.repository)));
        };
        for path in [&key, &known_hosts] {
            let read = std::fs::File::open(path);
            let why = read.map_err(|error| format!("`{}` cannot be read: {error}", path.display()));
            why.map_err(Failure::Unauthorized)?;
        }
        Ok(Self {
            address,
            key,
            known_hosts,
        })
    }

    fn command(&self) -> Command {
        let Address {
            user, host, port, ..
        } = &self.address;
        let mut command = Command::new("ssh");
        command.env_clear().env("PATH", PROGRAMS).env("LC_ALL", "C");
        command.args(["-F", "none", "-T"]);
        for option in OPTIONS {
            command.args(["-o", option]);
        }
        // Such a path may stand in quotes: the settings have judged it.
        let quoted = |path: &Path| format!("\"{}\"", path.display());
        command.args([
            "-o",
            &format!("UserKnownHostsFile={}", quoted(&self.known_hosts)),
        ]);
        command.args(["-o", &format!("IdentityFile={}", quoted(&self.key))]);
        if let Some(port) = port {
            command.args(["-p", &port.to_string()]);
        }
        if let Some(user) = user {
            command.args(["-l", user]);
        }
        command.args(["--", host, &self.address.command()]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(Stdio::piped());
        command
    }
}

/// The transport of a remote, for what is being fetched.
pub(super) fn transport(remote: &Remote<'_>) -> Result<Transport, git2::Error> {
    Transport::smart(remote, false, Ssh)
}

struct Ssh;

impl SmartSubtransport for Ssh {
    fn action(
        &self,
        _url: &str,
        service: Service,
    ) -> Result<Box<dyn SmartSubtransportStream>, git2::Error> {
        // The stream of the list is that of the pack too: libgit2 asks for one.
        let (Service::UploadPackLs, Some(Access::Ssh(login))) = (service, Access::current()) else {
            return Err(failure("meshd only fetches"));
        };
        let session = Session::begin(&login);
        Ok(Box::new(session.map_err(|why| failure(&why))?))
    }

    fn close(&self) -> Result<(), git2::Error> {
        Ok(())
    }
}

/// A running `ssh`. It ends when this does, and at the deadline.
struct Session {
    child: Arc<Mutex<Child>>,
    known_hosts: PathBuf,
    input: Option<ChildStdin>,
    output: ChildStdout,
    words: Option<JoinHandle<String>>,
    /// Dropped: nobody has to watch any more.
    _over: Sender<()>,
    received: usize,
    asked: bool,
}

impl Session {
    fn begin(login: &Login) -> Result<Self, String> {
        let left = deadline::left().ok_or("the fetch takes too long")?;
        let mut child = login
            .command()
            .spawn()
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => {
                    format!("the program `ssh` of OpenSSH is not installed in {PROGRAMS}")
                }
                _ => format!("`ssh` does not start: {error}"),
            })?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(input), Some(output), Some(words)) = pipes else {
            return Err("`ssh` has no pipes".to_owned());
        };
        let child = Arc::new(Mutex::new(child));
        let (over, watched) = channel();
        let watch = Arc::clone(&child);
        std::thread::spawn(move || end_after(left, &watched, &watch));
        Ok(Self {
            child,
            known_hosts: login.known_hosts.clone(),
            input: Some(input),
            output,
            words: Some(std::thread::spawn(move || complaints(words))),
            _over: over,
            received: 0,
            asked: false,
        })
    }

    /// Why there is nothing more to read; `None` where that is as it should be.
    fn trouble(&mut self) -> Option<io::Error> {
        self.input = None;
        // Both end with the process, which ends at the deadline.
        let words = self.words.take()?.join().unwrap_or_default();
        let status = {
            let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
            child.wait()
        };
        if status.is_ok_and(|status| status.success()) {
            return None;
        }
        if deadline::left().is_none() {
            return Some(late());
        }
        let (why, unauthorized) = explain(&words, &self.known_hosts);
        if unauthorized {
            deadline::note_unauthorized();
        }
        Some(io::Error::other(why))
    }
}

impl Read for Session {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.output.read(buffer)?;
        self.received += count;
        let most = match self.asked {
            true => REFERENCES_LIMIT + PACK_LIMIT,
            false => REFERENCES_LIMIT,
        };
        if self.received > most {
            return Err(io::Error::other("the server sends too much"));
        }
        match count {
            0 => self.trouble().map_or(Ok(0), Err),
            count => Ok(count),
        }
    }
}

impl Write for Session {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.asked = true;
        let Some(input) = &mut self.input else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        match input.write(bytes) {
            Ok(count) => Ok(count),
            Err(error) => Err(self.trouble().unwrap_or(error)),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.input.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.input = None;
        end(&self.child);
    }
}

fn end(child: &Mutex<Child>) {
    let mut child = child.lock().unwrap_or_else(PoisonError::into_inner);
    // It may have ended by itself.
    let _ = child.kill();
    let _ = child.wait();
}

fn end_after(left: Duration, over: &Receiver<()>, child: &Mutex<Child>) {
    if over.recv_timeout(left) == Err(RecvTimeoutError::Timeout) {
        end(child);
    }
}

fn complaints(mut words: ChildStderr) -> String {
    let mut text = Vec::new();
    let read = (&mut words).take(WORDS_LIMIT).read_to_end(&mut text);
    // What does not fit is read all the same: who cannot complain would hang.
    let rest = io::copy(&mut words, &mut io::sink());
    if let Err(error) = read.map(drop).and(rest.map(drop)) {
        tracing::debug!(%error, "what ssh says cannot be read");
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// In words for people, and whether it is about who somebody is.
fn explain(words: &str, known_hosts: &Path) -> (String, bool) {
    let names = known_hosts.display();
    if words.contains("IDENTIFICATION HAS CHANGED") {
        let why = format!(
            "the server shows another host key than `{names}` has for it: somebody may be in between"
        );
        return (why, true);
    }
    if words.contains("Host key verification failed") {
        return (
            format!("no host key of the server stands in `{names}`"),
            true,
        );
    }
    if words.contains("Permission denied") {
        let bad = words.contains("UNPROTECTED PRIVATE KEY FILE");
        let why = match bad {
            true => {
                "others may read the file of the key, so ssh does not use it: give it mode 0600"
            }
            false => "the server does not let the key in",
        };
        return (why.to_owned(), true);
    }
    let mut lines = words.lines().rev().map(str::trim);
    let last = lines.find(|line| !line.is_empty());
    let last = last.unwrap_or("ssh ended without a word").chars();
    (last.take(SHOWN).collect(), false)
}

fn late() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the fetch takes too long")
}

fn failure(why: &str) -> git2::Error {
    git2::Error::new(git2::ErrorCode::GenericError, git2::ErrorClass::Ssh, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ssh_says_is_said_in_words() {
        let known = Path::new("/etc/meshd/known_hosts");
        for (words, said, unauthorized) in [
            (
                "@@@\nWARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!\nHost key verification failed.\n",
                "another host key than `/etc/meshd/known_hosts` has",
                true,
            ),
            (
                "No ED25519 host key is known for h and you have requested strict checking.\nHost key verification failed.\n",
                "no host key of the server stands in `/etc/meshd/known_hosts`",
                true,
            ),
            (
                "git@h: Permission denied (publickey).\n",
                "does not let the key in",
                true,
            ),
            (
                "WARNING: UNPROTECTED PRIVATE KEY FILE!\ngit@h: Permission denied (publickey).",
                "mode 0600",
                true,
            ),
            (
                "fatal: '/x' does not appear to be a git repository\n\n",
                "fatal: '/x'",
                false,
            ),
            ("", "without a word", false),
        ] {
            let (why, found) = explain(words, known);
            assert!(why.contains(said), "{why}");
            assert_eq!(found, unauthorized, "{words}");
        }
    }
}
