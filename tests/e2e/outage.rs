//! Traffic does not need meshd: not to go on, and not to begin again after a proxy was restarted.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mesh_tests::{Client, Load, Mesh};

#[tokio::test]
async fn nothing_fails_when_meshd_is_killed_and_started_again() {
    let mesh = Mesh::from_example("shop").await;
    let load = Load::start(mesh.client("web-1", "api"), "/", 4);
    let mut tunnel = mesh.client("api-1", "db").open().await;
    tunnel.hear("db-1 ready\n").await;
    load.more(100).await;
    mesh.meshd().kill().await;
    load.more(200).await;
    // Connections that begin now are as good as those that were there.
    assert_eq!(mesh.client("web-1", "api").get("/").await.status, 200);
    assert_eq!(mesh.client("outsider-1", "api").get("/").await.status, 403);

    let marks: Vec<_> = mesh
        .proxies()
        .iter()
        .map(|proxy| proxy.log().mark())
        .collect();
    mesh.meshd().start().await;
    for (proxy, mark) in mesh.proxies().iter().zip(&marks) {
        proxy.log().says(*mark, "connected", &[]).await;
    }
    load.more(100).await;
    for (proxy, mark) in mesh.proxies().iter().zip(&marks) {
        let again = proxy.log().all(*mark, "applied", |_| true);
        assert!(again.is_empty(), "{} was sent what it had", proxy.name());
    }
    mesh.change(|repo| repo.replace("api/canary.yaml", "weight: 10", "weight: 11"))
        .await;
    let (_, other) = mesh.holders().await;
    assert!(other.is_empty(), "{other:?} did not come back");
    load.more(100).await;
    load.stop().await.assert_none_failed();
    tunnel.say("still here").await;
    tunnel.hear("still here").await;
}

#[tokio::test]
async fn a_proxy_that_restarts_alone_serves_what_it_verified_last() {
    let mesh = Mesh::from_example("shop").await;
    let revision = mesh.head().await;
    mesh.meshd().kill().await;
    for name in ["api-1", "api-2", "web-1"] {
        let proxy = mesh.proxy(name);
        proxy.kill().await;
        let begin = Instant::now();
        proxy.launch();
        let ready = proxy.ready().await;
        assert_eq!(ready.field("revision"), revision);
        proxy.readyz().await;
        let took = begin.elapsed();
        eprintln!("{name} served again from its disk after {took:?}");
        // Tens of milliseconds on a quiet machine; tests run many processes beside each other.
        assert!(took < Duration::from_secs(5), "{name}: {took:?}");
    }
    let answer = mesh.client("web-1", "api").get("/").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(mesh.client("outsider-1", "api").get("/").await.status, 403);
}

/// More services than a workload calls, each with a route of its own.
const SERVICES: u16 = 300;

fn service(number: u16) -> String {
    format!(
        "type: MeshService\nmesh: default\nname: more-{number}\nspec:\n  selector:\n    dataplaneLabels:\n      matchLabels: {{app: api}}\n  ports:\n    - {{name: http, port: 80, targetPort: http, appProtocol: http}}\n---\ntype: MeshHTTPRoute\nmesh: default\nname: more-{number}\nspec:\n  to:\n    - targetRef: {{kind: MeshService, labels: {{kuma.io/display-name: more-{number}}}}}\n      rules:\n        - matches: [{{path: {{type: PathPrefix, value: /a}}}}]\n          default:\n            backendRefs: [{{kind: MeshService, labels: {{kuma.io/display-name: api}}, port: 80}}]\n---\n"
    )
}

fn outbound(number: u16) -> String {
    let port = 20_000 + number;
    format!(
        "    - {{address: 127.0.0.11, port: {port}, backendRef: {{kind: MeshService, name: more-{number}, port: 80}}}}\n"
    )
}

#[tokio::test]
async fn a_restart_with_many_services_takes_little_of_a_processor() {
    let mesh = Mesh::from_example("shop").await;
    mesh.change(|repo| {
        let services: String = (0..SERVICES).map(service).collect();
        repo.write("api/more.yaml", services.trim_end_matches("---\n"));
        let outbounds: String = (0..SERVICES).map(outbound).collect();
        let few = "  outbound:\n";
        repo.replace("web/dataplane.yaml", few, &format!("{few}{outbounds}"));
    })
    .await;
    mesh.meshd().kill().await;
    let proxy = mesh.proxy("web-1");
    proxy.kill().await;
    let begin = Instant::now();
    let process = proxy.launch();
    proxy.ready().await;
    let (took, worked) = (begin.elapsed(), process.worked());
    eprintln!("ready after {took:?}, of it {worked:?} of work");
    // Whatever else the machine does: what is not work is waiting for it.
    assert!(worked < Duration::from_secs(1), "{worked:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    let near = mesh.outbound("web-1", "api").ip();
    let last = Client::http1(SocketAddr::new(near, 20_000 + SERVICES - 1));
    assert_eq!(last.get("/a").await.status, 200);
}

#[tokio::test]
async fn a_proxy_without_any_state_waits_for_meshd() {
    let mesh = Mesh::from_example("shop").await;
    let answer = mesh.client("web-1", "api").get("/").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    mesh.meshd().kill().await;
    mesh.forget("web-1").await;
    let proxy = mesh.proxy("web-1");
    let process = proxy.launch();
    process.log().says(0, "listening", &[]).await;
    let answer = proxy.admin().await.get("/readyz").await;
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(process.log().all(0, "ready", |_| true).is_empty());
}
