//! Bytes of HTTP/1 that two parsers could cut differently: each is one request for the workload, or none.
//!
//! Never asks only for the status: what the workload was sent is looked at too.

use std::sync::Arc;

use http::Response;
use http_body_util::BodyExt as _;
use mesh_bundle::resource::Protocol;
use tokio::sync::Mutex;

use super::site::Site;
use super::wire::{full, until_closed, workload};

const HOST: &str = "host: api\r\n";
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nhost: api\r\nconnection: close\r\n\r\n";

/// Requests as the workload has seen them.
pub(super) type Seen = Arc<Mutex<Vec<String>>>;

/// A workload that writes down what it is asked.
pub(super) async fn watched() -> (Site, Seen) {
    let seen = Seen::default();
    let told = Arc::clone(&seen);
    let answer = move |request: http::Request<hyper::body::Incoming>| {
        let told = Arc::clone(&told);
        async move {
            let (parts, body) = request.into_parts();
            let mut text = format!("{} {}", parts.method, parts.uri);
            for (name, value) in &parts.headers {
                text.push_str(&format!(
                    "\n{name}: {}",
                    String::from_utf8_lossy(value.as_bytes())
                ));
            }
            if let Ok(body) = body.collect().await {
                text.push_str(&format!(
                    "\n\n{}",
                    String::from_utf8_lossy(&body.to_bytes())
                ));
                told.lock().await.push(text);
            }
            Response::new(full("ok"))
        }
    };
    let at = workload(false, answer).await;
    (Site::start(Protocol::Http, at).await, seen)
}

/// The statuses that come back.
fn statuses(answer: &str) -> Vec<u16> {
    let parts = answer.split("HTTP/1.1 ").skip(1);
    parts
        .map(|part| part.split(' ').next().unwrap().parse().unwrap())
        .collect()
}

