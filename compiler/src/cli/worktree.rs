//! Where the git work tree begins, and what its files are called from there.
//!
//! Never asks git: a work tree is the nearest directory above with a `.git`.

use std::path::{Path, PathBuf};

/// The top of the work tree that a path is in.
pub(super) fn top(path: &Path) -> Option<PathBuf> {
    let path = path.canonicalize().ok()?;
    let top = path.ancestors().find(|above| above.join(".git").exists());
    top.map(Path::to_path_buf)
}

/// What a file or directory is called from the top of its work tree, with `/`. `None` outside of one.
pub(super) fn name(path: &Path) -> Option<String> {
    let top = top(path)?;
    let path = path.canonicalize().ok()?;
    let inside = path.strip_prefix(top).ok()?;
    let parts: Option<Vec<&str>> = inside.iter().map(|part| part.to_str()).collect();
    Some(parts?.join("/"))
}
