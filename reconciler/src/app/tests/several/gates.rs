//! What several meshds judge together, and what one of them has not seen.

use mesh_bundle::Digest;
use mesh_delivery::message::FromProxy;
use mesh_delivery::traffic::{Both, Traffic};
use serde_json::Value;

use super::rollout::{Mesh, WAVES, acknowledge, until};
use crate::app::tests::room::Connected;
use crate::app::tests::waves::{offered, refuse};

/// One wave of everybody, whose traffic is looked at.
const MEASURED: &str = "[rollout]\nbake = \"1h\"\n\n[rollout.traffic]\nmin-requests = 100\nmax-added-failures-percent = 5\n\n[[rollout.waves]]\nname = \"all\"\nshare-percent = 100\n";

/// So many requests, all of which fail.
async fn fails(session: &Connected, root: Digest, requests: u32) {
    let mut both = Both::default();
    both.inbound.failures = requests;
    both.inbound.latency[3] = requests;
    let traffic = Traffic { root, both };
    session.send(FromProxy::Traffic(Box::new(traffic))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_proxies_of_all_tell_is_judged_together() {
    let Some(mut mesh) = Mesh::with(MEASURED).await else {
        return;
    };
    let bad = mesh.commit();
    let (web, api) = tokio::join!(offered(&mut mesh.web), offered(&mut mesh.api));
    assert_eq!((&web.revision, &api.revision), (&bad, &bad));
    // Too few for a judgement at either of them.
    for (session, root) in [(&mesh.web, web.root), (&mesh.api, api.root)] {
        acknowledge(session, root).await;
        fails(session, root, 60).await;
    }
    for room in mesh.rooms() {
        let returned = |status: &Value| status["rollout"]["returned"].is_object();
        let status = until(room, returned).await;
        let breach = &status["rollout"]["returned"];
        assert_eq!(breach["gate"], "Failures", "{status}");
        let message = breach["message"].as_str().unwrap();
        assert!(message.contains("100 % of 120 requests"), "{message}");
    }
    for session in [&mut mesh.web, &mut mesh.api] {
        assert_eq!(session.configuration().await.revision, mesh.first);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_back_is_tried_again_by_one_that_was_not_there() {
    let Some(mut mesh) = Mesh::with(WAVES).await else {
        return;
    };
    mesh.one.stop().await;
    let bad = mesh.commit();
    let new = offered(&mut mesh.web).await;
    refuse(&mesh.web, &new).await;
    let failed = |status: &Value| status["conditions"][0]["reason"] == "RolloutFailed";
    until(&mesh.other, failed).await;
    let config = mesh.etcd.config();
    mesh.one
        .start_with(|with| with.settings.etcd = Some(config))
        .await
        .unwrap();
    until(&mesh.one, failed).await;
    let (canary, held) = &mesh.proxies[0];
    let web = mesh.other.reconnect(canary, Some(held.clone())).await;
    mesh.web = web.unwrap();
    for ready in [false, true] {
        match ready {
            true => mesh.web.ready().await,
            false => mesh.web.drains().await,
        }
        until(&mesh.one, |status| {
            let proxies = status["proxies"].as_array().unwrap();
            let mut web = proxies.iter().filter(|it| it["name"] == "web-1");
            web.all(|it| it["ready"] == ready)
        })
        .await;
    }
    let (status, told) = mesh.one.post("/v1/rollout/resume").await;
    assert_eq!(status, 200, "{told}");
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["revision"], bad, "{told}");
    let again = offered(&mut mesh.web).await;
    assert_eq!(again.revision, bad);
    acknowledge(&mesh.web, again.root).await;
    let (fleet, held) = &mesh.proxies[1];
    let api = mesh.one.reconnect(fleet, Some(held.clone())).await;
    mesh.api = api.unwrap();
    mesh.api.ready().await;
    assert_eq!(mesh.api.configuration().await.revision, bad);
    for room in mesh.rooms() {
        assert_eq!(room.settled(&bad).await["revision"], bad);
    }
}
