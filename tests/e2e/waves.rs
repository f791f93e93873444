//! A commit is given to a cohort before the fleet; what the cohort shows keeps it from the fleet, and a kill loses nothing.

use std::time::{Duration, Instant};

use mesh_tests::{Mesh, Options};
use serde_json::Value;

/// It changes every server: api-1, api-2 and db-1.
const SERVERS: &str = "type: MeshTimeout\nmesh: default\nname: servers\nspec:\n  targetRef:\n    kind: Mesh\n  rules:\n    - default:\n        connectionTimeout: 7s\n";

fn waves(bake: &str) -> String {
    format!(
        "[rollout]\nbake = \"{bake}\"\n\n[[rollout.waves]]\nname = \"canary\"\nlabels = {{ version = \"v2\" }}\n"
    )
}

async fn open(bake: &str) -> Mesh {
    let text = waves(bake);
    let options = Options::from_example("shop").with(|repo| repo.write("meshc.toml", &text));
    options.start().await
}

/// Waits until a proxy has what came with this revision.
async fn holds(mesh: &Mesh, name: &str, revision: &str) {
    let holds = |config: &Value| config["revision"] == *revision;
    mesh.proxy(name).configured(revision, holds).await;
}

async fn rollout(mesh: &Mesh) -> Value {
    mesh.meshd().status().await.status["rollout"].clone()
}

#[tokio::test]
async fn a_kill_in_the_middle_of_a_rollout_changes_nothing_and_an_abort_takes_it_back() {
    let mesh = open("1h").await;
    let first = mesh.head().await;
    mesh.repo().write("servers.yaml", SERVERS);
    let second = mesh.repo().commit("Wait longer");
    holds(&mesh, "api-2", &second).await;
    for _ in 0..2 {
        mesh.meshd().kill().await;
        mesh.meshd().start().await;
        for name in ["api-2", "api-1", "db-1"] {
            let connected = mesh.proxy(name);
            let readable = |config: &Value| config["connected"] == true;
            connected.configured("a session", readable).await;
        }
        let seen = rollout(&mesh).await;
        assert_eq!(
            (&seen["wave"], &seen["revision"]),
            (&"canary".into(), &second.as_str().into())
        );
    }
    assert_eq!(mesh.proxy("api-2").config().await["revision"], second);
    for name in ["api-1", "db-1"] {
        assert_eq!(mesh.proxy(name).config().await["revision"], first, "{name}");
    }
    assert_eq!(mesh.client("web-1", "api").get("/").await.status, 200);
    let begin = Instant::now();
    mesh.meshd().command(&["rollout", "abort"]).await;
    holds(&mesh, "api-2", &first).await;
    assert!(
        begin.elapsed() < Duration::from_secs(15),
        "{:?}",
        begin.elapsed()
    );
    let status = mesh.meshd().settled(&second).await;
    assert_eq!(status.revision(), first);
    let words = ["status", "--wait", &second, "--timeout", "20s"];
    let waited = mesh.meshd().commanded(&words).await;
    assert_eq!(waited.status.code(), Some(1), "{waited:?}");
    // A mend that cannot wait.
    mesh.repo().remove("servers.yaml");
    let third = mesh.repo().commit("Do not\n\nMesh-Rollout-At-Once: true");
    let waited = mesh.meshd().commanded(&["status", "--wait", &third]).await;
    assert_eq!(waited.status.code(), Some(0), "{waited:?}");
}