#[expect(clippy::too_many_lines, reason = "it is one table")]
#[tokio::test]
async fn what_cannot_be_read_in_one_way_reaches_nobody() {
    let (site, seen) = watched().await;
    let post = format!("POST / HTTP/1.1\r\n{HOST}");
    let chunked = format!("{post}transfer-encoding: chunked\r\n\r\n");
    let get = |line: &str| format!("{line}\r\n{HOST}connection: close\r\n\r\n");
    let with =
        |header: &str| format!("GET / HTTP/1.1\r\n{HOST}{header}\r\nconnection: close\r\n\r\n");
    let mut cases = Vec::new();
    for framing in [
        "content-length: 5\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 5",
        "Content-Length: 0\r\nTransfer-Encoding: chunked",
        "content-length: 5\r\ncontent-length: 5",
        "content-length: 5\r\ncontent-length: 0",
        "content-length: 5,5",
        "content-length: -5",
        "content-length: 5 5",
        "content-length: 5_0",
        "content-length: \"5\"",
        "content-length: 18446744073709551616",
        "content-length: 99999999999999999999999",
        "content-length:",
        "content-length: 5\0",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ntransfer-encoding: identity",
        "transfer-encoding: chunked;x=1",
        "transfer-encoding: xchunked",
        "transfer-encoding: chunked,",
        "transfer-encoding: \"chunked\"",
        "transfer-encoding: \x0bchunked",
        "transfer-encoding:\r\n chunked",
        "transfer-encoding: chunked\r\n , identity",
        "transfer-encoding: chunk",
        "transfer-encoding:",
        "transfer-encoding\t: chunked",
        "transfer-encoding\0: chunked",
        " transfer-encoding: chunked",
        "x: y\rtransfer-encoding: chunked",
        "transfer_encoding: chunked\r\ncontent-length: +5",
    ] {
        cases.push(format!("{post}{framing}\r\n\r\n0\r\n\r\n{SMUGGLED}"));
    }
    cases.push(format!(
        "POST / HTTP/1.0\r\n{HOST}transfer-encoding: chunked\r\n\r\n0\r\n\r\n"
    ));
    for body in [
        "g\r\n",
        "-1\r\nx\r\n",
        "+1\r\nx\r\n0\r\n\r\n",
        "0x1\r\nx\r\n0\r\n\r\n",
        " 1\r\nx\r\n0\r\n\r\n",
        "\r\n0\r\n\r\n",
        "1 x\r\nx\r\n0\r\n\r\n",
        "ffffffffffffffffff\r\nx\r\n",
        "10000000000000000\r\nx\r\n",
        "1\r\nxx\r\n0\r\n\r\n",
        "1\r\nx0\r\n\r\n",
        "1;a\nb\r\nx\r\n0\r\n\r\n",
        "1\r\nx\r\n0\r\nbad trailer\r\n\r\n",
    ] {
        cases.push(format!("{chunked}{body}"));
    }
    for line in [
        "GET /admin#x HTTP/1.1",
        "GET /#/../admin HTTP/1.1",
        "GET http://api/x#y HTTP/1.1",
        "GET /x?y#z HTTP/1.1",
        "GET # HTTP/1.1",
        "GET x HTTP/1.1",
        "GET  / HTTP/1.1",
        "GET /  HTTP/1.1",
        "GET\t/ HTTP/1.1",
        "GET /x y HTTP/1.1",
        "GET / HTTP/1.1 x",
        "GET / HTTP/2.0",
        "GET / HTTP/1.2",
        "GET / HTTP/0.9",
        "GET / http/1.1",
        "GET / HTTP/1.1\r",
        "GET /\0 HTTP/1.1",
        "GET /\x7f HTTP/1.1",
        "GET",
        "GET /",
        " GET / HTTP/1.1",
        "G(T / HTTP/1.1",
        "GET /%0 HTTP/1.1",
        "GET /%zz HTTP/1.1",
        "GET /%00 HTTP/1.1",
        "GET /a%2Fb HTTP/1.1",
        "GET /a%5Cb HTTP/1.1",
        "GET /a\\b HTTP/1.1",
        "GET /.;/admin HTTP/1.1",
        "GET /%2e%2e%2fadmin HTTP/1.1",
        "GET /../../admin HTTP/1.1",
        "GET http:///x HTTP/1.1",
        "GET http://a@api/ HTTP/1.1",
        "GET api:80 HTTP/1.1",
        "OPTIONS x HTTP/1.1",
    ] {
        cases.push(get(line));
    }
    for header in [
        "x: a\0b",
        "x: a\rb",
        "x y: z",
        "x(: z",
        ": z",
        "x",
        "x: a\r\n\tb",
        "host : api",
        "\u{e9}: x",
    ] {
        cases.push(with(header));
    }
    for host in [
        "", "a,b", "a b", "u@a", "u:p@a", "a/b", "a?b", "a#b", "a\\b", "a:99999x", "a:65536",
        ":80", "a:+80", "[::1", "a\tb", "http://a", "a:80:80", "a%00b",
    ] {
        cases.push(format!(
            "GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
        ));
    }
    cases.push("GET http://api/ HTTP/1.1\r\n\r\n".to_owned());
    let mut many = format!("GET / HTTP/1.1\r\n{HOST}");
    (0..20_000).for_each(|index| many.push_str(&format!("x{index}: y\r\n")));
    cases.push(format!("{many}\r\n"));
    let mut wrong = Vec::new();
    for case in cases {
        let answer = until_closed(site.entry, case.as_bytes()).await;
        let refused = matches!(statuses(&answer)[..], [400 | 414 | 431 | 501 | 505]);
        let mut seen = seen.lock().await;
        if !refused || !seen.is_empty() {
            let shown: String = case.chars().take(150).collect();
            wrong.push(format!("{shown:?}\n  {answer:?}\n  {seen:?}"));
        }
        seen.clear();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let metrics = site.web.metrics.encode().unwrap();
    assert!(metrics.contains("refusal=\"bad-request\"} "), "{metrics}");
}

#[tokio::test]
async fn what_can_be_read_in_one_way_is_one_request() {
    let (site, seen) = watched().await;
    let end = "connection: close\r\n\r\n";
    for (request, expected) in [
        (format!("GET /a HTTP/1.1\r\n{HOST}{end}"), vec!["GET /a"]),
        (
            format!("\r\n\r\nGET /a HTTP/1.1\r\n{HOST}{end}"),
            vec!["GET /a"],
        ),
        (
            format!("GET /a HTTP/1.1\r\n{HOST}\r\nGET /b HTTP/1.1\r\n{HOST}{end}"),
            vec!["GET /a", "GET /b"],
        ),
        (
            format!("GET /a HTTP/1.1\r\n{HOST}\r\nGET /b#c HTTP/1.1\r\n{HOST}{end}"),
            vec!["GET /a"],
        ),
        (
            format!(
                "POST /a HTTP/1.1\r\n{HOST}content-length: 9\r\n\r\nGET /#\r\n\rGET /b HTTP/1.1\r\n{HOST}{end}"
            ),
            vec!["POST /a", "GET /b"],
        ),
        (
            format!(
                "POST /a HTTP/1.1\r\n{HOST}transfer-encoding: Chunked\r\n{end}1;x=y\r\n#\r\n0\r\nx: y\r\n\r\n"
            ),
            vec!["POST /a"],
        ),
        (
            format!(
                "POST /a HTTP/1.1\r\n{HOST}transfer-encoding: chunked\r\n\r\n1\r\n#\r\n0\r\n\r\nGET /b#c HTTP/1.1\r\n{HOST}{end}"
            ),
            vec!["POST /a"],
        ),
        (
            format!(
                "GET /a HTTP/1.1\r\n{HOST}connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n\r\n{SMUGGLED}"
            ),
            vec!["GET /a", "GET /smuggled"],
        ),
        (
            format!(
                "GET /a HTTP/1.1\r\n{HOST}connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 1\r\n{end}{SMUGGLED}"
            ),
            vec!["GET /a"],
        ),
        (
            format!(
                "GET /a HTTP/1.1\r\n{HOST}transfer_encoding: chunked\r\ncontent_length: 5\r\n{end}"
            ),
            vec!["GET /a"],
        ),
    ] {
        let answer = until_closed(site.entry, request.as_bytes()).await;
        let mut seen = seen.lock().await;
        let asked: Vec<_> = seen.iter().filter_map(|text| text.lines().next()).collect();
        assert_eq!(asked, expected, "{request:?}: {answer:?}");
        for text in seen.iter() {
            for never in [
                "http2-settings",
                "h2c",
                "transfer_encoding",
                "content_length",
            ] {
                assert!(!text.contains(never), "{request:?}: {text}");
            }
            assert!(!text.contains('\0'), "{request:?}: {text}");
        }
        seen.clear();
    }
}
