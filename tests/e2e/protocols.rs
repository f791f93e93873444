//! What workloads speak arrives as they spoke it.

use hyper::header::HeaderValue;
use mesh_tests::{Client, Mesh, Options, request};

/// A service that speaks HTTP/2 or gRPC, and a way from web to it.
fn greeter(protocol: &str) -> String {
    format!(
        "type: Dataplane\nmesh: default\nname: greeter-1\nlabels: {{app: greeter, kuma.io/workload: greeter}}\nnetworking:\n  address: 127.0.0.51\n  inbound:\n    - {{name: main, port: 9080, servicePort: 8080, serviceAddress: 127.0.0.51, protocol: {protocol}}}\n---\ntype: MeshService\nmesh: default\nname: greeter\nspec:\n  selector: {{dataplaneLabels: {{matchLabels: {{app: greeter}}}}}}\n  ports: [{{name: main, port: 50051, targetPort: main, appProtocol: {protocol}}}]\n---\ntype: MeshTrafficPermission\nmesh: default\nname: greeter-clients\nspec:\n  targetRef: {{kind: Dataplane, labels: {{app: greeter}}}}\n  rules:\n    - default:\n        allow: [{{spiffeID: {{type: Exact, value: \"spiffe://default.default.mesh.local/workload/web\"}}}}]\n"
    )
}

async fn with_greeter(protocol: &str) -> Mesh {
    let greeter = greeter(protocol);
    let options = Options::from_example("shop").with(|repo| {
        repo.write("greeter/greeter.yaml", &greeter);
        let web = repo.read("web/dataplane.yaml");
        let outbound = "    - address: 127.0.0.11\n      port: 15051\n      backendRef:\n        kind: MeshService\n        name: greeter\n        port: 50051\n";
        repo.write("web/dataplane.yaml", &format!("{}\n{outbound}", web.trim_end()));
    });
    options.only(&["web-1", "greeter-1"]).start().await
}

#[tokio::test]
async fn http1_keeps_its_connection() {
    let mesh = Mesh::from_example("shop").await;
    let mut connection = mesh.client("web-1", "api").connect().await.unwrap();
    for number in 0..10 {
        let body = "x".repeat(number * 10_000);
        let answer = connection
            .send(request("POST", "/echo", &body))
            .await
            .unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()["body"], body);
    }
    let answer = connection
        .send(request("GET", "/status/503", ""))
        .await
        .unwrap();
    assert_eq!((answer.status, answer.by().is_empty()), (503, false));
    let answer = connection.send(request("HEAD", "/", "")).await.unwrap();
    assert_eq!((answer.status, answer.body.len()), (200, 0));
}

#[tokio::test]
async fn http2_reaches_a_workload_that_speaks_http1() {
    let mesh = Mesh::from_example("shop").await;
    let client = Client::http2(mesh.outbound("web-1", "api"));
    let mut connection = client.connect().await.unwrap();
    for _ in 0..5 {
        let answer = connection
            .send(request("POST", "/echo", "hello"))
            .await
            .unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()["body"], "hello");
    }
}

#[tokio::test]
async fn http2_reaches_a_workload_that_speaks_http2() {
    let mesh = with_greeter("http2").await;
    let to = mesh.outbound("web-1", "greeter");
    for client in [Client::http2(to), Client::http1(to)] {
        let answer = client.get("/").await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()["version"], "HTTP/2.0");
    }
}

#[tokio::test]
async fn grpc_arrives_with_its_trailers() {
    let mesh = with_greeter("grpc").await;
    let mut call = request("POST", "/greeter.Greeter/Hello", "\0\0\0\0\x05hello");
    let grpc = HeaderValue::from_static("application/grpc");
    call.headers_mut().insert("content-type", grpc);
    let te = HeaderValue::from_static("trailers");
    call.headers_mut().insert("te", te);
    let answer = Client::http2(mesh.outbound("web-1", "greeter"))
        .send(call)
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), "application/grpc");
    assert_eq!(answer.text(), "\0\0\0\0\x05hello");
    assert_eq!(answer.trailers["grpc-status"], "0");
    assert_eq!(answer.trailers["grpc-message"], "well done");
}

#[tokio::test]
async fn a_websocket_is_upgraded_end_to_end() {
    let mesh = Mesh::from_example("shop").await;
    let mut socket = mesh.client("web-1", "api").upgrade("/live").await;
    assert_eq!(
        socket.headers["sec-websocket-accept"],
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    );
    for text in ["one", "two", "three"] {
        socket.say(text).await;
        socket.hear(text).await;
    }
    socket.finish().await;
    assert_eq!(socket.rest().await, "");
}

#[tokio::test]
async fn a_megabyte_of_bytes_arrives_whole() {
    let mesh = Mesh::from_example("shop").await;
    let mut tunnel = mesh.client("api-1", "db").open().await;
    tunnel.hear("db-1 ready\n").await;
    let chunk = "0123456789abcdef".repeat(1_024);
    for _ in 0..64 {
        tunnel.say(&chunk).await;
        tunnel.hear(&chunk).await;
    }
    tunnel.finish().await;
    assert_eq!(tunnel.rest().await, "bye\n");
}
