//! `meshc test`: exit codes, reports, and the commands of the guide.
//!
//! Never judges an answer: that is for the compiler's own tests.

use std::path::Path;

use serde_json::Value;

use super::run::Repo;

/// The shop, with one more document.
fn shop(added: &str) -> Repo {
    let repo = Repo::new();
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut open = vec![top.join("examples/shop")];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let name = path.strip_prefix(&top).expect("below the top");
            let name = name.to_str().expect("a name in UTF-8");
            repo.write(name, std::fs::read(&path).expect("a file"));
        }
    }
    if !added.is_empty() {
        repo.write("examples/shop/added.yaml", added);
    }
    repo
}

/// Commands that the guide shows, each without `meshc` before it.
fn guide() -> Vec<Vec<String>> {
    let text = include_str!("../../docs/guide/testing.md");
    let lines = text.lines().filter_map(|line| line.strip_prefix("meshc "));
    let words = |line: &str| {
        let command = line.split('#').next().unwrap_or_default();
        command.split_whitespace().map(str::to_owned).collect()
    };
    lines.map(words).collect()
}

#[test]
fn the_tests_of_the_shop_hold_and_the_guide_shows_how_to_ask() {
    let repo = shop("");
    let commands = guide();
    assert!(commands.len() >= 3, "{commands:?}");
    for command in commands {
        let arguments: Vec<&str> = command.iter().map(String::as_str).collect();
        repo.meshc(&arguments)
            .exits(0)
            .complains("5 tests, 0 failed");
    }
    let strict = [
        "test",
        "examples/shop",
        "--coverage",
        "--mutate",
        "--strict",
    ];
    repo.meshc(&strict).exits(0).says("0 of 6 rules");
}

#[test]
fn what_does_not_hold_fails_and_is_reported_in_a_file() {
    let repo = shop(
        "type: MeshTest\nname: more\nspec:\n  tests:\n    - from: {kind: Dataplane, labels: {app: outsider}}\n      to: {kind: MeshService, labels: {kuma.io/display-name: db}}\n      expect: {access: Allow}\n",
    );
    let report = repo.path("report.xml");
    let report = report.to_str().expect("a name in UTF-8");
    let tap = repo.path("report.tap").display().to_string();
    let (junit, tap) = (format!("junit={report}"), format!("tap={tap}"));
    let ran = repo.meshc(&[
        "test",
        "examples/shop",
        "--report",
        &junit,
        "--report",
        &tap,
    ]);
    ran.exits(1)
        .says("FAIL more: allow app=outsider to db")
        .says("`outsider-1` has no outbound to");
    let report = std::fs::read_to_string(report).expect("the report");
    assert!(report.contains("failures=\"1\""), "{report}");
    let tap = std::fs::read_to_string(repo.path("report.tap")).expect("the report");
    assert!(tap.starts_with("TAP version 14\n"), "{tap}");
    repo.meshc(&["test", "examples/shop", "--report", "sariff=x"])
        .exits(2)
        .complains(
            "there is no format `sariff`; there are `human`, `json`, `junit`, `tap`, `concise`",
        );
    repo.meshc(&["test", "examples/shop", "--filter", "the API reaches"])
        .exits(0)
        .complains("1 test, 0 failed");
}

