//! `cargo xtask bench delivery`: what meshd costs, and how soon a change is everywhere, as its fleet grows.
//!
//! Never a test: it prints whether the goals hold, and fails for none, since machines differ.

use std::process::Command;

use super::target;
use crate::{cargo, run};

/// Builds meshd and the fleet in release, and measures the fleets that are named, or all.
pub(crate) fn delivery(words: &[&str]) -> Result<(), String> {
    // Each alone, or the features that one needs would change the other.
    for (package, binary) in [("mesh-reconciler", "meshd"), ("mesh-load", "mesh-load")] {
        let mut build = cargo(&["build", "--locked", "--release"]);
        build.args(["--package", package, "--bin", binary]);
        run(build)?;
    }
    let release = target().join("release");
    let mut load = Command::new(release.join("mesh-load"));
    load.arg("delivery")
        .arg("--meshd")
        .arg(release.join("meshd"));
    load.args(words);
    run(load)
}
