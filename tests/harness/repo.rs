//! A real git repository, made from an example and changed by commits.
//!
//! Never touches the examples, nor reads the git configuration of whoever runs the tests.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::block::Block;

/// A work tree with its history. Removed when it is dropped.
#[derive(Debug)]
pub struct Repo {
    directory: TempDir,
    block: Block,
}

impl Repo {
    /// The files of `examples/<name>` as the first commit, their addresses moved into the block.
    ///
    /// # Panics
    /// When the example or git is not there.
    #[must_use]
    pub fn from_example(name: &str, block: Block) -> Self {
        let repo = Self::empty(block);
        let example = example(name);
        let mut files = Vec::new();
        walk(&example, &mut files);
        assert!(!files.is_empty(), "{} holds no files", example.display());
        for file in files {
            let text = std::fs::read_to_string(&file).expect("a text of the example");
            let path = file.strip_prefix(&example).expect("a path of the example");
            repo.write(&path.to_string_lossy(), &text);
        }
        repo.commit("Begin");
        repo
    }

    /// These files, by their paths, as the first commit.
    #[must_use]
    pub fn from_files(files: &[(&str, &str)]) -> Self {
        let repo = Self::empty(Block::as_written());
        for (path, text) in files {
            repo.write(path, text);
        }
        repo.commit("Begin");
        repo
    }

    fn empty(block: Block) -> Self {
        let directory = TempDir::with_prefix("mesh-repo-").expect("a temporary directory");
        let repo = Self { directory, block };
        repo.git(&["init", "--quiet", "--initial-branch=main"]);
        // A person who looks around may have no name on this machine.
        repo.git(&["config", "user.name", "Mesh"]);
        repo.git(&["config", "user.email", "mesh@example.test"]);
        repo
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The addresses that its files use.
    #[must_use]
    pub fn block(&self) -> &Block {
        &self.block
    }

    /// The file as it is in the work tree.
    ///
    /// # Panics
    /// When it is not there.
    #[must_use]
    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.path().join(path))
            .unwrap_or_else(|error| panic!("{path} of the repository: {error}"))
    }

    /// Every file of the work tree, by its path in the repository.
    #[must_use]
    pub fn files(&self) -> Vec<String> {
        let mut files = Vec::new();
        walk(self.path(), &mut files);
        files
            .iter()
            .filter_map(|file| file.strip_prefix(self.path()).ok())
            .map(|path| path.to_string_lossy().into_owned())
            .collect()
    }

    /// Writes a file, its addresses moved into the block.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        let parent = path.parent().expect("a path below the repository");
        std::fs::create_dir_all(parent).expect("a directory of the repository");
        std::fs::write(&path, self.block.rewrite(text)).expect("a file of the repository");
    }

    /// Replaces every `old` of a file.
    ///
    /// # Panics
    /// When there is none: the story would tell of a change that is no change.
    pub fn replace(&self, path: &str, old: &str, new: &str) {
        let text = self.read(path);
        assert!(text.contains(old), "{path} holds no `{old}`:\n{text}");
        self.write(path, &text.replace(old, new));
    }

    /// Removes a file.
    ///
    /// # Panics
    /// When it is not there.
    pub fn remove(&self, path: &str) {
        std::fs::remove_file(self.path().join(path))
            .unwrap_or_else(|error| panic!("{path} of the repository: {error}"));
    }

    /// Commits the work tree as it is and returns the revision.
    pub fn commit(&self, subject: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", subject]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Runs git in the repository and returns what it prints.
    ///
    /// # Panics
    /// When it fails.
    pub fn git(&self, args: &[&str]) -> String {
        let mut command = Command::new("git");
        command.current_dir(self.path());
        command.args(["-c", "commit.gpgsign=false", "-c", "gc.auto=0"]);
        command.args(["-c", "maintenance.auto=false"]);
        command.args(args);
        command.env("GIT_CONFIG_NOSYSTEM", "1");
        command.env("GIT_CONFIG_GLOBAL", "/dev/null");
        // Set where the tests run from a git hook.
        command.env_remove("GIT_DIR").env_remove("GIT_INDEX_FILE");
        let output = command.output().expect("git");
        assert!(
            output.status.success(),
            "git {args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

fn example(name: &str) -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.join("../examples").join(name)
}

fn walk(directory: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return;
    };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        let path = entry.path();
        if path.is_dir() {
            walk(&path, files);
        } else {
            files.push(path);
        }
    }
    files.sort();
}
