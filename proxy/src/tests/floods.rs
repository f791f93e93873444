//! More frames of HTTP/2 than any client needs: they end their connection, and nothing else.
//!
//! Never only waits for the end: others are served meanwhile.

use std::net::SocketAddr;

use http::StatusCode;

use super::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, End, GOOD, HEADERS, PING, RESET, SETTINGS, end,
    end_of, fields, frame,
};
use super::smuggling::watched;
use super::wire::fetch;

const WINDOW_UPDATE: u8 = 8;
const PRIORITY: u8 = 2;
const UNKNOWN: u8 = 77;

/// RFC 9113 7.
const ENHANCE_YOUR_CALM: End = End::Goodbye(11);

/// The flood, and five requests of somebody else meanwhile.
async fn ended(at: SocketAddr, frames: &[u8], what: &str) -> End {
    let others = async {
        for _ in 0..5 {
            assert_eq!(fetch(at, "/").await.0, StatusCode::OK, "{what}");
        }
    };
    let of_connection = |end| matches!(end, End::Goodbye(_));
    tokio::join!(end_of(at, frames, of_connection), others).0
}

#[tokio::test]
async fn floods_end_their_connection_and_nothing_else() {
    let (site, _) = watched().await;
    let block = fields(&GOOD);
    let opened = |stream: u32| frame(HEADERS, END_HEADERS, stream, &block);
    let streams = || (0..3_000).map(|index| 2 * index + 1);
    let resets = streams()
        .flat_map(|stream| [opened(stream), frame(RESET, 0, stream, &[0, 0, 0, 8])].concat());
    // What makes the proxy reset the stream itself.
    let made = streams().flat_map(|stream| {
        [
            opened(stream),
            frame(WINDOW_UPDATE, 0, stream, &[127, 255, 255, 255]),
        ]
        .concat()
    });
    let large = "y".repeat(100);
    let many: Vec<_> = (0..3_000).map(|_| ("x-large", large.as_str())).collect();
    let list = fields(&[&GOOD[..], &many[..]].concat());
    let mut large = frame(HEADERS, END_STREAM, 1, &[]);
    for chunk in list.chunks(16_000) {
        large.extend(frame(CONTINUATION, 0, 1, chunk));
    }
    large.extend(frame(CONTINUATION, END_HEADERS, 1, &[]));
    let setting = [0, 4, 0, 0, 255, 255];
    for (what, frames) in [
        ("rapid reset", resets.collect()),
        ("made reset", made.collect()),
        ("settings", frame(SETTINGS, 0, 0, &setting).repeat(20_000)),
        ("empty settings", frame(SETTINGS, 0, 0, &[]).repeat(20_000)),
        ("pings", frame(PING, 0, 0, &[0; 8]).repeat(20_000)),
        ("answers", frame(PING, 1, 0, &[0; 8]).repeat(20_000)),
        (
            "priorities",
            frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 9]).repeat(20_000),
        ),
        ("unknown", frame(UNKNOWN, 0, 0, &[]).repeat(20_000)),
        (
            "pings of one who has asked for something",
            [opened(1), frame(PING, 0, 0, &[0; 8]).repeat(20_000)].concat(),
        ),
        (
            "empty data",
            [opened(1), frame(DATA, 0, 1, &[]).repeat(20_000)].concat(),
        ),
        ("endless list", large),
        (
            "continuation",
            [
                frame(HEADERS, 0, 1, &block),
                frame(CONTINUATION, 0, 1, &[]).repeat(20_000),
            ]
            .concat(),
        ),
    ] {
        assert_eq!(
            ended(site.entry, &frames, what).await,
            ENHANCE_YOUR_CALM,
            "{what}"
        );
    }
}

#[tokio::test]
async fn who_asks_while_it_works_is_served() {
    let (site, seen) = watched().await;
    let mut frames = Vec::new();
    for index in 0..90 {
        frames.extend(frame(PING, 0, 0, &[0; 8]).repeat(8));
        let flags = END_HEADERS | END_STREAM;
        frames.extend(frame(HEADERS, flags, 2 * index + 1, &fields(&GOOD)));
    }
    frames.extend(frame(PING, 0, 0, &[0; 8]).repeat(900));
    assert_eq!(end(site.entry, &frames).await, End::Served);
    assert!(!seen.lock().await.is_empty());
}
