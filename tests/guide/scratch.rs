//! A place where somebody tries what a page says: a home, a clone of this repository as far as pages need it, and the shop
//! as a repository of its own.
//!
//! Never reads the git configuration, the home or the clock of whoever runs the tests.

use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

pub(super) struct Scratch {
    directory: TempDir,
}

/// How a command ended, and what it printed to both outputs.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) code: Option<i32>,
    pub(super) text: String,
}

impl Scratch {
    /// With the shop as the last commit of `main`.
    pub(super) fn of_the_shop() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let scratch = Self { directory };
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
        let examples = examples.display();
        let made = scratch.shell(
            &format!(
                "mkdir clone home && cp -r {examples} clone/examples && cp -r {examples}/shop shop
                 cd shop && git init --quiet --initial-branch=main
                 git add mesh.yaml && git commit --quiet --message 'A mesh'
                 git add . && git commit --quiet --message 'The shop'"
            ),
            scratch.directory.path(),
        );
        assert_eq!(made.code, Some(0), "{made:#?}");
        scratch
    }

    /// Runs a script, in the clone or in the shop.
    pub(super) fn run(&self, script: &str, in_clone: bool) -> Done {
        let place = if in_clone { "clone" } else { "shop" };
        self.shell(script, &self.directory.path().join(place))
    }

    /// Writes a file of the shop.
    pub(super) fn write(&self, name: &str, text: &str) {
        let path = self.directory.path().join("shop").join(name);
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("directories");
        std::fs::write(path, text).expect("a file");
    }

    fn shell(&self, script: &str, directory: &Path) -> Done {
        let meshc = mesh_tests::binary("meshc");
        let programs = meshc.parent().expect("a directory").display().to_string();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut shell = Command::new("timeout");
        shell
            .args(["60", "sh", "-euc"])
            .arg(format!("exec 2>&1\n{script}"));
        shell.current_dir(directory).stdin(Stdio::null());
        shell.env("PATH", format!("{programs}:{path}"));
        shell.env("HOME", self.directory.path().join("home"));
        shell.env("GIT_CONFIG_GLOBAL", "/dev/null");
        shell.env("NO_COLOR", "1").env("TZ", "UTC");
        // As a person types it, also where a pipeline runs the test: some verbs write nothing there.
        shell.env_remove("CI").env_remove("TF_BUILD");
        for who in ["AUTHOR", "COMMITTER"] {
            shell.env(format!("GIT_{who}_NAME"), "Ada");
            shell.env(format!("GIT_{who}_EMAIL"), "ada@shop.example");
            shell.env(format!("GIT_{who}_DATE"), "2026-11-02T09:00:00Z");
        }
        let output = shell.output().expect("a shell");
        Done {
            code: output.status.code(),
            text: String::from_utf8_lossy(&output.stdout).into_owned(),
        }
    }
}
