//! `meshc check --watch`, over a process that runs until it is told to end.
//!
//! Never sleeps: each step waits for what the process says, and the deadline is for a process that says nothing.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use super::run::{Repo, limited};

const DEADLINE: Duration = Duration::from_secs(20);

const GOOD: &str = "type: Mesh\nname: default\n";
const BAD: &str = "type: Mesh\nname: Default\n";

struct Watching {
    child: Child,
    lines: Receiver<String>,
    waits: Receiver<String>,
}

fn lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines() {
            // Who asked may have gone.
            if line.is_ok_and(|line| sender.send(line).is_ok()) {
                continue;
            }
            break;
        }
    });
    receiver
}

impl Watching {
    fn start(repo: &Repo, arguments: &[&str]) -> Self {
        let mut command = limited();
        command.args(["check", "--watch"]).args(arguments);
        Self::spawn(command, repo)
    }

    fn spawn(mut command: Command, repo: &Repo) -> Self {
        command.current_dir(repo.root()).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("meshc starts");
        let stdout = lines(child.stdout.take().expect("a pipe"));
        let stderr = lines(child.stderr.take().expect("a pipe"));
        Self {
            child,
            lines: stdout,
            waits: stderr,
        }
    }

    /// What is said until the process waits again, or is told by the last line of a page.
    fn until(&self, last: &str) -> Vec<String> {
        let mut page = Vec::new();
        while !page.last().is_some_and(|line: &String| line.contains(last)) {
            let line = self.lines.recv_timeout(DEADLINE);
            page.push(line.unwrap_or_else(|_| panic!("no {last:?} in {page:#?}")));
        }
        page
    }

    fn complains(&self, text: &str) {
        loop {
            let line = self.waits.recv_timeout(DEADLINE);
            if line.expect("something is said").contains(text) {
                return;
            }
        }
    }

    fn interrupt(mut self) {
        let kill = format!("kill -INT {}", self.child.id());
        let sent = Command::new("sh").arg("-c").arg(kill).status();
        assert!(sent.expect("a shell").success());
        // Its output ends with it.
        loop {
            match self.lines.recv_timeout(DEADLINE) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    panic!(
                        "it goes on after SIGINT; were these tests started where that is ignored (`&`, nohup)?"
                    )
                }
            }
        }
        let ended = self.child.wait().expect("an end");
        // A shell says 130 for it.
        assert_eq!(ended.signal(), Some(2), "{ended:?}");
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        // It has ended already where the test went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn each_change_is_a_new_page() {
    let repo = Repo::with("a.yaml", GOOD);
    let watching = Watching::start(&repo, &[]);
    assert_eq!(watching.until("document"), ["no problems in 1 document"]);
    repo.write("a.yaml", BAD);
    let page = watching.until("1 error in 1 document");
    assert_eq!(page[..2], ["", "---- changed ----"], "{page:#?}");
    assert!(page.iter().any(|line| line.contains("--> a.yaml:2:7")));
    // A directory that is made afterwards is watched too.
    std::fs::create_dir(repo.path("team")).expect("a directory");
    repo.write("team/b.yaml", GOOD);
    watching.until("1 error in 2 documents");
    repo.write("meshc.toml", "[lint]\nnonsense = 1\n");
    watching.complains("error: ");
    std::fs::remove_file(repo.path("meshc.toml")).expect("it is there");
    watching.until("1 error in 2 documents");
    std::fs::remove_dir_all(repo.path("team")).expect("it is there");
    repo.write("a.yaml", GOOD);
    watching.until("no problems in 1 document");
    watching.interrupt();
}

#[test]
fn a_directory_that_is_made_anew_is_watched_again() {
    let repo = Repo::with("mesh/a.yaml", GOOD);
    let watching = Watching::start(&repo, &["mesh"]);
    watching.until("no problems in 1 document");
    std::fs::remove_dir_all(repo.path("mesh")).expect("it is there");
    watching.complains("cannot read mesh: no such file or directory");
    repo.write("mesh/a.yaml", BAD);
    watching.until("1 error in 1 document");
    repo.write("mesh/a.yaml", GOOD);
    watching.until("no problems in 1 document");
    // As fast as `git switch` does it.
    repo.write("other/a.yaml", BAD);
    std::fs::rename(repo.path("mesh"), repo.path("old")).expect("it is there");
    std::fs::rename(repo.path("other"), repo.path("mesh")).expect("it is there");
    watching.until("1 error in 1 document");
    repo.write("mesh/a.yaml", GOOD);
    watching.until("no problems in 1 document");
    watching.interrupt();
}

#[test]
fn programs_get_nothing_but_findings() {
    let repo = Repo::with("a.yaml", GOOD);
    let watching = Watching::start(
        &repo,
        &["--format", "json-lines", "--report", "json=.all.json"],
    );
    watching.complains("watching for changes");
    repo.write("a.yaml", BAD);
    let line = watching.until("invalid-name");
    assert_eq!(line.len(), 1, "{line:#?}");
    watching.interrupt();
}

/// With nothing left of what the kernel tells changes by: in a namespace of its own, where that can be said.
#[test]
fn where_the_system_does_not_tell_files_are_looked_at() {
    const NONE_LEFT: &str = "echo 0 > /proc/sys/user/max_inotify_instances";
    let alone = |command: &str| {
        let mut alone = Command::new("unshare");
        alone.args(["--user", "--map-root-user", "sh", "-c", command]);
        alone
    };
    let able = alone(NONE_LEFT).output();
    if !able.is_ok_and(|able| able.status.success()) {
        eprintln!("skipped: no user namespace can be made here");
        return;
    }
    let repo = Repo::with("a.yaml", GOOD);
    let mut command = alone(&format!("{NONE_LEFT} && exec \"$0\" check --watch"));
    command.arg(mesh_tests::binary("meshc"));
    let watching = Watching::spawn(command, &repo);
    watching.complains("the system does not tell of changes (cannot watch files: ");
    watching.until("no problems in 1 document");
    repo.write("a.yaml", BAD);
    watching.until("1 error in 1 document");
    std::fs::create_dir(repo.path("team")).expect("a directory");
    repo.write("team/b.yaml", GOOD);
    watching.until("1 error in 2 documents");
    std::fs::remove_dir_all(repo.path("team")).expect("it is there");
    repo.write("a.yaml", GOOD);
    watching.until("no problems in 1 document");
    watching.interrupt();
}

#[test]
fn what_cannot_be_read_at_the_beginning_ends_it() {
    let repo = Repo::new();
    repo.meshc(&["check", "nowhere", "--watch"])
        .exits(2)
        .complains("cannot read nowhere");
    repo.meshc(&["check", "--watch", "--fix"]).exits(2);
}
