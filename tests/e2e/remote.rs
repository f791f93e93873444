//! A repository elsewhere is asked now and then.

use mesh_tests::Options;

#[tokio::test]
async fn a_commit_to_a_remote_repository_is_served() {
    let mesh = Options::from_example("shop")
        .only(&["web-1", "api-1"])
        .from_url(|path| format!("file://{}", path.display()))
        .meshd(&["--poll", "1s"])
        .start()
        .await;
    let settled = mesh
        .change(|repo| {
            repo.replace("api/canary.yaml", "weight: 90", "weight: 100");
            repo.replace("api/canary.yaml", "weight: 10\n", "weight: 0\n");
        })
        .await;
    assert_eq!(
        settled.status["conditions"].as_array().map(Vec::is_empty),
        Some(false)
    );
    for _ in 0..10 {
        let answer = mesh.client("web-1", "api").get("/").await;
        assert_eq!((answer.status, answer.by()), (200, "api-1"));
    }
}
