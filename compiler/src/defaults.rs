//! The default policies, as documents that nobody wrote (language 4.13).
//!
//! Never stronger than a document: see key 0 of `policy::order`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mesh_bundle::Kri;
use serde_json::{Value, json};

use crate::diag::{Location, Pointer};
use crate::kinds::mesh_timeout::MeshTimeout;
use crate::kinds::{Resource, Spec};
use crate::model::{Format, Meta, Settings};

/// Where a default policy says it comes from.
pub(crate) const FILE: &str = "(default policy)";

/// The default policies of every mesh that does not skip them.
pub(crate) fn policies(resources: &[Arc<Resource>], settings: &Settings) -> Vec<Resource> {
    if !settings.default_policies {
        return Vec::new();
    }
    let mut meshes: BTreeMap<&str, &[String]> = BTreeMap::new();
    for resource in resources {
        let mesh = resource.meta.kri.mesh.as_str();
        match &resource.spec {
            Spec::Mesh(spec) => {
                let skipped = spec.skip_creating_initial_policies.as_slice();
                meshes.insert(resource.meta.kri.name.as_str(), skipped);
            }
            _ if !mesh.is_empty() => drop(meshes.entry(mesh).or_default()),
            _ => {}
        }
    }
    let written: BTreeSet<(&str, &str)> = resources
        .iter()
        .filter(|resource| resource.meta.kri.kind == "mt")
        .map(|resource| {
            let kri = &resource.meta.kri;
            (kri.mesh.as_str(), kri.name.as_str())
        })
        .collect();
    let mut policies = Vec::new();
    for (mesh, skipped) in meshes {
        if skipped
            .iter()
            .any(|kind| kind == "*" || kind == "MeshTimeout")
        {
            continue;
        }
        for (prefix, body) in [
            ("mesh-timeout-all", received()),
            ("mesh-timeout-to-all", sent()),
        ] {
            let name = format!("{prefix}-{mesh}");
            if !written.contains(&(mesh, name.as_str())) {
                policies.extend(policy(mesh, name, body));
            }
        }
    }
    policies
}

fn received() -> Value {
    json!({"rules": [{"default": {
        "connectionTimeout": "10s",
        "idleTimeout": "2h",
        "http": {"requestTimeout": "0s", "streamIdleTimeout": "1h", "maxStreamDuration": "0s"},
    }}]})
}

fn sent() -> Value {
    json!({"to": [{"targetRef": {"kind": "Mesh"}, "default": {
        "connectionTimeout": "5s",
        "idleTimeout": "1h",
        "http": {"requestTimeout": "15s", "streamIdleTimeout": "30m"},
    }}]})
}

fn policy(mesh: &str, name: String, body: Value) -> Option<Resource> {
    let labels = [
        ("kuma.io/display-name", name.as_str()),
        ("kuma.io/mesh", mesh),
        ("kuma.io/policy-role", "system"),
    ];
    let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let spec: MeshTimeout = serde_json::from_value(body.clone()).ok()?;
    Some(Resource {
        meta: Meta {
            labels: BTreeMap::from(labels),
            kri: Kri {
                kind: "mt".to_owned(),
                mesh: mesh.to_owned(),
                zone: String::new(),
                namespace: String::new(),
                name,
                section: String::new(),
            },
            format: Format::Universal,
            created: None,
            at: Location {
                file: FILE.to_owned(),
                document: 0,
                pointer: Pointer::default(),
                key: false,
            },
            body: Pointer::default(),
            virtual_document: true,
        },
        spec: Spec::MeshTimeout(spec),
        body,
    })
}
