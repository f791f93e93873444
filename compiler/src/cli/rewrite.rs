//! What fixes and `fmt` make of documents: written into their files, or printed as a difference.
//!
//! Never writes through a link, outside of what was read, or over a file that has changed since: each file is replaced as a
//! whole, or stays as it was.

#![expect(
    clippy::disallowed_methods,
    reason = "this is the place where meshc may write documents"
)]

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, Permissions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use similar::TextDiff;

use super::file::no_file_beside;
use super::open::Opened;
use super::output::Output;

/// Files by their names, as they were and as they shall be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rewritten<'a> {
    pub(super) before: &'a BTreeMap<String, String>,
    pub(super) after: &'a BTreeMap<String, String>,
}

impl<'a> Rewritten<'a> {
    fn files(self) -> impl Iterator<Item = (&'a str, &'a str, &'a str)> {
        let before = |name: &str| self.before.get(name).map(String::as_str);
        let files = self.after.iter();
        files.map(move |(name, after)| {
            (
                name.as_str(),
                before(name).unwrap_or_default(),
                after.as_str(),
            )
        })
    }
}

/// Prints what would be written, as a unified diff. What stands beside a change may be a secret.
pub(super) fn show(
    files: Rewritten<'_>,
    holds_secret: impl Fn(&str) -> bool,
    output: &mut Output,
) -> Result<(), anyhow::Error> {
    for (name, before, after) in files.files() {
        if holds_secret(name) {
            output.complain(&format!("{name} holds a Secret, and is not shown\n"));
            continue;
        }
        let diff = TextDiff::from_lines(before, after);
        let (from, to) = (format!("a/{name}"), format!("b/{name}"));
        output.tell(&diff.unified_diff().header(&from, &to).to_string())?;
    }
    Ok(())
}

/// Writes the files. Nothing is written where any of them cannot be.
pub(super) fn write(opened: &Opened, files: Rewritten<'_>) -> Result<(), anyhow::Error> {
    let mut ready = Vec::new();
    for (name, before, after) in files.files() {
        let path = opened
            .path(name)
            .ok_or_else(|| anyhow!("{name} is not a file that was read"))?;
        let replaced =
            no_link(&path, name).and_then(|()| Replacement::prepare(&path, before, after));
        ready.push(replaced.with_context(|| cannot_write(&path))?);
    }
    // As late as can be: writing the new files took a while.
    for replacement in &ready {
        let same = replacement.is_as_read();
        same.with_context(|| cannot_write(&replacement.old))?;
    }
    for replacement in ready {
        replacement.commit()?;
    }
    Ok(())
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write {}", path.display())
}

/// Below the directory that was given, nothing on the way to a file may be a link.
fn no_link(path: &Path, name: &str) -> Result<(), anyhow::Error> {
    for above in path.ancestors().take(name.split('/').count()) {
        if std::fs::symlink_metadata(above)?.is_symlink() {
            bail!("{} is a symbolic link", above.display());
        }
    }
    Ok(())
}

const CHANGED: &str = "it has changed since it was read: run meshc again";

/// The byte order mark, which is no part of the text.
const MARK: &[u8] = "\u{feff}".as_bytes();

/// A new file beside the old one, which takes its place in one step.
struct Replacement {
    old: PathBuf,
    /// What was in it, to the byte.
    before: Vec<u8>,
    new: PathBuf,
    done: bool,
}

impl Replacement {
    fn prepare(old: &Path, before: &str, text: &str) -> Result<Self, anyhow::Error> {
        let metadata = std::fs::symlink_metadata(old)?;
        if !metadata.is_file() {
            bail!("it is not a regular file");
        }
        let found = std::fs::read(old)?;
        let mark = if found.starts_with(MARK) { MARK } else { &[] };
        if found.get(mark.len()..) != Some(before.as_bytes()) {
            bail!(CHANGED);
        }
        let text = [mark, text.as_bytes()].concat();
        let name = old
            .file_name()
            .and_then(|name| name.to_str())
            .context("its name is not UTF-8")?;
        // Hidden, so that nobody takes it for a document.
        let new = old.with_file_name(format!(".{name}.meshc-{}", std::process::id()));
        let replacement = Self {
            old: old.to_path_buf(),
            before: found,
            new,
            done: false,
        };
        replacement.fill(&text, metadata.permissions())?;
        Ok(replacement)
    }

    fn is_as_read(&self) -> Result<(), anyhow::Error> {
        if std::fs::read(&self.old)? != self.before {
            bail!(CHANGED);
        }
        Ok(())
    }

    fn fill(&self, text: &[u8], permissions: Permissions) -> Result<(), anyhow::Error> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&self.new)
            .with_context(|| no_file_beside(&self.old))?;
        file.set_permissions(permissions)?;
        file.write_all(text)?;
        file.sync_all()?;
        Ok(())
    }

    fn commit(mut self) -> Result<(), anyhow::Error> {
        std::fs::rename(&self.new, &self.old)
            .with_context(|| format!("cannot replace {}", self.old.display()))?;
        self.done = true;
        if let Some(Ok(directory)) = self.old.parent().map(File::open) {
            // Not every file system can, and the rename has happened.
            let _ = directory.sync_all();
        }
        Ok(())
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if !self.done {
            // What is left behind is hidden and harmless.
            let _ = std::fs::remove_file(&self.new);
        }
    }
}

#[cfg(test)]
mod tests;
