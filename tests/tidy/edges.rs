//! Which crate may depend on which: data flows down, and never up.
//!
//! Never looks at crates that came with crates: those are for `deny.toml`.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use super::assert_tidy;
use super::tree::top;

type Edges = BTreeMap<String, BTreeSet<String>>;

/// Ours, and which of ours each may depend on.
const ALLOWED: [(&str, &[&str]); 8] = [
    ("mesh-bundle", &[]),
    ("mesh-compiler", &["mesh-bundle"]),
    ("mesh-delivery", &["mesh-bundle"]),
    ("mesh-proxy", &["mesh-bundle", "mesh-delivery"]),
    (
        "mesh-reconciler",
        &["mesh-bundle", "mesh-compiler", "mesh-delivery"],
    ),
    (
        "mesh-tests",
        &[
            "mesh-bundle",
            "mesh-compiler",
            "mesh-delivery",
            "mesh-proxy",
            "mesh-reconciler",
        ],
    ),
    ("mesh-load", &["mesh-bundle", "mesh-delivery"]),
    ("xtask", &[]),
];

const NETWORK: &[&str] = &[
    "axum",
    "hyper",
    "hyper-util",
    "rustls",
    "tokio",
    "tokio-rustls",
    "tonic",
    "ureq",
];
const YAML: &[&str] = &[
    "granit-parser",
    "jsonschema",
    "mesh-compiler",
    "serde_yaml_ng",
];
const GIT: &[&str] = &["git2"];
const TONIC: &[&str] = &["prost", "tonic", "tonic-prost"];

/// What a crate must not depend on directly, whoever wrote it.
const BANNED: [(&str, &[&[&str]]); 4] = [
    ("mesh-bundle", &[NETWORK, GIT, YAML, TONIC]),
    // It reads git, without the parts that speak TLS or SSH: see the decision of 2026-11-27.
    ("mesh-compiler", &[NETWORK, TONIC]),
    ("mesh-delivery", &[YAML]),
    // A proxy cannot parse YAML, and speaks to meshd only through `delivery`.
    ("mesh-proxy", &[YAML, TONIC]),
];

fn complaints(edges: &Edges) -> Vec<String> {
    let ours: BTreeMap<_, _> = ALLOWED.into_iter().collect();
    let mut complaints = Vec::new();
    for (from, targets) in edges {
        let Some(allowed) = ours.get(from.as_str()) else {
            complaints.push(format!("{from}: a crate that the edge table does not know"));
            continue;
        };
        let banned = BANNED.iter().filter(|(name, _)| name == from);
        let banned: BTreeSet<&str> = banned
            .flat_map(|(_, lists)| lists.iter().copied().flatten().copied())
            .collect();
        for to in targets {
            let sideways = ours.contains_key(to.as_str()) && !allowed.contains(&to.as_str());
            if sideways || banned.contains(to.as_str()) {
                complaints.push(format!("{from} must not depend on {to}"));
            }
        }
    }
    complaints
}

/// Normal, build and development dependencies of the workspace, as cargo sees them.
fn edges() -> Edges {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1", "--locked"])
        .current_dir(top())
        .output()
        .expect("cargo metadata runs");
    assert!(output.status.success(), "{output:?}");
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    packages
        .iter()
        .map(|package| {
            let dependencies = package["dependencies"].as_array().expect("dependencies");
            let names = dependencies
                .iter()
                .map(|dependency| text(&dependency["name"]));
            (text(&package["name"]), names.collect())
        })
        .collect()
}

fn text(value: &serde_json::Value) -> String {
    value.as_str().expect("a text").to_owned()
}

#[test]
fn data_flows_down() {
    let edges = edges();
    assert_eq!(edges.len(), ALLOWED.len(), "{:?}", edges.keys());
    assert_tidy(&complaints(&edges));
}

#[test]
fn an_edge_upwards_is_found() {
    let edge = |from: &str, to: &str| {
        complaints(&Edges::from([(
            from.to_owned(),
            BTreeSet::from([to.to_owned()]),
        )]))
    };
    assert_eq!(
        edge("mesh-proxy", "mesh-compiler"),
        ["mesh-proxy must not depend on mesh-compiler"]
    );
    assert_eq!(edge("mesh-bundle", "tokio").len(), 1);
    assert_eq!(edge("mesh-reconciler", "mesh-proxy").len(), 1);
    assert_eq!(edge("mesh-extra", "serde").len(), 1);
    assert_eq!(edge("mesh-proxy", "mesh-delivery").len(), 0);
}
