//! Revisions of the git repository that a directory is in, read from its object database.
//!
//! Never touches the network, a work tree or a hook; never follows a link; never reads an object that is too large.

mod commits;
mod named;
mod quarantine;
mod readers;
mod sizes;
mod tree;
mod trouble;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use git2::{DiffOptions, Oid, Repository};

pub use commits::{Commit, Past};
pub use named::ByObject;
use readers::Readers;
pub use sizes::Sizes;
pub use tree::{GitWorld, Unreadable};
use trouble::SHALLOW;

/// Where changes go, by the names that it has in clones of people and of pipelines.
const MAIN: [&str; 3] = ["main", "origin/main", "origin/HEAD"];

/// A git repository, and a directory of it.
pub struct History {
    repository: Repository,
    /// The same for several threads at once.
    readers: Arc<Readers>,
    /// From the top of the work tree, with `/`; empty for the top itself.
    inside: String,
}

impl std::fmt::Debug for History {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("History").finish_non_exhaustive()
    }
}

impl History {
    /// Opens the repository that a directory is in.
    ///
    /// # Errors
    /// In words, with the directory: there is none, or it cannot be read, and what helps.
    pub fn open(path: &Path) -> Result<Self, String> {
        let found = Repository::discover(path);
        let repository = found.map_err(|error| trouble::unopened(path, &error))?;
        let repository = quarantine::with(repository);
        let top = repository.workdir().map(Path::to_path_buf);
        let path = path.canonicalize().map_err(|error| error.to_string())?;
        let inside = match top {
            None => PathBuf::new(),
            Some(top) => {
                let top = top.canonicalize().map_err(|error| error.to_string())?;
                let inside = path.strip_prefix(&top).map_err(|error| error.to_string())?;
                inside.to_path_buf()
            }
        };
        let inside = inside.to_str().ok_or("the path is not UTF-8")?;
        Ok(Self {
            readers: Arc::new(Readers::of(&repository)),
            repository,
            inside: inside.replace('\\', "/"),
        })
    }

    /// What a file of the directory is called from the top of the work tree.
    #[must_use]
    pub fn name(&self, file: &str) -> String {
        match self.inside.as_str() {
            "" => file.to_owned(),
            inside => format!("{inside}/{file}"),
        }
    }

    /// The directory at a revision, such as `main`, `HEAD~1` or a commit.
    ///
    /// # Errors
    /// In words.
    pub fn at(&self, revision: &str) -> Result<GitWorld, String> {
        self.world(self.commit(revision)?)
    }

    /// Is there no work tree that could be compared with anything?
    #[must_use]
    pub fn is_bare(&self) -> bool {
        self.repository.is_bare()
    }

    /// Is there nothing yet to compare with?
    #[must_use]
    pub fn has_no_commits(&self) -> bool {
        let mut references = self.repository.references().into_iter().flatten();
        references.next().is_none()
    }

    /// The directory where the branch at hand left `main`, the one of `origin` where there is none here.
    ///
    /// # Errors
    /// In words.
    pub fn main_base(&self) -> Result<GitWorld, String> {
        let known = MAIN.into_iter().find(|name| self.commit(name).is_ok());
        self.merge_base(known.unwrap_or("main"))
    }

    /// The directory where two revisions parted.
    ///
    /// # Errors
    /// In words.
    pub fn fork(&self, one: &str, other: &str) -> Result<GitWorld, String> {
        self.world(self.common(one, other)?)
    }

    /// The directory where the branch at hand left another one.
    ///
    /// # Errors
    /// In words.
    pub fn merge_base(&self, revision: &str) -> Result<GitWorld, String> {
        self.world(self.base(revision)?)
    }

    /// The files of the directory, called as from the top of the work tree, that are not what they were where the branch at hand left another one:
    /// changed, new, or taken away.
    ///
    /// # Errors
    /// In words.
    pub fn changed_since(&self, revision: &str) -> Result<BTreeSet<String>, String> {
        let said = |error: git2::Error| error.message().to_owned();
        let base = self.repository.find_commit(self.base(revision)?);
        let tree = base.and_then(|commit| commit.tree()).map_err(said)?;
        let mut options = DiffOptions::new();
        // What git ignores is read all the same.
        options
            .include_untracked(true)
            .recurse_untracked_dirs(true)
            .include_ignored(true)
            .recurse_ignored_dirs(true)
            .skip_binary_check(true);
        if !self.inside.is_empty() {
            options.disable_pathspec_match(true).pathspec(&self.inside);
        }
        let diff = self
            .repository
            .diff_tree_to_workdir_with_index(Some(&tree), Some(&mut options));
        let mut changed = BTreeSet::new();
        for delta in diff.map_err(said)?.deltas() {
            for file in [delta.old_file(), delta.new_file()] {
                if let Some(path) = file.path_bytes() {
                    changed.insert(String::from_utf8_lossy(path).into_owned());
                }
            }
        }
        Ok(changed)
    }

    fn base(&self, revision: &str) -> Result<Oid, String> {
        self.common(revision, "HEAD")
    }

    fn common(&self, revision: &str, other: &str) -> Result<Oid, String> {
        let base = self
            .repository
            .merge_base(self.commit(revision)?, self.commit(other)?);
        base.map_err(|_| {
            let why = if self.repository.is_shallow() {
                SHALLOW
            } else {
                ""
            };
            format!("`{revision}` and `{other}` have no common commit{why}")
        })
    }

    fn commit(&self, revision: &str) -> Result<Oid, String> {
        let found = self.repository.revparse_single(revision);
        let commit = found.and_then(|object| object.peel_to_commit());
        let commit = commit.map_err(|_| self.missing(revision))?;
        Ok(commit.id())
    }

    /// Why a revision is not there.
    fn missing(&self, revision: &str) -> String {
        if self.has_no_commits() {
            return format!("there is no revision `{revision}`: the repository has no commits yet");
        }
        let remote = format!("origin/{revision}");
        let why = match self.repository.revparse_single(&remote) {
            Ok(_) => format!("; there is `{remote}`"),
            Err(_) if self.repository.is_shallow() => SHALLOW.to_owned(),
            Err(_) => String::new(),
        };
        format!("there is no revision `{revision}`{why}")
    }

    fn world(&self, id: Oid) -> Result<GitWorld, String> {
        let world = GitWorld::list((&self.readers, &self.repository), id, &self.inside);
        world.map_err(|why| {
            let help = match why {
                Unreadable::Damaged(_) => trouble::missing_object(&self.repository),
                Unreadable::Refused(_) => "",
            };
            format!("{why}{help}")
        })
    }
}

#[cfg(test)]
mod tests;
