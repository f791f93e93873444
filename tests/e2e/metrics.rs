//! What is counted: requests by who sent them, to whom, by which route, and how they ended.

use mesh_tests::{Client, Mesh};

/// The sum of all samples of `name` whose labels hold every one of these texts.
fn sum(metrics: &str, name: &str, labels: &[&str]) -> u64 {
    let samples = metrics.lines().filter(|line| {
        line.starts_with(&format!("{name}{{")) && labels.iter().all(|label| line.contains(label))
    });
    let values = samples.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok());
    values.sum()
}

#[tokio::test]
async fn requests_are_counted_on_both_sides() {
    let mesh = Mesh::from_example("shop").await;
    for _ in 0..20 {
        assert_eq!(mesh.client("web-1", "api").get("/").await.status, 200);
    }
    assert_eq!(mesh.client("outsider-1", "api").get("/").await.status, 403);

    let name = "mesh_requests_total";
    let sent = mesh.proxy("web-1").metrics().await;
    let good = ["direction=\"outbound\"", "code=\"200\"", "api-canary"];
    assert_eq!(sum(&sent, name, &good), 20, "{sent}");
    let mut received = String::new();
    for api in ["api-1", "api-2"] {
        received.push_str(&mesh.proxy(api).metrics().await);
    }
    let good = ["direction=\"inbound\"", "/workload/web\"", "code=\"200\""];
    assert_eq!(sum(&received, name, &good), 20, "{received}");
    let denied = [
        "direction=\"inbound\"",
        "/workload/outsider\"",
        "code=\"403\"",
    ];
    assert_eq!(sum(&received, name, &denied), 1, "{received}");

    let meshd = Client::http1(mesh.meshd().admin()).get("/metrics").await;
    assert_eq!(
        sum(meshd.text(), "meshd_proxies", &["acked"]),
        5,
        "{}",
        meshd.text()
    );
}
