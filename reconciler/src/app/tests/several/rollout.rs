//! A commit that several meshds give to the proxies in waves: one rollout, wherever a proxy is connected.

use mesh_delivery::message::{FromProxy, Received};
use serde_json::{Value, json};

use super::*;
use crate::app::tests::room::{Connected, Proxy};
use crate::app::tests::waves::{TIMEOUT, join, offered, refuse};

pub(super) const WAVES: &str = "[rollout]\nbake = \"0s\"\n\n[[rollout.waves]]\nname = \"canary\"\nlabels = { app = \"web\" }\n";

/// web-1, the canary, is with the other meshd; api-1, the fleet, with the one.
pub(super) struct Mesh {
    pub(super) one: Room,
    pub(super) other: Room,
    pub(super) first: String,
    pub(super) web: Connected,
    pub(super) api: Connected,
    /// To connect again, and what they held first.
    pub(super) proxies: [(Proxy, Received); 2],
    pub(super) etcd: Server,
}

impl Mesh {
    async fn open() -> Option<Self> {
        Self::with(WAVES).await
    }

    pub(super) async fn with(settings: &str) -> Option<Self> {
        let (one, other, etcd, first) = two_of(|one| one.write("meshc.toml", settings)).await?;
        for room in [&one, &other] {
            shares(room, true).await;
        }
        let ((canary, web), first_web) = join(&other, "web-1").await;
        let ((fleet, api), first_api) = join(&one, "api-1").await;
        for room in [&one, &other] {
            until(room, |status| {
                let proxies = status["proxies"].as_array().unwrap();
                proxies.iter().all(|proxy| proxy["ready"] == true)
            })
            .await;
        }
        Some(Self {
            one,
            other,
            first,
            web,
            api,
            proxies: [(canary, first_web), (fleet, first_api)],
            etcd,
        })
    }

    /// Commits what changes the configuration of both.
    pub(super) fn commit(&self) -> String {
        self.one.write("timeout.yaml", TIMEOUT);
        self.one.commit("timeouts")
    }

    pub(super) fn rooms(&self) -> [&Room; 2] {
        [&self.one, &self.other]
    }
}

/// Asks until the status of a meshd is so.
pub(super) async fn until(room: &Room, so: impl Fn(&Value) -> bool) -> Value {
    let read = |body: &str| serde_json::from_str::<Value>(body).unwrap();
    read(&told(room, |body| so(&read(body))).await)
}

