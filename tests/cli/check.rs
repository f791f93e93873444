//! `meshc check`: exit codes, formats, paths.
//!
//! Never looks at wording; that is for the cases.

use super::run::{Repo, finish, limited};

const GOOD: &str = "type: Mesh\nname: default\n";
const BAD: &str = "type: Mesh\nname: Default\n";
const WARNED: &str = "type: Mesh\nname: default\nstatus: {}\n";

#[test]
fn the_exit_code_tells_what_was_found() {
    let clean = "no problems in 1 document\n";
    Repo::with("a.yaml", GOOD)
        .meshc(&["check"])
        .exits(0)
        .says(clean);
    let bad = Repo::with("a.yaml", BAD);
    bad.meshc(&["check"])
        .exits(1)
        .says("1 error in 1 document\n");
    let warned = Repo::with("a.yaml", WARNED);
    warned
        .meshc(&["check"])
        .exits(0)
        .says("1 warning in 1 document\n");
    warned.meshc(&["check", "--deny-warnings"]).exits(1);
}

#[test]
fn what_cannot_be_read_is_no_finding() {
    let repo = Repo::new();
    let missing = repo.meshc(&["check", "nowhere"]);
    missing
        .exits(2)
        .complains("cannot read nowhere: no such file or directory");
    repo.write("README.md", "text");
    repo.meshc(&["check", "README.md"])
        .exits(2)
        .complains("a document is in a file that ends in");
    repo.meshc(&["check", "--zone", "East Side"])
        .exits(2)
        .complains("is no name for `zone`");
    repo.meshc(&["chekc"]).exits(2);
    repo.meshc(&["--help"]).exits(0).says("check");
}

#[test]
fn a_file_is_judged_on_its_own() {
    let document = "type: MeshTimeout\nmesh: other\nname: t\nspec: {to: [{targetRef: {kind: Mesh}, default: {idleTimeout: 1h}}]}\n";
    let repo = Repo::with("a.yaml", document);
    repo.write("b.yaml", BAD);
    repo.meshc(&["check", "a.yaml"])
        .exits(0)
        .says("warning[unknown-mesh]");
    repo.meshc(&["check"]).exits(1);
    let both = repo.meshc(&["check", "./a.yaml", "b.yaml"]);
    both.exits(1).says("--> a.yaml:2:7").says("--> b.yaml:2:7");
    both.says("1 error, 1 warning in 2 documents");
    repo.write(".hidden/c.yaml", BAD);
    repo.meshc(&["check", ".hidden/c.yaml"])
        .exits(1)
        .says("--> c.yaml:2:7");
    repo.meshc(&["check", "a.yaml", "."])
        .exits(2)
        .complains("cannot read .: it is a directory");
}

#[test]
fn people_see_the_place_in_colour_only_where_asked() {
    let repo = Repo::with("policies/a.yaml", BAD);
    let plain = repo.meshc(&["check"]);
    plain
        .says("error[invalid-name]")
        .says("--> policies/a.yaml:2:7")
        .says("help:");
    assert!(!plain.stdout.contains('\u{1b}'), "{plain:?}");
    repo.meshc(&["check", "--color", "always"])
        .exits(1)
        .says("\u{1b}[");
}

#[test]
fn tools_get_lines_or_json() {
    let repo = Repo::with("a.yaml", BAD);
    let concise = repo.meshc(&["check", "--format", "concise"]);
    concise.exits(1).complains("1 error in 1 document");
    assert_eq!(concise.stdout.lines().count(), 1, "{concise:?}");
    assert!(
        concise
            .stdout
            .starts_with("a.yaml:2:7: error[invalid-name] "),
        "{concise:?}"
    );
    let json = repo.meshc(&["check", "--format", "json"]);
    let list: serde_json::Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!(list[0]["code"], "invalid-name");
    assert_eq!(list[0]["file"], "a.yaml");
    assert_eq!(list[0]["line"], 2);
    assert_eq!(list[0]["path"], "name");
    let clean = Repo::with("a.yaml", GOOD).meshc(&["check", "--format", "json"]);
    let list: serde_json::Value = serde_json::from_str(&clean.exits(0).stdout).expect("JSON");
    assert_eq!(list, serde_json::json!([]));
}

