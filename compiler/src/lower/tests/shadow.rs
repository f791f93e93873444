//! Shadow policies: checked and listed, without effect, and what they would change.

use serde_json::Value;

use crate::inspect::{Form, proxy, with_shadow};
use crate::world::MemoryWorld;

use super::*;

/// A story, and what it would be if its shadow policies counted.
fn both(added: &str) -> [Compiled; 2] {
    [false, true].map(|with_shadow| {
        let files = [("cast.yaml", CAST), ("mesh.yaml", added)];
        let files = files.map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()));
        let settings = Settings {
            with_shadow,
            ..Settings::default()
        };
        let world = MemoryWorld {
            files: files.into(),
        };
        compile(&world, &settings)
    })
}

const SHADOWS: &str = r"type: MeshTimeout
name: quick
labels: {kuma.io/effect: shadow}
spec:
  to: [{targetRef: {kind: MeshService, labels: {kuma.io/display-name: api}, sectionName: http}, default: {http: {requestTimeout: 3s}}}]
---
type: MeshTrafficPermission
name: web
spec:
  rules: [{default: {allow: [{spiffeID: {type: Exact, value: spiffe://td/workload/web}}]}}]
---
type: MeshTrafficPermission
name: more
labels: {kuma.io/effect: shadow}
spec:
  targetRef: {kind: Dataplane, labels: {app: api}, sectionName: http}
  rules: [{default: {allow: [{spiffeID: {type: Exact, value: spiffe://td/workload/db}}]}}]
---
type: MeshTrace
name: traces
labels: {kuma.io/effect: shadow}
spec:
  targetRef: {kind: Dataplane, labels: {app: db}}
  default: {backends: [], sampling: {random: 10}}
";

#[test]
fn a_shadow_changes_nothing_until_it_counts() {
    let [real, shadowed] = both(SHADOWS);
    let without: String = SHADOWS
        .split("---\n")
        .filter(|document| !document.contains("shadow"))
        .collect();
    // The line of a document is part of what a proxy is given.
    let [alone, _] = both(&format!("{}{without}", "\n".repeat(6)));
    assert_eq!(alone.bundle.proxies, real.bundle.proxies);
    let told = |name: &str| with_shadow(&real, &shadowed, name, Form::Human).unwrap();
    let lines = |text: String| -> Vec<String> {
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        text.lines().map(words).collect()
    };
    assert_eq!(
        lines(told("web-1")),
        [
            "with the shadow policies of web-1",
            "",
            "destinations kri_msvc_default_default__api_http",
            "timeouts/request",
            "- 15s (default policy)",
            "+ 3s mesh.yaml:5",
        ]
    );
    let api = lines(told("api-1"));
    let rule = r#"+ {"peer":{"spiffeId":{"type":"exact","value":"spiffe://td/workload/db"}}} mesh.yaml:17"#;
    for line in ["inbounds http", "policy/permissions/allow", rule] {
        assert!(api.contains(&line.to_owned()), "{line}: {api:#?}");
    }
    let db = lines(told("db-1"));
    assert!(db.contains(&"+ 100000 mesh.yaml:24".to_owned()), "{db:#?}");
    let nothing = with_shadow(&real, &real, "db-1", Form::Human).unwrap();
    assert_eq!(nothing, "nothing would change for db-1\n");
}

/// RFC 6902, as far as our patches use it.
fn apply(document: &mut Value, step: &Value) {
    let (parent, name) = step["path"].as_str().unwrap().rsplit_once('/').unwrap();
    let name = name.replace("~1", "/").replace("~0", "~");
    match document.pointer_mut(parent).unwrap() {
        Value::Object(object) => match step["op"].as_str().unwrap() {
            "add" => assert_eq!(object.insert(name, step["value"].clone()), None),
            "remove" => assert!(object.remove(&name).is_some()),
            "replace" => assert!(object.insert(name, step["value"].clone()).is_some()),
            other => panic!("{other}"),
        },
        Value::Array(list) => {
            assert_eq!(step["op"], "replace");
            list[name.parse::<usize>().unwrap()] = step["value"].clone();
        }
        other => panic!("{other}"),
    }
}

#[test]
fn the_patch_makes_the_one_of_the_other() {
    let [real, shadowed] = both(SHADOWS);
    for name in ["web-1", "api-1", "api-2", "db-1"] {
        let json = |text: String| serde_json::from_str::<Value>(&text).unwrap();
        let shown = |compiled| json(proxy(compiled, name, Form::Json).unwrap());
        let mut document = shown(&real);
        let steps = json(with_shadow(&real, &shadowed, name, Form::Json).unwrap());
        assert_ne!(steps.as_array().unwrap().len(), 0, "{name}");
        for step in steps.as_array().unwrap() {
            apply(&mut document, step);
        }
        assert_eq!(document, shown(&shadowed), "{name}");
    }
}

#[test]
fn a_shadow_is_checked_like_any_other() {
    let [real, _] = both(
        "type: MeshTimeout\nname: a\nlabels: {kuma.io/effect: shadow}\nspec:\n  to: [{targetRef: {kind: MeshService, labels: {kuma.io/display-name: apj}}, default: {idleTimeout: 1s}}]\n---\ntype: MeshTrace\nname: b\nlabels: {kuma.io/effect: shadow}\nspec:\n  targetRef: {kind: Dataplane, labels: {app: nobody}}\n  default: {backends: []}\n",
    );
    let codes = ["5 dangling-ref", "11 selects-nothing"];
    assert_eq!(findings(&real), codes);
}
