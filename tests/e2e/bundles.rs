//! What was published is known, with what changed, and is gone back to.

use std::process::Command;

use mesh_tests::{Mesh, binary};

const CANARY: &str = "api/canary.yaml";

async fn said(mesh: &Mesh, words: &[&str]) -> String {
    let output = mesh.meshd().commanded(words).await;
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && errors.is_empty(),
        "{words:?}: {errors}"
    );
    String::from_utf8(output.stdout).unwrap()
}

fn short(text: &str) -> &str {
    text.get(..12).unwrap()
}

#[tokio::test]
async fn a_change_is_told_by_meshd_as_meshc_tells_it() {
    let mesh = Mesh::from_example("shop").await;
    let first = mesh.head().await;
    let second = mesh
        .change(|repo| {
            repo.replace(CANARY, "weight: 90", "weight: 0");
            repo.replace(CANARY, "weight: 10", "weight: 100");
        })
        .await;
    let second = second.revision();
    let page = said(&mesh, &["history"]).await;
    let lines: Vec<&str> = page.lines().collect();
    for (line, revision, state, proxies) in [
        (lines[1], second, "live", mesh.proxies().len()),
        (lines[2], first.as_str(), "superseded", 0),
    ] {
        let words: Vec<&str> = line.split_whitespace().collect();
        let proxies = proxies.to_string();
        let expected = [short(revision), state, &proxies, "Mesh"];
        assert_eq!([words[1], words[3], words[4], words[5]], expected, "{page}");
    }
    let range = format!("{first}..{second}");
    let meshc = Command::new(binary("meshc"))
        .args(["diff", &range, "--format", "markdown", "--no-gates"])
        .arg(mesh.repo().path())
        .output()
        .unwrap();
    let meshc = String::from_utf8(meshc.stdout).unwrap();
    assert!(meshc.contains("api"), "{meshc}");
    // A process that was just started has none of it in memory.
    mesh.meshd().kill().await;
    mesh.meshd().start().await;
    for bundles in [vec![], vec![second], vec![&first, second]] {
        let words = [vec!["diff", "--format", "markdown"], bundles].concat();
        assert_eq!(said(&mesh, &words).await, meshc);
    }
    let same = ["diff", second, second, "--exit-code"];
    assert!(said(&mesh, &same).await.ends_with("no change in meaning\n"));
    let other = mesh.meshd().commanded(&["diff", "--exit-code"]).await;
    assert_eq!(other.status.code(), Some(1), "{other:?}");
    let unknown = mesh.meshd().commanded(&["diff", "ffffffff"]).await;
    assert_eq!(unknown.status.code(), Some(2), "{unknown:?}");
    let why = String::from_utf8_lossy(&unknown.stderr);
    assert!(why.contains("`meshd history` shows all of them"), "{why}");
}

#[tokio::test]
async fn an_operator_goes_back_and_neither_commits_nor_kills_undo_it() {
    let mesh = Mesh::from_example("shop").await;
    let first = mesh.head().await;
    let call = async || mesh.client("web-1", "api").get("/").await.status;
    assert_eq!(call().await, 200);
    mesh.change(|repo| repo.replace("api/permission.yaml", "workload/web", "workload/nobody"))
        .await;
    assert_eq!(call().await, 403);
    let back = [
        "rollback",
        &first,
        "--reason",
        "web is refused",
        "--by",
        "ada",
    ];
    let begin = std::time::Instant::now();
    let page = said(&mesh, &back).await;
    assert!(page.starts_with("ROLLED BACK: "), "{page}");
    for name in ["api-1", "api-2"] {
        let holds = |config: &serde_json::Value| config["revision"] == *first;
        mesh.proxy(name).configured(&first, holds).await;
    }
    let took = begin.elapsed();
    assert!(took < std::time::Duration::from_secs(15), "{took:?}");
    assert_eq!(call().await, 200);
    mesh.repo().write("more.yaml", "# nothing\n");
    let later = mesh.repo().commit("Go on");
    mesh.meshd().kill().await;
    mesh.meshd().start().await;
    let waited = mesh.meshd().commanded(&["status", "--wait", &later]).await;
    assert_eq!(waited.status.code(), Some(1), "{waited:?}");
    let page = String::from_utf8_lossy(&waited.stdout);
    assert!(
        page.contains("ada, ") && page.contains(": web is refused)"),
        "{page}"
    );
    for name in ["api-1", "web-1"] {
        let connected = |config: &serde_json::Value| config["connected"] == true;
        mesh.proxy(name).configured("a session", connected).await;
    }
    assert_eq!(call().await, 200, "a kill undoes a rollback");
    assert_eq!(said(&mesh, &["resume"]).await, "git is followed again\n");
    let waited = mesh.meshd().commanded(&["status", "--wait", &later]).await;
    assert_eq!(waited.status.code(), Some(0), "{waited:?}");
    assert_eq!(call().await, 403);
}
