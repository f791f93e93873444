//! `meshc lsp` in what VS Code talks to language servers with: the package vscode-languageclient, where it and node are
//! installed.
//!
//! Never installs anything: `MESH_VSCODE_MODULES` names a `node_modules` that has vscode-languageclient and vscode-uri; else
//! it is looked for in every directory above the repository.

use std::path::{Path, PathBuf};
use std::process::Command;

use mesh_tests::binary;

use super::project::write;

const SHOP: [&str; 7] = [
    "mesh.yaml",
    "api/canary.yaml",
    "api/services.yaml",
    "api/dataplanes.yaml",
    "db/db.yaml",
    "outsider/dataplane.yaml",
    "web/dataplane.yaml",
];

/// What VS Code would show, line by line.
const SHOWN: [&str; 13] = [
    "encoding utf-16",
    // Two units of UTF-16 for one character.
    "diagnostic unknown-field 17:36-17:40 there is no field `\u{1f600}`",
    "diagnostic unknown-field 17:95-17:100 there is no field `weigt`",
    "action quickfix rename it (look at it: the meaning changes): 17:95-17:100 weight",
    "completion api api-v1 api-v2 db",
    "hover - MeshService `api`, ports 80 `http` (http): [api/services.yaml:2](file://",
    "definition api/services.yaml 20:6-20:12",
    "lens [\"affects 5 proxies\"]",
    "watches [\"**/*.{yaml,yml,json}\",\"**/meshc.toml\"]",
    "elsewhere unknown-kind",
    // Counted again, since another file has changed.
    "lens [\"affects 4 proxies\"]",
    "said []",
    "stopped",
];

fn modules() -> Option<PathBuf> {
    let complete = |modules: &PathBuf| {
        let packages = ["vscode-languageclient", "vscode-uri"];
        packages.iter().all(|name| modules.join(name).is_dir())
    };
    let named = std::env::var_os("MESH_VSCODE_MODULES").map(PathBuf::from);
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let above = above.map(|above| above.join("node_modules"));
    let found = named.into_iter().chain(above).find(complete)?;
    Command::new("node").arg("--version").output().ok()?;
    Some(found)
}

#[test]
fn vs_code_shows_findings_fixes_hovers_and_what_stands_above_a_document() {
    let Some(modules) = modules() else {
        eprintln!("SKIPPED: there is no node with vscode-languageclient and vscode-uri");
        return;
    };
    let directory = tempfile::tempdir().expect("a directory");
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for name in SHOP {
        let text = std::fs::read_to_string(top.join("examples/shop").join(name)).expect("a file");
        write(directory.path(), name, &text);
    }
    let ran = Command::new("timeout")
        .args(["90", "node"])
        .arg(top.join("tests/lsp/vscode/client.js"))
        .current_dir(directory.path().canonicalize().expect("it is there"))
        .env("MESHC", binary("meshc"))
        .env("MODULES", modules)
        .output()
        .expect("node");
    let said = String::from_utf8_lossy(&ran.stdout);
    let complaints = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{said}{complaints}");
    let mut shown = said.lines();
    for line in SHOWN {
        let there = shown.any(|shown| shown.starts_with(line));
        assert!(there, "no {line:?}, or not there, in\n{said}{complaints}");
    }
}
