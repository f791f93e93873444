//! What operators say of one source is no matter of the other; what they say of proxies holds for all.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn one_goes_back_and_the_other_goes_on() {
    let two = Two::open().await;
    let first = two.bank.git(&["rev-parse", "HEAD"]);
    two.settled("bank", &first).await;
    two.bank.write(
        "web.yaml",
        &of("bank", &web("web-1").replace("10080", "10081")),
    );
    let second = two.bank.commit("second");
    two.settled("bank", &second).await;
    let back = json!({ "to": first, "by": "ada", "reason": "payments fail" });
    let (code, body) = two.shop.tell("/v1/rollback?source=bank", &back).await;
    assert_eq!(code, 200, "{body}");
    assert_eq!(two.status("bank").await["revision"], first);
    two.shop
        .write("web.yaml", &web("web-1").replace("10080", "10081"));
    let shop = two.shop.commit("of the shop");
    let status = two.settled("shop", &shop).await;
    assert_eq!(
        (&status["revision"], &status["suspended"]),
        (&Value::from(shop.clone()), &Value::Null)
    );
    // Each has a history of its own, and finds only its own commits.
    let history = |body: &str| -> Vec<String> {
        let history: Value = serde_json::from_str(body).unwrap();
        let entries = history["entries"].as_array().unwrap().iter();
        entries
            .map(|it| it["revision"].as_str().unwrap().to_owned())
            .collect()
    };
    let (_, body) = two.shop.get("/v1/history?source=bank").await;
    assert_eq!(
        history(&body),
        [first.clone(), second.clone(), first.clone()]
    );
    let (_, body) = two.shop.get("/v1/history?source=shop").await;
    assert_eq!(history(&body)[0], shop);
    let foreign = json!({ "to": first, "by": "ada", "reason": "a mistake" });
    let (code, body) = two.shop.tell("/v1/rollback?source=shop", &foreign).await;
    assert_eq!(code, 404, "{body}");
    let (code, body) = two.shop.get("/v1/diff?source=bank&format=json").await;
    assert_eq!(code, 200, "{body}");
    // Followed again, and suspended over a restart.
    two.shop
        .tell("/v1/resume?source=bank", &json!({ "by": "ada" }))
        .await;
    two.told("bank", |status| status["revision"] == second.as_str())
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspension_of_one_outlives_a_restart() {
    let mut two = Two::open().await;
    let order = json!({ "by": "ada", "reason": "a freeze" });
    let (code, _) = two.shop.tell("/v1/suspend?source=bank", &order).await;
    assert_eq!(code, 200);
    two.shop.stop().await;
    two.start().await;
    assert_eq!(two.status("bank").await["suspended"]["by"], "ada");
    assert_eq!(two.status("shop").await["suspended"], Value::Null);
    let shop = two.shop.commit("goes on");
    assert_eq!(two.settled("shop", &shop).await["revision"], shop);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_way_back_to_a_mesh_that_is_anothers_now() {
    let two = Two::open().await;
    write_mesh(&two.shop, "till", "till");
    let with = two.shop.commit("a second mesh");
    two.settled("shop", &with).await;
    two.shop.git(&["rm", "-q", "-r", "till"]);
    let without = two.shop.commit("gives it up\n\nMesh-Allow-Prune: true");
    two.settled("shop", &without).await;
    write_mesh(&two.bank, "till", "till");
    let taken = two.bank.commit("takes it");
    assert_eq!(two.settled("bank", &taken).await["revision"], taken);
    let back = json!({ "to": with, "by": "ada", "reason": "a mistake" });
    let (code, body) = two.shop.tell("/v1/rollback?source=shop", &back).await;
    assert_eq!(code, 409, "{body}");
    assert!(
        body.contains("the mesh `till` comes from the source `bank`"),
        "{body}"
    );
    let status = two.status("shop").await;
    assert_eq!(
        (&status["revision"], &status["suspended"]),
        (&Value::from(without), &Value::Null)
    );
    assert_eq!(two.status("bank").await["revision"], taken);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_and_revocations_are_of_all_sources() {
    let two = Two::open().await;
    // A token names its mesh, whichever source that comes from.
    let token = two.token("bank", "web-1");
    let web = two.shop.enroll(&token, None, None).await.unwrap();
    let mut web = two.shop.connect(&web).await.unwrap();
    web.configuration().await;
    let token = two.token("bank", "api-1");
    let enrolled = two.shop.enroll(&token, None, None).await.unwrap();
    let mut api = two.shop.connect(&enrolled).await.unwrap();
    api.configuration().await;
    let issuer = "kri_mid_bank_default__identity_".parse().unwrap();
    api.certificate(Some(issuer)).await.unwrap();
    let now = Now::read().unix;
    crate::revocation::revoke(two.shop.meshd().gate.sources.state(), "bank", "api-1", now).unwrap();
    two.shop.meshd().look_for_revocations().await;
    // Its peers hear of it from their own source, and it is not let in again.
    let (_, bytes) = &web.configuration().await.resources[&Key::Trust];
    let Resource::Trust(trust) = Resource::decode(bytes).unwrap() else {
        panic!("not a trust");
    };
    assert_eq!(trust.revoked.len(), 1);
    assert!(two.shop.connect(&enrolled).await.is_err());
    // A commit of one source ends tokens wherever they lead.
    let scope = room::scope(None, Some("web-1"), &[]);
    let (token, id) = two.shop.made("bank", scope, Some(1));
    let ends = format!("[tokens]\nrevoked = [\"{id}\"]\n");
    two.shop.write("meshc.toml", &ends);
    let ends = two.shop.commit("ends a token");
    two.settled("shop", &ends).await;
    let denied = two.shop.enroll(&token, None, None).await.err().unwrap();
    assert!(denied.to_string().contains("revoked"), "{denied}");
}
