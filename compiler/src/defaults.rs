//! The default policies, as documents that nobody wrote (language 4.13).
//!
//! Never stronger than a document: see key 0 of `policy::order`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mesh_bundle::Kri;
use mesh_bundle::kri::Parts;
use serde_json::{Value, json};

use crate::diag::{Diagnostics, Location, Pointer};
use crate::kinds::{self, Resource, Spec};
use crate::model::{Format, Meta, Settings};

/// Where a default policy says it comes from.
pub(crate) const FILE: &str = "(default policy)";

/// One default policy of each mesh.
struct DefaultPolicy {
    kind: &'static str,
    /// Its name, without that of the mesh.
    prefix: &'static str,
    spec: fn() -> Value,
}

/// What a mesh gets, unless it skips it or has a document of that name.
const POLICIES: [DefaultPolicy; 4] = [
    DefaultPolicy {
        kind: "MeshTimeout",
        prefix: "mesh-timeout-all",
        spec: || {
            json!({"rules": [{"default": {
                "connectionTimeout": "10s",
                "idleTimeout": "2h",
                "http": {"requestTimeout": "0s", "streamIdleTimeout": "1h", "maxStreamDuration": "0s"},
            }}]})
        },
    },
    DefaultPolicy {
        kind: "MeshTimeout",
        prefix: "mesh-timeout-to-all",
        spec: || {
            to_all(&json!({
                "connectionTimeout": "5s",
                "idleTimeout": "1h",
                "http": {"requestTimeout": "15s", "streamIdleTimeout": "30m"},
            }))
        },
    },
    DefaultPolicy {
        kind: "MeshCircuitBreaker",
        prefix: "mesh-circuit-breaker-all",
        spec: || {
            to_all(&json!({"connectionLimits": {
                "maxConnections": 1024,
                "maxPendingRequests": 1024,
                "maxRequests": 1024,
                "maxRetries": 3,
            }}))
        },
    },
    DefaultPolicy {
        kind: "MeshRetry",
        prefix: "mesh-retry-all",
        spec: || {
            let requests = json!({
                "numRetries": 5,
                "perTryTimeout": "16s",
                "backOff": {"baseInterval": "25ms", "maxInterval": "250ms"},
            });
            to_all(&json!({
                "tcp": {"maxConnectAttempt": 5},
                "http": requests,
                "grpc": requests,
            }))
        },
    },
];

/// What decides which there are, beside what meshes say and which there are: the names of documents of these kinds, by
/// short names.
pub(crate) const KINDS: [&str; 3] = ["mt", "mcb", "mr"];

/// The default policies of every mesh that does not skip them.
pub(crate) fn policies(resources: &[Arc<Resource>], settings: &Settings) -> Vec<Resource> {
    if !settings.default_policies {
        return Vec::new();
    }
    let mut meshes: BTreeMap<&str, &[String]> = BTreeMap::new();
    let kinds = POLICIES
        .iter()
        .filter_map(|policy| kinds::find(policy.kind));
    let kinds: BTreeSet<&str> = kinds.map(|kind| kind.short).collect();
    let mut written: BTreeSet<(&str, &str, &str)> = BTreeSet::new();
    for resource in resources {
        let kri = &resource.meta.kri;
        match &resource.spec {
            Spec::Mesh(spec) => {
                let skipped = spec.skip_creating_initial_policies.as_slice();
                meshes.insert(kri.name(), skipped);
            }
            _ if !kri.mesh().is_empty() => drop(meshes.entry(kri.mesh()).or_default()),
            _ => {}
        }
        if kinds.contains(kri.kind()) {
            written.insert((kri.kind(), kri.mesh(), kri.name()));
        }
    }
    let mut policies = Vec::new();
    for (mesh, skipped) in meshes {
        for policy in &POLICIES {
            if skipped
                .iter()
                .any(|kind| kind == "*" || kind == policy.kind)
            {
                continue;
            }
            let made = policy.of(mesh);
            policies.extend(made.filter(|made| {
                let kri = &made.meta.kri;
                !written.contains(&(kri.kind(), mesh, kri.name()))
            }));
        }
    }
    policies
}

/// Everything that is sent.
fn to_all(conf: &Value) -> Value {
    json!({"to": [{"targetRef": {"kind": "Mesh"}, "default": conf}]})
}

impl DefaultPolicy {
    fn of(&self, mesh: &str) -> Option<Resource> {
        let kind = kinds::find(self.kind)?;
        let name = format!("{}-{mesh}", self.prefix);
        let labels = [
            ("kuma.io/display-name", name.as_str()),
            ("kuma.io/mesh", mesh),
            ("kuma.io/policy-role", "system"),
        ];
        let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let meta = Meta {
            labels: BTreeMap::from(labels),
            kri: Kri::new(Parts {
                kind: kind.short,
                mesh,
                name: &name,
                ..Parts::default()
            }),
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
        };
        // Nobody wrote it, so nobody is told of what it says.
        let mut unheard = Diagnostics::default();
        kinds::read(kind, meta, (self.spec)(), &[], &mut unheard).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A default policy that its kind refuses would be missing without a word.
    #[test]
    fn every_default_policy_is_one_that_could_be_written() {
        for policy in &POLICIES {
            let kind = kinds::find(policy.kind).unwrap();
            let made = policy.of("m").unwrap();
            let mut found = Diagnostics::default();
            let spec = (policy.spec)();
            assert!(
                kinds::read(kind, Meta::clone(&made.meta), spec.clone(), &[], &mut found).is_ok()
            );
            assert!(!found.has_errors(), "{}: {:?}", policy.prefix, found.list);
            let validator = jsonschema::draft7::new(&(kind.schema)()).unwrap();
            assert!(validator.is_valid(&spec), "{}", policy.prefix);
            assert!(made.meta.virtual_document);
        }
    }
}
