//! Instances are asked whether they are well before anybody sends them a request.

use std::collections::BTreeSet;

use mesh_tests::{Client, Mesh, Options, Workload, within};

const PATH: &str = "api/health.yaml";

fn policy(default: &str) -> String {
    format!(
        "type: MeshHealthCheck\nmesh: default\nname: api-health\nspec:\n  to:\n    - targetRef: {{kind: MeshService, labels: {{kuma.io/display-name: api}}}}\n      default: {default}\n"
    )
}

/// Half of the instances is not well, which is enough for the others to do without them.
async fn shop(default: &str) -> Mesh {
    let text = policy(default);
    let options = Options::from_example("shop").with(move |repo| {
        repo.remove("api/canary.yaml");
        repo.write(PATH, &text);
    });
    options.only(&["web-1", "api-1", "api-2"]).start().await
}

async fn serve(client: &Client) -> BTreeSet<String> {
    let mut by = BTreeSet::new();
    for _ in 0..8 {
        let answer = client.get("/").await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        by.insert(answer.by().to_owned());
    }
    by
}

/// Asks until exactly these serve.
async fn until(client: &Client, names: &[&str]) {
    let expected: BTreeSet<String> = names.iter().map(|name| (*name).to_owned()).collect();
    within("the right ones serve", async {
        while serve(client).await != expected {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn who_is_not_well_gets_no_request_until_it_is() {
    let often = "interval: 50ms, noTrafficInterval: 50ms, timeout: 5s, unhealthyThreshold: 2";
    let mesh = shop(&format!("{{{often}, http: {{path: /sick/api-2}}}}")).await;
    let client = mesh.client("web-1", "api");
    until(&client, &["api-1"]).await;

    // It has an answer to other questions.
    mesh.commit(PATH, &policy(&format!("{{{often}, http: {{path: /}}}}")))
        .await;
    until(&client, &["api-1", "api-2"]).await;
    mesh.proxy("web-1")
        .log()
        .says(0, "an instance is well again", &[])
        .await;

    // By TCP everybody is well whose proxy takes a connection.
    mesh.commit(PATH, &policy(&format!("{{{often}, tcp: {{}}}}")))
        .await;
    until(&client, &["api-1", "api-2"]).await;
    // Nobody else tells web's proxy that one of them is gone.
    let web = mesh.proxy("web-1");
    mesh.meshd().kill().await;
    let mark = web.log().mark();
    mesh.proxy("api-2").kill().await;
    let lost = web
        .log()
        .says(mark, "an instance is unhealthy, and gets no traffic", &[])
        .await;
    let why = lost.field("why").to_lowercase();
    assert!(why.contains("connect"), "{lost}");
    assert_eq!(serve(&client).await, BTreeSet::from(["api-1".to_owned()]));
}

#[tokio::test]
async fn who_is_well_again_begins_slowly() {
    let often = "interval: 50ms, noTrafficInterval: 50ms, timeout: 5s, unhealthyThreshold: 2";
    let mesh = shop(&format!("{{{often}, http: {{path: /sick/api-2}}}}")).await;
    let client = mesh.client("web-1", "api");
    let slowly = "type: MeshLoadBalancingStrategy\nmesh: default\nname: slowly\nspec:\n  to:\n    - targetRef: {kind: MeshService, labels: {kuma.io/display-name: api}}\n      default: {loadBalancer: {type: RoundRobin, slowStart: {window: 1h}}}\n";
    mesh.commit("api/balancing.yaml", slowly).await;
    until(&client, &["api-1"]).await;
    mesh.commit(PATH, &policy(&format!("{{{often}, http: {{path: /}}}}")))
        .await;
    until(&client, &["api-1", "api-2"]).await;
    // A tenth of what the other gets: 27 are expected, by turns it were 150.
    let mut back = 0;
    for _ in 0..300 {
        back += u32::from(client.get("/").await.by() == "api-2");
    }
    assert!(back > 3 && back < 70, "{back}");
}

#[tokio::test]
async fn servers_of_grpc_are_asked_in_their_own_words() {
    let often = "interval: 50ms, noTrafficInterval: 50ms, timeout: 5s, unhealthyThreshold: 2";
    let text = policy(&format!("{{{often}, grpc: {{serviceName: api-2}}}}"));
    let options = Options::from_example("shop").with(move |repo| {
        repo.remove("api/canary.yaml");
        repo.replace("api/dataplanes.yaml", "protocol: http", "protocol: grpc");
        repo.replace(
            "api/services.yaml",
            "appProtocol: http",
            "appProtocol: grpc",
        );
        repo.write(PATH, &text);
    });
    let mesh = options.only(&["web-1", "api-1", "api-2"]).start().await;
    let client = Client::http2(mesh.outbound("web-1", "api"));
    until(&client, &["api-1"]).await;
    let unwell = mesh.proxy("web-1").log();
    let unwell = unwell
        .says(0, "an instance is unhealthy, and gets no traffic", &[])
        .await;
    assert_eq!(unwell.field("why"), "it says that its status is 2");

    // The server as a whole is well.
    mesh.commit(PATH, &policy(&format!("{{{often}, grpc: {{}}}}")))
        .await;
    until(&client, &["api-1", "api-2"]).await;
}

#[tokio::test]
async fn changes_of_health_are_written_to_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("health.log");
    let often = "interval: 50ms, noTrafficInterval: 50ms, timeout: 5s, unhealthyThreshold: 3";
    let logged = format!("{often}, eventLogPath: {}", file.display());
    let mesh = shop(&format!("{{{logged}, http: {{path: /sick/api-2}}}}")).await;
    let client = mesh.client("web-1", "api");
    until(&client, &["api-1"]).await;
    mesh.commit(PATH, &policy(&format!("{{{logged}, http: {{path: /}}}}")))
        .await;
    until(&client, &["api-1", "api-2"]).await;
    // A drain writes what is still queued.
    let process = mesh.proxy("web-1").process();
    process.terminate();
    assert!(process.exited().await.success(), "{}", process.log());

    let text = std::fs::read_to_string(&file).unwrap();
    let events: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let host = mesh.dataplane("api-2").inbounds[0].proxy;
    let told: Vec<&str> = events
        .iter()
        .inspect(|event| {
            assert_eq!(event["health_checker_type"], "HTTP");
            let address = &event["host"]["socket_address"];
            assert_eq!(address["address"], host.ip().to_string(), "{event}");
        })
        .flat_map(|event| event.as_object().unwrap().keys())
        .filter(|key| key.ends_with("_event"))
        .map(String::as_str)
        .collect();
    // Of three failures in a row the first is told.
    let expected = [
        "health_check_failure_event",
        "eject_unhealthy_event",
        "add_healthy_event",
    ];
    assert_eq!(told, expected, "{text}");
}

#[tokio::test]
async fn probes_have_connections_of_their_own_where_a_commit_says_so() {
    let often = "interval: 20ms, noTrafficInterval: 20ms, timeout: 5s, http: {path: /}";
    for (reuse, own) in [("true", false), ("false", true)] {
        let mesh = shop(&format!("{{{often}, reuseConnection: {reuse}}}")).await;
        let before = mesh.workload("api-1").arrived();
        mesh.workload("api-1").arrives_after(before + 40).await;
        let opened = mesh
            .proxy("api-1")
            .log()
            .all(0, "connection", |line| line.field("direction") == "inbound");
        assert_eq!(opened.len() >= 15, own, "{reuse}: {}", opened.len());
        assert!(own || opened.len() <= 3, "{reuse}: {}", opened.len());
    }
}

/// Its own proxy finds out first, and meshd takes the endpoint away from everybody: no policy is needed for that.
#[tokio::test]
async fn a_workload_that_has_died_is_no_endpoint_until_it_is_back() {
    const DATAPLANES: &str = "api/dataplanes.yaml";
    const PROBED: &str = "protocol: http\n      serviceProbe: {interval: 0.1s, tcp: {}}\n";
    let options = Options::from_example("shop").with(|repo| {
        repo.remove("api/canary.yaml");
        repo.replace(DATAPLANES, "protocol: http\n", PROBED);
    });
    let mesh = options.only(&["web-1", "api-1", "api-2"]).start().await;
    let client = mesh.client("web-1", "api");
    until(&client, &["api-1", "api-2"]).await;

    let workload = mesh.workload("api-2");
    workload.stop();
    until(&client, &["api-1"]).await;
    let lost = mesh.proxy("api-2").log();
    let lost = lost
        .says(
            0,
            "the workload does not answer: this inbound is no endpoint",
            &[],
        )
        .await;
    assert_eq!(lost.field("inbound"), "http");
    assert!(lost.field("why").contains("refused"), "{lost}");

    let _back = Workload::start("api-2", "http", workload.address()).await;
    until(&client, &["api-1", "api-2"]).await;
}
