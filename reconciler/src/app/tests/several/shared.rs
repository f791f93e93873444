//! What counts for all of them, whichever of them was told: uses of join tokens, Dataplanes that proxies brought, revocations.

use mesh_delivery::client::ClientError;

use super::*;
use crate::app::tests::room::{PATIENCE, scope};
use crate::etcd::{Change, Etcd};
use crate::registry::Now;
use crate::state::StateDir;

/// The reason that somebody was not let in for.
fn why<T>(outcome: Result<T, ClientError>) -> String {
    match outcome {
        Ok(_) => panic!("it was let in"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_counted_token_is_used_once_over_all_and_not_at_all_without_etcd() {
    let Some((one, other, mut etcd)) = two().await else {
        return;
    };
    let token = one.for_dataplane("web-1");
    // Both ask at the same moment.
    let (here, there) = tokio::join!(
        one.enroll(&token, None, None),
        other.enroll(&token, None, None)
    );
    let (won, lost) = match (here, there) {
        (Ok(_), lost) => (&one, lost),
        (lost, Ok(_)) => (&other, lost),
        (Err(one), Err(other)) => panic!("neither was let in: {one}; {other}"),
    };
    let lost = why(lost);
    assert!(lost.contains("used up"), "{lost}");
    for room in [&one, &other] {
        let again = why(room.enroll(&token, None, None).await);
        assert!(again.contains("used up"), "{again}");
    }
    assert!(won.meshd().revision().is_some());
    let next = one.for_dataplane("web-1");
    etcd.stop();
    let refused = why(one.enroll(&next, None, None).await);
    assert!(refused.contains("counted in etcd"), "{refused}");
    let free = one.uncounted("shop", scope(None, Some("web-1"), &[]));
    other.enroll(&free, None, None).await.unwrap();
    // Nothing was used up by being refused.
    assert!(etcd.run().await);
    other.enroll(&next, None, None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_joined_at_one_is_known_to_all_also_after_restarts() {
    let Some((one, mut other, mut etcd)) = two().await else {
        return;
    };
    shares(&other, true).await;
    let token = one.for_workload("web");
    let document = web("web-9").replace("127.0.0.11", "127.0.0.19");
    let web = one.enroll(&token, None, Some(&document)).await.unwrap();
    knows(&other, "web-9").await;
    let mut there = other.connect(&web).await.unwrap();
    there.configuration().await;
    // It is kept there, and joins the next commit.
    etcd.stop();
    other.stop().await;
    let config = etcd.config();
    other
        .start_with(|with| with.settings.etcd = Some(config))
        .await
        .unwrap();
    let mut there = other.connect(&web).await.unwrap();
    there.configuration().await;
    one.write("other.yaml", "# nothing\n");
    let second = one.commit("second");
    other.settled(&second).await;
    knows(&other, "web-9").await;
    // Without etcd it joins here alone; when etcd is back, everywhere.
    let free = one.uncounted("shop", scope(Some("web"), None, &[]));
    let document = document
        .replace("web-9", "web-8")
        .replace("127.0.0.19", "127.0.0.18");
    one.enroll(&free, None, Some(&document)).await.unwrap();
    assert!(etcd.run().await);
    knows(&other, "web-8").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_revoked_at_one_is_revoked_at_all() {
    let Some((one, other, _etcd)) = two().await else {
        return;
    };
    shares(&other, true).await;
    let token = one.for_dataplane("api-1");
    let api = one.enroll(&token, None, None).await.unwrap();
    let mut session = other.connect(&api).await.unwrap();
    session.configuration().await;
    let now = Now::read().unix;
    let state = StateDir::beside(one.state.path()).unwrap();
    crate::revocation::revoke(&state, "shop", "api-1", now).unwrap();
    one.meshd().look_for_revocations().await;
    // Its session there ends.
    while session.next().await.is_ok() {}
    let refused = why(other.connect(&api).await);
    assert!(refused.contains("revoked"), "{refused}");
    let kept = StateDir::beside(other.state.path()).unwrap();
    assert_eq!(kept.list("revoked").unwrap().len(), 1);
    // And so is a token: over there it was never seen.
    let token = one.for_dataplane("web-1");
    let id = crate::token::list(&state).unwrap();
    assert_eq!(id.len(), 1, "the token of api-1, which was counted");
    let ended = "0123456789abcdef0123456789abcdef";
    crate::token::revoke(&state, ended, now).unwrap();
    one.meshd().look_for_revocations().await;
    appears(&other.state.path().join("tokens/revoked").join(ended)).await;
    other.enroll(&token, None, None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_removed_is_distrusted_by_all_proxies_alike() {
    let Some((one, other, _etcd)) = two().await else {
        return;
    };
    shares(&other, true).await;
    let token = other.for_dataplane("web-1");
    let web = other.enroll(&token, None, None).await.unwrap();
    let mut web = other.connect(&web).await.unwrap();
    web.configuration().await;
    let token = one.for_dataplane("api-1");
    let api = one.enroll(&token, None, None).await.unwrap();
    let mut api = one.connect(&api).await.unwrap();
    api.configuration().await;
    let issuer = "kri_mid_shop_default__identity_".parse().unwrap();
    api.certificate(Some(issuer)).await.unwrap();
    told(&other, |body| body.contains("\"state\": \"acked\"")).await;
    one.write("api.yaml", "# gone\n");
    one.commit("without api-1");
    // Each notices at another moment.
    let reads = |room: &Room| std::fs::read_to_string(room.state.path().join("distrusted.json"));
    let known = |text: String| text.contains("api-1").then_some(text);
    let both = |_: &str| {
        let both = [&one, &other].map(|room| reads(room).ok().and_then(known));
        both[0].is_some() && both[0] == both[1]
    };
    told(&one, both).await;
    // So each meshd knows what the proxies of the other one should hold.
    let answers = async {
        loop {
            web.configuration().await;
        }
    };
    let acked = told(&one, |body| {
        body.contains("\"state\": \"acked\"") && !body.contains("api-1")
    });
    tokio::select! {
        () = answers => {}
        _ = acked => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_meshd_has_said_counts_for_nothing() {
    let Some((one, other, etcd)) = two().await else {
        return;
    };
    shares(&other, true).await;
    let token = one.for_dataplane("web-1");
    let web = one.enroll(&token, None, None).await.unwrap();
    let mut forger = Etcd::connect(&etcd.config()).await.unwrap();
    let until = Now::read().unix + 1_000;
    let forged = format!("{}\n{{\"until\":{until}}}", "0".repeat(64));
    let forged = Change::put("revoked/shop/web-1".to_owned(), forged);
    forger.write(&[forged], None).await.unwrap();
    let told = shares(&other, false).await;
    assert!(told.contains("revoked/shop/web-1"), "{told}");
    other.connect(&web).await.unwrap().configuration().await;
}

/// Waits until a meshd has a Dataplane.
async fn knows(room: &Room, name: &str) {
    told(room, |body| body.contains(name)).await;
}

async fn appears(path: &std::path::Path) {
    let looked = async {
        while !path.exists() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, looked)
        .await
        .expect("in time");
}
