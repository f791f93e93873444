//! How far the compiler agrees with the corpus: tests leave their figures, `cargo xtask test` prints them.
//!
//! Never judges a figure: the tests do.

use std::path::{Path, PathBuf};

use super::tell as say;

/// Every figure there is: the name of its file, and what it is about.
const FIGURES: [(&str, &str); 7] = [
    ("valid", "valid documents accepted"),
    ("violations", "fields of violations equal"),
    ("labels", "labels judged alike"),
    ("matching", "matching goldens equal"),
    ("inspect", "inspect goldens equal"),
    ("legacy", "legacy documents told so"),
    ("hostile", "whole, cut and changed inputs"),
];

/// An empty directory for the figures of one run.
pub(super) fn fresh() -> Result<PathBuf, String> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"),
        PathBuf::from,
    );
    let directory = target.join("figures");
    let trouble = |error: std::io::Error| format!("error: {}: {error}", directory.display());
    if directory.exists() {
        std::fs::remove_dir_all(&directory).map_err(trouble)?;
    }
    std::fs::create_dir_all(&directory).map_err(trouble)?;
    directory.canonicalize().map_err(trouble)
}

/// Prints what the tests left.
pub(super) fn tell(directory: &Path) {
    let figure = |name: &str| std::fs::read_to_string(directory.join(name)).ok();
    let known: Vec<_> = FIGURES
        .iter()
        .filter_map(|(name, what)| Some((what, figure(name)?)))
        .collect();
    if known.is_empty() {
        return say("\ncorpus: not here, nothing compared\n");
    }
    say("\ncorpus:\n");
    for (what, figure) in known {
        say(&format!("  {what:<30} {}\n", figure.trim()));
    }
}
