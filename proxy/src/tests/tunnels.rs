//! Streams of HTTP/2 that become something else than a request and its answer.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use h2::ext::Protocol as Asked;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Request, Response, StatusCode};
use mesh_bundle::REFUSAL_HEADER;
use mesh_bundle::resource::Protocol;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::site::{Site, address, deny_all};
use super::upgrades::{switching, tunnels};
use super::wire::{full, workload};

const PATIENCE: Duration = Duration::from_secs(30);
const AGREED: &str = "HTTP/1.1 200 Connected\r\ncontent-length: 7\r\nx-by: squid\r\n\r\n";

async fn connect(at: SocketAddr) -> SendRequest<Bytes> {
    let tcp = TcpStream::connect(at).await.unwrap();
    let (mut sender, connection) = h2::client::handshake(tcp).await.unwrap();
    tokio::spawn(connection);
    // The server says what it can before it answers anything.
    let (answer, _) = sender.send_request(get("/"), true).unwrap();
    drop(answer.await);
    sender.ready().await.unwrap()
}

fn get(path: &str) -> Request<()> {
    let uri = format!("http://api{path}");
    Request::get(uri).body(()).unwrap()
}

fn tunnel() -> Request<()> {
    Request::connect("far.example:443").body(()).unwrap()
}

/// `WebSocket` over HTTP/2, or another protocol asked for in the same way.
fn extended(protocol: &str) -> Request<()> {
    let request = Request::connect("http://api/chat").header("sec-websocket-version", "13");
    let request = request.extension(Asked::from(protocol));
    request.body(()).unwrap()
}

type Answer = (Response<RecvStream>, SendStream<Bytes>);

async fn ask(sender: &mut SendRequest<Bytes>, request: Request<()>) -> Answer {
    let (answer, stream) = sender.send_request(request, false).unwrap();
    let answer = timeout(PATIENCE, answer).await.unwrap();
    (answer.unwrap(), stream)
}

/// What comes until the other side has said its last word.
async fn rest(stream: &mut RecvStream) -> Result<Vec<u8>, h2::Error> {
    let mut rest = Vec::new();
    while let Some(data) = timeout(PATIENCE, stream.data()).await.unwrap() {
        let data = data?;
        stream.flow_control().release_capacity(data.len()).unwrap();
        rest.extend_from_slice(&data);
    }
    Ok(rest)
}

fn refusal(headers: &HeaderMap) -> &str {
    let value = headers.get(REFUSAL_HEADER);
    value.map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn a_stream_becomes_a_tunnel_where_a_route_is_for_it() {
    let (at, mut heads) = switching(AGREED).await;
    let mut site = Site::start(Protocol::Http, at).await;
    let mut client = connect(site.entry).await;
    heads.recv().await.unwrap();
    let (refused, _stream) = ask(&mut client, tunnel()).await;
    assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert!(refusal(refused.headers()).starts_with("method"));

    tunnels(&mut site).await;
    // A client may begin before it has its answer.
    let (answer, mut early) = client.send_request(tunnel(), false).unwrap();
    early.send_data("GET /#hello".into(), false).unwrap();
    let answer = timeout(PATIENCE, answer).await.unwrap().unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["x-by"], "squid");
    assert!(!answer.headers().contains_key("content-length"));
    let told = heads.recv().await.unwrap();
    assert!(
        told.starts_with("CONNECT far.example:443 HTTP/1.1\r\n"),
        "{told}"
    );
    // More than any window, while another tunnel is open on the same connection.
    let (other, mut end) = ask(&mut client, tunnel()).await;
    let many = Bytes::from(vec![b'.'; 4 * 1024 * 1024]);
    early.send_data(many.clone(), true).unwrap();
    let back = rest(&mut answer.into_body()).await.unwrap();
    assert_eq!(back.len(), "GET /#hello".len() + many.len());
    assert!(back.starts_with(b"GET /#hello..."));
    end.send_data("last".into(), true).unwrap();
    assert_eq!(rest(&mut other.into_body()).await.unwrap(), b"last");
}

#[tokio::test]
async fn each_side_may_be_the_first_to_end() {
    let listener = TcpListener::bind(address(8_080)).await.unwrap();
    let at = listener.local_addr().unwrap();
    let far = tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(tcp.read_u8().await.unwrap());
        }
        let answer = b"HTTP/1.1 200 Connected\r\n\r\nbye";
        tcp.write_all(answer).await.unwrap();
        tcp.shutdown().await.unwrap();
        let mut late = String::new();
        tcp.read_to_string(&mut late).await.unwrap();
        late
    });
    let mut site = Site::start(Protocol::Http, at).await;
    tunnels(&mut site).await;
    let tcp = TcpStream::connect(site.entry).await.unwrap();
    let (mut client, connection) = h2::client::handshake(tcp).await.unwrap();
    tokio::spawn(connection);
    let (answer, mut stream) = ask(&mut client, tunnel()).await;
    assert_eq!(rest(&mut answer.into_body()).await.unwrap(), b"bye");
    stream.send_data("and this".into(), false).unwrap();
    stream.send_data(" is late".into(), true).unwrap();
    let late = timeout(PATIENCE, far).await.unwrap().unwrap();
    assert_eq!(late, "and this is late");
}

