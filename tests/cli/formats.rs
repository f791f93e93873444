//! `meshc check --format` and `--report`: what pipelines read.
//!
//! Never judges a format by itself; `tests/formats.rs` does.

use serde_json::Value;

use super::run::{Ran, Repo};

const TIMEOUT: &str = "type: MeshTimeout\nmesh: default\nname: t\nspec: {to: [{targetRef: {kind: Mesh}, default: {idleTimeout: 1x}}]}\n";

/// A repository in a directory of a work tree.
fn repo() -> Repo {
    let repo = Repo::with(
        "deploy/mesh/mesh.yaml",
        "type: Mesh\nname: default\nstatus: {}\n",
    );
    repo.write("deploy/mesh/teams/a b.yaml", TIMEOUT);
    repo.write(".git/HEAD", "ref: refs/heads/main\n");
    repo
}

fn parsed(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).expect("JSON")
}

#[test]
fn pipelines_get_paths_from_the_top_of_the_work_tree() {
    let repo = repo();
    let check = |path: &str, format: &str| repo.meshc(&["check", path, "--format", format]);
    for path in ["deploy/mesh", "deploy/mesh/teams/a b.yaml"] {
        check(path, "github")
            .exits(1)
            .says("::error file=deploy/mesh/teams/a b.yaml,line=4,");
        check(path, "azure").exits(1).says(
            "##vso[task.logissue type=error;sourcepath=deploy/mesh/teams/a b.yaml;linenumber=4;",
        );
        check(path, "sarif")
            .exits(1)
            .says("\"uri\": \"deploy/mesh/teams/a%20b.yaml\"");
        check(path, "gitlab")
            .exits(1)
            .says("\"path\": \"deploy/mesh/teams/a b.yaml\"");
        check(path, "rdjson")
            .exits(1)
            .says("\"path\": \"deploy/mesh/teams/a b.yaml\"");
        check(path, "junit")
            .exits(1)
            .says("<testsuite name=\"deploy/mesh/teams/a b.yaml\"");
    }
    // People look from where they are.
    check("deploy/mesh", "concise").says("teams/a b.yaml:4:");
}

#[test]
fn a_fingerprint_outlives_moved_lines_and_nothing_else() {
    let repo = repo();
    let prints = || -> Vec<String> {
        let list = parsed(&repo.meshc(&["check", "deploy/mesh", "--format", "gitlab"]));
        let list = list.as_array().expect("issues").iter();
        list.map(|issue| issue["fingerprint"].to_string()).collect()
    };
    let before = prints();
    assert_eq!(before.len(), 2, "{before:?}");
    repo.write(
        "deploy/mesh/teams/a b.yaml",
        format!("# moved\n\n{TIMEOUT}"),
    );
    assert_eq!(prints(), before);
    // Into another file.
    let place = |name: &str| repo.path("deploy/mesh").join(name);
    std::fs::rename(place("teams/a b.yaml"), place("teams/c.yaml")).expect("it is there");
    assert_eq!(prints(), before);
    std::fs::rename(place("teams/c.yaml"), place("teams/a b.yaml")).expect("it is there");
    repo.write(
        "deploy/mesh/teams/a b.yaml",
        TIMEOUT.replace("name: t", "name: u"),
    );
    let other = prints();
    assert_eq!(other[0], before[0]);
    assert_ne!(other[1], before[1]);
}

#[test]
fn one_run_writes_several_reports() {
    let repo = repo();
    let ran = repo.meshc(&[
        "check",
        "deploy/mesh",
        "--format",
        "github",
        "--report",
        "sarif=mesh.sarif",
        "--report",
        "junit=mesh.xml",
        "--report",
        "human=mesh.txt",
    ]);
    ran.exits(1).says("::error ").says("::warning ");
    let read = |name: &str| std::fs::read_to_string(repo.path(name)).expect("a report");
    let sarif: Value = serde_json::from_str(&read("mesh.sarif")).expect("JSON");
    assert_eq!(
        sarif["runs"][0]["results"].as_array().map(Vec::len),
        Some(2)
    );
    assert!(read("mesh.xml").contains("failures=\"1\""));
    let human = read("mesh.txt");
    assert!(human.contains("error[invalid-value]") && !human.contains('\u{1b}'));
    // A clean run says that it was one.
    repo.write("deploy/mesh/teams/a b.yaml", TIMEOUT.replace("1x", "1h"));
    let clean = repo.meshc(&["check", "deploy/mesh", "--format", "junit"]);
    clean
        .exits(0)
        .says("tests=\"2\" failures=\"0\"")
        .says("<testcase name=\"no problems\"");
    let build = repo.meshc(&["build", "deploy/mesh", "-o", "b", "--report", "json=b.json"]);
    build.exits(0);
    assert!(read("b.json").contains("read-only-field"));
}

