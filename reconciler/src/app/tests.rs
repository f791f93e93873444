mod authorities;
mod disk;
mod git_faults;
mod history;
mod hostile;
mod joining;
mod rollback;
mod room;
mod secrets;
mod several;
mod sources;
mod state;
mod stolen;
mod waves;
mod webhook;

use mesh_bundle::{Key, Kri, Resource};
use room::{MESH, Room, SERVICE, api, web};

use super::*;

/// A meshd on free ports.
fn config(settings: Settings, state: PathBuf) -> Config {
    let free = "127.0.0.1:0".parse().unwrap();
    Config {
        settings,
        state,
        listen: free,
        admin: free,
        admin_token: None,
        said: Vec::new(),
    }
}

fn dataplane(name: &str) -> Kri {
    format!("kri_dp_shop_default__{name}_").parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mesh_from_git_to_endpoints() {
    let (room, first) = Room::open().await;
    let token = room.for_workload("web");
    let web = room.enroll(&token, None, None).await.unwrap();
    let mut web = room.connect(&web).await.unwrap();
    let received = web.configuration().await;
    assert_eq!(received.revision, first);
    let (_, bytes) = &received.resources[&Key::Proxy];
    let Resource::Proxy(itself) = Resource::decode(bytes).unwrap() else {
        panic!("not a proxy");
    };
    assert_eq!(itself.kri, dataplane("web-1"));
    let identity = itself.identity.unwrap();
    let (_, bytes) = &received.resources[&Key::Trust];
    let Resource::Trust(trust) = Resource::decode(bytes).unwrap() else {
        panic!("not a trust");
    };
    assert_eq!(trust.anchors[identity.spiffe_id.trust_domain()].len(), 1);

    let api = room.for_dataplane("api-1");
    let api = room.enroll(&api, None, None).await.unwrap();
    let mut api = room.connect(&api).await.unwrap();
    api.configuration().await;
    let issuer = Some(identity.issuer.clone());
    let certificate = api.certificate(issuer.clone()).await.unwrap();
    assert_eq!(certificate.issuer, issuer);
    api.ready().await;
    web.endpoints(|names, tls| names == ["api-1"] && tls).await;
    api.drains().await;
    web.endpoints(|names, tls| names.is_empty() && tls).await;

    // Renewing the certificate of the session itself; an issuer that is not its own.
    assert_eq!(api.certificate(None).await.unwrap().issuer, None);
    let other: Kri = "kri_mid_shop_default__other_".parse().unwrap();
    let refused = api.certificate(Some(other)).await.unwrap_err();
    assert!(
        refused.contains("gives this proxy no identity"),
        "{refused}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_reaches_who_is_concerned() {
    let (room, first) = Room::open().await;
    let token = room.for_dataplane("web-1");
    let web = room.enroll(&token, Some("web-1"), None).await.unwrap();
    let mut session = room.connect(&web).await.unwrap();
    let held = session.configuration().await;
    let before = room.settled(&first).await;
    assert_eq!(before["proxies"][1]["name"], "web-1");
    assert_eq!(before["proxies"][1]["state"], "acked");
    assert_eq!(before["proxies"][1]["revision"], first);
    assert_eq!(before["proxies"][0]["state"], "offline");

    room.write("web.yaml", &room::web("web-1").replace("10080", "10081"));
    let second = room.commit("another port");
    let received = session.configuration().await;
    assert_eq!(received.revision, second);
    assert_ne!(received.root, held.root);
    let status = room.settled(&second).await;
    assert_eq!(status["revision"], second);
    assert_eq!(status["conditions"][0]["type"], "Ready");
    assert_eq!(status["conditions"][0]["status"], "True");

    // A proxy that holds what is wanted is sent nothing, and counts as acknowledged.
    drop(session);
    let mut session = room.reconnect(&web, Some(received)).await.unwrap();
    room.write("api.yaml", &api("api-1", 9081));
    let third = room.commit("nothing that concerns web-1");
    let status = room.settled(&third).await;
    assert_eq!(status["proxies"][1]["state"], "acked", "{status}");
    session.endpoints(|names, _| names.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_commit_changes_nothing_but_what_is_said() {
    let (room, first) = Room::open().await;
    room.write("service.yaml", &SERVICE.replace("selector", "slector"));
    let bad = room.commit("a mistake");
    let status = room.settled(&bad).await;
    assert_eq!(status["revision"], first);
    assert_eq!(status["seen"], bad);
    let text = status["diagnostics"].as_str().unwrap();
    assert!(
        text.contains("service.yaml") && text.contains("slector"),
        "{text}"
    );
    let reasons: Vec<_> = status["conditions"].as_array().unwrap().iter().collect();
    assert_eq!(reasons[0]["status"], "False");
    assert_eq!(reasons[1]["type"], "Stalled");
    assert_eq!(reasons[1]["reason"], "CompileFailed");
    assert_eq!(room.get("/readyz").await.0, 200);
    let (_, metrics) = room.get("/metrics").await;
    // A directory that is watched may wake it once more.
    for (name, least) in [
        ("meshd_reconcile_total{result=\"CompileFailed\"}", 1.0),
        ("meshd_reconcile_duration_seconds_count", 2.0),
        (
            "meshd_git_request_duration_seconds_count{op=\"fetch\",result=\"Succeeded\"}",
            2.0,
        ),
        ("meshd_bundle_age_seconds", 0.0),
    ] {
        let mut lines = metrics.lines().filter_map(|line| line.strip_prefix(name));
        let value: f64 = lines.next().unwrap().trim().parse().unwrap();
        assert!(value >= least, "{name} {value}:\n{metrics}");
    }

    room.write("service.yaml", SERVICE);
    let mended = room.commit("mended");
    let status = room.settled(&mended).await;
    assert_eq!(status["revision"], mended);
    assert_eq!(status["diagnostics"], serde_json::Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_removes_most_must_say_so() {
    let (room, first) = Room::open().await;
    for file in ["identity", "permission", "service", "web", "api", "mesh"] {
        room.git(&["rm", "-q", &format!("{file}.yaml")]);
    }
    let empty = room.commit("oops");
    let status = room.settled(&empty).await;
    assert_eq!(status["revision"], first);
    assert_eq!(status["conditions"][1]["reason"], "PruneGuard", "{status}");
    let meant = room.commit("really\n\nMesh-Allow-Prune: true");
    let status = room.settled(&meant).await;
    assert_eq!(status["revision"], meant, "{status}");
    assert_eq!(status["proxies"], serde_json::json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dataplane_that_leaves_git_loses_its_session() {
    let (room, _) = Room::open().await;
    let token = room.for_workload("web");
    let web = room.enroll(&token, None, None).await.unwrap();
    let mut session = room.connect(&web).await.unwrap();
    session.configuration().await;
    room.write("web.yaml", &room::web("web-2"));
    let revision = room.commit("another one");
    room.settled(&revision).await;
    session.ended().await;
    let refused = room.connect(&web).await.err().unwrap().to_string();
    assert!(refused.contains("no Dataplane `web-1`"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_has_an_end() {
    let (room, first) = Room::open().await;
    let (status, _) = room.get("/v1/status?settled=nevermade&timeout=50ms").await;
    assert_eq!(status, 504);
    for bad in ["timeout=soon&settled=x", "settled", "color=red"] {
        let (status, body) = room.get(&format!("/v1/status?{bad}")).await;
        assert_eq!(status, 400, "{bad}: {body}");
    }
    let (status, body) = room.get("/v1/status?settled=c3d1").await;
    assert_eq!(status, 400, "too short to be one commit: {body}");
    assert_eq!(room.get("/v1/status?timeout=1s").await.0, 200);
    assert_eq!(room.get("/healthz").await, (200, "ok\n".to_owned()));
    assert_eq!(room.get("/nothing").await.0, 404);
    let (_, metrics) = room.get("/metrics").await;
    assert!(metrics.contains(&first), "{metrics}");
    assert!(metrics.ends_with("# EOF\n"));
    let proxies = "meshd_proxies{state=\"offline\"} 2";
    assert!(metrics.contains(proxies), "{metrics}");
    let _ = (MESH, web("x"));
}

#[tokio::test(flavor = "multi_thread")]
async fn over_the_network_only_the_token_opens_what_is_not_for_everybody() {
    use std::os::unix::fs::PermissionsExt;

    let (mut room, first) = Room::open().await;
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(room.get_remote(path, "").await.0, 200, "{path}");
    }
    let (status, why) = room.get_remote("/v1/status", "").await;
    assert_eq!(status, 401);
    assert!(why.contains("--admin-token"), "{why}");
    let socket = room.state.path().join("control.sock");
    let mode = std::fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    room.stop().await;
    // A meshd with a token, beside the socket of one that was killed.
    std::fs::write(&socket, "").unwrap();
    let token = room.state.path().join("admin-token");
    let secret = "0123456789abcdef0123456789abcdef";
    std::fs::write(&token, secret).unwrap();
    room.start_with(|config| config.admin_token = Some(token.clone()))
        .await
        .unwrap();
    let bearer = format!("authorization: Bearer {secret}\r\n");
    let (status, page) = room.get_remote("/v1/status", &bearer).await;
    assert_eq!(status, 200);
    assert!(page.contains(&first) && !page.contains(secret), "{page}");
    for wrong in [
        "",
        "authorization: Bearer 0123456789abcdef0123456789abcdee\r\n",
    ] {
        let (status, why) = room.get_remote("/v1/status", wrong).await;
        assert_eq!(status, 401);
        assert!(why.contains("Authorization: Bearer"), "{why}");
    }
    room.stop().await;
    std::fs::write(&token, "guessable").unwrap();
    let refused = room
        .start_with(|config| config.admin_token = Some(token))
        .await;
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("fewer than 32 characters"), "{refused}");
}
