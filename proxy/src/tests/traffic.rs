//! Every protocol, through both proxies.

use http::{HeaderMap, Request, Response, StatusCode, Version};
use http_body::Frame;
use http_body_util::BodyExt as _;
use mesh_bundle::resource::Protocol;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::site::{Site, WEB, deny_all, service, tcp_traffic};
use super::wire::{
    Frames, client, client_two, echo_workload, fetch, full, get, mirror_workload, raw, read,
    workload,
};

#[tokio::test]
async fn http_1_through_both_proxies() {
    let site = Site::start(Protocol::Http, mirror_workload(false).await).await;
    let (status, _, text) = fetch(site.entry, "/a?b=c").await;
    assert_eq!(status, StatusCode::OK, "{text}");
    assert!(text.starts_with("GET /a?b=c\n"), "{text}");
    assert!(
        text.contains(&format!("x-forwarded-client-cert: URI={WEB}\n")),
        "{text}"
    );
    assert!(text.contains("host: api\n"), "{text}");
}

#[tokio::test]
async fn a_body_arrives_whole_and_a_connection_is_used_again() {
    let site = Site::start(Protocol::Http, mirror_workload(false).await).await;
    let mut client = client(site.entry).await;
    for length in [0, 1, 100_000, 1_000_000] {
        let body = "x".repeat(length);
        let request = Request::post("/").header("host", "api");
        let request = request.body(full(body.clone())).unwrap();
        client.ready().await.unwrap();
        let (status, _, text) = read(client.send_request(request).await.unwrap()).await;
        assert_eq!(status, StatusCode::OK);
        assert!(text.ends_with(&format!("\n\n{body}")), "{length}");
    }
}

#[tokio::test]
async fn http_2_with_prior_knowledge() {
    let site = Site::start(Protocol::Http2, mirror_workload(true).await).await;
    let mut client = client_two(site.entry).await;
    let request = Request::get("http://api/two").body(full("")).unwrap();
    let response = client.send_request(request).await.unwrap();
    assert_eq!(response.version(), Version::HTTP_2);
    let (status, _, text) = read(response).await;
    assert_eq!(status, StatusCode::OK);
    assert!(text.starts_with("GET http://api/two\n"), "{text}");
}

#[tokio::test]
async fn an_http_2_client_reaches_an_http_1_workload() {
    let site = Site::start(Protocol::Http, mirror_workload(false).await).await;
    let mut client = client_two(site.entry).await;
    let request = Request::post("http://api/two").body(full("hello")).unwrap();
    let (status, _, text) = read(client.send_request(request).await.unwrap()).await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        text.contains("host: api\n") && text.ends_with("\n\nhello"),
        "{text}"
    );
}

#[tokio::test]
async fn grpc_trailers_pass() {
    let answer = |_| async {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", "0".parse().unwrap());
        let frames = [Frame::data("reply".into()), Frame::trailers(trailers)];
        let response = Response::builder().header("content-type", "application/grpc");
        response.body(Frames(frames.into()).boxed()).unwrap()
    };
    let site = Site::start(Protocol::Grpc, workload(true, answer).await).await;
    let request = Request::post("http://api/svc/Method")
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    let request = request.body(full("call")).unwrap();
    let response = client_two(site.entry)
        .await
        .send_request(request)
        .await
        .unwrap();
    let collected = response.into_body().collect().await.unwrap();
    let trailers = collected.trailers().cloned().unwrap();
    assert_eq!(trailers.get("grpc-status").unwrap(), "0");
    assert_eq!(collected.to_bytes(), "reply");
}

