//! What somebody could commit to harm whoever checks it.
//!
//! Never trusts the shape of an input: each ends with exit 1, a place, and little output, within the bounds of every run.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::process::Command;

use super::run::{Ran, Repo};

#[track_caller]
fn refused(ran: &Ran, text: &str) {
    ran.exits(1).says(text);
    assert!(ran.stdout.len() <= 64 * 1024, "{} bytes", ran.stdout.len());
    let raw = |c: char| c.is_control() && c != '\n';
    assert!(!ran.stdout.contains(raw), "{ran:?}");
}

#[track_caller]
fn check(bytes: impl AsRef<[u8]>, text: &str) {
    let ran = Repo::with("a.yaml", bytes).meshc(&["check"]);
    refused(&ran, text);
    ran.says("--> a.yaml:");
}

#[test]
fn links_are_not_followed() {
    let outside = Repo::with("secret.yaml", "type: Secret\nname: hush\n");
    let repo = Repo::with("a.yaml", "type: Mesh\nname: default\n");
    symlink(outside.path("secret.yaml"), repo.path("file.yaml")).expect("a link");
    symlink(outside.root(), repo.path("directory")).expect("a link");
    symlink(".", repo.path("loop")).expect("a link");
    symlink("/dev/zero", repo.path("zero.yaml")).expect("a link");
    symlink("/proc/self/environ", repo.path("environ.yml")).expect("a link");
    let ran = repo.meshc(&["check"]);
    refused(&ran, "links are never followed");
    ran.says("3 errors, 2 warnings in 1 document");
    assert!(!ran.stdout.contains("hush"), "{ran:?}");
}

#[test]
fn a_pipe_is_not_waited_for() {
    let repo = Repo::new();
    let made = Command::new("mkfifo").arg(repo.path("a.yaml")).status();
    assert!(made.expect("mkfifo").success());
    refused(&repo.meshc(&["check"]), "this is a named pipe");
    repo.meshc(&["check", "a.yaml"])
        .exits(2)
        .complains("it is a named pipe");
}

#[test]
fn large_files_are_not_read() {
    let repo = Repo::new();
    for (name, size) in [("a.yaml", 100 << 20), ("sparse.yaml", 8 << 30)] {
        let file = std::fs::File::create(repo.path(name)).expect("a file");
        file.set_len(size).expect("a size");
    }
    refused(
        &repo.meshc(&["check"]),
        "exceeds the limit of 1048576 bytes",
    );
    repo.meshc(&["check", "a.yaml"])
        .exits(1)
        .says("exceeds the limit");
}

#[test]
fn bombs_go_off_in_vain() {
    let mut laughs = "a0: &a0 [x, x]\n".to_owned();
    let mut maps = "a0: &a0 {x: 1, y: 2}\n".to_owned();
    for n in 1..60 {
        laughs.push_str(&format!("a{n}: &a{n} [*a{}, *a{}]\n", n - 1, n - 1));
        maps.push_str(&format!("a{n}: &a{n} {{x: *a{}, y: *a{}}}\n", n - 1, n - 1));
    }
    check(laughs, "exceeds the limit");
    check(maps, "exceeds the limit");
    check(
        format!("a: &a {}\nb: [*a, *a]\n", "x".repeat(900_000)),
        "exceeds the limit",
    );
    check("a: &a [*a]\n", "inside of what it stands for");
    check(
        format!("a: &a [x]\n{}", "<<: *a\n".repeat(300)),
        "merge keys",
    );
    let anchors: String = (0..60_000).map(|n| format!("- &a{n} x\n")).collect();
    check(anchors, "a document must be a mapping");
}

#[test]
fn depth_is_bounded() {
    for depth in [200, 5000, 200_000] {
        check(
            format!("a: {}", "[".repeat(depth)),
            "exceeds the limit of 64 levels",
        );
        check(
            format!("a: {}", "{a: ".repeat(depth)),
            "exceeds the limit of 64 levels",
        );
        check("- ".repeat(depth), "exceeds the limit of 64 levels");
    }
    let block: String = (0..1000)
        .map(|n| format!("{}a:\n", " ".repeat(n)))
        .collect();
    check(block, "exceeds the limit of 64 levels");
}

