//! Heads that two servers could read differently, and headers that claim what only this proxy may say.

use http::{Request, StatusCode};
use mesh_bundle::Sourced;
use mesh_bundle::resource::{Filter, PathMatch, Protocol, Redirect, TlsMode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::site::{Site, WEB, address, route};
use super::wire::{client, client_two, full, mirror_workload, read, until_closed};

/// The status of the only answer, and all of it.
async fn ask(site: &Site, request: &str) -> (u16, String) {
    let answer = until_closed(site.entry, request.as_bytes()).await;
    assert_eq!(
        answer.matches("HTTP/1.").count(),
        1,
        "{request:?}: {answer:?}"
    );
    let status = answer.get(9..12).and_then(|digits| digits.parse().ok());
    (
        status.unwrap_or_else(|| panic!("{request:?}: {answer:?}")),
        answer,
    )
}

#[expect(clippy::too_many_lines, reason = "it is one table")]
#[tokio::test]
async fn ambiguous_requests_are_refused() {
    let site = Site::start(Protocol::Http, mirror_workload(false).await).await;
    let host = "host: api\r\n";
    let close = "connection: close\r\n";
    for (request, expected) in [
        (format!("GET / HTTP/1.1\r\n{host}{close}\r\n"), 200),
        ("GET / HTTP/1.0\r\nhost: api\r\n\r\n".to_owned(), 200),
        // Who is asked
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), 400),
        (format!("GET / HTTP/1.1\r\n{host}{host}\r\n"), 400),
        (format!("GET / HTTP/1.1\r\n{host}Host: other\r\n\r\n"), 400),
        ("GET / HTTP/1.1\r\nhost: \r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\nhost: a, b\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\nhost: a b\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\nhost: user@api\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\nhost: api/x\r\n\r\n".to_owned(), 400),
        (format!("GET http://user@api/ HTTP/1.1\r\n{host}\r\n"), 400),
        (format!("GET ftp://api/ HTTP/1.1\r\n{host}\r\n"), 400),
        // What is asked for
        (format!("GET x HTTP/1.1\r\n{host}{close}\r\n"), 400),
        (format!("GET * HTTP/1.1\r\n{host}{close}\r\n"), 400),
        (
            format!("GET /x%2f..%2fadmin HTTP/1.1\r\n{host}{close}\r\n"),
            400,
        ),
        (
            format!("GET /x/..;/admin HTTP/1.1\r\n{host}{close}\r\n"),
            400,
        ),
        (
            format!("GET /..%5cadmin HTTP/1.1\r\n{host}{close}\r\n"),
            400,
        ),
        (format!("GET /%00 HTTP/1.1\r\n{host}{close}\r\n"), 400),
        (format!("GET /../admin HTTP/1.1\r\n{host}{close}\r\n"), 400),
        (format!("CONNECT api:80 HTTP/1.1\r\n{host}{close}\r\n"), 405),
        // Where it ends
        (
            format!("POST / HTTP/1.1\r\n{host}content-length: 1\r\ncontent-length: 2\r\n\r\nx"),
            400,
        ),
        (
            format!("POST / HTTP/1.1\r\n{host}content-length: 1, 1\r\n\r\nx"),
            400,
        ),
        (
            format!("POST / HTTP/1.1\r\n{host}content-length: +1\r\n\r\nx"),
            400,
        ),
        (
            format!("POST / HTTP/1.1\r\n{host}content-length: 0x1\r\n\r\nx"),
            400,
        ),
        (
            format!("POST / HTTP/1.1\r\n{host}transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
            400,
        ),
        (
            format!(
                "POST / HTTP/1.1\r\n{host}transfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n"
            ),
            400,
        ),
        (
            format!(
                "POST / HTTP/1.1\r\n{host}transfer-encoding: identity, chunked\r\n\r\n0\r\n\r\n"
            ),
            400,
        ),
        (
            format!("POST / HTTP/1.1\r\n{host}transfer-encoding: ,chunked\r\n\r\n0\r\n\r\n"),
            400,
        ),
        (
            format!(
                "POST / HTTP/1.1\r\n{host}transfer-encoding: identity\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"
            ),
            400,
        ),
        (
            format!("POST / HTTP/1.1\r\n{host}transfer-encoding : chunked\r\n\r\n0\r\n\r\n"),
            400,
        ),
        (
            format!("POST / HTTP/1.1\r\n{host}transfer-encoding: chunked\r\n\r\nxyz\r\n\r\n"),
            400,
        ),
        (format!("GET / HTTP/1.1\r\n{host}x: a\r\n b\r\n\r\n"), 400),
        (
            format!("GET / HTTP/1.1\r\n{host}x: {}\r\n\r\n", "y".repeat(70_000)),
            431,
        ),
        (
            format!("GET /{} HTTP/1.1\r\n{host}\r\n", "y".repeat(70_000)),
            431,
        ),
    ] {
        let (status, answer) = ask(&site, &request).await;
        let shown: String = request.chars().take(120).collect();
        assert_eq!(status, expected, "{shown:?}: {answer:?}");
        let told = answer.contains("\r\nx-mesh-refusal: ");
        assert_eq!(told, status != 200, "{shown:?}: {answer:?}");
    }
    let metrics = site.web.metrics.encode().unwrap();
    assert!(
        metrics.contains("refusal=\"head-too-large\"} 2"),
        "{metrics}"
    );
}

