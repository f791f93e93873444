//! Directories with files, and runs of `meshc` on them.
//!
//! Never leaves a process behind: one that exceeds its deadline is killed.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use tempfile::TempDir;

/// What a run may take, however hostile its input: a few seconds of processor time, and much more where others want it too.
const DEADLINE: Duration = Duration::from_secs(60);

/// Of address space, in KiB.
const MEMORY: &str = "524288";

/// The example shop, a file each, so that a test can change one.
const SHOP: [(&str, &str); 9] = [
    ("mesh.yaml", include_str!("../../examples/shop/mesh.yaml")),
    (
        "web.yaml",
        include_str!("../../examples/shop/web/dataplane.yaml"),
    ),
    (
        "outsider.yaml",
        include_str!("../../examples/shop/outsider/dataplane.yaml"),
    ),
    (
        "services.yaml",
        include_str!("../../examples/shop/api/services.yaml"),
    ),
    (
        "api.yaml",
        include_str!("../../examples/shop/api/dataplanes.yaml"),
    ),
    (
        "canary.yaml",
        include_str!("../../examples/shop/api/canary.yaml"),
    ),
    (
        "timeouts.yaml",
        include_str!("../../examples/shop/api/timeouts.yaml"),
    ),
    (
        "permission.yaml",
        include_str!("../../examples/shop/api/permission.yaml"),
    ),
    ("db.yaml", include_str!("../../examples/shop/db/db.yaml")),
];

/// A directory that ends with the test.
pub(super) struct Repo {
    directory: TempDir,
}

/// How a run ended.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) code: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Repo {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        Self { directory }
    }

    pub(super) fn with(path: &str, bytes: impl AsRef<[u8]>) -> Self {
        let repo = Self::new();
        repo.write(path, bytes);
        repo
    }

    /// The shop, but for what these files hold.
    pub(super) fn shop_without(left_out: &[&str]) -> Self {
        let repo = Self::new();
        for name in left_out {
            assert!(SHOP.iter().any(|(own, _)| own == name), "no {name}");
        }
        for (path, text) in SHOP {
            if !left_out.contains(&path) {
                repo.write(path, text);
            }
        }
        repo
    }

    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    pub(super) fn write(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(path);
        let parent = path.parent().expect("a parent");
        std::fs::create_dir_all(parent).expect("directories");
        std::fs::write(path, bytes).expect("a file");
    }

    /// Runs `meshc` with this directory as its working directory.
    pub(super) fn meshc(&self, arguments: &[&str]) -> Ran {
        self.meshc_with(arguments, &[])
    }

    pub(super) fn meshc_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
        let mut command = limited();
        command.args(arguments).current_dir(self.directory.path());
        command
            .env_remove("NO_COLOR")
            .envs(environment.iter().copied());
        finish(command)
    }

    /// As [`Self::meshc`], with a text on standard input.
    pub(super) fn meshc_reading(&self, arguments: &[&str], text: &str) -> Ran {
        self.write(".stdin", text);
        let mut command = limited();
        command.args(arguments).current_dir(self.directory.path());
        let stdin = std::fs::File::open(self.path(".stdin")).expect("what was written");
        finish_reading(command, stdin.into())
    }

    /// Runs `git`, as nobody in particular.
    pub(super) fn git(&self, arguments: &[&str]) {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=Mesh", "-c", "user.email=mesh@example.test"]);
        command.args(arguments).current_dir(self.root());
        command.env("GIT_CONFIG_GLOBAL", "/dev/null");
        let output = command.output().expect("git runs");
        assert!(output.status.success(), "{output:?}");
    }

    /// Everything that is there, as the only commit of `main`.
    pub(super) fn committed(self) -> Self {
        self.git(&["init", "--quiet", "--initial-branch=main"]);
        self.git(&["add", "."]);
        self.git(&["commit", "--quiet", "--message", "All of it"]);
        self
    }

    pub(super) fn root(&self) -> &Path {
        self.directory.path()
    }
}

impl Ran {
    #[track_caller]
    pub(super) fn exits(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    #[track_caller]
    pub(super) fn says(&self, text: &str) -> &Self {
        assert!(self.stdout.contains(text), "no {text:?} in {self:#?}");
        self
    }

    #[track_caller]
    pub(super) fn complains(&self, text: &str) -> &Self {
        assert!(self.stderr.contains(text), "no {text:?} in {self:#?}");
        self
    }
}

/// `meshc`, with its memory bounded by the shell.
pub(super) fn limited() -> Command {
    let mut command = Command::new("sh");
    let script = format!("ulimit -v {MEMORY} && exec \"$0\" \"$@\"");
    command.arg("-c").arg(script);
    command.arg(mesh_tests::binary("meshc"));
    command
}

/// Waits until the process ends, or its deadline.
pub(super) fn finish(command: Command) -> Ran {
    finish_reading(command, Stdio::null())
}

fn finish_reading(mut command: Command, stdin: Stdio) -> Ran {
    command.stdin(stdin);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("meshc starts");
    let (sender, receiver) = mpsc::channel();
    let mut stdout = child.stdout.take().expect("a pipe");
    let mut stderr = child.stderr.take().expect("a pipe");
    let reader = std::thread::spawn(move || {
        let mut text = Vec::new();
        stderr.read_to_end(&mut text).expect("stderr");
        text
    });
    std::thread::spawn(move || {
        let mut text = Vec::new();
        stdout.read_to_end(&mut text).expect("stdout");
        // The receiver is gone when the deadline has passed.
        let _ = sender.send(text);
    });
    let Ok(stdout) = receiver.recv_timeout(DEADLINE) else {
        child.kill().expect("killed");
        child.wait().expect("an end");
        panic!("meshc ran for more than {DEADLINE:?}");
    };
    let status = child.wait().expect("an end");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran {
        code: status.code(),
        stdout: text(&stdout),
        stderr: text(&reader.join().expect("stderr")),
    }
}
