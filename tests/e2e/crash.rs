//! meshd may be killed at any moment: it starts again with something whole, and with the keys that it had.

use std::path::Path;
use std::sync::Arc;

use mesh_tests::{Mesh, Probe, Process, Token};

/// Moments of a publication at which it is killed.
const MOMENTS: [&str; 6] = [
    "at once",
    "listening",
    "published",
    "acknowledged",
    "published",
    "at once",
];

async fn pin(mesh: &Mesh, file: &Path) -> String {
    mesh.meshd().token(Token::Workload("web"), file).await;
    let token = Token::read(&std::fs::read_to_string(file).unwrap());
    token["pin"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_kill_at_any_moment_leaves_a_whole_bundle_and_the_same_authority() {
    let mesh = Mesh::from_example("shop").await;
    let scratch = mesh.directory().join("pin.token");
    let control = pin(&mesh, &scratch).await;
    let issuer = Probe::at(mesh.inbound("api-1")).knock().await.signed_by;
    let mut revisions = vec![mesh.head().await];
    let mut process: Arc<Process> = mesh.meshd().process();
    for (step, moment) in (0..).zip(MOMENTS) {
        let mark = process.log().mark();
        let weight = format!("weight: {}", 11 + step);
        let old = format!("weight: {}", 10 + step);
        mesh.repo().replace("api/canary.yaml", &old, &weight);
        let revision = mesh.repo().commit(&weight);
        match moment {
            "published" | "acknowledged" => {
                let fields = [("revision", revision.as_str())];
                process.log().says(mark, moment, &fields).await;
            }
            "listening" => drop(process.log().says(0, moment, &[]).await),
            _ => {}
        }
        revisions.push(revision);
        process.kill().await;
        process = mesh.meshd().launch();
        process.log().says(0, "listening", &[]).await;
        let status = mesh.meshd().status().await;
        let served = status.revision();
        assert!(
            served.is_empty() || revisions.iter().any(|revision| revision == served),
            "served after a kill {moment}: {}",
            status.status
        );
    }
    let head = mesh.head().await;
    assert_eq!(mesh.meshd().settled(&head).await.revision(), head);
    assert_eq!(pin(&mesh, &scratch).await, control, "another control CA");

    // A certificate that is issued now comes from the authority that everybody trusts already.
    mesh.fresh("api-1").await;
    let knock = Probe::at(mesh.inbound("api-1")).knock().await;
    assert!(issuer.is_some(), "{knock:?}");
    assert_eq!(knock.signed_by, issuer, "another CA");
    for _ in 0..20 {
        assert_eq!(mesh.client("web-1", "api").get("/").await.status, 200);
    }
}

#[tokio::test]
async fn a_bad_commit_at_start_leaves_the_last_good_one() {
    let mesh = Mesh::from_example("shop").await;
    let good = mesh.head().await;
    mesh.meshd().kill().await;
    mesh.repo()
        .replace("api/canary.yaml", "weight: 10", "wieght: 10");
    let bad = mesh.repo().commit("A mistake");
    mesh.meshd().start().await;
    let settled = mesh.meshd().settled(&bad).await;
    assert_eq!(settled.revision(), good);
    mesh.fresh("api-1").await;
    for _ in 0..20 {
        assert_eq!(mesh.client("web-1", "api").get("/").await.status, 200);
    }
}
