//! Several meshds over one repository, with a real etcd between them (Debian: etcd-server).

mod gates;
mod rollout;
mod shared;

use super::*;
use crate::etcd::tests::Server;

/// Two meshds that serve the same commit, and the etcd that they share.
async fn two() -> Option<(Room, Room, Server)> {
    let (one, other, etcd, _) = two_of(|_| {}).await?;
    Some((one, other, etcd))
}

/// The same of a repository that holds more, and the commit.
async fn two_of(more: impl FnOnce(&Room)) -> Option<(Room, Room, Server, String)> {
    let etcd = Server::start().await?;
    let mut one = Room::new();
    more(&one);
    let first = one.commit("first");
    one.start_with(|config| config.settings.etcd = Some(etcd.config()))
        .await
        .unwrap();
    one.settled(&first).await;
    let mut other = one.beside();
    other
        .start_with(|config| config.settings.etcd = Some(etcd.config()))
        .await
        .unwrap();
    other.settled(&first).await;
    Some((one, other, etcd, first))
}

/// Asks until a meshd says, or does not say any more, that something is not shared.
async fn shares(room: &Room, wanted: bool) -> String {
    told(room, |body| body.contains("NotShared") != wanted).await
}

/// Asks again and again, leaving the processors to who is asked.
async fn told(room: &Room, so: impl Fn(&str) -> bool) -> String {
    let asked = async {
        loop {
            let (_, body) = room.get("/v1/status").await;
            if so(&body) {
                return body;
            }
            room.get("/v1/status?settled=0000000000&timeout=50ms").await;
        }
    };
    let asked = tokio::time::timeout(Duration::from_secs(60), asked).await;
    asked.expect("in time")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_is_known_to_all_and_moves_without_being_missed() {
    let Some((mut one, other, _etcd)) = two().await else {
        return;
    };
    let (token, api_token) = (other.for_dataplane("web-1"), one.for_dataplane("api-1"));
    let web = other.enroll(&token, None, None).await.unwrap();
    let mut web = other.connect(&web).await.unwrap();
    web.configuration().await;
    let enrolled = one.enroll(&api_token, None, None).await.unwrap();
    let mut api = one.connect(&enrolled).await.unwrap();
    let held = api.configuration().await;
    let issuer = "kri_mid_shop_default__identity_".parse().unwrap();
    api.certificate(Some(issuer)).await.unwrap();
    api.ready().await;
    // Its client is with the other one.
    web.endpoints(|names, tls| names == ["api-1"] && tls).await;
    let status = other.get("/v1/status").await.1;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["proxies"][0]["state"], "acked", "{status}");
    // Its meshd ends; it goes on to the other one with what it holds, and nobody is told anything.
    one.stop().await;
    let api = other.reconnect(&enrolled, Some(held)).await.unwrap();
    api.ready().await;
    api.drains().await;
    // The next word about it is that it drains.
    web.endpoints(|_, _| true).await;
    let next = other.get("/v1/status").await.1;
    let next: serde_json::Value = serde_json::from_str(&next).unwrap();
    assert_eq!(next["proxies"][0]["ready"], false, "{next}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_etcd_what_was_said_last_counts() {
    let Some((one, other, mut etcd)) = two().await else {
        return;
    };
    shares(&one, true).await;
    shares(&other, true).await;
    let token = one.for_dataplane("api-1");
    let api = one.enroll(&token, None, None).await.unwrap();
    let mut api = one.connect(&api).await.unwrap();
    api.configuration().await;
    api.ready().await;
    let token = other.for_dataplane("web-1");
    let web = other.enroll(&token, None, None).await.unwrap();
    let mut web = other.connect(&web).await.unwrap();
    web.configuration().await;
    web.endpoints(|names, _| names == ["api-1"]).await;
    etcd.stop();
    let told = shares(&other, false).await;
    assert!(told.contains("etcd"), "{told}");
    // A commit goes through, and the endpoint of the other meshd's proxy stays.
    other.write(
        "web.yaml",
        &format!(
            "{}# changed\n",
            super::web("web-1").replace("10080", "10081")
        ),
    );
    let second = other.commit("second");
    assert_eq!(web.configuration().await.revision, second);
    let status = other.settled(&second).await;
    assert_eq!(status["proxies"][0]["ready"], true, "{status}");
    assert!(etcd.run().await);
    shares(&other, true).await;
    shares(&one, true).await;
    // What changed meanwhile is told when it is back.
    api.drains().await;
    web.endpoints(|names, _| names.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_authority_is_told() {
    let Some(etcd) = Server::start().await else {
        return;
    };
    let mut rooms = [Room::new(), Room::new()];
    for room in &mut rooms {
        room.commit("first");
        room.start_with(|config| config.settings.etcd = Some(etcd.config()))
            .await
            .unwrap();
    }
    let told = shares(&rooms[1], false).await;
    assert!(
        told.contains("another key for the authority `control`"),
        "{told}"
    );
    shares(&rooms[0], false).await;
}
