//! What is in a snapshot, and what is not.

use std::collections::BTreeMap;

use super::*;
use crate::compile::analyse;
use crate::model::Settings;
use crate::world::MemoryWorld;

const MESH: &str = include_str!("../explain/tests/mesh.yaml");

const TIMEOUT: &str = "type: MeshTimeout
mesh: default
name: slow
spec:
  to:
    - targetRef: {kind: MeshService, labels: {kuma.io/display-name: api}}
      default: {http: {requestTimeout: 3s}}
";

fn made(files: &[(&str, &str)]) -> BTreeMap<String, String> {
    let files = files.iter();
    let files = files.map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec()));
    let world = MemoryWorld {
        files: files.collect(),
    };
    let analysis = analyse(&world, &Settings::default());
    let found = &analysis.compiled.diagnostics;
    assert!(!found.has_errors(), "{:#?}", found.list);
    snapshots(&analysis).unwrap()
}

/// A replica of the API on another host.
fn replica(name: &str) -> String {
    format!(
        "type: Dataplane
mesh: default
name: {name}
labels: {{app: api, kuma.io/workload: api}}
networking:
  address: 10.0.0.9
  inbound: [{{port: 8080, servicePort: 18080, name: http, protocol: http}}]
"
    )
}

#[test]
fn a_class_is_one_text_whatever_its_hosts_are() {
    let one = made(&[("mesh.yaml", MESH)]);
    let names: Vec<&String> = one.keys().collect();
    assert_eq!(
        names,
        [
            "default/proxies/api.snap",
            "default/proxies/old.snap",
            "default/proxies/web.snap",
            "default/services/api.snap",
            "default/services/old.snap",
        ]
    );
    let two = made(&[("mesh.yaml", MESH), ("two.yaml", &replica("api-2"))]);
    assert_eq!(
        one.keys().collect::<Vec<_>>(),
        two.keys().collect::<Vec<_>>()
    );
    let api = "default/proxies/api.snap";
    assert_eq!(
        two[api],
        one[api].replace("  api-1\n", "  api-1\n  api-2\n")
    );
}

#[test]
fn what_means_the_same_is_the_same_text() {
    let before = made(&[("mesh.yaml", MESH), ("slow.yaml", TIMEOUT)]);
    // Other lines, another file, another name of the policy, another order.
    let moved = format!(
        "# A comment.\n\n{}",
        TIMEOUT.replace("name: slow", "name: other")
    );
    let after = made(&[("a/b.yaml", &moved), ("zz.yaml", MESH)]);
    assert_eq!(before, after);
    let web = &before["default/proxies/web.snap"];
    assert!(web.contains("  request     3s\n"), "{web}");
    for told in ["yaml", "sha256", "10.0.0", "127.0.0", "slow"] {
        assert!(!web.contains(told), "{told} in {web}");
    }
}

#[test]
fn what_means_something_else_is_another_text() {
    let before = made(&[("mesh.yaml", MESH), ("slow.yaml", TIMEOUT)]);
    let after = made(&[
        ("mesh.yaml", MESH),
        ("slow.yaml", &TIMEOUT.replace("3s", "4s")),
    ]);
    let different = before.iter().filter(|(name, text)| after[*name] != **text);
    let different: Vec<&String> = different.map(|(name, _)| name).collect();
    assert_eq!(different, ["default/proxies/web.snap"]);
}

#[test]
fn many_classes_are_in_few_files() {
    let mut text = MESH.to_owned();
    for number in 0..300 {
        let (high, low) = (number / 250, number % 250);
        let other = replica(&format!("w{number}-1"));
        let other = other.replace("10.0.0.9", &format!("10.1.{high}.{low}"));
        text.push_str("---\n");
        text.push_str(&other.replace(
            "app: api, kuma.io/workload: api",
            &format!("app: x, kuma.io/workload: w{number}"),
        ));
    }
    let files = made(&[("mesh.yaml", &text)]);
    let proxies = files
        .keys()
        .filter(|name| name.contains("/proxies/"))
        .count();
    assert!((32..=usize::from(BUCKETS)).contains(&proxies), "{proxies}");
    let classes = files.values().map(|text| text.matches("class w").count());
    assert_eq!(classes.sum::<usize>(), 301);
}
