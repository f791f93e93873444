//! `meshc lsp` in Emacs, without a screen, where it is installed with eglot and a mode for YAML.
//!
//! Never reads the settings of whoever runs the tests.

use std::path::Path;
use std::process::{Command, Output};

use mesh_tests::binary;

use super::project::write;

/// Packages that the system has; those of whoever runs the tests are in a directory that is not read.
const PACKAGES: &str = "(package-initialize)";

fn emacs(directory: &Path, arguments: &[&str]) -> std::io::Result<Output> {
    Command::new("timeout")
        .args(["90", "emacs", "--batch", "--eval", PACKAGES])
        .args(arguments)
        .current_dir(directory)
        .env("MESHC", binary("meshc"))
        .env("HOME", directory)
        .output()
}

#[test]
fn emacs_shows_what_is_wrong_and_what_a_reference_leads_to() {
    let directory = tempfile::tempdir().expect("a directory");
    let wanted = "(progn (require 'eglot) (require 'yaml-mode))";
    let found = emacs(directory.path(), &["--eval", wanted]).expect("timeout runs");
    if !found.status.success() {
        eprintln!("SKIPPED: there is no emacs with eglot and yaml-mode on the path");
        return;
    }
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for name in [
        "mesh.yaml",
        "api/canary.yaml",
        "api/services.yaml",
        "api/dataplanes.yaml",
    ] {
        let text = std::fs::read_to_string(top.join("examples/shop").join(name)).expect("a file");
        write(directory.path(), name, &text);
    }
    // What is no directory of a version control is no project to Emacs.
    std::fs::create_dir(directory.path().join(".git")).expect("a directory");
    let script = top.join("tests/lsp/emacs.el").display().to_string();
    let ran = emacs(directory.path(), &["--load", &script]).expect("timeout runs");
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&ran.stderr)
    );
    assert!(ran.status.success(), "{said}");
    assert!(
        said.contains("[dangling-ref]: no MeshService carries"),
        "{said}"
    );
    assert!(said.contains("hover - MeshService `api-v2`"), "{said}");
}
