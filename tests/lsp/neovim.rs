//! `meshc lsp` in Neovim, without a screen, where it is installed.
//!
//! Never reads the settings of whoever runs the tests.

use std::path::Path;
use std::process::Command;

use mesh_tests::binary;

use super::project::write;

#[test]
fn neovim_shows_what_is_wrong_and_what_a_reference_leads_to() {
    if Command::new("nvim").arg("--version").output().is_err() {
        eprintln!("SKIPPED: there is no nvim on the path");
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
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
    let script = top.join("tests/lsp/neovim.lua");
    let ran = Command::new("timeout")
        .args(["90", "nvim", "--headless", "--clean", "-c"])
        .arg(format!("luafile {}", script.display()))
        .current_dir(directory.path())
        .env("MESHC", binary("meshc"))
        .env("HOME", directory.path())
        .output()
        .expect("nvim");
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&ran.stderr)
    );
    assert!(ran.status.success(), "{said}");
    assert!(
        said.contains("diagnostic dangling-ref no MeshService carries"),
        "{said}"
    );
    assert!(said.contains("hover - MeshService `api-v2`"), "{said}");
}
