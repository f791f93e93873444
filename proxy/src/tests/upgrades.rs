//! Connections that become something else than HTTP, because both sides want it: and those that must not.

use http::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use mesh_bundle::resource::Protocol;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::site::{Site, address, backend, route};
use super::wire::{client, full, mirror_workload, read, until_closed, workload};

#[tokio::test]
async fn a_websocket_becomes_bytes_after_101() {
    let answer = |mut request: Request<hyper::body::Incoming>| async move {
        assert_eq!(request.headers().get("upgrade").unwrap(), "websocket");
        let upgrade = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let mut io = TokioIo::new(upgrade.await.unwrap());
            let mut word = [0; 4];
            io.read_exact(&mut word).await.unwrap();
            io.write_all(&word).await.unwrap();
            io.shutdown().await.unwrap();
        });
        let response = Response::builder()
            .status(101)
            .header("connection", "upgrade")
            .header("upgrade", "websocket");
        response.body(full("")).unwrap()
    };
    let site = Site::start(Protocol::Http, workload(false, answer).await).await;
    let request = Request::get("/chat")
        .header("host", "api")
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13");
    let request = request.body(full("")).unwrap();
    let response = client(site.entry)
        .await
        .send_request(request)
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    let mut io = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
    io.write_all(b"ping").await.unwrap();
    let mut answer = String::new();
    io.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, "ping");
}

#[tokio::test]
async fn other_upgrades_stay_http() {
    let site = Site::start(Protocol::Http, mirror_workload(false).await).await;
    let request = Request::get("/")
        .header("host", "api")
        .header("connection", "Upgrade, HTTP2-Settings")
        .header("upgrade", "h2c")
        .header("http2-settings", "AAMAAABkAAQAoAAAAAIAAAAA");
    let request = request.body(full("")).unwrap();
    let response = client(site.entry)
        .await
        .send_request(request)
        .await
        .unwrap();
    let (status, _, text) = read(response).await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        !text.contains("upgrade") && !text.contains("http2-settings"),
        "{text}"
    );
}

/// A workload that answers the head of each connection so, and then sends back what it reads. What it read is told.
pub(super) async fn switching(
    answer: &'static str,
) -> (std::net::SocketAddr, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind(address(8_080)).await.unwrap();
    let at = listener.local_addr().unwrap();
    let (told, heads) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            let told = told.clone();
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(tcp.read_u8().await?);
                }
                let _ = told.send(String::from_utf8_lossy(&head).into_owned());
                tcp.write_all(answer.as_bytes()).await?;
                let (mut from, mut to) = tcp.split();
                tokio::io::copy(&mut from, &mut to).await?;
                to.shutdown().await
            });
        }
    });
    (at, heads)
}

