//! `meshc new`: documents that pass, also beside what is there.
//!
//! Never judges the words of a comment.

use super::run::Repo;

const ALL: [&[&str]; 7] = [
    &["service", "orders", "--port", "8080", "--protocol", "grpc"],
    &["service", "orders-v2", "--app", "orders"],
    &["permission", "orders", "--from", "web", "--from", "batch"],
    &[
        "route",
        "hello",
        "--path",
        "/old: \"path\" #1",
        "--to",
        "orders",
        "--port",
        "8080",
    ],
    &[
        "canary",
        "hello",
        "--stable",
        "hello",
        "--canary",
        "orders-v2",
        "--weight",
        "25",
    ],
    &["rate-limit", "hello", "--requests", "100", "--per", "1m"],
    &["timeout", "hello", "--request", "3s"],
];

#[test]
fn everything_that_is_made_passes_beside_the_rest() {
    let repo = Repo::new();
    repo.meshc(&["init"]).exits(0);
    for proxy in ["orders", "web", "batch"] {
        let document = format!(
            "type: Dataplane\nmesh: default\nname: {proxy}-1\nlabels: {{app: {proxy}, kuma.io/workload: {proxy}}}\nnetworking: {{address: 10.0.0.1, inbound: [{{name: grpc, port: 80, protocol: grpc}}, {{name: http, port: 81, protocol: http}}]}}\n"
        );
        let address = format!("10.0.0.{}", proxy.len());
        repo.write(
            &format!("{proxy}.yaml"),
            document.replace("10.0.0.1", &address),
        );
    }
    for (index, arguments) in ALL.iter().enumerate() {
        let file = format!("new-{index}.yaml");
        let printed = repo.meshc(&[&["new"], *arguments].concat());
        printed.exits(0);
        let dry = repo.meshc(&[&["new"], *arguments, &["-o", &file, "--dry-run"]].concat());
        assert_eq!(dry.exits(0).stdout, printed.stdout);
        assert!(!repo.path(&file).exists());
        repo.meshc(&[&["new"], *arguments, &["-o", &file]].concat())
            .exits(0);
        let written = std::fs::read_to_string(repo.path(&file)).expect("a file");
        assert_eq!(written, printed.stdout);
        repo.meshc(&["fmt", "--check", &file]).exits(0);
        assert!(
            written.starts_with("# ") && !written.contains('@'),
            "{written}"
        );
        repo.meshc(&["check", &file, "--fail-on", "error"]).exits(0);
        repo.meshc(&[&["new"], *arguments, &["-o", &file]].concat())
            .exits(2)
            .complains("is there already");
    }
    let all = repo.meshc(&["check"]);
    all.exits(0).says(" in 21 documents");
}

#[test]
fn what_cannot_be_is_not_made() {
    let repo = Repo::new();
    let refused = |arguments: &[&str]| {
        let ran = repo.meshc(&[&["new"], arguments].concat());
        ran.exits(2);
        assert!(ran.stdout.is_empty(), "{ran:?}");
        ran.stderr
    };
    assert!(refused(&["service", "Big Name"]).contains("use lower case letters"));
    assert!(refused(&["service", "a\nb: c"]).contains("use lower case letters"));
    assert!(refused(&["timeout", "a", "--request", "soon"]).contains("soon"));
    assert!(
        refused(&["route", "a", "--path", "no-slash", "--to", "b"]).contains("this cannot be:")
    );
    assert!(
        refused(&[
            "canary", "a", "--stable", "b", "--canary", "c", "--weight", "101"
        ])
        .contains("101")
    );
    assert!(
        refused(&["permission", "a", "--from", "b", "--trust-domain", "x\ny"])
            .contains("this cannot be:")
    );
    refused(&["permission", "a"]);
}
