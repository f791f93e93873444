//! `meshc build`: a bundle, or nothing.
//!
//! Never looks into the bundle; that is for the golden tests.

use std::os::unix::fs::FileTypeExt as _;

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

#[test]
fn what_is_no_file_is_written_to_and_stays() {
    let repo = Repo::with("a.yaml", GOOD);
    let printed = repo.meshc(&["build", "-o", "-"]);
    let pipe = repo.path("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo runs").success());
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || std::fs::read(pipe).expect("what was written")
    });
    repo.meshc(&["build", "-o", "pipe"]).exits(0);
    let there = std::fs::symlink_metadata(&pipe).expect("it is there");
    assert!(there.file_type().is_fifo());
    assert_eq!(reader.join().expect("read"), printed.stdout.as_bytes());
    // A link is followed, and stays one.
    std::os::unix::fs::symlink("real.bundle", repo.path("link.bundle")).expect("a link");
    std::fs::write(repo.path("real.bundle"), "old").expect("a file");
    repo.meshc(&["build", "-o", "link.bundle"]).exits(0);
    assert!(repo.path("link.bundle").is_symlink());
    let real = std::fs::read_to_string(repo.path("real.bundle")).expect("the bundle");
    assert_eq!(real, printed.stdout);
}
