//! Workloads that answer wrongly: the client is told so, or gets one clean answer, and the next client is not hurt.
//!
//! Never one workload for two cases: what a connection of one has left over must not help the other.

use http::{Request, StatusCode};
use mesh_bundle::resource::Protocol;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::site::{Site, address, deny_all};
use super::wire::{client, client_two, fetch, full, read, until_closed};

/// Answers each request of each connection with these bytes, and `closes` or waits after them.
async fn workload(bytes: &'static str, closes: bool) -> std::net::SocketAddr {
    let listener = TcpListener::bind(address(8_080)).await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut read = [0; 4096];
                while tcp.read(&mut read).await.is_ok_and(|length| length > 0) {
                    drop(tcp.write_all(bytes.as_bytes()).await);
                    if closes {
                        return;
                    }
                }
            });
        }
    });
    at
}

#[expect(clippy::too_many_lines, reason = "it is one table")]
#[tokio::test]
async fn a_wrong_answer_is_told_and_forgotten() {
    let mut wrong = Vec::new();
    for (method, bytes, closes, expected) in [
        ("GET", "", true, "503"),
        ("GET", "HTTP/1.1 200 OK\r\ncontent-le", true, "50"),
        ("GET", "HTTP/1.1 200 OK\r\ncontent-length: 2", true, "50"),
        ("GET", "garbage garbage\r\n\r\n", false, "502"),
        ("GET", "HTTP/1.1 2x0 OK\r\n\r\n", false, "502"),
        ("GET", "HTTP/1.1 99 OK\r\n\r\n", false, "502"),
        ("GET", "HTTP/3.0 200 OK\r\n\r\n", false, "502"),
        (
            "GET",
            "HTTP/1.1 200 OK\r\nx y: z\r\ncontent-length: 2\r\n\r\nok",
            false,
            "502",
        ),
        (
            "GET",
            "HTTP/1.1 200 OK\r\nx: a\0b\r\ncontent-length: 2\r\n\r\nok",
            false,
            "502",
        ),
        (
            "GET",
            "HTTP/1.1 200 OK\r\nx: a\r\n b\r\ncontent-length: 2\r\n\r\nok",
            false,
            "502",
        ),
        (
            "GET",
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok",
            false,
            "502",
        ),
        (
            "GET",
            "HTTP/1.1 200 OK\r\ncontent-length: -2\r\n\r\nok",
            false,
            "502",
        ),
        (
            "GET",
            "HTTP/1.1 200 OK\r\ncontent-length: 2, 3\r\n\r\nok",
            false,
            "502",
        ),
        (
            "GET",
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
            false,
            "502",
        ),
        (
            "GET",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
            false,
            "200 ok",
        ),
        (
            "GET",
            "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
            false,
            "200 ok",
        ),
        (
            "GET",
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison",
            false,
            "200 ok",
        ),
        (
            "GET",
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokpoison",
            false,
            "200 ok",
        ),
        (
            "GET",
            "HTTP/1.1 204 No Content\r\n\r\npoison",
            false,
            "204 ",
        ),
        (
            "GET",
            "HTTP/1.1 204 No Content\r\ncontent-length: 6\r\n\r\npoison",
            false,
            "204 ",
        ),
        (
            "GET",
            "HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n6\r\npoison\r\n0\r\n\r\n",
            false,
            "204 ",
        ),
        (
            "GET",
            "HTTP/1.1 304 Not Modified\r\ncontent-length: 6\r\n\r\npoison",
            false,
            "304 ",
        ),
        (
            "HEAD",
            "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison",
            false,
            "200 ",
        ),
        (
            "HEAD",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            false,
            "200 ",
        ),
        (
            "GET",
            "HTTP/1.1 200 OK\r\n\r\nuntil the end",
            true,
            "200 until the end",
        ),
        (
            "GET",
            "HTTP/1.0 200 OK\r\n\r\nuntil the end",
            true,
            "200 until the end",
        ),
    ] {
        let site = Site::start(Protocol::Http, workload(bytes, closes).await).await;
        for _ in 0..3 {
            let request = format!("{method} / HTTP/1.1\r\nhost: api\r\nconnection: close\r\n\r\n");
            let answer = until_closed(site.entry, request.as_bytes()).await;
            let status = answer.strip_prefix("HTTP/1.1 ").unwrap_or_default();
            let status: String = status.chars().take(3).collect();
            let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
            let chunked = head.contains("transfer-encoding: chunked");
            let body = match (chunked, status.starts_with('5')) {
                (true, _) => body.split("\r\n").nth(1).unwrap_or_default(),
                (false, true) => "",
                (false, false) => body,
            };
            if !format!("{status} {body}").starts_with(expected) || answer.contains("poison") {
                wrong.push(format!("{method} {bytes:?}: {answer:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn an_answer_that_breaks_off_never_ends_cleanly() {
    for bytes in [
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n",
    ] {
        let site = Site::start(Protocol::Http, workload(bytes, true).await).await;
        let request = b"GET / HTTP/1.1\r\nhost: api\r\nconnection: close\r\n\r\n";
        let answer = until_closed(site.entry, request).await;
        let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
        let whole = answer.contains("chunked") && body.ends_with("0\r\n\r\n");
        assert!(!whole, "{bytes:?}: {answer:?}");
        let cut = answer.starts_with("HTTP/1.1 50") || matches!(body, "" | "ok" | "2\r\nok\r\n");
        assert!(cut, "{bytes:?}: {answer:?}");
    }
    let ended = workload("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", true).await;
    let site = Site::start(Protocol::Http, ended).await;
    assert_eq!(fetch(site.entry, "/").await.0, StatusCode::OK);
}

#[tokio::test]
async fn who_asks_for_a_head_is_refused_with_a_head() {
    let mut site = Site::start(Protocol::Http, workload("", true).await).await;
    site.api
        .policy(|policy| policy.permissions = Some(deny_all()))
        .await;
    let request = || {
        let request = Request::head("http://api/").header("host", "api");
        request.body(full("")).unwrap()
    };
    let one = client(site.entry).await.send_request(request()).await;
    let two = client_two(site.entry).await.send_request(request()).await;
    for response in [one, two] {
        let (status, headers, body) = read(response.unwrap()).await;
        assert_eq!((status, body.as_str()), (StatusCode::FORBIDDEN, ""));
        assert!(headers.contains_key("content-length"));
    }
}