/// Whatever stands in HTTP, a gRPC call says itself how it went: in its headers, or behind its messages.
#[tokio::test]
async fn calls_that_fail_are_told_to_meshd_as_failures() {
    let answer = |request: Request<hyper::body::Incoming>| async move {
        let path = request.uri().path().to_owned();
        let (place, status) = path.trim_start_matches('/').split_once('/').unwrap();
        let kind = match place {
            "page" => "text/plain",
            _ => "application/grpc",
        };
        let response = Response::builder().header("content-type", kind);
        if place != "trailers" {
            let response = response.header("grpc-status", status);
            return response.body(full("")).unwrap();
        }
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", status.parse().unwrap());
        let frames = [Frame::data("reply".into()), Frame::trailers(trailers)];
        response.body(Frames(frames.into()).boxed()).unwrap()
    };
    let site = Site::start(Protocol::Grpc, workload(true, answer).await).await;
    let mut expected = 0;
    let calls = [
        ("headers/0", false),
        ("headers/5", false),
        ("headers/14", true),
        ("trailers/0", false),
        ("trailers/7", false),
        ("trailers/13", true),
        ("trailers/2", true),
        ("page/13", false),
    ];
    for (count, (path, failed)) in (1..).zip(calls) {
        let kind = match path.starts_with("page") {
            true => "text/plain",
            false => "application/grpc",
        };
        let request = Request::post(format!("http://api/{path}"))
            .header("content-type", kind)
            .header("te", "trailers");
        let request = request.body(full("call")).unwrap();
        let mut client = client_two(site.entry).await;
        let response = client.send_request(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        response.into_body().collect().await.unwrap();
        expected += u32::from(failed);
        let counted = async {
            loop {
                let both = [
                    site.web.plane.counted().outbound,
                    site.api.plane.counted().inbound,
                ];
                if both.iter().all(|flow| flow.http() == count) {
                    return both.map(|flow| flow.failures);
                }
                tokio::task::yield_now().await;
            }
        };
        let counted = tokio::time::timeout(std::time::Duration::from_secs(30), counted).await;
        assert_eq!(counted.unwrap(), [expected; 2], "{path}");
    }
}

#[tokio::test]
async fn tcp_is_half_closed_and_arrives_whole() {
    let site = Site::start(Protocol::Tcp, echo_workload().await).await;
    assert_eq!(raw(site.entry, b"hello").await, "hello");
    let mut tcp = TcpStream::connect(site.entry).await.unwrap();
    let sent = "x".repeat(300_000);
    let (mut reader, mut writer) = tcp.split();
    let write = async {
        writer.write_all(sent.as_bytes()).await.unwrap();
        writer.shutdown().await.unwrap();
    };
    let mut got = String::new();
    let (_, read) = tokio::join!(write, reader.read_to_string(&mut got));
    read.unwrap();
    assert_eq!(got, sent);
}

#[tokio::test]
async fn many_at_once_share_connections() {
    let site = Site::start(Protocol::Http, mirror_workload(false).await).await;
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..150 {
        let entry = site.entry;
        all.spawn(async move {
            let mut client = client(entry).await;
            client.send_request(get("/")).await.unwrap().status()
        });
    }
    while let Some(status) = all.join_next().await {
        assert_eq!(status.unwrap(), StatusCode::OK);
    }
    let text = site.web.metrics.encode().unwrap();
    assert!(
        text.contains("mesh_requests_total{direction=\"outbound\""),
        "{text}"
    );
    assert!(text.contains("code=\"200\",flag=\"-\"} 150"), "{text}");
}

#[tokio::test]
async fn a_route_for_connections_leads_to_an_inbound_for_requests() {
    let site = Site::with(Protocol::Http, mirror_workload(false).await, |web, _| {
        let config = std::sync::Arc::make_mut(&mut web.config);
        let destination = config.destinations.get_mut(&service("api")).unwrap();
        destination.traffic = tcp_traffic();
    });
    let site = site.await;
    let (status, _, text) = fetch(site.entry, "/through").await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        text.contains(&format!("x-forwarded-client-cert: URI={WEB}\n")),
        "{text}"
    );
}

#[tokio::test]
async fn cookies_are_one_header_for_http_1() {
    let site = Site::start(Protocol::Http, mirror_workload(false).await).await;
    let request = Request::get("http://api/")
        .header("cookie", "a=1")
        .header("cookie", "b=2");
    let request = request.body(full("")).unwrap();
    let response = client_two(site.entry)
        .await
        .send_request(request)
        .await
        .unwrap();
    let (_, _, text) = read(response).await;
    assert!(text.contains("cookie: a=1; b=2\n"), "{text}");
}

#[tokio::test]
async fn requests_reach_an_inbound_that_is_declared_for_bytes() {
    let (one, two) = (mirror_workload(false).await, mirror_workload(true).await);
    for (protocol, workload) in [(Protocol::Http, one), (Protocol::Http2, two)] {
        let site = Site::with(protocol, workload, |_, api| {
            let config = std::sync::Arc::make_mut(&mut api.config);
            config.inbounds.get_mut("http").unwrap().0.protocol = Protocol::Tcp;
        });
        let site = site.await;
        let mut all = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let entry = site.entry;
            all.spawn(async move { fetch(entry, "/bytes").await });
        }
        while let Some(answer) = all.join_next().await {
            let (status, _, text) = answer.unwrap();
            assert_eq!(status, StatusCode::OK, "{protocol:?}");
            assert!(text.contains("/bytes\n"), "{text}");
        }
    }
}

