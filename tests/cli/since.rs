//! `meshc check --since`: what a branch touches, in every format.
//!
//! Never lets anything be left out without a word.

use super::run::Repo;

const MESH: &str = "type: Mesh\nname: default\n";
const WARNED: &str = "type: Mesh\nname: default\nstatus: {}\n";

/// A mesh, and two documents with an error each.
fn repo() -> Repo {
    let repo = Repo::with("mesh/default.yaml", MESH);
    repo.write("mesh/old.yaml", "type: Mesh\nname: Old\n");
    repo.write("mesh/touched.yaml", "type: Mesh\nname: touched\n");
    repo.write("elsewhere.yaml", "type: Mesh\nname: Elsewhere\n");
    repo.committed()
}

#[test]
fn only_what_touches_a_changed_file_is_told() {
    let repo = repo();
    let none = repo.meshc(&["check", "mesh", "--since", "main"]);
    none.exits(0).says("no problems in 3 documents");
    none.complains("left out: 1 error, in files that have not changed since main");
    // Committed on the branch, changed since, and new: all of it counts.
    repo.git(&["switch", "--quiet", "--create", "branch"]);
    repo.write("mesh/touched.yaml", "type: Mesh\nname: Touched\n");
    repo.git(&["commit", "--quiet", "--all", "--message", "Touch"]);
    repo.write("mesh/new.yaml", "type: Mesh\nname: New\n");
    // What happens on main meanwhile does not.
    repo.git(&["switch", "--quiet", "main"]);
    repo.write("mesh/old.yaml", "type: Mesh\nname: Older\n");
    repo.git(&["commit", "--quiet", "--all", "--message", "Go on"]);
    repo.git(&["switch", "--quiet", "branch"]);
    let some = repo.meshc(&["check", "mesh", "--since", "main", "--format", "concise"]);
    let lines: Vec<&str> = some.exits(1).stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{some:?}");
    assert!(lines[0].starts_with("new.yaml:2:7") && lines[1].starts_with("touched.yaml:2:7"));
    some.complains("left out: 1 error, in");
    repo.meshc(&["check", "mesh/old.yaml", "--since", "main"])
        .exits(0);
    repo.meshc(&["check", "mesh/new.yaml", "--since", "main"])
        .exits(1);
}

#[test]
fn a_label_in_a_changed_file_counts() {
    let repo = repo();
    // The second of two that are equal is the finding; the first is what it is related to.
    repo.write("mesh/again.yaml", "type: Mesh\nname: touched\n");
    repo.git(&["add", "."]);
    repo.git(&["commit", "--quiet", "--message", "Again"]);
    let told = |repo: &Repo| {
        let ran = repo.meshc(&["check", "mesh", "--since", "main", "--format", "json"]);
        let list: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
        list.as_array().expect("a list").len()
    };
    assert_eq!(told(&repo), 0);
    for file in ["mesh/again.yaml", "mesh/touched.yaml"] {
        repo.write(file, "type: Mesh\nname: touched\nlabels: {a: b}\n");
        assert_eq!(told(&repo), 1, "{file}");
        repo.git(&["checkout", "--quiet", "."]);
    }
}

#[test]
fn every_format_and_the_exit_code_are_about_what_is_told() {
    let repo = repo();
    repo.write("mesh/touched.yaml", WARNED.replace("default", "touched"));
    let formats = [
        "human",
        "concise",
        "json",
        "json-lines",
        "sarif",
        "junit",
        "github",
        "gitlab",
        "azure",
        "rdjson",
    ];
    for format in formats {
        let report = format!("{format}=.report");
        let arguments = [
            "check", "mesh", "--since", "main", "--format", format, "--report",
        ];
        let ran = repo.meshc(&[&arguments[..], &[&report]].concat());
        let report = std::fs::read_to_string(repo.path(".report")).expect("a report");
        for text in [&ran.exits(0).stdout, &report] {
            assert!(text.contains("touched.yaml"), "{format}: {text}");
            assert!(!text.contains("invalid-name"), "{format}: {text}");
        }
    }
    repo.meshc(&["check", "mesh", "--since", "main", "--fail-on", "warning"])
        .exits(1);
    let piped = [
        "check",
        "mesh",
        "-",
        "--stdin-path",
        "mesh/old.yaml",
        "--since",
        "main",
    ];
    repo.meshc_reading(&piped, "type: Mesh\nname: Old\n")
        .exits(1)
        .says("--> old.yaml");
}

#[test]
fn what_cannot_be_compared_is_no_finding() {
    let repo = repo();
    repo.meshc(&["check", "--since", "nowhere"])
        .exits(2)
        .complains("--since nowhere: there is no revision `nowhere`");
    repo.git(&["switch", "--quiet", "--orphan", "alone"]);
    repo.git(&["commit", "--quiet", "--allow-empty", "--message", "Alone"]);
    repo.meshc(&["check", "--since", "main"])
        .exits(2)
        .complains("have no common commit");
    Repo::with("a.yaml", MESH)
        .meshc(&["check", "--since", "main"])
        .exits(2)
        .complains("is in no git work tree");
}
