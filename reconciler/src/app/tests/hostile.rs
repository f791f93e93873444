//! Commits and references that no git would make: what was served stays, the reason is told, the next commit is served.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::room::{MESH, Room};

const MISSING: &str = "1234567890123456789012345678901234567890";

fn object(room: &Room, kind: &str, content: &[u8]) -> String {
    let mut child = Command::new("git")
        .current_dir(room.repository())
        .args(["hash-object", "-w", "--literally", "--stdin", "-t", kind])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(content).unwrap();
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success(), "{done:?}");
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

fn commit(room: &Room, tree: &str, message: &str) -> String {
    let text =
        format!("tree {tree}\nauthor t <t@t> 1 +0000\ncommitter t <t@t> 1 +0000\n\n{message}");
    object(room, "commit", text.as_bytes())
}

fn tree(room: &Room, mode: &str, name: &str, id: &str) -> String {
    let id = git2::Oid::from_str(id).unwrap();
    let content = [format!("{mode} {name}\0").as_bytes(), id.as_bytes()].concat();
    object(room, "tree", &content)
}

/// The status, as soon as it names this.
async fn told(room: &Room, expected: &str) -> serde_json::Value {
    let asked = async {
        loop {
            let (_, text) = room.get("/v1/status").await;
            let status: serde_json::Value = serde_json::from_str(&text).unwrap();
            if status["conditions"].to_string().contains(expected)
                || status["diagnostics"].to_string().contains(expected)
            {
                return status;
            }
        }
    };
    let told = tokio::time::timeout(Duration::from_secs(20), asked).await;
    told.unwrap_or_else(|_| panic!("nothing is said of {expected}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_git_would_not_make_changes_nothing() {
    let (mut room, first) = Room::open().await;
    let mut good = first;
    let mesh = object(&room, "blob", MESH.as_bytes());
    let big = object(&room, "blob", &vec![b'#'; 150 << 20]);
    let link = object(&room, "blob", b"/etc/passwd");
    let root = |mode: &str, name: &str, id: &str| tree(&room, mode, name, id);
    let bad = [
        (commit(&room, MISSING, "x"), MISSING),
        (
            commit(&room, &root("100644", "a.yaml", MISSING), "x"),
            MISSING,
        ),
        (
            commit(&room, &root("100644", ".git", &mesh), "x"),
            "reserved for git",
        ),
        (
            commit(&room, &root("40000", "..", MISSING), "x"),
            "not a name",
        ),
        (
            commit(&room, &root("100644", "big.yaml", &big), "x"),
            "big.yaml",
        ),
        (
            commit(&room, &root("120000", "link.yaml", &link), "x"),
            "link.yaml",
        ),
        (
            // What is in a submodule is not of this commit.
            commit(&room, &root("160000", "sub.yaml", MISSING), "x"),
            "removes all",
        ),
        (
            commit(&room, &object(&room, "tree", b""), "x"),
            "removes all",
        ),
        (
            commit(
                &room,
                &root("100644", "a.yaml", &mesh),
                &"m".repeat(20 << 20),
            ),
            "larger than",
        ),
        (object(&room, "commit", b"garbage"), "`main`"),
        (object(&room, "blob", b"no commit"), "`main`"),
        (MISSING.to_owned(), MISSING),
    ];
    for (step, (id, expected)) in bad.iter().enumerate() {
        let head = room.repository().join(".git/refs/heads/main");
        std::fs::write(&head, id).unwrap();
        let status = told(&room, expected).await;
        assert_eq!(status["revision"], good, "{expected}: {status}");
        assert_eq!(status["conditions"][0]["status"], "False", "{status}");
        assert_eq!(room.get("/readyz").await.0, 200, "{expected}");
        std::fs::write(&head, &good).unwrap();
        room.write("README.md", &step.to_string());
        good = room.commit("good");
        assert_eq!(room.settled(&good).await["revision"], good, "{expected}");
    }
    room.stop().await;
}
