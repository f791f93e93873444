//! Which source a mesh comes from.

use super::*;

const TAKEN: &str = "MeshOfAnotherSource";

fn message(status: &Value) -> &str {
    status["conditions"][0]["message"]
        .as_str()
        .unwrap_or_default()
}

/// The proxies of a source, by mesh and name.
fn proxies(status: &Value) -> Vec<String> {
    let proxies = status["proxies"].as_array().unwrap().iter();
    let mut names: Vec<String> = proxies
        .map(|proxy| {
            let part = |name: &str| proxy[name].as_str().unwrap();
            format!("{}/{}", part("mesh"), part("name"))
        })
        .collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn who_had_a_mesh_first_keeps_it() {
    let mut two = Two::open().await;
    let before = two.bank.git(&["rev-parse", "HEAD"]);
    two.settled("bank", &before).await;
    write_mesh(&two.bank, "shop", "shop");
    let taking = two.bank.commit("takes the shop");
    let status = two.settled("bank", &taking).await;
    assert_eq!(reason(&status), TAKEN, "{status}");
    assert_eq!(status["conditions"][1]["type"], "Stalled", "{status}");
    for part in ["mesh `shop`", "source `shop`", "`bank` names it too"] {
        assert!(message(&status).contains(part), "{status}");
    }
    assert_eq!(status["revision"], before);
    // After a restart, in whatever order they are named now.
    two.shop.stop().await;
    let mut sources = two.sources();
    sources.reverse();
    two.start_of(sources).await;
    let status = two.settled("bank", &taking).await;
    assert_eq!(
        (reason(&status), &status["revision"]),
        (TAKEN, &Value::from(before))
    );
    let shop = two.shop.git(&["rev-parse", "HEAD"]);
    assert_eq!(two.settled("shop", &shop).await["revision"], shop);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_any_state_the_order_of_the_settings_counts() {
    for reversed in [false, true] {
        let mut two = Two::new();
        write_mesh(&two.bank, "shop", "shop");
        two.bank.commit("names the shop too");
        let mut sources = two.sources();
        if reversed {
            sources.reverse();
        }
        two.start_of(sources).await;
        let (first, second) = if reversed {
            ("bank", "shop")
        } else {
            ("shop", "bank")
        };
        assert_ne!(two.status(first).await["revision"], Value::Null);
        let status = two.status(second).await;
        assert_eq!(reason(&status), TAKEN, "{status}");
        assert_eq!(status["revision"], Value::Null);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mesh_moves_with_its_authority_and_nobody_is_distrusted() {
    let mut two = Two::new();
    write_mesh(&two.shop, "till", "till");
    let both = two.shop.commit("a second mesh");
    two.start().await;
    two.settled("shop", &both).await;
    let token = two.token("till", "api-1");
    let api = two.shop.enroll(&token, None, None).await.unwrap();
    let mut session = two.shop.connect(&api).await.unwrap();
    let trust = session.configuration().await.resources[&Key::Trust].0;
    let issuer: Kri = "kri_mid_till_default__identity_".parse().unwrap();
    session.certificate(Some(issuer.clone())).await.unwrap();
    session.ready().await;
    // A proxy with a document of its own goes with its mesh.
    let labels = room::scope(Some("web"), None, &[("app", "web")]);
    let joining = two.shop.uncounted("till", labels);
    let document = of("till", &web("web-2")).replace("127.0.0.11", "127.0.0.12");
    let joined = two
        .shop
        .enroll(&joining, None, Some(&document))
        .await
        .unwrap();
    // The other one wants it, and has to wait.
    write_mesh(&two.bank, "till", "till");
    let taking = two.bank.commit("takes the till");
    assert_eq!(reason(&two.settled("bank", &taking).await), TAKEN);
    two.shop.git(&["rm", "-q", "-r", "till"]);
    let given = two
        .shop
        .commit("gives the till up\n\nMesh-Allow-Prune: true\nMesh-Allow-Distrust: true");
    assert_eq!(two.settled("shop", &given).await["revision"], given);
    // It does not wait for its next poll.
    let status = two
        .told("bank", |status| status["revision"] == taking.as_str())
        .await;
    assert_eq!(reason(&status), "Published", "{status}");
    let names = [
        "bank/api-1",
        "bank/web-1",
        "till/api-1",
        "till/web-1",
        "till/web-2",
    ];
    assert_eq!(proxies(&status), names);
    // The same authority, and whoever has its certificates is believed.
    let mut session = two.shop.connect(&api).await.unwrap();
    let now = session.configuration().await;
    assert_eq!(now.revision, taking);
    assert_eq!(now.resources[&Key::Trust].0, trust);
    session.certificate(Some(issuer)).await.unwrap();
    two.shop
        .connect(&joined)
        .await
        .unwrap()
        .configuration()
        .await;
    // And it stays so.
    two.shop.stop().await;
    two.start().await;
    let status = two.settled("bank", &taking).await;
    assert_eq!(status["proxies"].as_array().unwrap().len(), 5, "{status}");
    // Whoever the new source does not have any more is not believed.
    two.bank.git(&["rm", "-q", "till/api.yaml"]);
    let removed = two.bank.commit("without the api");
    two.settled("bank", &removed).await;
    let mut session = two.shop.connect(&joined).await.unwrap();
    let (_, bytes) = &session.configuration().await.resources[&Key::Trust];
    let Resource::Trust(trust) = Resource::decode(bytes).unwrap() else {
        panic!("not a trust");
    };
    assert_eq!(trust.revoked.len(), 1);
}