#[test]
fn a_report_that_cannot_be_is_refused() {
    let repo = repo();
    let report = |wanted: &str| repo.meshc(&["check", "deploy/mesh", "--report", wanted]);
    report("mesh.sarif").exits(2).complains("FORMAT=FILE");
    report("sarif=").exits(2).complains("FORMAT=FILE");
    report("sarfi=x")
        .exits(2)
        .complains("there is no format `sarfi`; there are `human`");
    report("sarif=no/such/x")
        .exits(2)
        .complains("cannot write no/such/x");
}

#[test]
fn what_fails_a_run_is_chosen() {
    let repo = Repo::with("mesh.yaml", "type: Mesh\nname: default\nstatus: {}\n");
    repo.meshc(&["check", "--fail-on", "error"]).exits(0);
    repo.meshc(&["check", "--fail-on", "warning"]).exits(1);
    repo.meshc(&["check", "--fail-on", "warning", "--format", "junit"])
        .exits(1)
        .says("<failure type=\"warning\"");
    repo.meshc(&["check", "--fail-on", "nothing"]).exits(2);
}

#[test]
fn a_document_gives_no_command_to_a_pipeline() {
    let repo = Repo::with(
        "a.yaml",
        "type: Mesh\nname: \"a%0A::error::b\\n::set-output\"\n",
    );
    for format in ["github", "azure"] {
        let ran = repo.meshc(&["check", "--format", format]);
        ran.exits(1);
        assert_eq!(ran.stdout.lines().count(), 1, "{ran:?}");
        assert!(!ran.stdout.contains("%0A::error"), "{ran:?}");
    }
}

#[test]
fn thousands_of_findings_are_told_up_to_a_bound_that_is_said() {
    let repo = Repo::with("a.yaml", "type: Nothing\nname: x\n---\n".repeat(900));
    let ran = repo.meshc(&["check", "--format", "github", "--report", "gitlab=all.json"]);
    ran.exits(1).complains("850 more are not in the output");
    ran.says("::notice title=meshc::850 more findings, not shown");
    assert_eq!(ran.stdout.lines().count(), 51, "{ran:?}");
    let all = std::fs::read_to_string(repo.path("all.json")).expect("a report");
    let all: Value = serde_json::from_str(&all).expect("JSON");
    assert_eq!(all.as_array().map(Vec::len), Some(900));
}

#[test]
fn what_is_written_into_a_repository_is_no_document_of_it() {
    let repo = repo();
    let before = repo.meshc(&["check", "deploy/mesh", "--format", "concise"]);
    before.exits(1);
    for format in ["json", "sarif", "gitlab", "rdjson"] {
        let report = format!("{format}=deploy/mesh/{format}.json");
        repo.meshc(&["check", "deploy/mesh", "--report", &report])
            .exits(1);
    }
    for (number, words) in [
        &["rules", "--format", "json"][..],
        &["config", "show", "--format", "json"],
    ]
    .iter()
    .enumerate()
    {
        let answer = repo.meshc(words);
        repo.write(
            &format!("deploy/mesh/answer-{number}.json"),
            &answer.exits(0).stdout,
        );
    }
    let after = repo.meshc(&["check", "deploy/mesh", "--format", "concise"]);
    assert_eq!(after.exits(1).stdout, before.stdout);
    assert_eq!(after.stderr, before.stderr);

    let shop = Repo::with("mesh.yaml", "type: Mesh\nname: default\n");
    shop.write("dp.yaml", "type: Dataplane\nname: web-1\nmesh: default\nnetworking: {address: 127.0.0.1, inbound: [{name: http, port: 80, servicePort: 8080}]}\n");
    shop.meshc(&["build", "-o", "bundle.json"]).exits(0);
    for (number, words) in [
        &["graph", "--format", "json"][..],
        &["inspect", ".", "--format", "json"],
        &["inspect", ".", "web-1", "--format", "json"],
    ]
    .iter()
    .enumerate()
    {
        let answer = shop.meshc(words);
        shop.write(&format!("answer-{number}.json"), &answer.exits(0).stdout);
    }
    shop.meshc(&["check"])
        .exits(0)
        .says("no problems in 2 documents");
}