#[tokio::test]
async fn two_lengths_never_reach_the_workload() {
    let site = Site::start(Protocol::Http, mirror_workload(false).await).await;
    for order in [
        "content-length: 5\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 5",
    ] {
        let request = format!(
            "POST / HTTP/1.1\r\nhost: api\r\n{order}\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nconnection: close\r\n\r\n"
        );
        let answer = until_closed(site.entry, request.as_bytes()).await;
        assert!(!answer.contains("/smuggled"), "{answer:?}");
        let both = answer.contains("content-length: 5") && answer.contains("transfer-encoding");
        assert!(!both, "{answer:?}");
    }
}

#[tokio::test]
async fn what_belongs_to_one_hop_stays_there() {
    let site = Site::start(Protocol::Http, mirror_workload(false).await).await;
    let request = Request::get("/x")
        .header("host", "api")
        .header("connection", "keep-alive, X-Secret-Hop, host")
        .header("x-secret-hop", "1")
        .header("keep-alive", "timeout=5")
        .header("proxy-connection", "keep-alive")
        .header("te", "gzip, trailers")
        .header("x-forwarded-client-cert", "URI=spiffe://td/admin")
        .header("X_Forwarded_Client_Cert", "URI=spiffe://td/admin")
        .header("x-forwarded_client_cert", "URI=spiffe://td/admin")
        .header("x_harmless", "stays");
    let request = request.body(full("")).unwrap();
    let response = client(site.entry)
        .await
        .send_request(request)
        .await
        .unwrap();
    let (status, _, text) = read(response).await;
    assert_eq!(status, StatusCode::OK);
    for gone in [
        "x-secret-hop",
        "keep-alive",
        "proxy-connection",
        "gzip",
        "spiffe://td/admin",
    ] {
        assert!(!text.contains(gone), "{gone}: {text}");
    }
    for there in ["te: trailers", "x_harmless: stays", "host: api"] {
        assert!(text.contains(there), "{there}: {text}");
    }
    let certs: Vec<_> = text
        .lines()
        .filter(|line| line.contains("client"))
        .collect();
    assert_eq!(certs, [format!("x-forwarded-client-cert: URI={WEB}")]);
}