pub(super) async fn acknowledge(session: &Connected, root: mesh_bundle::Digest) {
    session.send(FromProxy::Ack { root }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_rollout_goes_over_the_proxies_of_all() {
    let Some(mut mesh) = Mesh::open().await else {
        return;
    };
    let second = mesh.commit();
    let new = offered(&mut mesh.web).await;
    assert_eq!(new.revision, second);
    for room in mesh.rooms() {
        let status = until(room, |status| status["rollout"]["wave"] == "canary").await;
        assert_eq!(status["revision"], mesh.first, "{status}");
        assert_eq!(status["rollout"]["expected"], 1, "{status}");
    }
    let mut roles = Vec::new();
    for room in mesh.rooms() {
        let status = until(room, |status| status["rollout"]["role"].is_string()).await;
        roles.push(status["rollout"]["role"].as_str().unwrap().to_owned());
    }
    roles.sort();
    assert_eq!(roles, ["follows", "leads"]);
    // The canary is connected to one meshd, the fleet to the other.
    acknowledge(&mesh.web, new.root).await;
    let fleet = offered(&mut mesh.api).await;
    assert_eq!(fleet.revision, second);
    acknowledge(&mesh.api, fleet.root).await;
    for room in mesh.rooms() {
        let status = room.settled(&second).await;
        assert_eq!(status["revision"], second, "{status}");
        assert_eq!(status["rollout"], Value::Null);
    }
    // One that was away meanwhile does not begin it again.
    mesh.other.stop().await;
    std::fs::remove_file(
        mesh.other
            .state
            .path()
            .join("sources/repository/published.log"),
    )
    .unwrap();
    let config = mesh.etcd.config();
    mesh.other
        .start_with(|with| with.settings.etcd = Some(config))
        .await
        .unwrap();
    assert_eq!(mesh.other.settled(&second).await["revision"], second);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_takes_back_all_take_back_and_try_again_together() {
    let Some(mut mesh) = Mesh::open().await else {
        return;
    };
    let bad = mesh.commit();
    let new = offered(&mut mesh.web).await;
    refuse(&mesh.web, &new).await;
    for room in mesh.rooms() {
        let status = room.settled(&bad).await;
        assert_eq!(status["revision"], mesh.first, "{status}");
        assert_eq!(status["conditions"][0]["reason"], "RolloutFailed");
        assert_eq!(
            status["rollout"]["returned"]["gate"], "Rejected",
            "{status}"
        );
    }
    // It is mended, and starts again, as both have seen.
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
            proxies
                .iter()
                .all(|it| it["ready"] == ready || it["name"] != "web-1")
        })
        .await;
    }
    // Asked of the one that has not seen the refusal itself.
    let (status, why) = mesh.one.post("/v1/rollout/resume").await;
    assert_eq!(status, 200, "{why}");
    let again = offered(&mut mesh.web).await;
    assert_eq!(again.revision, bad);
    acknowledge(&mesh.web, again.root).await;
    assert_eq!(mesh.api.configuration().await.revision, bad);
    for room in mesh.rooms() {
        assert_eq!(room.settled(&bad).await["revision"], bad);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_leads_may_die_and_an_order_to_one_is_an_order_to_all() {
    let Some(mut mesh) = Mesh::open().await else {
        return;
    };
    let second = mesh.commit();
    let new = offered(&mut mesh.web).await;
    let status = until(&mesh.one, |status| status["rollout"]["wave"] == "canary").await;
    let one_leads = status["rollout"]["role"] == "leads";
    let (leader, follower) = match one_leads {
        true => (&mesh.one, &mesh.other),
        false => (&mesh.other, &mesh.one),
    };
    // Told to whoever does not lead.
    assert_eq!(follower.post("/v1/rollout/pause").await.0, 200);
    until(leader, |status| status["rollout"]["paused"] == true).await;
    acknowledge(&mesh.web, new.root).await;
    let leader = match one_leads {
        true => &mut mesh.one,
        false => &mut mesh.other,
    };
    leader.kill();
    let follower = match one_leads {
        true => &mesh.other,
        false => &mesh.one,
    };
    let status = until(follower, |status| status["rollout"]["role"] == "leads").await;
    assert_eq!(status["rollout"]["wave"], "canary", "{status}");
    assert_eq!(status["rollout"]["paused"], true, "{status}");
    assert_eq!(follower.post("/v1/rollout/resume").await.0, 200);
    // Both find it.
    let [(canary, _), (fleet, held)] = &mesh.proxies;
    let web = follower.reconnect(canary, Some(new)).await.unwrap();
    web.ready().await;
    let held = Some(held.clone());
    let mut api = follower.reconnect(fleet, held).await.unwrap();
    api.ready().await;
    assert_eq!(api.configuration().await.revision, second);
    let status = follower.settled(&second).await;
    assert_eq!(status["revision"], second, "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_etcd_no_wave_begins_and_what_breaks_a_gate_is_taken_back() {
    let Some(mut mesh) = Mesh::open().await else {
        return;
    };
    let second = mesh.commit();
    let new = offered(&mut mesh.web).await;
    for room in mesh.rooms() {
        until(room, |status| status["rollout"]["wave"] == "canary").await;
    }
    mesh.etcd.stop();
    for room in mesh.rooms() {
        shares(room, false).await;
    }
    acknowledge(&mesh.web, new.root).await;
    let status = until(&mesh.other, |status| status["rollout"]["acknowledged"] == 1).await;
    assert_eq!(status["rollout"]["role"], "follows", "{status}");
    assert!(mesh.etcd.run().await);
    assert_eq!(mesh.api.configuration().await.revision, second);
    for room in mesh.rooms() {
        assert_eq!(room.settled(&second).await["revision"], second);
    }
    // And the next one, which is refused while etcd is away.
    mesh.one.write("timeout.yaml", &TIMEOUT.replace("7s", "8s"));
    let third = mesh.one.commit("others");
    let new = offered(&mut mesh.web).await;
    assert_eq!(new.revision, third);
    mesh.etcd.stop();
    shares(&mesh.other, false).await;
    refuse(&mesh.web, &new).await;
    let gate = |status: &Value| status["rollout"]["returned"]["gate"] == "Rejected";
    until(&mesh.other, gate).await;
    assert!(mesh.etcd.run().await);
    for room in mesh.rooms() {
        let status = room.settled(&third).await;
        assert_eq!(
            status["rollout"]["returned"]["gate"], "Rejected",
            "{status}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn to_go_back_is_said_once() {
    let Some(mut mesh) = Mesh::open().await else {
        return;
    };
    mesh.one.write("timeout.yaml", TIMEOUT);
    let second = mesh.one.commit("at once\n\nMesh-Rollout-At-Once: true");
    let (web, api) = tokio::join!(mesh.web.configuration(), mesh.api.configuration());
    assert_eq!((&web.revision, &api.revision), (&second, &second));
    for room in mesh.rooms() {
        assert_eq!(room.settled(&second).await["revision"], second);
    }
    let order = json!({"by": "ada", "reason": "noon"});
    let mut back = order.clone();
    back["to"] = json!(mesh.first);
    let (status, why) = mesh.one.tell("/v1/rollback", &back).await;
    assert_eq!(status, 200, "{why}");
    let (web, api) = tokio::join!(mesh.web.configuration(), mesh.api.configuration());
    assert_eq!((&web.revision, &api.revision), (&mesh.first, &mesh.first));
    let suspended = |status: &Value| status["conditions"][0]["reason"] == "RolledBack";
    for room in mesh.rooms() {
        until(room, suspended).await;
    }
    let by = json!({"by": "ada"});
    let (status, why) = mesh.other.tell("/v1/resume", &by).await;
    assert_eq!(status, 200, "{why}");
    for room in mesh.rooms() {
        until(room, |status| !suspended(status)).await;
    }
    // It comes back, in its waves.
    assert_eq!(mesh.web.configuration().await.revision, second);
    assert_eq!(mesh.api.configuration().await.revision, second);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_cannot_wait_ends_a_rollout_and_the_next_one_is_led_again() {
    let Some(mut mesh) = Mesh::open().await else {
        return;
    };
    let second = mesh.commit();
    let new = offered(&mut mesh.web).await;
    assert_eq!(new.revision, second);
    let status = until(&mesh.one, |status| status["rollout"]["role"] == "leads");
    let other = until(&mesh.other, |status| status["rollout"]["role"] == "leads");
    let one_leads = tokio::select! {
        _ = status => true,
        _ = other => false,
    };
    let (leader, follower) = match one_leads {
        true => (&mesh.one, &mesh.other),
        false => (&mesh.other, &mesh.one),
    };
    // An order to one is one to all, and so is the next one.
    let order = json!({"by": "ada", "reason": "noon"});
    let state = follower
        .state
        .path()
        .join("sources/repository/suspended.json");
    let (status, why) = follower.tell("/v1/suspend", &order).await;
    assert_eq!(status, 200, "{why}");
    until(leader, |status| status["suspended"].is_object()).await;
    assert!(state.exists());
    let by = json!({"by": "ada"});
    assert_eq!(leader.tell("/v1/resume", &by).await.0, 200);
    until(follower, |status| status["suspended"].is_null()).await;
    mesh.one.write("timeout.yaml", &TIMEOUT.replace("7s", "8s"));
    let third = mesh.one.commit("at once\n\nMesh-Rollout-At-Once: true");
    // What is under way to a proxy comes first.
    acknowledge(&mesh.web, new.root).await;
    for session in [&mut mesh.web, &mut mesh.api] {
        while session.configuration().await.revision != third {}
    }
    for room in mesh.rooms() {
        let status = room.settled(&third).await;
        assert_eq!(status["revision"], third, "{status}");
        until(room, |status| status["rollout"].is_null()).await;
    }
    // The next one is led again, by whoever comes first.
    mesh.one.write("timeout.yaml", &TIMEOUT.replace("7s", "9s"));
    let fourth = mesh.one.commit("the next");
    for room in mesh.rooms() {
        until(room, |status| {
            status["rollout"]["revision"] == fourth && status["rollout"]["wave"] == "canary"
        })
        .await;
    }
}
