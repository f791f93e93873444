//! `matchedpolicies-…`: the documents that apply to a proxy, in their order.
//!
//! Never looks at what they say.

use std::path::Path;
use std::sync::Arc;

use mesh_bundle::Kri;
use mesh_bundle::kri::Parts;

use crate::policy::applies::Subject;

use super::corpus::{Given, documents, given, golden, sections, table, text, world};
use super::same;

/// As documents are written.
pub(super) fn policies(case: &Path) -> Result<(), String> {
    applied(case, &[])
}

/// As documents arrive from another control plane, which the name of the case tells.
pub(super) fn topologies(case: &Path) -> Result<(), String> {
    let name = case.file_name().unwrap().to_string_lossy().into_owned();
    let labels = match name.contains("global") {
        true => [
            ("kuma.io/origin", "global"),
            ("k8s.kuma.io/namespace", "kuma-system"),
            ("kuma.io/policy-role", "system"),
        ],
        false => [
            ("kuma.io/origin", "zone"),
            ("kuma.io/zone", "zone-k8s"),
            ("k8s.kuma.io/namespace", "ns-k8s"),
        ],
    };
    applied(case, &labels)
}

fn applied(case: &Path, labels: &[(&str, &str)]) -> Result<(), String> {
    let dataplane = documents(case, "dataplane.yaml").remove(0);
    let sections: Vec<String> = sections(&dataplane)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    let mut proxy = given(&dataplane, labels);
    let world = world(case, "policies.yaml", labels);
    let golden = golden(case);
    let items = golden["items"].as_array().into_iter().flatten();
    let expected: Vec<String> = items.map(|item| text(item, "kri")).collect();
    // The question was about one kind.
    let asked = golden["items"][0]["type"].as_str().unwrap_or_default();
    let policies: Vec<&Given> = world.iter().filter(|given| given.kind == asked).collect();
    // One case has its proxy in another mesh than its policies, which the question does not look at.
    let mesh = policies.first().map(|policy| policy.meta.kri.mesh());
    Arc::make_mut(&mut proxy.meta).kri = Kri::new(Parts {
        mesh: mesh.unwrap_or_default(),
        ..proxy.meta.kri.parts()
    });
    let subject = Subject {
        meta: &proxy.meta,
        sections: &sections,
    };
    let table = table(&world, &policies);
    let applied = table
        .policies
        .iter()
        .filter(|policy| policy.applies(&subject));
    let found: Vec<String> = applied.map(|policy| policy.meta.kri.to_string()).collect();
    same(&found, &expected)
}
