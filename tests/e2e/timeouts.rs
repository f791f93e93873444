//! How long a client waits is what the commit says.

use std::time::{Duration, Instant};

use mesh_tests::Mesh;

#[tokio::test]
async fn a_commit_shortens_the_wait() {
    let mesh = Mesh::from_example("shop").await;
    let client = mesh.client("web-1", "api");
    let begin = Instant::now();
    let answer = client.get("/hold").await;
    let long = begin.elapsed();
    assert_eq!(answer.status, 504, "{}", answer.text());
    assert!(long >= Duration::from_millis(2_900), "{long:?}");

    mesh.change(|repo| {
        repo.replace(
            "api/timeouts.yaml",
            "requestTimeout: 3s",
            "requestTimeout: 300ms",
        );
    })
    .await;
    let begin = Instant::now();
    let answer = client.get("/hold").await;
    let short = begin.elapsed();
    assert_eq!(answer.status, 504, "{}", answer.text());
    assert!(short >= Duration::from_millis(250), "{short:?}");
    assert!(short < Duration::from_millis(2_500), "{short:?}");
    assert_eq!(client.get("/").await.status, 200);
}

#[tokio::test]
async fn a_receiver_limits_what_it_lets_others_hold() {
    let mesh = Mesh::from_example("shop").await;
    let policy = "type: MeshTimeout\nmesh: default\nname: api-limits\nspec:\n  targetRef:\n    kind: Dataplane\n    labels:\n      app: api\n  rules:\n    - default:\n        http:\n          requestTimeout: 300ms\n";
    mesh.commit("api/limits.yaml", policy).await;
    let begin = Instant::now();
    let answer = mesh.client("web-1", "api").get("/hold").await;
    let took = begin.elapsed();
    assert_eq!(answer.status, 504, "{}", answer.text());
    assert!(took < Duration::from_millis(2_500), "{took:?}");
}
