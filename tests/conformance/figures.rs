//! The figures of a run, where whoever runs it can collect them: `cargo xtask test` prints them at the end.
//!
//! Never decides whether a figure is good enough.

use std::path::PathBuf;

/// Shows a figure, and leaves it in the directory that `MESH_FIGURES` names.
pub(super) fn record(name: &str, words: &str) {
    println!("{name}: {words}");
    if let Some(directory) = std::env::var_os("MESH_FIGURES").map(PathBuf::from) {
        std::fs::create_dir_all(&directory).expect("a directory for figures");
        std::fs::write(directory.join(name), format!("{words}\n")).expect("a figure");
    }
}

/// A share as people read it.
pub(super) fn share(agreed: usize, waived: usize, all: usize) -> String {
    let percent = 100.0 * f64::from(u32::try_from(agreed).unwrap_or(u32::MAX))
        / f64::from(u32::try_from(all.max(1)).unwrap_or(u32::MAX));
    format!("{agreed} of {all} agree ({percent:.1} %), {waived} waived")
}
