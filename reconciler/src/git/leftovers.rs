//! What a fetch leaves in the cache when meshd is killed in the middle of it.
//!
//! Never looks outside of the cache, which is meshd's own: whoever calls this fetches, and nobody else does.

use std::fs;
use std::path::Path;

/// Removes locks and unfinished packs. Best effort: what stays is told by the fetch that it is in the way of.
pub(super) fn remove(cache: &Path) {
    for directory in ["", "refs/meshd", "objects/pack"] {
        let Ok(entries) = fs::read_dir(cache.join(directory)) else {
            continue;
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            // libgit2 puts its own name into those of its temporary files.
            if name.ends_with(".lock") || name.contains("_git2_") {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}
