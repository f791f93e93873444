//! `meshc build`: a bundle, or nothing.
//!
//! Never looks into the bundle; that is for the golden tests.

use mesh_bundle::Bundle;

use super::run::Repo;

const GOOD: &str = "type: Mesh\nname: default\n";

#[test]
fn the_file_is_the_bundle_and_its_digest_is_said() {
    let repo = Repo::with("a.yaml", GOOD);
    let ran = repo.meshc(&["build", "-o", "out.bundle", "--revision", "abc"]);
    ran.exits(0).complains("no problems in 1 document");
    let bytes = std::fs::read(repo.path("out.bundle")).expect("a bundle");
    let bundle = Bundle::decode(&bytes).expect("a bundle");
    assert_eq!(bundle.revision.as_deref(), Some("abc"));
    assert_eq!(ran.stdout, format!("{}\n", bundle.digest));
    let other = repo.meshc(&["build", "-o", "other.bundle", "--revision", "def"]);
    assert_eq!(ran.stdout, other.stdout);
    let printed = repo.meshc(&["build", "-o", "-"]);
    let printed = Bundle::decode(printed.exits(0).stdout.as_bytes()).expect("a bundle");
    assert_eq!(printed.digest, bundle.digest);
}

#[test]
fn with_errors_nothing_is_written() {
    let repo = Repo::with("a.yaml", "type: Mehs\n");
    repo.write("out.bundle", "what was there");
    let ran = repo.meshc(&["build", "-o", "out.bundle"]);
    ran.exits(1)
        .complains("error[unknown-kind]")
        .complains("nothing is written");
    let kept = std::fs::read_to_string(repo.path("out.bundle")).expect("a file");
    assert_eq!(kept, "what was there");
}

#[test]
fn what_cannot_be_written_leaves_nothing_behind() {
    let repo = Repo::with("a.yaml", GOOD);
    repo.meshc(&["build", "-o", "no/such/out.bundle"])
        .exits(2)
        .complains("cannot write no/such/out.bundle: no file can be made in no/such: ");
    repo.meshc(&["build", "a.yaml", "-o", "x"])
        .exits(2)
        .complains("give the directory");
    repo.meshc(&["build", "-o", "."]).exits(2);
    let left: Vec<_> = std::fs::read_dir(repo.root())
        .expect("a directory")
        .collect();
    assert_eq!(left.len(), 1, "{left:?}");
}
