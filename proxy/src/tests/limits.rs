//! Limits of time, and instances that are not there.

use std::convert::Infallible;

use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use mesh_bundle::resource::{PeerMatch, PeerTimeouts, Protocol, SpiffeMatch, Timeouts};
use mesh_bundle::{Duration as Limit, Sourced};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::site::{Site, WEB, address, endpoints, service};
use super::wire::{
    Endless, Stalled, client, client_two, constant_workload, echo_workload, fetch, full, get,
    until_closed, workload,
};

fn short() -> Sourced<Limit> {
    Sourced::built_in(Limit::from_millis(50))
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_504() {
    let answer = |_| std::future::pending();
    let mut site = Site::start(Protocol::Http, workload(false, answer).await).await;
    let special = PeerTimeouts {
        peer: PeerMatch {
            spiffe_id: Some(SpiffeMatch::Exact(WEB.parse().unwrap())),
            sni: None,
        },
        request: short(),
        stream_idle: Sourced::built_in(Limit::ZERO),
    };
    site.api
        .policy(|policy| policy.peer_timeouts = vec![special])
        .await;
    assert_eq!(fetch(site.entry, "/").await.0, StatusCode::GATEWAY_TIMEOUT);
    let metrics = site.web.metrics.encode().unwrap();
    assert!(
        metrics.contains("code=\"504\",flag=\"-\"} 1"),
        "it is the server's answer: {metrics}"
    );
    let limits = Timeouts {
        request: short(),
        ..Timeouts::default()
    };
    site.api.policy(|policy| policy.peer_timeouts.clear()).await;
    site.web
        .routes(|routes| routes[0].timeouts = Some(Box::new(limits)))
        .await;
    assert_eq!(fetch(site.entry, "/").await.0, StatusCode::GATEWAY_TIMEOUT);
    let metrics = site.web.metrics.encode().unwrap();
    assert!(metrics.contains("code=\"504\",flag=\"UT\"} 1"), "{metrics}");
}

#[tokio::test]
async fn grpc_clients_are_told_in_grpc() {
    let answer = |_| std::future::pending();
    let mut site = Site::start(Protocol::Grpc, workload(true, answer).await).await;
    let limits = Timeouts {
        request: short(),
        ..Timeouts::default()
    };
    site.web
        .routes(|routes| routes[0].timeouts = Some(Box::new(limits)))
        .await;
    let request = Request::post("http://api/svc/Method").header("content-type", "application/grpc");
    let request = request.body(full("call")).unwrap();
    let response = client_two(site.entry)
        .await
        .send_request(request)
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers().get("grpc-status").unwrap(), "4");
    assert_eq!(
        response.headers().get("grpc-message").unwrap(),
        "upstream request timeout"
    );
}

#[tokio::test]
async fn a_stream_on_which_nothing_happens_is_cut() {
    let answer = |_| async { Response::new(Stalled::default().boxed()) };
    let mut site = Site::start(Protocol::Http, workload(false, answer).await).await;
    site.api
        .policy(|policy| policy.timeouts.stream_idle = short())
        .await;
    let response = client(site.entry)
        .await
        .send_request(get("/"))
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert!(
        response.into_body().collect().await.is_err(),
        "it ended as if it were whole"
    );
    let metrics = site.api.metrics.encode().unwrap();
    assert!(metrics.contains("code=\"200\",flag=\"SI\"} 1"), "{metrics}");
}

#[tokio::test]
async fn idle_connections_are_closed() {
    let mut site = Site::start(Protocol::Tcp, echo_workload().await).await;
    site.api
        .policy(|policy| policy.timeouts.idle = short())
        .await;
    let mut tcp = TcpStream::connect(site.entry).await.unwrap();
    tcp.write_all(b"x").await.unwrap();
    assert_eq!(tcp.read_u8().await.unwrap(), b'x');
    assert_ne!(tcp.read(&mut [0]).await.ok(), Some(1), "it lives on");
}

#[tokio::test]
async fn an_http_connection_without_requests_is_closed_and_one_with_them_is_not() {
    let mut site = Site::start(Protocol::Http, constant_workload("ok").await).await;
    site.web
        .change(|config| {
            let destination = config.destinations.get_mut(&service("api")).unwrap();
            destination.timeouts.idle = short();
        })
        .await;
    let mut client = client(site.entry).await;
    assert_eq!(
        client.send_request(get("/")).await.unwrap().status(),
        StatusCode::OK
    );
    // Ready until it is closed, and then never again.
    while client.ready().await.is_ok() && !client.is_closed() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_head_that_does_not_end_is_cut() {
    let mut site = Site::start(Protocol::Http, constant_workload("ok").await).await;
    site.web
        .change(|config| {
            let destination = config.destinations.get_mut(&service("api")).unwrap();
            destination.timeouts.request_headers = short();
        })
        .await;
    let mut tcp = TcpStream::connect(site.entry).await.unwrap();
    tcp.write_all(b"GET / HTTP/1.1\r\nhost: api\r\nx: ")
        .await
        .unwrap();
    let mut answer = Vec::new();
    tcp.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, b"");
    // Nor one that has begun together with the request before it.
    let second = b"GET / HTTP/1.1\r\nhost: api\r\n\r\nGET / HTTP/1.1\r\nx: ";
    let answer = until_closed(site.entry, second).await;
    assert!(answer.ends_with("ok"), "{answer:?}");
}