/// The head of an answer, and nothing after it.
async fn head(tcp: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(tcp.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// What comes back once this side has said its last word.
async fn rest(mut tcp: TcpStream) -> Vec<u8> {
    tcp.shutdown().await.unwrap();
    let mut rest = Vec::new();
    tcp.read_to_end(&mut rest).await.unwrap();
    rest
}

#[tokio::test]
async fn a_connection_becomes_what_both_sides_agree_on() {
    let agreed =
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: SPDY/3.1\r\n\r\n";
    let (at, mut heads) = switching(agreed).await;
    let site = Site::start(Protocol::Http, at).await;
    let mut tcp = TcpStream::connect(site.entry).await.unwrap();
    let ask = "POST /exec HTTP/1.1\r\nhost: api\r\nconnection: Upgrade\r\nupgrade: SPDY/3.1\r\ncontent-length: 0\r\n\r\n";
    tcp.write_all(ask.as_bytes()).await.unwrap();
    let answer = head(&mut tcp).await;
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    assert!(answer.contains("upgrade: SPDY/3.1\r\n"), "{answer}");
    let told = heads.recv().await.unwrap();
    assert!(told.starts_with("POST /exec HTTP/1.1\r\n"), "{told}");
    assert!(told.contains("upgrade: SPDY/3.1\r\n"), "{told}");
    tcp.write_all(b"\x80\x03 and so on").await.unwrap();
    assert_eq!(rest(tcp).await, b"\x80\x03 and so on");
}

#[tokio::test]
async fn what_the_other_side_did_not_ask_for_is_no_agreement() {
    let other = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: other\r\n\r\n";
    let site = Site::start(Protocol::Http, switching(other).await.0).await;
    let ask = "GET / HTTP/1.1\r\nhost: api\r\nconnection: upgrade, close\r\nupgrade: mine\r\n\r\n";
    let answer = until_closed(site.entry, ask.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
    // None of these asks for anything but HTTP: the workload is not told.
    let plain = Site::start(Protocol::Http, mirror_workload(false).await).await;
    for upgrade in [
        "upgrade: mine\r\n",
        "connection: upgrade\r\nupgrade: h2c\r\n",
        "connection: upgrade\r\nupgrade: HTTP/2.0\r\n",
        "connection: upgrade\r\nupgrade: TLS/1.0\r\n",
        "connection: upgrade\r\nupgrade: mine, websocket\r\n",
        "connection: upgrade\r\nupgrade: mine\r\nupgrade: websocket\r\n",
        "connection: upgrade\r\nupgrade: mi ne\r\n",
        "connection: upgrade\r\nupgrade: mine\r\ncontent-length: 1\r\n\r\nx",
    ] {
        let request = format!("POST / HTTP/1.1\r\nhost: api\r\nconnection: close\r\n{upgrade}\r\n");
        let answer = until_closed(plain.entry, request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{upgrade}: {answer}");
        assert!(!answer.contains("upgrade"), "{upgrade}: {answer}");
    }
}

const CONNECT: &str = "CONNECT far.example:443 HTTP/1.1\r\nhost: far.example:443\r\n";

/// A route that takes tunnels, before the one for everything.
pub(super) async fn tunnels(site: &mut Site) {
    site.web
        .routes(|routes| {
            let mut tunnels = route(vec![backend("api", 1)]);
            tunnels.matches.method = Some("CONNECT".to_owned());
            routes.insert(0, tunnels);
        })
        .await;
}

#[tokio::test]
async fn a_tunnel_is_bytes_where_a_route_is_for_it() {
    let agreed = "HTTP/1.1 200 Connected\r\ncontent-length: 7\r\nx-by: squid\r\n\r\n";
    let (at, mut heads) = switching(agreed).await;
    let mut site = Site::start(Protocol::Http, at).await;
    // No route names it: nobody hears of it, and what follows is no request.
    let refused = format!("{CONNECT}\r\nGET / HTTP/1.1\r\nhost: api\r\n\r\n");
    let answer = until_closed(site.entry, refused.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
    assert!(heads.try_recv().is_err());

    tunnels(&mut site).await;
    // A client may begin before it has its answer.
    let mut tcp = TcpStream::connect(site.entry).await.unwrap();
    let early = format!("{CONNECT}\r\nGET /#hello");
    tcp.write_all(early.as_bytes()).await.unwrap();
    let answer = head(&mut tcp).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("x-by: squid"), "{answer}");
    assert!(!answer.contains("content-length"), "{answer}");
    assert_eq!(rest(tcp).await, b"GET /#hello");
    let told = heads.recv().await.unwrap();
    assert!(
        told.starts_with("CONNECT far.example:443 HTTP/1.1\r\n"),
        "{told}"
    );
    assert!(told.contains("host: far.example:443\r\n"), "{told}");

    for (bad, status) in [
        ("CONNECT / HTTP/1.1\r\nhost: api\r\n", 400),
        ("CONNECT far.example HTTP/1.1\r\nhost: api\r\n", 400),
        (
            "CONNECT http://far.example:443/ HTTP/1.1\r\nhost: api\r\n",
            400,
        ),
        ("CONNECT u@far.example:443 HTTP/1.1\r\nhost: api\r\n", 400),
        (
            "CONNECT far.example:443 HTTP/1.1\r\nhost: api\r\ncontent-length: 0\r\n",
            400,
        ),
        (
            "CONNECT far.example:443 HTTP/1.1\r\nhost: api\r\ntransfer-encoding: chunked\r\n",
            400,
        ),
    ] {
        let answer = until_closed(
            site.entry,
            format!("{bad}\r\nGET / HTTP/1.1\r\nhost: api\r\n\r\n").as_bytes(),
        )
        .await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{bad}: {answer}"
        );
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{bad}: {answer}");
    }
    assert!(heads.try_recv().is_err(), "a bad one arrived");
}

#[tokio::test]
async fn a_tunnel_that_is_refused_leaves_nothing_behind() {
    let (at, _heads) = switching("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno").await;
    let mut site = Site::start(Protocol::Http, at).await;
    tunnels(&mut site).await;
    for _ in 0..3 {
        let answer = until_closed(
            site.entry,
            format!("{CONNECT}\r\nGET /next HTTP/1.1\r\nhost: api\r\n\r\n").as_bytes(),
        )
        .await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(
            head.starts_with("HTTP/1.1 403 ") && head.contains("connection: close"),
            "{head}"
        );
        assert_eq!(body, "no");
    }
    let metrics = site.web.metrics.encode().unwrap();
    assert!(metrics.contains("code=\"403\",flag=\"-\"} 3"), "{metrics}");
}