#[tokio::test]
async fn a_tunnel_that_is_refused_is_an_answer() {
    let (at, _heads) = switching("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno").await;
    let mut site = Site::start(Protocol::Http, at).await;
    tunnels(&mut site).await;
    let mut client = connect(site.entry).await;
    let (answer, _stream) = ask(&mut client, tunnel()).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert_eq!(rest(&mut answer.into_body()).await.unwrap(), b"no");
    for (bad, what) in [
        (Request::connect("far.example"), "no port"),
        (
            Request::connect("far.example:443").header("content-length", "0"),
            "a length",
        ),
    ] {
        let (answer, _stream) = ask(&mut client, bad.body(()).unwrap()).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{what}");
        assert!(refusal(answer.headers()).starts_with("bad-request"));
    }
}

#[tokio::test]
async fn a_tunnel_ends_with_its_permission_and_with_its_client() {
    let (at, _heads) = switching(AGREED).await;
    let mut site = Site::start(Protocol::Http, at).await;
    tunnels(&mut site).await;
    let mut client = connect(site.entry).await;
    let (cut, mut stream) = ask(&mut client, tunnel()).await;
    stream.send_data("more".into(), false).unwrap();
    let mut cut = cut.into_body();
    assert_eq!(&*cut.data().await.unwrap().unwrap(), b"more");
    site.api
        .policy(|policy| policy.permissions = Some(deny_all()))
        .await;
    let why = rest(&mut cut).await.unwrap_err();
    assert_eq!(why.reason(), Some(Reason::CONNECT_ERROR));
}

/// A workload that takes a tunnel and says nothing more. What is told: the other side has given it up.
async fn silent() -> (SocketAddr, tokio::sync::oneshot::Receiver<()>) {
    let listener = TcpListener::bind(address(8_080)).await.unwrap();
    let at = listener.local_addr().unwrap();
    let (told, over) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(tcp.read_u8().await.unwrap());
        }
        let answer = b"HTTP/1.1 200 Connected\r\n\r\n";
        tcp.write_all(answer).await.unwrap();
        let mut rest = Vec::new();
        tcp.read_to_end(&mut rest).await.unwrap();
        told.send(()).unwrap();
        std::future::pending::<()>().await;
    });
    (at, over)
}

#[tokio::test]
async fn who_has_said_all_can_still_give_up() {
    let (at, ended) = silent().await;
    let mut site = Site::start(Protocol::Http, at).await;
    tunnels(&mut site).await;
    let tcp = TcpStream::connect(site.entry).await.unwrap();
    let (mut client, connection) = h2::client::handshake(tcp).await.unwrap();
    tokio::spawn(connection);
    let (answer, mut stream) = ask(&mut client, tunnel()).await;
    stream.send_data(Bytes::new(), true).unwrap();
    timeout(PATIENCE, ended).await.unwrap().unwrap();
    let given_up = || {
        let metrics = site.web.metrics.encode().unwrap();
        metrics.contains("code=\"200\",flag=\"DC\"} 1")
    };
    assert!(!given_up());
    drop(answer);
    stream.send_reset(Reason::CANCEL);
    let over = async {
        while !given_up() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, over).await.unwrap();
}

/// A workload of `WebSocket` that sends back one word, and says this of the key.
async fn websocket(accept: fn(&str) -> String) -> SocketAddr {
    workload(false, move |mut request| async move {
        assert_eq!(request.method(), "GET");
        if request.uri().path() != "/chat" {
            return Response::new(full("no upgrade"));
        }
        assert_eq!(request.headers()["upgrade"], "websocket");
        assert_eq!(request.headers()["sec-websocket-version"], "13");
        let accept = accept(request.headers()["sec-websocket-key"].to_str().unwrap());
        let upgrade = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let mut io = hyper_util::rt::TokioIo::new(upgrade.await.unwrap());
            let mut word = [0; 4];
            io.read_exact(&mut word).await.unwrap();
            io.write_all(&word).await.unwrap();
            io.shutdown().await.unwrap();
        });
        let response = Response::builder()
            .status(101)
            .header("connection", "upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-protocol", "talk")
            .header("sec-websocket-accept", accept);
        response.body(full("")).unwrap()
    })
    .await
}

fn accept(key: &str) -> String {
    use base64::Engine as _;
    let salted = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let sha1 = &aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY;
    let digest = aws_lc_rs::digest::digest(sha1, salted.as_bytes());
    base64::engine::general_purpose::STANDARD.encode(digest)
}

#[tokio::test]
async fn a_websocket_over_http_2_is_one_over_http_1_for_its_workload() {
    let site = Site::start(Protocol::Http, websocket(accept).await).await;
    let mut client = connect(site.entry).await;
    assert!(client.is_extended_connect_protocol_enabled());
    let (answer, mut stream) = ask(&mut client, extended("websocket")).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["sec-websocket-protocol"], "talk");
    for name in ["upgrade", "connection", "sec-websocket-accept"] {
        assert!(!answer.headers().contains_key(name), "{name}");
    }
    stream.send_data("ping".into(), false).unwrap();
    assert_eq!(rest(&mut answer.into_body()).await.unwrap(), b"ping");
    let metrics = site.web.metrics.encode().unwrap();
    assert!(!metrics.contains("code=\"101\""), "{metrics}");
}

#[tokio::test]
async fn who_knows_nothing_of_websocket_agrees_to_none() {
    let plain = |_| async move { Response::new(full("welcome")) };
    for at in [
        workload(false, plain).await,
        websocket(|_| "other".to_owned()).await,
    ] {
        let site = Site::start(Protocol::Http, at).await;
        let mut client = connect(site.entry).await;
        let (answer, _stream) = ask(&mut client, extended("websocket")).await;
        assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
        assert!(refusal(answer.headers()).starts_with("bad-response"));
        for never in ["h2c", "mi ne"] {
            let (answer, _stream) = ask(&mut client, extended(never)).await;
            assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{never}");
        }
    }
}
