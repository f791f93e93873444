//! Heads that cannot be read: each is answered, with the reason.

use std::net::SocketAddr;

use mesh_bundle::resource::Protocol;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::frames::{
    CONTINUATION, END_HEADERS, END_STREAM, GOOD, HEADERS, RESET, SETTINGS, fields, frame,
};
use super::site::Site;
use super::upgrades::switching;
use super::wire::{mirror_workload, until_closed};

#[tokio::test]
async fn what_the_library_refuses_is_told_as_everything_else() {
    let site = Site::start(Protocol::Http, mirror_workload(false).await).await;
    let good = "GET / HTTP/1.1\r\nhost: api\r\n\r\n";
    for bad in ["no HTTP\r\n\r\n", "GET /#x HTTP/1.1\r\nhost: api\r\n\r\n"] {
        // Also after a request that was served, whether they come together or one after the other.
        for together in [false, true] {
            let mut tcp = TcpStream::connect(site.entry).await.unwrap();
            let mut served = vec![0; 12];
            match together {
                true => tcp
                    .write_all(format!("{good}{bad}").as_bytes())
                    .await
                    .unwrap(),
                false => {
                    tcp.write_all(good.as_bytes()).await.unwrap();
                    tcp.read_exact(&mut served).await.unwrap();
                    while !served.ends_with(b"host: api\n\n") {
                        served.push(tcp.read_u8().await.unwrap());
                    }
                    tcp.write_all(bad.as_bytes()).await.unwrap();
                }
            }
            let mut rest = String::new();
            tcp.read_to_string(&mut rest).await.unwrap();
            let (served, refused) = match together {
                true => rest.split_at(rest.rfind("HTTP/1.1 ").unwrap()),
                false => (std::str::from_utf8(&served).unwrap(), rest.as_str()),
            };
            assert!(served.starts_with("HTTP/1.1 200 "), "{served:?}");
            assert!(!served.contains("x-mesh-refusal"), "{served:?}");
            let head = "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\nx-mesh-refusal: bad-request;destination=\"";
            assert!(refused.starts_with(head), "{refused:?}");
            assert!(refused.ends_with("\r\n\r\nbad request"), "{refused:?}");
        }
    }
    // Words of a workload are not taken for the library's.
    let bare = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
    let site = Site::start(Protocol::Http, switching(bare).await.0).await;
    let answer = until_closed(
        site.entry,
        good.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n")
            .as_bytes(),
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer:?}");
    assert!(!answer.contains("x-mesh-refusal"), "{answer:?}");
}

/// What is answered on the first stream: the block of fields of its head, which this proxy writes as it is.
async fn answered(at: SocketAddr, frames: &[u8]) -> Vec<u8> {
    let mut tcp = TcpStream::connect(at).await.unwrap();
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let begin = [&preface[..], &frame(SETTINGS, 0, 0, &[]), frames].concat();
    tcp.write_all(&begin).await.unwrap();
    loop {
        let mut head = [0; 9];
        tcp.read_exact(&mut head).await.unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        tcp.read_exact(&mut payload).await.unwrap();
        assert_ne!(head[3], RESET, "nothing was said");
        if head[3] == HEADERS {
            return payload;
        }
    }
}

#[tokio::test]
async fn streams_that_cannot_be_read_are_answered_with_the_reason() {
    let site = Site::start(Protocol::Http, mirror_workload(false).await).await;
    let bad = |name: &str, value: &str| {
        let mut list: Vec<_> = GOOD.into_iter().filter(|(is, _)| *is != name).collect();
        list.insert(0, (name, value));
        let flags = END_STREAM | END_HEADERS;
        frame(HEADERS, flags, 1, &fields(&list))
    };
    let value = "y".repeat(100);
    let many = vec![("x-large", value.as_str()); 600];
    let list = fields(&[&GOOD[..], &many].concat());
    let mut large = frame(HEADERS, END_STREAM, 1, &[]);
    for chunk in list.chunks(16_000) {
        large.extend(frame(CONTINUATION, 0, 1, chunk));
    }
    large.extend(frame(CONTINUATION, END_HEADERS, 1, &[]));
    for (what, frames, status, told) in [
        (
            "fragment",
            bad(":path", "/#x"),
            &b"\x8c"[..],
            "bad-request;",
        ),
        ("no scheme", bad(":scheme", ""), b"\x8c", "bad-request;"),
        ("large", large, b"\x08\x03431", "head-too-large;"),
    ] {
        let said = answered(site.entry, &frames).await;
        assert!(said.starts_with(status), "{what}: {said:?}");
        let said = String::from_utf8_lossy(&said);
        let (_, reason) = said.split_once("x-mesh-refusal").unwrap();
        assert!(reason.contains(told), "{what}: {said:?}");
    }
}
