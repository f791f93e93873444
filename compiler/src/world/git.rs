//! Revisions of the git repository that a directory is in, read from its object database.
//!
//! Never touches the network, a work tree or a hook; never follows a link; never reads an object that is too large.

mod commits;
mod named;
mod readers;
mod revision;
mod tree;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use git2::{DiffOptions, ObjectType, Oid, Repository};

pub use commits::{Commit, Past};
pub use named::ByObject;
use readers::Readers;
pub use revision::Revision;
pub use tree::GitWorld;

/// A git repository, and a directory of it.
pub struct History {
    repository: Repository,
    /// The same for several threads at once.
    readers: Readers,
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
    /// In words: there is none, or it cannot be read.
    pub fn open(path: &Path) -> Result<Self, String> {
        let said = |error: git2::Error| error.message().to_owned();
        let repository = Repository::discover(path).map_err(said)?;
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
            readers: Readers::of(&repository),
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
    pub fn at(&self, revision: &str) -> Result<GitWorld<'_>, String> {
        self.world(self.commit(revision)?)
    }

    /// The directory where the branch at hand left another one.
    ///
    /// # Errors
    /// In words.
    pub fn merge_base(&self, revision: &str) -> Result<GitWorld<'_>, String> {
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
        let (one, other) = (self.commit(revision)?, self.commit("HEAD")?);
        let base = self.repository.merge_base(one, other);
        base.map_err(|_| {
            format!(
                "`{revision}` and HEAD have no common commit: a shallow clone has to fetch more of the history"
            )
        })
    }

    fn commit(&self, revision: &str) -> Result<Oid, String> {
        let found = self.repository.revparse_single(revision);
        let commit = found.and_then(|object| object.peel_to_commit());
        let commit = commit.map_err(|_| format!("there is no revision `{revision}`"))?;
        Ok(commit.id())
    }

    fn world(&self, id: Oid) -> Result<GitWorld<'_>, String> {
        let said = |error: git2::Error| format!("commit {id}: {}", error.message());
        tree::bounded(&self.repository, id, ObjectType::Commit)?;
        let commit = self.repository.find_commit(id).map_err(said)?;
        let root = tree::find(&self.repository, commit.tree_id())?;
        GitWorld::list((&self.readers, &self.repository), id, root, &self.inside)
    }
}

#[cfg(test)]
mod tests;
