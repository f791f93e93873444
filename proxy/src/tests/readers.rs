//! Readers that take nothing: their answers end when their time is over, and nobody waits for them.
//!
//! Never reads what it has asked for, or the proxy would have room again.

use std::time::Duration;

use http::StatusCode;
use http_body_util::BodyExt as _;
use mesh_bundle::resource::Protocol;
use mesh_bundle::{Duration as Limit, Sourced};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::frames::{DATA, END_HEADERS, END_STREAM, GOOD, HEADERS, RESET, SETTINGS, fields, frame};
use super::site::Site;
use super::wire::{Endless, fetch, full, workload};

/// A workload with an answer that has no end, whose streams may rest for two seconds.
async fn endless() -> Site {
    let answer = |request: http::Request<hyper::body::Incoming>| async move {
        http::Response::new(match request.uri().path() {
            "/short" => full("ok"),
            _ => Endless::default().boxed(),
        })
    };
    let mut site = Site::start(Protocol::Http, workload(false, answer).await).await;
    let limit = Sourced::built_in(Limit::from_secs(2));
    site.web
        .change(|config| {
            for destination in config.destinations.values_mut() {
                destination.timeouts.stream_idle = limit.clone();
            }
        })
        .await;
    site
}

#[tokio::test]
async fn who_opens_no_window_is_cut() {
    let site = endless().await;
    let mut tcp = TcpStream::connect(site.entry).await.unwrap();
    let closed_window = frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]);
    let mut begin = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &closed_window[..]].concat();
    for index in 0..100 {
        let flags = END_HEADERS | END_STREAM;
        begin.extend(frame(HEADERS, flags, 2 * index + 1, &fields(&GOOD)));
    }
    tcp.write_all(&begin).await.unwrap();
    // Each stream is answered with a head, and reset when its time is over, without a byte of its body.
    let (mut heads, mut resets) = (0, 0);
    while resets < 100 {
        let mut head = [0; 9];
        let read = tcp.read_exact(&mut head).await;
        read.unwrap_or_else(|why| {
            panic!(
                "{heads} heads, {resets} resets, {why}: {}",
                site.web.metrics.encode().unwrap()
            )
        });
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        tcp.read_exact(&mut payload).await.unwrap();
        match head[3] {
            HEADERS => heads += 1,
            RESET => resets += 1,
            DATA => panic!("a byte that nobody has room for"),
            _ => {}
        }
    }
    assert_eq!(heads, 100);
    assert_eq!(fetch(site.entry, "/short").await.0, StatusCode::OK);
    let metrics = site.web.metrics.encode().unwrap();
    assert!(
        metrics.contains("code=\"200\",flag=\"SI\"} 100"),
        "{metrics}"
    );
}

#[tokio::test]
async fn a_refusal_that_nobody_has_room_for_holds_no_stream() {
    let mut site = endless().await;
    site.web.routes(Vec::clear).await;
    let mut tcp = TcpStream::connect(site.entry).await.unwrap();
    let closed_window = frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]);
    let begin = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &closed_window[..]].concat();
    tcp.write_all(&begin).await.unwrap();
    // As many as there may be at once, and again when they are over: a stream that was held would be none of these.
    for round in 0..2 {
        let mut requests = Vec::new();
        for index in 0..100 {
            let flags = END_HEADERS | END_STREAM;
            let stream = 2 * (100 * round + index) + 1;
            requests.extend(frame(HEADERS, flags, stream, &fields(&GOOD)));
        }
        tcp.write_all(&requests).await.unwrap();
        let (mut heads, mut resets) = (0, 0);
        while resets < 100 {
            let mut head = [0; 9];
            let read = tokio::time::timeout(Duration::from_secs(30), tcp.read_exact(&mut head));
            read.await.expect("a reset in time").unwrap();
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; usize::try_from(length).unwrap()];
            tcp.read_exact(&mut payload).await.unwrap();
            match head[3] {
                HEADERS => heads += 1,
                RESET => resets += 1,
                DATA => panic!("a byte that nobody has room for"),
                _ => {}
            }
        }
        assert_eq!(heads, 100, "in round {round}");
    }
}

#[tokio::test]
async fn who_reads_nothing_is_cut() {
    let site = endless().await;
    let mut tcp = TcpStream::connect(site.entry).await.unwrap();
    tcp.write_all(b"GET / HTTP/1.1\r\nhost: api\r\n\r\n")
        .await
        .unwrap();
    // It has been cut when it is counted, and not because its client went away.
    let counted = async {
        let cut = "code=\"200\",flag=\"SI\"} 1";
        while !site.web.metrics.encode().unwrap().contains(cut) {
            assert_eq!(fetch(site.entry, "/short").await.0, StatusCode::OK);
        }
    };
    let counted = tokio::time::timeout(Duration::from_secs(30), counted).await;
    assert!(counted.is_ok(), "it waits for its reader");
    let mut rest = Vec::new();
    let ended = tcp.read_to_end(&mut rest).await;
    assert!(!rest.ends_with(b"0\r\n\r\n"), "{ended:?}");
}

#[tokio::test]
async fn what_is_taken_again_and_again_goes_on() {
    let site = endless().await;
    let mut tcp = TcpStream::connect(site.entry).await.unwrap();
    tcp.write_all(b"GET / HTTP/1.1\r\nhost: api\r\n\r\n")
        .await
        .unwrap();
    // Far more than all buffers hold.
    let mut read = vec![0; 64 * 1024];
    for _ in 0..200 {
        tcp.read_exact(&mut read).await.unwrap();
    }
}