#[test]
fn what_does_not_hold_is_a_finding_for_pipelines() {
    let outsider = "type: MeshTest\nname: more\nspec:\n  tests:\n    - from: {kind: Dataplane, labels: {app: outsider}}\n      to: {kind: MeshService, labels: {kuma.io/display-name: api}}\n      expect: {access: Allow}\n";
    let repo = shop(outsider);
    repo.write(".git/HEAD", "ref: refs/heads/main\n");
    let told = |format: &str| {
        let ran = repo.meshc(&["test", "examples/shop", "--format", format]);
        ran.exits(1).complains("6 tests, 1 failed").stdout.clone()
    };
    let path = "examples/shop/added.yaml";
    assert!(told("github").starts_with(&format!("::error file={path},line=5,")));
    assert!(told("azure").contains(&format!("sourcepath={path};linenumber=5;")));
    assert!(told("concise").contains("added.yaml:5:"));
    let sarif: Value = serde_json::from_str(&told("sarif")).expect("JSON");
    let result = &sarif["runs"][0]["results"][0];
    assert_eq!(result["ruleId"], "failed-test");
    let location = &result["locations"][0]["physicalLocation"];
    assert_eq!(location["artifactLocation"]["uri"], path);
    // The line that refuses it is named too.
    let related = result["relatedLocations"].to_string();
    assert!(
        related.contains("examples/shop/api/permission.yaml"),
        "{related}"
    );
    let print = || {
        let list: Value = serde_json::from_str(&told("gitlab")).expect("JSON");
        list[0]["fingerprint"].clone()
    };
    let before = print();
    repo.write("examples/shop/added.yaml", format!("# moved\n\n{outsider}"));
    assert_eq!(print(), before);
    repo.meshc(&[
        "test",
        "examples/shop",
        "--format",
        "sarif",
        "--report",
        "tap=t.tap",
    ])
    .exits(1);
    let tap = std::fs::read_to_string(repo.path("t.tap")).expect("the report");
    assert!(tap.starts_with("TAP version 14\n"), "{tap}");
}

#[test]
fn what_no_test_asks_is_a_finding_for_pipelines() {
    let repo = shop("");
    repo.write(".git/HEAD", "ref: refs/heads/main\n");
    let slow = "examples/shop/slow.yaml";
    let with = |comment: &str| {
        format!(
            "type: MeshTimeout\nmesh: default\nname: slow\nspec:\n  to:\n    - targetRef: {{kind: MeshService, labels: {{kuma.io/display-name: db}}}}\n      default:\n{comment}        connectionTimeout: 7s\n"
        )
    };
    repo.write(slow, with(""));
    let asked = ["test", "examples/shop", "--coverage", "--mutate"];
    let ran = repo.meshc(&[&asked[..], &["--format", "github"]].concat());
    ran.exits(0)
        .says(&format!("::warning file={slow},line=8,"))
        .says("no test touches this timeout")
        .says("no test notices what the mesh does with a second more");
    let ran = repo.meshc(&[&asked[..], &["--format", "sarif"]].concat());
    let sarif: Value = serde_json::from_str(&ran.exits(0).stdout).expect("JSON");
    let results = sarif["runs"][0]["results"].as_array().expect("results");
    let codes: Vec<_> = results.iter().map(|result| &result["ruleId"]).collect();
    assert_eq!(codes, ["unnoticed-change", "untested-rule"]);
    repo.meshc(&asked).exits(0).says("1 of 7 rules");
    repo.meshc(&[&asked[..], &["--strict"]].concat()).exits(1);
    // Who knows better says so where the rule is, or in the settings.
    let known = "        # meshc: ignore[untested-rule, unnoticed-change] tried by hand\n";
    repo.write(slow, with(known));
    repo.meshc(&[&asked[..], &["--strict"]].concat())
        .exits(0)
        .says("0 of 7 rules");
    repo.meshc(&["check", "examples/shop", "--deny-warnings"])
        .exits(0);
    repo.write(slow, with(""));
    repo.write(
        "examples/shop/meshc.toml",
        "[lint]\nuntested-rule = \"error\"\n",
    );
    repo.meshc(&asked).exits(1);
}

#[test]
fn without_a_test_there_is_nothing_to_ask() {
    let repo = Repo::with("a.yaml", "type: Mesh\nname: default\n");
    repo.meshc(&["test"])
        .exits(2)
        .complains("no document is of the kind `MeshTest`");
    let repo = Repo::with("a.yaml", "type: MeshTest\nname: t\nspec: {testss: []}\n");
    repo.meshc(&["test"])
        .exits(1)
        .complains("did you mean `tests`?");
}
