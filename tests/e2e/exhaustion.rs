//! A proxy that cannot open another socket goes on with those it has, and takes what waits as soon as it can.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use mesh_tests::{Mesh, request};

#[tokio::test]
async fn no_descriptor_left_harms_nobody_who_is_there() {
    let mesh = Mesh::from_example("shop").await;
    mesh.change(|repo| repo.replace("api/canary.yaml", "weight: 10", "weight: 0"))
        .await;
    let to = mesh.outbound("web-1", "api");
    let client = mesh.client("web-1", "api");
    let mut kept = client.connect().await.unwrap();
    // The connection to the other proxy is there from now on.
    assert_eq!(
        kept.send(request("GET", "/", "")).await.unwrap().status,
        200
    );
    let proxy = mesh.proxy("web-1").process();
    let mark = proxy.log().mark();
    proxy.limit_descriptors(proxy.descriptors() + 3);

    // The system accepts them for the proxy, which has no number for them.
    let waiting: Vec<_> = (0..10).map(|_| TcpStream::connect(to).unwrap()).collect();
    let warned = proxy.log().says(mark, "cannot accept", &[]).await;
    assert_eq!(warned.level(), "WARN");
    for _ in 0..20 {
        let answer = kept.send(request("GET", "/", "")).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let warnings = proxy.log().all(mark, "cannot accept", |_| true).len();
    assert!(warnings < 100, "{warnings} times: it does not pause");

    let begin = Instant::now();
    drop(waiting);
    assert_eq!(client.get("/").await.status, 200);
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_eq!(
        kept.send(request("GET", "/", "")).await.unwrap().status,
        200
    );

    // A commit is applied all the same: meshd's connection was there too.
    mesh.change(|repo| repo.replace("api/canary.yaml", "weight: 90", "weight: 91"))
        .await;
}
