//! Faults are made for those whom the commit names, and end with the commit that removes them.

use std::time::{Duration, Instant};

use mesh_tests::{Mesh, request};

fn faults(rules: &str) -> String {
    format!(
        "type: MeshFaultInjection\nmesh: default\nname: api-faults\nspec:\n  targetRef: {{kind: Dataplane, labels: {{app: api}}}}\n  rules:\n{rules}"
    )
}

#[tokio::test]
async fn a_delay_and_an_abort_of_one_client() {
    let mesh = Mesh::from_example("shop").await;
    let rules = "    - matches: [{spiffeID: {type: Exact, value: 'spiffe://default.default.mesh.local/workload/web'}}]\n      default: {http: [{delay: {value: 200ms, percentage: 100}}, {delay: {value: 100ms, percentage: 100}, abort: {httpStatus: 418, percentage: 100}}]}\n    - matches: [{spiffeID: {type: Exact, value: 'spiffe://default.default.mesh.local/workload/outsider'}}]\n      default: {http: [{abort: {httpStatus: 500, percentage: 100}}]}\n";
    mesh.commit("api/faults.yaml", &faults(rules)).await;
    let begin = Instant::now();
    let answer = mesh.client("web-1", "api").get("/").await;
    let took = begin.elapsed();
    assert_eq!((answer.status, answer.by()), (418, ""));
    assert!(took >= Duration::from_millis(300), "{took:?}");
    // Who may not come meets no fault.
    let answer = mesh.client("outsider-1", "api").get("/").await;
    assert_eq!(answer.status, 403, "{}", answer.text());

    mesh.change(|repo| repo.remove("api/faults.yaml")).await;
    assert_eq!(mesh.client("web-1", "api").get("/").await.status, 200);
}

#[tokio::test]
async fn a_response_comes_as_slowly_as_the_commit_says() {
    let mesh = Mesh::from_example("shop").await;
    let rules =
        "    - default: {http: [{responseBandwidth: {limit: 400 kbps, percentage: 100}}]}\n";
    mesh.commit("api/faults.yaml", &faults(rules)).await;
    let body = "x".repeat(20_000);
    let begin = Instant::now();
    let answer = mesh
        .client("web-1", "api")
        .send(request("POST", "/echo", &body))
        .await;
    let took = begin.elapsed();
    assert_eq!(answer.json()["body"], body, "{}", answer.status);
    // 20,000 bytes at 50,000 bytes a second.
    assert!(took >= Duration::from_millis(390), "{took:?}");
}
