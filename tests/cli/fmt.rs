//! `meshc fmt`, over files, and over what an editor holds.
//!
//! Never looks at every rule; those have cases beside the code.

use std::path::Path;

use super::run::Repo;

const UGLY: &str = "name: 'default'\ntype: Mesh\n\n\n";
const GOOD: &str = "type: Mesh\nname: default\n";
const ANCHORED: &str = "type: Mesh\nname: &x other\n";

fn read(repo: &Repo, path: &str) -> String {
    std::fs::read_to_string(repo.path(path)).expect("a file")
}

#[test]
fn files_are_written_anew_once() {
    let repo = Repo::with("a/ugly.yaml", UGLY);
    repo.write("good.yaml", GOOD);
    repo.write("anchored.yaml", ANCHORED);
    repo.write("other.json", "{\"type\":   \"Mesh\"}");
    repo.write(
        "deployment.yaml",
        "apiVersion: apps/v1\nkind:   Deployment\n",
    );
    let check = repo.meshc(&["fmt", "--check"]);
    assert_eq!(check.exits(1).stdout, "a/ugly.yaml\n");
    check.complains("1 file would change, 3 files would not");
    check.complains("anchored.yaml:1: left as it is: it has anchors or aliases");
    let diff = repo.meshc(&["fmt", "--diff"]);
    diff.exits(1).says("--- a/a/ugly.yaml\n+++ b/a/ugly.yaml\n");
    assert_eq!(read(&repo, "a/ugly.yaml"), UGLY, "nothing is written yet");
    repo.meshc(&["fmt"])
        .exits(0)
        .complains("1 file changed, 3 files not");
    assert_eq!(read(&repo, "a/ugly.yaml"), GOOD);
    assert_eq!(read(&repo, "anchored.yaml"), ANCHORED);
    repo.meshc(&["fmt", "--check"]).exits(0);
    repo.write("b.yaml", UGLY);
    repo.write("c.yaml", UGLY);
    repo.meshc(&["fmt", "b.yaml"]).exits(0);
    assert_eq!(
        (read(&repo, "b.yaml"), read(&repo, "c.yaml")),
        (GOOD.to_owned(), UGLY.to_owned())
    );
}

#[test]
fn an_editor_gets_the_text_back() {
    let repo = Repo::with("a.yaml", GOOD);
    for arguments in [&["fmt", "-"][..], &["fmt", "-", "--stdin-path", "a.yaml"]] {
        let ran = repo.meshc_reading(arguments, UGLY);
        assert_eq!(ran.exits(0).stdout, GOOD);
    }
    let left = repo.meshc_reading(&["fmt", "-", "--stdin-path", "a.yaml"], ANCHORED);
    left.exits(0).complains("a.yaml:1: left as it is");
    assert_eq!(left.stdout, ANCHORED);
    let check = repo.meshc_reading(&["fmt", "-", "--check"], UGLY);
    assert_eq!(check.exits(1).stdout, "stdin.yaml\n");
    assert_eq!(read(&repo, "a.yaml"), GOOD);
}

#[test]
fn secrets_are_not_shown() {
    let secret = "type:   Secret\nmesh: default\nname: key\ndata: aGlkZGVu\n";
    let repo = Repo::with("a.yaml", secret);
    let diff = repo.meshc(&["fmt", "--diff"]);
    assert_eq!(diff.exits(1).stdout, "");
    diff.complains("a.yaml holds a Secret, and is not shown");
}

#[test]
fn what_cannot_be_read_is_named_and_left() {
    let repo = Repo::with("bytes.yaml", b"type: \xff\n");
    repo.write("ugly.yaml", UGLY);
    repo.meshc(&["fmt"])
        .exits(0)
        .complains("bytes.yaml: left as it is: this file is not UTF-8");
    assert_eq!(read(&repo, "ugly.yaml"), GOOD);
    repo.meshc(&["fmt", "nowhere"])
        .exits(2)
        .complains("cannot read nowhere");
}

#[test]
fn what_we_show_is_written_so() {
    let repo = Repo::new();
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for directory in ["examples", "compiler/src/kinds"] {
        let directory = top.join(directory).display().to_string();
        let ran = repo.meshc(&["fmt", "--check", &directory]);
        assert_eq!(ran.exits(0).stdout, "", "`meshc fmt {directory}` mends it");
        assert!(!ran.stderr.contains("left as it is"), "{ran:?}");
    }
    repo.meshc(&["init", "mesh"]).exits(0);
    repo.meshc(&["fmt", "--check", "mesh"]).exits(0);
}
