//! Changes of the configuration under traffic, and the end.

use std::collections::BTreeMap;
use std::time::Duration;

use http::{Response, StatusCode};
use http_body_util::BodyExt as _;
use mesh_bundle::resource::{Filter, Mirror, PathMatch, PathRewrite, Protocol, Rewrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::site::{Site, WEB, address, allow, backend, deny_all, endpoints, route, service};
use super::wire::{
    Endless, client, constant_workload, echo_workload, fetch, full, get, mirror_workload, raw,
    read, workload,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_request_is_lost_to_changes() {
    let mut site = Site::start(Protocol::Http, mirror_workload(false).await).await;
    let entry = site.entry;
    let (sent, mut answered) = mpsc::channel(1_000);
    let load = tokio::spawn(async move {
        let mut client = client(entry).await;
        loop {
            client.ready().await.unwrap();
            let response = client.send_request(get("/")).await.unwrap();
            if sent.send(read(response).await.0).await.is_err() {
                return;
            }
        }
    });
    let inbound = site.inbound;
    for turn in 0..30 {
        let mut permissions = allow(WEB);
        if turn % 2 == 0 {
            permissions
                .allow
                .extend(allow("spiffe://td/workload/other").allow);
        }
        site.api
            .policy(|policy| policy.permissions = Some(permissions))
            .await;
        // New certificates are for new connections; the instance comes back under another name.
        site.web.world.svid = Some(site.authority.svid(WEB));
        let mut instances = endpoints(&[inbound], true);
        instances.endpoints = instances
            .endpoints
            .into_values()
            .map(|endpoint| {
                (
                    super::site::kri(&format!("kri_dp_default_east__api-{turn}_http")),
                    endpoint,
                )
            })
            .collect::<BTreeMap<_, _>>();
        site.web.world.endpoints.insert(service("api"), instances);
        site.web.apply().await.unwrap();
        for _ in 0..3 {
            assert_eq!(answered.recv().await, Some(StatusCode::OK));
        }
    }
    load.abort();
}

#[tokio::test]
async fn open_connections_outlive_new_certificates_and_listeners() {
    let mut site = Site::start(Protocol::Tcp, echo_workload().await).await;
    let mut tcp = TcpStream::connect(site.entry).await.unwrap();
    ping(&mut tcp).await;
    site.web.world.svid = Some(site.authority.svid(WEB));
    site.web.apply().await.unwrap();
    let more = address(10_080);
    site.web
        .change(|config| {
            let mut outbound = config.outbounds.values().next().unwrap().clone();
            (outbound.address, outbound.port) = (more.ip(), more.port());
            config.outbounds.insert(more.to_string(), outbound);
        })
        .await;
    ping(&mut tcp).await;
    assert_eq!(raw(more, b"more").await, "more");
    site.web
        .change(|config| drop(config.outbounds.remove(&more.to_string())))
        .await;
    assert!(TcpStream::connect(more).await.is_err(), "still listening");
    ping(&mut tcp).await;
}

async fn ping(tcp: &mut TcpStream) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    tcp.write_all(b"x").await.unwrap();
    assert_eq!(tcp.read_u8().await.unwrap(), b'x');
}

#[tokio::test]
async fn an_anchor_that_is_withdrawn_ends_what_it_vouched_for() {
    let mut site = Site::start(Protocol::Tcp, echo_workload().await).await;
    let mut tcp = TcpStream::connect(site.entry).await.unwrap();
    ping(&mut tcp).await;
    let other = super::pki::Authority::new();
    site.api
        .change(|config| {
            for anchors in config.trust.anchors.values_mut() {
                *anchors = vec![other.pem.clone()];
            }
        })
        .await;
    use tokio::io::AsyncReadExt as _;
    assert_ne!(tcp.read(&mut [0]).await.ok(), Some(1), "still believed");
}

#[tokio::test]
async fn a_listener_that_cannot_be_bound_changes_nothing() {
    let mut site = Site::start(Protocol::Http, mirror_workload(false).await).await;
    let taken = TcpListener::bind(address(10_080)).await.unwrap();
    let at = taken.local_addr().unwrap();
    let before = site.api.world.clone();
    let config = std::sync::Arc::make_mut(&mut site.api.world.config);
    let (mut inbound, policy) = config.inbounds.get("http").unwrap().clone();
    config.inbounds.get_mut("http").unwrap().1.permissions = Some(deny_all());
    (inbound.address, inbound.port) = (at.ip().to_string(), at.port());
    config
        .inbounds
        .insert("taken".to_owned(), (inbound, policy));
    let rejected = site.api.apply().await.unwrap_err();
    assert_eq!(rejected.key.unwrap().to_string(), "inbound/taken");
    assert!(
        rejected.reason.contains("cannot listen on"),
        "{}",
        rejected.reason
    );
    assert_eq!(fetch(site.entry, "/").await.0, StatusCode::OK);
    site.api.world = before;
    site.api.apply().await.unwrap();
}

#[tokio::test]
async fn a_split_follows_its_weights() {
    let (old, new) = (
        constant_workload("old").await,
        constant_workload("new").await,
    );
    let mut site = Site::start(Protocol::Http, old).await;
    site.web.cluster("api-v2", &[new], false).await;
    site.web
        .routes(|routes| routes[0].backends = vec![backend("api", 3), backend("api-v2", 1)])
        .await;
    let mut counts = BTreeMap::new();
    let mut client = client(site.entry).await;
    for _ in 0..400 {
        client.ready().await.unwrap();
        let (_, _, text) = read(client.send_request(get("/")).await.unwrap()).await;
        *counts.entry(text).or_insert(0) += 1;
    }
    // Six standard deviations around 100.
    assert!((48..152).contains(&counts["new"]), "{counts:?}");
    assert_eq!(counts["new"] + counts["old"], 400);
}

#[tokio::test]
async fn routes_match_rewrite_redirect_and_mirror() {
    let mut site = Site::start(Protocol::Http, mirror_workload(false).await).await;
    let (copied, mut copies) = mpsc::channel(8);
    let answer = move |request: http::Request<hyper::body::Incoming>| {
        let copied = copied.clone();
        async move {
            let path = request.uri().to_string();
            let body = request.into_body().collect().await.unwrap().to_bytes();
            copied.send((path, body)).await.unwrap();
            Response::new(full("never seen"))
        }
    };
    site.web
        .cluster("shadow", &[workload(false, answer).await], false)
        .await;
    site.web
        .routes(|routes| {
            let mut rewritten = route(vec![backend("api", 1)]);
            rewritten.matches.path = Some(PathMatch::Prefix("/v1".to_owned()));
            rewritten.filters = vec![
                Filter::Rewrite(Rewrite {
                    hostname: Some("api.internal".to_owned()),
                    path: Some(PathRewrite::Prefix("/v2".to_owned())),
                }),
                Filter::Mirror(Mirror {
                    parts_per_million: 1_000_000,
                    cluster: Some(service("shadow")),
                }),
            ];
            routes.insert(0, rewritten);
        })
        .await;
    let (_, _, text) = fetch(site.entry, "/v1/users?q=1").await;
    assert!(text.starts_with("GET /v2/users?q=1\n"), "{text}");
    assert!(text.contains("host: api.internal\n"), "{text}");
    assert_eq!(copies.recv().await.unwrap().0, "/v2/users?q=1");
    let request = http::Request::post("/v1").header("host", "api");
    let request = request.body(full("x".repeat(100_000))).unwrap();
    let response = client(site.entry)
        .await
        .send_request(request)
        .await
        .unwrap();
    assert_eq!(read(response).await.0, StatusCode::OK);
    assert_eq!(copies.recv().await.unwrap().1.len(), 100_000);
    let (_, _, text) = fetch(site.entry, "/v10").await;
    assert!(text.starts_with("GET /v10\n"), "{text}");
}

#[tokio::test]
async fn a_drain_finishes_what_is_under_way_and_then_closes() {
    let (go, gate) = tokio::sync::watch::channel(false);
    let (began, mut begun) = mpsc::channel(1);
    let answer = move |_| {
        let (mut gate, began) = (gate.clone(), began.clone());
        async move {
            began.send(()).await.unwrap();
            gate.wait_for(|open| *open).await.unwrap();
            Response::new(full("done"))
        }
    };
    let site = Site::start(Protocol::Http, workload(false, answer).await).await;
    let mut client = client(site.entry).await;
    let request = tokio::spawn(async move { client.send_request(get("/")).await });
    begun.recv().await.unwrap();
    let draining = async {
        site.api.plane.drain(Duration::from_secs(30)).await;
        site.web.plane.drain(Duration::from_secs(30)).await;
    };
    let finishing = async {
        go.send(true).unwrap();
        read(request.await.unwrap().unwrap()).await
    };
    let ((), (status, headers, text)) = tokio::join!(draining, finishing);
    assert_eq!((status, text.as_str()), (StatusCode::OK, "done"));
    assert!(
        headers
            .get("connection")
            .is_none_or(|value| value == "close")
    );
    assert!(
        TcpStream::connect(site.entry).await.is_err(),
        "still listening"
    );
    assert!(
        TcpStream::connect(site.inbound).await.is_err(),
        "still listening"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_drain_under_load_loses_nothing() {
    let mut site = Site::start(Protocol::Http, mirror_workload(false).await).await;
    let other = Site::start(Protocol::Http, mirror_workload(false).await).await;
    // The same service twice: the other instance believes the same authority.
    let anchors = site.web.world.config.trust.clone();
    let mut other_api = other.api;
    other_api.world.svid = Some(site.authority.svid(super::site::API));
    other_api.change(|config| config.trust = anchors).await;
    let both = endpoints(&[site.inbound, other.inbound], true);
    site.web.world.endpoints.insert(service("api"), both);
    site.web.apply().await.unwrap();
    let entry = site.entry;
    let (sent, mut answered) = mpsc::channel(1);
    let mut load = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let sent = sent.clone();
        load.spawn(async move {
            let mut connection = client(entry).await;
            loop {
                if connection.ready().await.is_err() {
                    connection = client(entry).await;
                }
                let request = http::Request::post("/").header("host", "api");
                let request = request.body(full("x".repeat(5_000))).unwrap();
                let response = connection.send_request(request).await.unwrap();
                if sent.send(read(response).await.0).await.is_err() {
                    return;
                }
            }
        });
    }
    for _ in 0..50 {
        assert_eq!(answered.recv().await, Some(StatusCode::OK));
    }
    let leaving = async {
        // As it is with meshd: clients hear of it, some of them late.
        let draining = site.api.plane.drain(Duration::from_secs(30));
        let remaining = endpoints(&[other.inbound], true);
        site.web.world.endpoints.insert(service("api"), remaining);
        let told = site.web.apply();
        let ((), told) = tokio::join!(draining, told);
        told.unwrap();
    };
    let mut leaving = std::pin::pin!(leaving);
    loop {
        tokio::select! {
            () = leaving.as_mut() => break,
            status = answered.recv() => assert_eq!(status, Some(StatusCode::OK)),
        }
    }
    for _ in 0..50 {
        assert_eq!(answered.recv().await, Some(StatusCode::OK));
    }
    assert!(
        TcpStream::connect(site.inbound).await.is_err(),
        "still listening"
    );
}

#[tokio::test]
async fn a_drain_cuts_what_has_no_end() {
    let answer = |_| async { Response::new(Endless::default().boxed()) };
    let site = Site::start(Protocol::Http, workload(false, answer).await).await;
    let response = client(site.entry)
        .await
        .send_request(get("/"))
        .await
        .unwrap();
    let mut body = response.into_body();
    body.frame().await.unwrap().unwrap();
    let reading = async {
        while let Some(frame) = body.frame().await {
            if frame.is_err() {
                return;
            }
        }
        panic!("the stream ended as if it were whole");
    };
    tokio::join!(site.api.plane.drain(Duration::from_millis(100)), reading);
}
