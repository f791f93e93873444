//! Requests stay in the zone of their client while enough is well there, and go where a commit says when it is not.

use std::collections::BTreeMap;

use mesh_tests::{Client, Mesh, Options, within};

const BALANCING: &str = "api/balancing.yaml";
const HEALTH: &str = "api/health.yaml";

/// One repository for all zones: a client in `east`, and one service that has members in three.
const MESH: &str = "type: Mesh
name: default
---
type: MeshIdentity
mesh: default
name: identity
spec:
  selector: {dataplane: {matchLabels: {}}}
  provider: {type: Bundled, bundled: {insecureAllowSelfSigned: true, autogenerate: {enabled: true}}}
---
type: Dataplane
mesh: default
name: web-1
labels: {app: web, kuma.io/workload: web, kuma.io/zone: east}
networking:
  address: 127.0.0.11
  outbound:
    - {address: 127.0.0.11, port: 10080, backendRef: {kind: MeshMultiZoneService, name: api, port: 80}}
---
type: MeshMultiZoneService
mesh: default
name: api
spec:
  selector: {meshService: {matchLabels: {service: api}}}
  ports: [{name: http, port: 80, appProtocol: http}]
---
type: MeshTrafficPermission
mesh: default
name: clients
spec:
  rules: [{default: {allow: [{spiffeID: {type: Exact, value: 'spiffe://default.default.mesh.local/workload/web'}}]}}]
---
type: MeshRetry
mesh: default
name: never
spec: {to: [{targetRef: {kind: Mesh}, default: {http: {numRetries: 0}}}]}
";

/// What a zone has of the service.
fn member(zone: &str) -> String {
    format!(
        "type: MeshService\nmesh: default\nname: api-{zone}\nlabels: {{service: api, kuma.io/zone: {zone}}}\nspec:\n  selector: {{dataplaneLabels: {{matchLabels: {{app: api}}}}}}\n  ports: [{{name: http, port: 80, targetPort: http, appProtocol: http}}]\n"
    )
}

fn instance(name: &str, host: u8, zone: &str) -> String {
    format!(
        "type: Dataplane\nmesh: default\nname: {name}\nlabels: {{app: api, kuma.io/workload: api, kuma.io/zone: {zone}}}\nnetworking:\n  address: 127.0.0.{host}\n  inbound:\n    - {{name: http, port: 9080, servicePort: 8080, serviceAddress: 127.0.0.{host}, protocol: http}}\n"
    )
}

fn crossing(rules: &str) -> String {
    format!(
        "type: MeshLoadBalancingStrategy\nmesh: default\nname: zones\nspec:\n  to:\n    - targetRef: {{kind: MeshMultiZoneService, labels: {{kuma.io/display-name: api}}}}\n      default: {{localityAwareness: {{crossZone: {{{rules}}}}}}}\n"
    )
}

/// Whoever answers this path badly is not well.
fn asked(path: &str) -> String {
    format!(
        "type: MeshHealthCheck\nmesh: default\nname: health\nspec:\n  to:\n    - targetRef: {{kind: MeshMultiZoneService, labels: {{kuma.io/display-name: api}}}}\n      default: {{interval: 50ms, noTrafficInterval: 50ms, timeout: 5s, unhealthyThreshold: 2, http: {{path: {path}}}}}\n"
    )
}

const INSTANCES: [(&str, u8, &str); 4] = [
    ("east-1", 21, "east"),
    ("east-2", 22, "east"),
    ("west-1", 23, "west"),
    ("north-1", 24, "north"),
];

async fn spread(client: &Client, requests: usize) -> BTreeMap<String, u32> {
    let mut by = BTreeMap::new();
    for _ in 0..requests {
        let answer = client.get("/").await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        *by.entry(answer.by().to_owned()).or_default() += 1;
    }
    by
}

fn names(by: &BTreeMap<String, u32>) -> Vec<&str> {
    by.keys().map(String::as_str).collect()
}

/// Asks until exactly these answer.
async fn until(client: &Client, expected: &[&str]) {
    within("the right zone serves", async {
        while names(&spread(client, 24).await) != expected {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_zone_serves_itself_until_too_few_of_it_are_well() {
    let options = Options::from_example("shop").with(|repo| {
        for file in repo.files() {
            repo.remove(&file);
        }
        repo.write("meshc.toml", "mode = \"global\"\n");
        repo.write("mesh.yaml", MESH);
        for (name, host, zone) in INSTANCES {
            repo.write(&format!("api/{name}.yaml"), &instance(name, host, zone));
            repo.write(&format!("api/of-{zone}.yaml"), &member(zone));
        }
        repo.write(HEALTH, &asked("/"));
    });
    let all = ["web-1", "east-1", "east-2", "west-1", "north-1"];
    let mesh: Mesh = options.only(&all).start().await;
    let client = mesh.client("web-1", "api");
    // Of four instances that are well only those of the own zone are asked.
    let by = spread(&client, 100).await;
    assert_eq!(names(&by), ["east-1", "east-2"], "{by:?}");

    // Half of them is well: of 1.67 times that, which is 83 %, the own zone is trusted, and north has the rest.
    let north =
        "failoverThreshold: {percentage: 60}, failover: [{to: {type: Only, zones: [north]}}]";
    mesh.commit(BALANCING, &crossing(north)).await;
    let by = spread(&client, 100).await;
    assert_eq!(names(&by), ["east-1", "east-2"], "{by:?}");
    mesh.commit(HEALTH, &asked("/sick/east-1")).await;
    until(&client, &["east-2", "north-1"]).await;
    let by = spread(&client, 600).await;
    assert_eq!(names(&by), ["east-2", "north-1"], "{by:?}");
    // 100 are expected; a share that far off comes once in a million runs.
    assert!((55..=145).contains(&by["north-1"]), "{by:?}");

    // Half is enough.
    let half =
        "failoverThreshold: {percentage: 50}, failover: [{to: {type: Only, zones: [north]}}]";
    mesh.commit(BALANCING, &crossing(half)).await;
    until(&client, &["east-2"]).await;
    assert_eq!(names(&spread(&client, 100).await), ["east-2"]);

    // The whole zone goes: the next one of the list is asked, and no other.
    for name in ["east-1", "east-2"] {
        let process = mesh.proxy(name).process();
        process.terminate();
        assert!(process.exited().await.success(), "{}", process.log());
    }
    until(&client, &["north-1"]).await;
    assert_eq!(names(&spread(&client, 100).await), ["north-1"]);
    let list = "failover: [{to: {type: AnyExcept, zones: [north]}}]";
    mesh.commit(BALANCING, &crossing(list)).await;
    until(&client, &["west-1"]).await;

    // Where a commit lets nothing leave the zone, there is nobody.
    mesh.commit(BALANCING, &crossing("failover: [{to: {type: None}}]"))
        .await;
    let answer = client.get("/").await;
    assert_eq!((answer.status, answer.by()), (503, ""), "{}", answer.text());

    // Who is back is asked again.
    mesh.proxy("east-2").start().await;
    mesh.commit(BALANCING, &crossing(list)).await;
    until(&client, &["east-2"]).await;
}