#[tokio::test]
async fn what_a_workload_says_for_one_hop_stays_there() {
    let answer = |_| async {
        let response = Response::builder()
            .header("connection", "x-hop")
            .header("x-hop", "1")
            .header("keep-alive", "timeout=5")
            .header("x-end", "to end");
        response.body(full("ok")).unwrap()
    };
    let site = Site::start(Protocol::Http, workload(false, answer).await).await;
    let (_, headers, _) = fetch(site.entry, "/").await;
    assert!(
        !headers.contains_key("x-hop") && !headers.contains_key("keep-alive"),
        "{headers:?}"
    );
    assert_eq!(headers.get("x-end").unwrap(), "to end");
}

/// What a connection costs while nothing happens on it is mostly its future.
#[tokio::test]
async fn futures_stay_small() {
    let site = Site::start(Protocol::Http, mirror_workload(false).await).await;
    let shared = site.api.plane.shared();
    let bind = shared.table().inbounds.keys().next().unwrap().clone();
    let tcp = || async { TcpStream::connect(site.inbound).await.unwrap() };
    let inbound = size_of_val(&crate::inbound::serve(shared, &bind, tcp().await));
    let outbound = size_of_val(&crate::outbound::serve(shared, &bind, tcp().await));
    assert!(
        inbound <= 4_608 && outbound <= 4_608,
        "{inbound} {outbound}"
    );
}

/// The same as it was, until `end` has come.
async fn until(tcp: &mut TcpStream, end: &str) -> String {
    let mut read = Vec::new();
    while !read.ends_with(end.as_bytes()) {
        read.push(tcp.read_u8().await.expect("more"));
    }
    String::from_utf8(read).unwrap()
}

#[tokio::test]
async fn a_body_that_waits_to_be_asked_for_is_asked_for() {
    let mut site = Site::start(Protocol::Http, mirror_workload(false).await).await;
    let head = "POST /x HTTP/1.1\r\nhost: api\r\ncontent-length: 4\r\nexpect: 100-continue\r\n\r\n";
    let mut tcp = TcpStream::connect(site.entry).await.unwrap();
    for _ in 0..2 {
        tcp.write_all(head.as_bytes()).await.unwrap();
        // Not a byte of the body is sent before somebody wants it.
        let asked = until(&mut tcp, "\r\n\r\n").await;
        assert_eq!(asked, "HTTP/1.1 100 Continue\r\n\r\n");
        tcp.write_all(b"body").await.unwrap();
        let answer = until(&mut tcp, "\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        let told = until(&mut tcp, "\nbody").await;
        assert!(!told.contains("expect"), "{told}");
    }
    // Who is refused is not asked for what nobody would read.
    let close = Some(deny_all());
    site.api.policy(|policy| policy.permissions = close).await;
    let mut tcp = TcpStream::connect(site.entry).await.unwrap();
    tcp.write_all(head.as_bytes()).await.unwrap();
    let answer = until(&mut tcp, "\r\n\r\n").await;
    let of_server = answer.strip_prefix("HTTP/1.1 100 Continue\r\n\r\n");
    let answer = match of_server {
        Some(_) => until(&mut tcp, "\r\n\r\n").await,
        None => answer,
    };
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
}

#[tokio::test]
async fn a_call_that_is_given_up_is_given_up_everywhere() {
    // Whoever serves a call drops this when nobody waits for it any more.
    struct GivenUp(tokio::sync::mpsc::UnboundedSender<String>);
    impl Drop for GivenUp {
        fn drop(&mut self) {
            let _ = self.0.send("given up".to_owned());
        }
    }
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let answer = move |request: Request<hyper::body::Incoming>| {
        let tell = tell.clone();
        async move {
            let deadline = request.headers()["grpc-timeout"].to_str().unwrap();
            tell.send(deadline.to_owned()).unwrap();
            let _call = GivenUp(tell);
            std::future::pending().await
        }
    };
    let site = Site::start(Protocol::Grpc, workload(true, answer).await).await;
    let mut client = client_two(site.entry).await;
    let request = Request::post("http://api/svc/Method")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("grpc-timeout", "5S");
    let call = client.send_request(request.body(full("call")).unwrap());
    let call = tokio::spawn(call);
    let left = told.recv().await.unwrap();
    assert!(left.ends_with('u'), "{left}");
    // As clients do when the time is over.
    call.abort();
    let patience = std::time::Duration::from_secs(4);
    let last = tokio::time::timeout(patience, told.recv()).await;
    assert_eq!(last.unwrap().as_deref(), Some("given up"));
}
