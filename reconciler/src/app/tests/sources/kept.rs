//! What meshd knows of proxies and authorities of one source is not forgotten because another one publishes.

use super::*;

/// Both authorities are trusted, and neither comes to an end.
fn assert_signing(room: &Room) {
    let path = room.state.path().join("anchors.json");
    let text = std::fs::read_to_string(path).unwrap();
    let all: Value = serde_json::from_str(&text).unwrap();
    let anchors = all["anchors"].as_array().unwrap();
    assert_eq!(anchors.len(), 2, "{text}");
    assert!(anchors.iter().all(|it| it.get("ends").is_none()), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_publishes_ends_neither_the_trust_nor_the_endpoints_of_the_other() {
    let mut two = Two::open().await;
    let token = two.token("bank", "web-1");
    let web = two.shop.enroll(&token, None, None).await.unwrap();
    let mut session = two.shop.connect(&web).await.unwrap();
    session.configuration().await;
    let token = two.token("bank", "api-1");
    let enrolled = two.shop.enroll(&token, None, None).await.unwrap();
    let mut api = two.shop.connect(&enrolled).await.unwrap();
    api.configuration().await;
    let issuer = "kri_mid_bank_default__identity_".parse().unwrap();
    api.certificate(Some(issuer)).await.unwrap();
    api.ready().await;
    session
        .endpoints(|names, tls| names == ["api-1"] && tls)
        .await;
    let second = two.shop.commit("of the shop");
    two.settled("shop", &second).await;
    assert_signing(&two.shop);
    // The shop is restored first, and nobody has come back yet.
    two.shop.stop().await;
    two.start().await;
    let status = two.status("bank").await;
    assert_eq!(status["proxies"][0]["name"], "api-1", "{status}");
    assert_eq!(status["proxies"][0]["ready"], true, "{status}");
    let mut session = two.shop.connect(&web).await.unwrap();
    session
        .endpoints(|names, tls| names == ["api-1"] && tls)
        .await;
    assert_signing(&two.shop);
}