#[tokio::test]
async fn every_spelling_of_a_path_takes_the_same_route() {
    let mut site = Site::start(Protocol::Http, mirror_workload(false).await).await;
    site.web
        .routes(|routes| {
            let mut closed = route(Vec::new());
            closed.matches.path = Some(PathMatch::Prefix("/admin".to_owned()));
            closed.filters = vec![Filter::Redirect(Redirect {
                scheme: None,
                hostname: Some("closed.test".to_owned()),
                port: None,
                path: None,
                status: 302,
            })];
            routes.insert(0, closed);
        })
        .await;
    for path in [
        "/admin",
        "//admin/x",
        "/x/../admin",
        "/x/%2e%2e/admin",
        "/%61dmin",
        "/admin;x=1",
        "/./admin/",
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: api\r\nconnection: close\r\n\r\n");
        let (status, answer) = ask(&site, &request).await;
        assert_eq!(status, 302, "{path}: {answer}");
        assert!(answer.contains("location: http://closed.test/"), "{answer}");
    }
    let (status, _) = ask(
        &site,
        "GET http://a.test//admin/x HTTP/1.1\r\nhost: b\r\nconnection: close\r\n\r\n",
    )
    .await;
    assert_eq!(status, 302);
}

#[tokio::test]
async fn http_2_requests_are_held_to_the_same() {
    let site = Site::start(Protocol::Http2, mirror_workload(true).await).await;
    for (uri, host, expected) in [
        ("http://api/", None, 200),
        ("http://api/", Some("api"), 200),
        ("http://api/", Some("other"), 400),
        ("http://user@api/", None, 400),
        ("http://api/x%2f..%2fadmin", None, 400),
    ] {
        let mut request = Request::get(uri);
        if let Some(host) = host {
            request = request.header("host", host);
        }
        let mut client = client_two(site.entry).await;
        let response = client
            .send_request(request.body(full("")).unwrap())
            .await
            .unwrap();
        assert_eq!(response.status().as_u16(), expected, "{uri} {host:?}");
    }
}

/// A workload that answers every connection with these bytes.
async fn broken(bytes: &'static [u8]) -> std::net::SocketAddr {
    let listener = TcpListener::bind(address(8_080)).await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut tcp, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                drop(tcp.read(&mut [0; 1024]).await);
                drop(tcp.write_all(bytes).await);
                // Until the proxy has had enough of it.
                drop(tcp.read(&mut [0; 1024]).await);
            });
        }
    });
    at
}

#[tokio::test]
async fn broken_answers_are_502_or_503_and_poison_nothing() {
    for (answer, expected) in [
        (&b"not http\r\n\r\n"[..], 502),
        (b"", 503),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx", 502),
        (b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n", 502),
    ] {
        let site = Site::start(Protocol::Http, broken(answer).await).await;
        let mut tcp = TcpStream::connect(site.entry).await.unwrap();
        tcp.write_all(b"GET / HTTP/1.1\r\nhost: api\r\nconnection: close\r\n\r\n").await.unwrap();
        if answer.is_empty() {
            continue;
        }
        let mut text = String::new();
        tcp.read_to_string(&mut text).await.unwrap();
        assert!(text.starts_with(&format!("HTTP/1.1 {expected} ")), "{answer:?}: {text}");
    }
    // An answer that nobody asked for belongs to nobody.
    let twice = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison";
    let site = Site::start(Protocol::Http, broken(twice).await).await;
    let mut client = client(site.entry).await;
    for _ in 0..3 {
        client.ready().await.unwrap();
        let request = super::wire::get("/");
        let (_, _, text) = read(client.send_request(request).await.unwrap()).await;
        assert_eq!(text, "ok");
    }
}

#[tokio::test]
async fn a_plaintext_client_of_a_permissive_inbound_is_nobody() {
    let mut site = Site::start(Protocol::Http, mirror_workload(false).await).await;
    site.api
        .policy(|policy| policy.tls = Sourced::built_in(TlsMode::Permissive))
        .await;
    let request = Request::get("/")
        .header("host", "api")
        .header("x-forwarded-client-cert", "URI=spiffe://td/admin");
    let request = request.body(full("")).unwrap();
    let response = client(site.inbound).await.send_request(request).await;
    let (status, _, text) = read(response.unwrap()).await;
    assert_eq!(status, StatusCode::OK);
    assert!(!text.contains("spiffe"), "{text}");
    let (_, _, text) = super::wire::fetch(site.entry, "/").await;
    assert!(text.contains(WEB), "{text}");
}