#[tokio::test]
async fn an_instance_that_refuses_is_passed_over() {
    let mut site = Site::start(Protocol::Http, constant_workload("ok").await).await;
    let nobody = address(9_080);
    let instances = [nobody, site.inbound];
    site.web
        .world
        .endpoints
        .insert(service("api"), endpoints(&instances, true));
    site.web.apply().await.unwrap();
    for _ in 0..6 {
        assert_eq!(fetch(site.entry, "/").await.0, StatusCode::OK);
    }
    site.web
        .world
        .endpoints
        .insert(service("api"), endpoints(&[nobody], true));
    site.web.apply().await.unwrap();
    assert_eq!(
        fetch(site.entry, "/").await.0,
        StatusCode::SERVICE_UNAVAILABLE
    );
}

#[tokio::test]
async fn a_workload_that_closes_idle_connections_costs_no_request() {
    // It says nothing of closing, and closes after each answer.
    let listener = TcpListener::bind(address(8_080)).await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut tcp, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut head = [0; 1024];
                drop(tcp.read(&mut head).await);
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
                drop(tcp.write_all(answer).await);
            });
        }
    });
    let site = Site::start(Protocol::Http, at).await;
    let mut client = client(site.entry).await;
    for _ in 0..50 {
        client.ready().await.unwrap();
        let response = client.send_request(get("/")).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        response.into_body().collect().await.unwrap();
    }
}

#[tokio::test]
async fn readers_that_stall_stop_nobody() {
    let answer = |request: Request<hyper::body::Incoming>| async move {
        match request.uri().path() {
            "/stall" => Response::new(Endless::default().boxed()),
            _ => Response::new(full("ok")),
        }
    };
    let site = Site::start(Protocol::Http, workload(false, answer).await).await;
    let mut stalled = Vec::new();
    for _ in 0..30 {
        let mut client = client(site.entry).await;
        let response = client.send_request(get("/stall")).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        stalled.push((client, response));
    }
    for _ in 0..20 {
        assert_eq!(fetch(site.entry, "/").await.0, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_workload_that_takes_few_streams_gets_more_connections() {
    let listener = TcpListener::bind(address(8_080)).await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let service = service_fn(|request: Request<hyper::body::Incoming>| async move {
            let body = match request.uri().path() {
                "/stall" => Stalled::default().boxed(),
                _ => full("ok"),
            };
            Ok::<_, Infallible>(Response::new(body))
        });
        while let Ok((tcp, _)) = listener.accept().await {
            let mut server = http2::Builder::new(TokioExecutor::new());
            server.max_concurrent_streams(2);
            tokio::spawn(server.serve_connection(TokioIo::new(tcp), service));
        }
    });
    let site = Site::start(Protocol::Http2, at).await;
    let mut stalled = Vec::new();
    for _ in 0..7 {
        let mut client = client(site.entry).await;
        let response = client.send_request(get("/stall")).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        stalled.push((client, response));
    }
    assert_eq!(fetch(site.entry, "/").await.0, StatusCode::OK);
}

#[tokio::test]
async fn more_connections_than_there_may_be_are_closed_and_harm_nobody() {
    let site = Site::start(Protocol::Http, constant_workload("ok").await).await;
    site.web.plane.hold_at_most(2);
    let mut kept = Vec::new();
    for _ in 0..2 {
        let mut client = client(site.entry).await;
        let answer = client.send_request(get("/")).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        kept.push(client);
    }
    for _ in 0..3 {
        assert_eq!(until_closed(site.entry, b"").await, "");
    }
    let metrics = site.web.metrics.encode().unwrap();
    assert!(
        metrics.contains("refusal=\"connection-limit\"} 3"),
        "{metrics}"
    );
    for client in &mut kept {
        client.ready().await.unwrap();
        let answer = client.send_request(get("/")).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
    }
    // Whoever leaves makes room, as soon as the proxy has seen it.
    drop(kept);
    let came = async {
        while until_closed(
            site.entry,
            b"GET / HTTP/1.1\r\nhost: api\r\nconnection: close\r\n\r\n",
        )
        .await
        .is_empty()
        {}
    };
    let came = tokio::time::timeout(std::time::Duration::from_secs(30), came).await;
    assert!(came.is_ok(), "nobody is let in");
}