#[test]
fn hidden_directories_and_other_files_are_not_read() {
    let repo = Repo::with("a.yaml", GOOD);
    repo.write(".git/config.yaml", "type: [");
    repo.write(".github/workflows/ci.yml", "on: push");
    repo.write("values.yaml.tmpl", "{{ x }}");
    repo.write("script.sh", "type: [");
    repo.meshc(&["check"])
        .exits(0)
        .says("no problems in 1 document");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let repo = Repo::with("a.yaml", BAD);
    let mut shell = std::process::Command::new("sh");
    // The shell's own status is that of meshc, whose output nobody reads.
    let script = "\"$0\" check . | true; exec 3>&1; { \"$0\" check . ; echo $? >&3; } | true";
    shell.arg("-c").arg(script).arg(mesh_tests::binary("meshc"));
    shell.current_dir(repo.root());
    let ran = finish(shell);
    assert!(!ran.stderr.contains("panicked"), "{ran:?}");
    assert!(!ran.stderr.contains("error"), "{ran:?}");
}

#[test]
fn the_machine_has_no_influence() {
    let repo = Repo::with("b/a.yaml", BAD);
    repo.write("a.yml", WARNED);
    let here = repo.meshc(&["check", "--format", "json"]);
    let machine = [
        ("TZ", "Asia/Tokyo"),
        ("LANG", "tr_TR.UTF-8"),
        ("LC_ALL", "C"),
    ];
    let there = repo.meshc_with(&["check", "--format", "json"], &machine);
    assert_eq!(here.stdout, there.stdout);
    let mut elsewhere = limited();
    elsewhere
        .args(["check", "--format", "json"])
        .arg(repo.root());
    elsewhere.current_dir("/");
    assert_eq!(here.stdout, finish(elsewhere).stdout);
}

#[test]
fn what_can_be_mended_is_mended() {
    let repo = Repo::with("a/b.yaml", WARNED);
    repo.write("other.yaml", "type: Mesh\nname: other\n");
    let diff = repo.meshc(&["check", "--diff"]);
    diff.exits(1).says("--- a/a/b.yaml\n+++ b/a/b.yaml\n@@ -1,3 +1,2 @@\n type: Mesh\n name: default\n-status: {}\n");
    diff.complains("would mend 1 finding in 1 file");
    let read = |path: &str| std::fs::read_to_string(repo.path(path)).expect("a file");
    assert_eq!(read("a/b.yaml"), WARNED);
    let mended = repo.meshc(&["check", "--fix"]);
    mended.exits(0).says("no problems in 2 documents\n");
    mended.complains("mended 1 finding in 1 file");
    assert_eq!(read("a/b.yaml"), GOOD);
    let listed = std::fs::read_dir(repo.path("a")).expect("a directory");
    assert_eq!(listed.count(), 1, "nothing is left beside it");
    repo.meshc(&["check", "--diff"]).exits(0).says("");
    repo.meshc(&["check", "--fix=all"]).exits(2);
}

#[test]
fn only_who_asks_for_it_gets_what_may_mean_something_else() {
    let text = "type: Mesh\nname: default\nlables: {team: a}\n";
    let repo = Repo::with("a.yaml", text);
    let read = || std::fs::read_to_string(repo.path("a.yaml")).expect("a file");
    repo.meshc(&["check", "--fix"]).exits(1);
    assert_eq!(read(), text);
    repo.meshc(&["check", "a.yaml", "--fix=unsafe"]).exits(0);
    assert_eq!(read(), text.replace("lables", "labels"));
}

#[cfg(unix)]
#[test]
fn nothing_is_written_through_a_link() {
    let repo = Repo::with("outside/a.yaml", WARNED);
    std::fs::create_dir(repo.path("in")).expect("a directory");
    std::os::unix::fs::symlink(repo.path("outside/a.yaml"), repo.path("in/a.yaml"))
        .expect("a link");
    repo.meshc(&["check", "in/a.yaml", "--fix"])
        .exits(2)
        .complains("is a symbolic link");
    let text = std::fs::read_to_string(repo.path("outside/a.yaml")).expect("a file");
    assert_eq!(text, WARNED);
}
