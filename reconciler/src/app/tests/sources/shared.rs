//! Two meshds over the repositories of two teams, with a real etcd between them (Debian: etcd-server).

use super::*;
use crate::app::tests::waves::{TIMEOUT, offered};
use crate::etcd::tests::Server;

const WAVES: &str = "[rollout]\nbake = \"0s\"\n\n[[rollout.waves]]\nname = \"canary\"\nlabels = { app = \"web\" }\n";

/// Asks until the status of a source at a meshd is so.
async fn until(room: &Room, source: &str, so: impl Fn(&Value) -> bool) -> Value {
    let asked = async {
        loop {
            let (_, body) = room.get(&format!("/v1/status?source={source}")).await;
            let status: Value = serde_json::from_str(&body).unwrap();
            if so(&status) {
                return status;
            }
            let wait = format!("/v1/status?source={source}&settled=0000000000&timeout=50ms");
            room.get(&wait).await;
        }
    };
    tokio::time::timeout(2 * PATIENCE, asked)
        .await
        .expect("in time")
}

fn is_shared(status: &Value) -> bool {
    !status.to_string().contains("NotShared")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_source_is_agreed_on_by_itself() {
    let Some(etcd) = Server::start().await else {
        return;
    };
    let mut two = Two::new();
    two.bank.write("meshc.toml", WAVES);
    let first = two.bank.commit("in waves");
    let sources = two.sources();
    let with = |config: &mut Config| {
        config.settings.sources.clone_from(&sources);
        config.settings.etcd = Some(etcd.config());
    };
    two.shop.start_with(with).await.unwrap();
    two.settled("bank", &first).await;
    let mut other = two.shop.beside();
    other.start_with(with).await.unwrap();
    for room in [&two.shop, &other] {
        until(room, "bank", |status| status["revision"] == first.as_str()).await;
        until(room, "bank", is_shared).await;
        until(room, "shop", is_shared).await;
    }
    // The canary of the bank is with one meshd, its fleet with the other.
    let token = two.token("bank", "web-1");
    let web = other.enroll(&token, None, None).await.unwrap();
    let mut web = other.connect(&web).await.unwrap();
    web.configuration().await;
    web.ready().await;
    let token = two.token("bank", "api-1");
    let api = two.shop.enroll(&token, None, None).await.unwrap();
    let mut api = two.shop.connect(&api).await.unwrap();
    api.configuration().await;
    api.ready().await;
    for room in [&two.shop, &other] {
        until(room, "bank", |status| {
            let mut proxies = status["proxies"].as_array().unwrap().iter();
            proxies.all(|proxy| proxy["ready"] == true)
        })
        .await;
    }
    two.bank.write("timeout.yaml", &of("bank", TIMEOUT));
    let second = two.bank.commit("timeouts");
    let new = offered(&mut web).await;
    assert_eq!(new.revision, second);
    for room in [&two.shop, &other] {
        until(room, "bank", |status| status["rollout"]["wave"] == "canary").await;
        let shop = until(room, "shop", |_| true).await;
        assert_eq!(shop["rollout"], Value::Null, "{shop}");
    }
    // Meanwhile the other source moves, and an order about it is none about this one.
    let shop = two.shop.commit("of the shop");
    let order = json!({ "by": "ada", "reason": "a freeze" });
    for room in [&two.shop, &other] {
        until(room, "shop", |status| status["revision"] == shop.as_str()).await;
    }
    let (code, _) = other.tell("/v1/suspend?source=shop", &order).await;
    assert_eq!(code, 200);
    let suspended = |status: &Value| status["suspended"]["by"] == "ada";
    until(&two.shop, "shop", suspended).await;
    web.acknowledge(new.root).await;
    let fleet = offered(&mut api).await;
    assert_eq!(fleet.revision, second);
    api.acknowledge(fleet.root).await;
    for room in [&two.shop, &other] {
        let status = until(room, "bank", |status| status["revision"] == second.as_str()).await;
        assert_eq!(status["suspended"], Value::Null, "{status}");
    }
    // Whoever joins at one of them is known to the other, in its mesh.
    let labels = room::scope(Some("web"), None, &[("app", "web")]);
    let joining = other.uncounted("bank", labels);
    let document = of("bank", &web_of("web-2"));
    other.enroll(&joining, None, Some(&document)).await.unwrap();
    until(&two.shop, "bank", |status| {
        let mut proxies = status["proxies"].as_array().unwrap().iter();
        proxies.any(|proxy| proxy["name"] == "web-2")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_more_meshd_takes_no_mesh_away_whatever_its_order_is() {
    let Some(etcd) = Server::start().await else {
        return;
    };
    let mut two = Two::new();
    let mut sources = two.sources();
    let with = |sources: &[Source]| {
        let sources = sources.to_vec();
        let etcd = etcd.config();
        move |config: &mut Config| {
            config.settings.sources = sources;
            config.settings.etcd = Some(etcd);
        }
    };
    two.shop.start_with(with(&sources)).await.unwrap();
    let shop = two.shop.git(&["rev-parse", "HEAD"]);
    until(&two.shop, "shop", is_shared).await;
    write_mesh(&two.bank, "shop", "shop");
    let taking = two.bank.commit("takes the shop");
    assert_eq!(
        reason(&two.settled("bank", &taking).await),
        "MeshOfAnotherSource"
    );
    // It has no state, and the bank comes first there.
    sources.reverse();
    let mut other = two.shop.beside();
    other.start_with(with(&sources)).await.unwrap();
    let status = until(&other, "bank", |status| status["seen"] == taking.as_str()).await;
    assert_eq!(reason(&status), "MeshOfAnotherSource", "{status}");
    until(&other, "shop", |status| status["revision"] == shop.as_str()).await;
    // It is free when no meshd serves it from there any more.
    for file in ["mesh", "identity", "permission", "service", "web", "api"] {
        two.shop.git(&["rm", "-q", &format!("{file}.yaml")]);
    }
    two.shop.write("mesh.yaml", &of("spare", MESH));
    two.shop.commit("gives it up\n\nMesh-Allow-Prune: true");
    for room in [&two.shop, &other] {
        let status = until(room, "bank", |status| status["revision"] == taking.as_str()).await;
        assert_eq!(status["proxies"].as_array().unwrap().len(), 4, "{status}");
    }
}

fn web_of(name: &str) -> String {
    web(name).replace("127.0.0.11", "127.0.0.12")
}
