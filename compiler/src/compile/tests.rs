use std::collections::BTreeMap;

use super::*;
use crate::world::MemoryWorld;

/// Every finding as `line code message`.
fn findings(text: &str) -> Vec<String> {
    let world = MemoryWorld {
        files: BTreeMap::from([("a.yaml".to_owned(), text.as_bytes().to_vec())]),
    };
    let compiled = compile(&world, &Settings::default());
    let line = |finding: &Diagnostic| {
        let line = compiled.sources.line(&finding.at);
        format!("{line} {} {}", finding.code.0, finding.message)
    };
    compiled.diagnostics.list.iter().map(line).collect()
}

#[test]
fn nothing_is_a_mesh_of_nothing() {
    assert_eq!(findings(""), [""; 0]);
    assert_eq!(findings("# only a comment\n---\n"), [""; 0]);
}

#[test]
fn several_mistakes_of_one_document_are_all_told() {
    let text = "type: MeshTimeout\nmesh: default\nname: Upper\nlabels: {a: true}\nspec:\n  targetRef: {kind: Mesh}\n  to:\n    - targetRef: {kind: Mesh}\n      default: {conectionTimeout: 1s, idleTimeout: 5}\n";
    let found = findings(text);
    let codes: Vec<_> = found
        .iter()
        .map(|f| f.split(' ').take(2).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        codes,
        [
            "3 invalid-name",
            "4 wrong-type",
            "9 unknown-field",
            "9 invalid-value"
        ],
        "{found:#?}"
    );
}

#[test]
fn documents_of_other_tools_are_skipped() {
    let text = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: X_1}\nspec: {mode: 0644, <<: {a: 1}}\n---\napiVersion: v1\nkind: Secret\ntype: Opaque\n";
    assert_eq!(findings(text), [""; 0]);
}

#[test]
fn json_that_has_nothing_of_a_document_is_skipped() {
    let of = |name: &str, text: &str| {
        let world = MemoryWorld {
            files: BTreeMap::from([(name.to_owned(), text.as_bytes().to_vec())]),
        };
        let found = compile(&world, &Settings::default()).diagnostics.list;
        found.iter().map(|one| one.code.0).collect::<Vec<_>>()
    };
    let cases: [(&str, &str, &[&str]); 9] = [
        // What meshc writes: a bundle, reports, answers.
        (
            "b.json",
            r#"{"digest": "sha256:1", "format": 1, "proxies": {}}"#,
            &[],
        ),
        (
            "r.json",
            r#"{"$schema": "s", "version": "2.1.0", "runs": []}"#,
            &[],
        ),
        (
            "r.json",
            r#"[{"code": "dangling-ref", "message": "m"}]"#,
            &[],
        ),
        ("r.json", "[]", &[]),
        // What a person may have meant for the mesh.
        ("d.json", r#"{"name": "web"}"#, &["missing-field"]),
        ("d.json", r#"{"tpye": "Mesh"}"#, &["missing-field"]),
        (
            "d.json",
            r#"[{"type": "Mesh", "name": "default"}]"#,
            &["wrong-type"],
        ),
        ("d.json", "1", &["wrong-type"]),
        (
            "d.yaml",
            "digest: sha256:1\nformat: 1\nproxies: {}\n",
            &["missing-field"],
        ),
    ];
    for (name, text, codes) in cases {
        assert_eq!(of(name, text), codes, "{name}: {text}");
    }
}

#[test]
fn the_order_of_files_has_no_influence() {
    let one = "type: Mesh\nname: default\n".as_bytes().to_vec();
    let two = "type: MeshTimeout\nname: t\nspec: {to: [{targetRef: {kind: Mesh}, default: {connectionTimeout: 1s}}]}\n".as_bytes().to_vec();
    let digest = |names: [&str; 2]| {
        let files = names
            .into_iter()
            .map(str::to_owned)
            .zip([one.clone(), two.clone()]);
        let world = MemoryWorld {
            files: files.collect(),
        };
        compile(&world, &Settings::default()).bundle.digest
    };
    assert_eq!(digest(["a.yaml", "b.yaml"]), digest(["b.yaml", "a.yaml"]));
}

#[test]
fn the_time_changes_what_is_said_and_nothing_else() {
    let pem = include_str!("../kinds/tests/ca.pem").replace('\n', "\n          ");
    let text = format!(
        "type: MeshTrust\nname: t\nspec:\n  trustDomain: td\n  caBundles:\n    - type: Pem\n      pem:\n        value: |\n          {pem}\n---\ntype: Dataplane\nname: web-1\nnetworking: {{address: 10.0.0.1}}\n"
    );
    let world = MemoryWorld {
        files: BTreeMap::from([("a.yaml".to_owned(), text.into_bytes())]),
    };
    let at = |now| {
        let settings = Settings {
            now,
            ..Settings::default()
        };
        let compiled = compile(&world, &settings);
        (compiled.bundle, compiled.diagnostics.list.len())
    };
    let (timeless, said) = at(None);
    // A day after 1970, when the certificate is not valid yet.
    let (early, complained) = at(Some(86_400));
    assert_eq!(timeless, early);
    assert_eq!((said, complained), (0, 1));
}
