//! What is wrong with one source is no matter of the other.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn each_source_serves_its_mesh_whatever_becomes_of_the_other() {
    let mut two = Two::open().await;
    let mut sessions = Vec::new();
    for mesh in ["shop", "bank"] {
        let token = two.token(mesh, "web-1");
        let proxy = two.shop.enroll(&token, None, None).await.unwrap();
        let mut session = two.shop.connect(&proxy).await.unwrap();
        session.configuration().await;
        sessions.push((proxy, session));
    }
    // Broken.
    two.bank.write("mesh.yaml", "type: Mehs\nname: bank\n");
    let broken = two.bank.commit("a mistake");
    let status = two.settled("bank", &broken).await;
    assert_eq!(reason(&status), "CompileFailed", "{status}");
    let served = status["revision"].clone();
    two.shop
        .write("web.yaml", &web("web-1").replace("10080", "10081"));
    let second = two.shop.commit("second");
    assert_eq!(sessions[0].1.configuration().await.revision, second);
    assert_eq!(two.settled("shop", &second).await["revision"], second);
    // Rewound, and mended: only what builds on the last good one counts.
    two.bank.git(&["checkout", "-q", "--orphan", "other"]);
    write_mesh(&two.bank, ".", "bank");
    let rewound = two.bank.commit("another history");
    two.bank.git(&["branch", "-q", "-f", "main", "HEAD"]);
    let status = two.settled("bank", &rewound).await;
    assert_eq!(reason(&status), "HistoryRewritten", "{status}");
    assert_eq!(status["revision"], served);
    // Gone.
    let (there, away) = (
        two.bank.repository().join(".git"),
        two.bank.repository().join("away"),
    );
    std::fs::rename(&there, &away).unwrap();
    two.shop.post("/v1/reconcile?source=bank").await;
    let failed = |status: &Value| reason(status).starts_with("Git");
    two.told("bank", failed).await;
    two.shop
        .write("web.yaml", &web("web-1").replace("10080", "10082"));
    let third = two.shop.commit("third");
    assert_eq!(sessions[0].1.configuration().await.revision, third);
    // A restart serves both from the disk, and admits the proxies of both.
    let (proxy, session) = sessions.pop().unwrap();
    drop(session);
    two.shop.stop().await;
    two.start().await;
    assert_eq!(two.status("bank").await["revision"], served);
    two.shop
        .connect(&proxy)
        .await
        .unwrap()
        .configuration()
        .await;
    two.settled("shop", &third).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_never_there_keeps_nobody_waiting() {
    let mut two = Two::new();
    let mut sources = two.sources();
    sources[0].repository = "/nonexistent".to_owned();
    two.start_of(sources).await;
    let bank = two.bank.git(&["rev-parse", "HEAD"]);
    assert_eq!(two.settled("bank", &bank).await["revision"], bank);
    assert_eq!(two.status("shop").await["revision"], Value::Null);
    assert_eq!(two.shop.get("/readyz").await.0, 200);
    // Who is of a mesh that is not there yet may come again, and nothing of it is used up.
    let token = two.token("shop", "web-1");
    let denied = two.shop.enroll(&token, None, None).await.err().unwrap();
    assert!(
        denied
            .to_string()
            .contains("no source serves the mesh `shop`"),
        "{denied}"
    );
    two.shop.stop().await;
    two.start().await;
    let shop = two.shop.git(&["rev-parse", "HEAD"]);
    two.settled("shop", &shop).await;
    two.shop.enroll(&token, None, None).await.unwrap();
    // With nothing at all it does not start.
    let mut two = Two::new();
    let mut sources = two.sources();
    for source in &mut sources {
        source.repository = "/nonexistent".to_owned();
    }
    let failure = two
        .shop
        .start_with(|config| config.settings.sources = sources);
    let failure = failure.await.unwrap_err().to_string();
    assert!(failure.contains("there is no earlier state"), "{failure}");
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_is_told_is_told_by_source() {
    let two = Two::open().await;
    let (_, body) = two.shop.get("/v1/status").await;
    let all: Value = serde_json::from_str(&body).unwrap();
    let name = |source: &Value| source["source"].as_str().unwrap().to_owned();
    let names: Vec<String> = all["sources"]
        .as_array()
        .unwrap()
        .iter()
        .map(name)
        .collect();
    assert_eq!(names, ["shop", "bank"]);
    let bank = two.status("bank").await;
    let meshes: Vec<&Value> = bank["proxies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["mesh"])
        .collect();
    assert_eq!(meshes, ["bank", "bank"]);
    // Whoever means one has to say which.
    for path in [
        "/v1/status?settled=0000000",
        "/v1/history",
        "/v1/diff",
        "/v1/fleet",
    ] {
        let (code, body) = two.shop.get(path).await;
        assert_eq!(code, 400, "{path}: {body}");
        assert!(body.contains("`shop`, `bank`"), "{path}: {body}");
    }
    for path in [
        "/v1/rollout/pause",
        "/v1/rollout/resume",
        "/v1/rollout/abort",
    ] {
        assert_eq!(two.shop.post(path).await.0, 400, "{path}");
    }
    let order = json!({ "by": "ada", "reason": "lunch" });
    assert_eq!(two.shop.tell("/v1/suspend", &order).await.0, 400);
    let (code, body) = two.shop.get("/v1/status?source=till").await;
    assert_eq!(code, 404, "{body}");
    assert!(body.contains("no source is named `till`"), "{body}");
    let (code, _) = two.shop.get("/v1/status?source=bank&mesh=bank").await;
    assert_eq!(code, 400);
    let (_, metrics) = two.shop.get("/metrics").await;
    for source in ["shop", "bank"] {
        for line in [
            format!("meshd_reconcile_total{{source=\"{source}\",result=\"Published\"}} "),
            format!("meshd_reconcile_duration_seconds_count{{source=\"{source}\"}} "),
            format!("meshd_proxies{{source=\"{source}\",state=\"offline\"}} 2"),
            format!("meshd_source_info{{source=\"{source}\",revision="),
            format!("meshd_bundle_info{{source=\"{source}\",revision="),
            format!("meshd_bundle_age_seconds{{source=\"{source}\"}} "),
            format!("meshd_suspended{{source=\"{source}\",reason=\"Suspended\"}} 0"),
        ] {
            assert!(metrics.contains(&line), "{line}\n{metrics}");
        }
    }
    let (_, events) = two.shop.get("/v1/events").await;
    let events: Value = serde_json::from_str(&events).unwrap();
    let published = events.as_array().unwrap().iter();
    let published = published.filter(|it| it["reason"] == "Published");
    let mut about: Vec<&str> = published
        .map(|it| it["involvedObject"]["name"].as_str().unwrap())
        .collect();
    about.sort_unstable();
    assert_eq!(about, ["bank", "shop"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_never_answers_keeps_the_other_no_longer_than_its_first_look() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut two = Two::new();
    let mut sources = two.sources();
    sources.reverse();
    // It is taken, and nothing is ever said.
    sources[0].repository = format!("https://{}/bank.git", silent.local_addr().unwrap());
    sources[0].timeout = Duration::from_secs(2);
    sources[0].poll = Duration::from_secs(1);
    two.start_of(sources).await;
    let first = two.shop.git(&["rev-parse", "HEAD"]);
    assert_eq!(two.settled("shop", &first).await["revision"], first);
    assert_eq!(reason(&two.status("bank").await), "GitOperationFailed");
    let second = two.shop.commit("second");
    assert_eq!(two.settled("shop", &second).await["revision"], second);
    // With something to serve, nobody waits for it at all.
    two.shop.stop().await;
    let mut sources = two.sources();
    sources.reverse();
    sources[0].repository = format!("https://{}/bank.git", silent.local_addr().unwrap());
    two.start_of(sources).await;
    let third = two.shop.commit("third");
    assert_eq!(two.settled("shop", &third).await["revision"], third);
}
