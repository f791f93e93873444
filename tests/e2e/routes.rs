//! What a route says about a request is what happens to it, on its way there and back.

use mesh_tests::{Client, Mesh, Options, request};

const ROUTE: &str = "type: MeshHTTPRoute
mesh: default
name: api-canary
spec:
  to:
    - targetRef: {kind: MeshService, labels: {kuma.io/display-name: api}}
      rules:
        - matches:
            - path: {type: PathPrefix, value: /}
              headers: [{name: x-canary, value: \"yes\"}]
          default:
            filters:
              - type: RequestHeaderModifier
                requestHeaderModifier: {set: [{name: x-was, value: canary}], remove: [x-secret]}
              - type: ResponseHeaderModifier
                responseHeaderModifier: {add: [{name: x-by, value: mesh}]}
            backendRefs:
              - {kind: MeshService, labels: {kuma.io/display-name: api-v2}, port: 80}
        - matches: [{path: {type: PathPrefix, value: /old}}]
          default:
            filters:
              - type: URLRewrite
                urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /new}}
            backendRefs:
              - {kind: MeshService, labels: {kuma.io/display-name: api-v1}, port: 80}
        - matches: [{path: {type: Exact, value: /moved}}]
          default:
            filters:
              - type: RequestRedirect
                requestRedirect: {hostname: shop.example, statusCode: 301}
        - matches: [{path: {type: PathPrefix, value: /}}]
          default:
            backendRefs:
              - {kind: MeshService, labels: {kuma.io/display-name: api-v1}, port: 80}
";

#[tokio::test]
async fn requests_go_where_the_route_sends_them() {
    let mesh = Mesh::from_example("shop").await;
    mesh.commit("api/canary.yaml", ROUTE).await;
    let to = mesh.outbound("web-1", "api");
    for client in [Client::http1(to), Client::http2(to)] {
        let plain = client.send(request("GET", "/", "")).await;
        assert_eq!((plain.status, plain.by()), (200, "api-1"));

        let mut canary = request("GET", "/", "");
        canary
            .headers_mut()
            .insert("x-canary", "yes".parse().unwrap());
        canary
            .headers_mut()
            .insert("x-secret", "1".parse().unwrap());
        let canary = client.send(canary).await;
        assert_eq!((canary.status, canary.by()), (200, "api-2"));
        assert_eq!(canary.header("x-by"), "mesh");
        let received = canary.json();
        assert_eq!(received["headers"]["x-was"], "canary");
        assert!(received["headers"]["x-secret"].is_null(), "{received}");

        let old = client.send(request("GET", "/old/a?b=c", "")).await;
        assert_eq!((old.status, old.by()), (200, "api-1"));
        assert_eq!(old.json()["uri"], "/new/a?b=c");

        let moved = client.send(request("GET", "/moved", "")).await;
        assert_eq!((moved.status, moved.by()), (301, ""));
        assert_eq!(moved.header("location"), "http://shop.example/moved");
    }
}

#[tokio::test]
async fn connections_are_split_where_there_are_no_requests() {
    let mesh = Mesh::from_example("shop").await;
    let route = "type: MeshTCPRoute
mesh: default
name: db-nowhere
spec:
  to:
    - targetRef: {kind: MeshService, labels: {kuma.io/display-name: db}}
      rules:
        - default:
            backendRefs:
              - {kind: MeshService, labels: {kuma.io/display-name: db}, port: 5432, weight: 0}
";
    mesh.commit("db/route.yaml", route).await;
    let mut tunnel = mesh.client("api-1", "db").open().await;
    assert_eq!(tunnel.rest().await, "", "a share of zero was served");
    let all = route.replace("weight: 0", "weight: 1");
    mesh.commit("db/route.yaml", &all).await;
    let mut tunnel = mesh.client("api-1", "db").open().await;
    tunnel.hear("db-1 ready\n").await;
}

#[tokio::test]
async fn connections_have_the_shares_of_the_route() {
    let options = Options::from_example("shop").with(|repo| {
        let second = "type: Dataplane\nmesh: default\nname: db-2\nlabels: {app: db, kuma.io/workload: db, role: second}\nnetworking:\n  address: 127.0.0.32\n  inbound:\n    - {name: sql, port: 9432, servicePort: 5432, serviceAddress: 127.0.0.32, protocol: tcp}\n";
        let service = |name: &str, labels: &str| {
            format!("type: MeshService\nmesh: default\nname: {name}\nspec:\n  selector: {{dataplaneLabels: {{matchLabels: {{{labels}}}}}}}\n  ports: [{{name: sql, port: 5432, targetPort: sql, appProtocol: tcp}}]\n")
        };
        repo.replace("db/db.yaml", "  app: db\n  kuma.io/workload: db\nnetworking", "  app: db\n  role: first\n  kuma.io/workload: db\nnetworking");
        repo.write("db/second.yaml", second);
        repo.write("db/first-service.yaml", &service("db-first", "role: first"));
        repo.write("db/second-service.yaml", &service("db-second", "role: second"));
        repo.write("db/split.yaml", "type: MeshTCPRoute\nmesh: default\nname: split\nspec:\n  to:\n    - targetRef: {kind: MeshService, labels: {kuma.io/display-name: db}}\n      rules:\n        - default:\n            backendRefs:\n              - {kind: MeshService, labels: {kuma.io/display-name: db-first}, port: 5432, weight: 1}\n              - {kind: MeshService, labels: {kuma.io/display-name: db-second}, port: 5432, weight: 3}\n");
    });
    let mesh = options.only(&["api-1", "db-1", "db-2"]).start().await;
    let to = mesh.outbound("api-1", "db");
    let mut second = 0;
    for _ in 0..300 {
        let mut greeting = [0; 5];
        let mut tcp = tokio::net::TcpStream::connect(to).await.unwrap();
        tokio::io::AsyncReadExt::read_exact(&mut tcp, &mut greeting)
            .await
            .unwrap();
        match &greeting {
            b"db-1 " => {}
            b"db-2 " => second += 1,
            other => panic!("{}", other.escape_ascii()),
        }
    }
    // 225 are expected; five standard deviations are 37.
    assert!((188..=262).contains(&second), "{second}");
}
