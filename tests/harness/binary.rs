//! Where the programs under test are.
//!
//! Never takes a stale one: cargo is asked to build them once in each process, which costs little when there is nothing to do.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The path of `meshc`, `meshd` or `mesh-proxy` as this checkout builds it, in the profile of the caller.
///
/// # Panics
/// When they do not build: nothing that needs them can be judged then.
#[must_use]
pub fn binary(name: &str) -> PathBuf {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY.get_or_init(build).join(name)
}

fn build() -> PathBuf {
    let directory = own_directory();
    let release = directory.file_name().is_some_and(|name| name == "release");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--locked", "--workspace", "--bins"]);
    if release {
        cargo.arg("--release");
    }
    if let Some(target) = directory.parent() {
        cargo.arg("--target-dir").arg(target);
    }
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    let status = cargo.status();
    assert!(
        status.as_ref().is_ok_and(std::process::ExitStatus::success),
        "the programs under test do not build: {status:?}"
    );
    directory
}

/// `target/debug`, whether we run as `target/debug/mesh-demo` or as `target/debug/deps/e2e-…`.
fn own_directory() -> PathBuf {
    let exe = std::env::current_exe().unwrap_or_default();
    let directory = exe.parent().unwrap_or(Path::new("."));
    if directory.file_name().is_some_and(|name| name == "deps") {
        directory.parent().unwrap_or(directory).to_path_buf()
    } else {
        directory.to_path_buf()
    }
}

/// What `meshc check` prints about a directory: the text and its exit code.
///
/// # Panics
/// When it does not start.
#[must_use]
pub fn meshc_check(directory: &Path) -> (String, Option<i32>) {
    let mut command = Command::new(binary("meshc"));
    command.arg("check").arg(directory);
    command.env("NO_COLOR", "1");
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("meshc does not start: {error}"));
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    (text, output.status.code())
}