#[test]
fn much_of_anything_is_bounded() {
    let keys: String = (0..40_000).map(|n| format!("k{n}: 1\n")).collect();
    check(keys, "has no `type`");
    check(
        "a: 1\n".repeat(200_000),
        "exceeds the limit of 100000 keys and values",
    );
    check(
        "---\n".repeat(100_000),
        "exceeds the limit of 1000 documents",
    );
    check(
        "---\na: 1\n".repeat(100_000),
        "exceeds the limit of 1000 documents",
    );
    let fields: String = (0..49_000).map(|n| format!("k{n}: 01\n")).collect();
    check(
        format!("type: Mesh\nname: default\n{fields}"),
        "there is no field `k0`",
    );
    check(format!("? {}\n: x\n", "k".repeat(1_000_000)), "a.yaml:1:");
    check(
        format!("type: Mesh\nname: {}\n", "x".repeat(1_000_000)),
        "at most 63",
    );
    check(format!("type: Mesh\n{}: x\n", "k".repeat(1000)), "error[");
    check("#\n".repeat(500_000) + "a: b\n", "has no `type`");
    check("'".repeat(1_000_000), "a.yaml:1:");
    check("\"\\x".repeat(300_000), "a.yaml:1:");
    check("a: b: ".repeat(150_000), "a.yaml:1:");
    check("!".repeat(1_000_000), "a.yaml:1:");
    check("&a ".repeat(300_000), "a.yaml:1:");
    check("- - ? : ".repeat(100_000), "a.yaml:1:");
    check("{a: [".repeat(100_000), "exceeds the limit");
    check("a,".repeat(500_000), "must be a mapping");
    check("\n".repeat(1_000_000) + "a: [", "a.yaml:1000001:");
}

#[test]
fn bytes_that_are_no_text_are_named() {
    check(b"\xff\xfea\x00", "UTF-16");
    check(b"type: \xc3\x28", "not UTF-8");
    check(b"type: \xed\xa0\x80", "not UTF-8");
    check(b"\x1f\x8b\x08\x00", "cannot stand in a document");
    check(b"\x7fELF\x02\x01\x01\x00", "cannot stand in a document");
    check(b"type: a\0b", "the NUL character");
    check(b"type: \x1b[2J", "U+001B");
    check("type: Mesh\nname: a\u{202e}b\n", "U+202E");
    check(
        "version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 1\n",
        "Git LFS",
    );
    check(
        "type: !!python/object:os.system x\n",
        "is not part of this language",
    );
    check(
        "type: !include /etc/passwd\n",
        "is not part of this language",
    );
}

#[test]
fn names_of_files_do_no_harm() {
    let repo = Repo::with("\u{1b}[31mred.yaml", "type: [");
    refused(&repo.meshc(&["check"]), "\\u{1b}[31mred.yaml");
    let name = std::ffi::OsStr::from_bytes(b"\xff\xfe.yaml");
    let repo = Repo::new();
    std::fs::write(repo.root().join(name), "type: Mesh").expect("a file");
    refused(&repo.meshc(&["check"]), "whose name is not UTF-8");
}

#[test]
fn deep_directories_and_many_files_are_read() {
    let repo = Repo::new();
    let deep = "d/".repeat(300);
    repo.write(&format!("{deep}a.yaml"), "type: Mesh\nname: deep\n");
    for n in 0..3000 {
        repo.write(
            &format!("many/{n}.yaml"),
            format!("type: Mesh\nname: m{n}\n"),
        );
    }
    repo.write("dir.yaml/b.yaml", "type: Mesh\nname: dir\n");
    repo.meshc(&["check"]).exits(0).says("in 3002 documents");
}
