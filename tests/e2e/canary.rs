//! A split is what the commit says, and moves without a failed request.

use mesh_tests::{Client, Load, Mesh, Tally};

/// Five standard deviations of a fair draw: one run in a million is outside.
fn assert_share(tally: &Tally, workload: &str, share: f64) {
    let count = f64::from(u32::try_from(tally.sent).unwrap());
    let deviation = (share * (1.0 - share) / count).sqrt();
    let measured = tally.share(workload);
    assert!(
        (measured - share).abs() < 5.0 * deviation,
        "{workload} answered {measured:.3} of {count}, not {share}: {:?}",
        tally.by
    );
}

async fn thousand(mesh: &Mesh) -> Tally {
    let load = Load::start(mesh.client("web-1", "api"), "/", 8);
    load.more(1_000).await;
    let tally = load.stop().await;
    tally.assert_none_failed();
    tally
}

#[tokio::test]
async fn a_tenth_of_a_thousand_requests_goes_to_the_canary() {
    let mesh = Mesh::from_example("shop").await;
    let tally = thousand(&mesh).await;
    assert_share(&tally, "api-2", 0.1);
    assert_share(&tally, "api-1", 0.9);
}

#[tokio::test]
async fn a_commit_moves_the_split_and_no_request_fails() {
    let mesh = Mesh::from_example("shop").await;
    let load = Load::start(mesh.client("web-1", "api"), "/", 4);
    load.more(200).await;
    mesh.change(|repo| {
        repo.replace("api/canary.yaml", "weight: 90", "weight: 50");
        repo.replace("api/canary.yaml", "weight: 10", "weight: 50");
    })
    .await;
    load.more(200).await;
    load.stop().await.assert_none_failed();
    assert_share(&thousand(&mesh).await, "api-2", 0.5);
}

#[tokio::test]
async fn forty_commits_in_a_row_cost_no_request() {
    let mesh = Mesh::from_example("shop").await;
    let to = mesh.outbound("web-1", "api");
    let loads = [Client::http1(to), Client::http2(to)].map(|client| Load::start(client, "/", 3));
    for load in &loads {
        load.more(50).await;
    }
    for step in 1..=40 {
        let text = mesh.repo().read("api/canary.yaml");
        let text = text.replace(
            &format!("weight: {}", 9 + step),
            &format!("weight: {}", 10 + step),
        );
        mesh.commit("api/canary.yaml", &text).await;
    }
    for load in loads {
        load.more(50).await;
        let tally = load.stop().await;
        tally.assert_none_failed();
        // Not one connection was closed.
        assert_eq!(tally.connections, 3);
    }
}
