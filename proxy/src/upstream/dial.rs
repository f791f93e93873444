//! What is spoken on a new connection to an upstream, and who keeps it going.
//!
//! Never waits for the other side: a connection is there, and the first answer shows whether it speaks HTTP.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::task::AbortHandle;

use super::pool::Counted;
use crate::http::RequestBody;
use crate::refusal::Refusal;
use crate::stream::Stream;

/// On one connection: what mesh proxies accept, and enough for one.
const MOST_STREAMS: usize = 100;
/// The head of a response.
const HEAD_BYTES: usize = 64 * 1024;
/// What may be under way to one stream before its receiver has read it. A connection has room for all of its streams, so
/// that none which stalls stops the others.
const STREAM_WINDOW: u32 = 128 * 1024;
const CONNECTION_WINDOW: u32 = 100 * STREAM_WINDOW;
const SEND_BYTES: usize = 64 * 1024;
/// A peer that is gone without a word is noticed after the sum of these.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_WAIT: Duration = Duration::from_secs(20);

fn builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD_BYTES).max_header_size(HEAD_BYTES);
    builder
}

/// For one request at a time.
pub(super) async fn one(stream: Stream) -> Result<http1::SendRequest<RequestBody>, Refusal> {
    let handshake = builder().handshake(TokioIo::new(stream)).await;
    let (sender, connection) = handshake.map_err(|_| Refusal::Connect)?;
    tokio::spawn(async move {
        if let Err(why) = connection.await {
            tracing::debug!(%why, "upstream connection ended");
        }
    });
    Ok(sender)
}

/// For one request, after which it may be something else.
pub(super) async fn upgradable(stream: Stream) -> Result<http1::SendRequest<RequestBody>, Refusal> {
    let handshake = builder().handshake(TokioIo::new(stream)).await;
    let (sender, connection) = handshake.map_err(|_| Refusal::Connect)?;
    tokio::spawn(connection.with_upgrades());
    Ok(sender)
}

/// A connection for many requests.
pub(super) struct Two {
    pub(super) sender: http2::SendRequest<RequestBody>,
    /// How many streams the other side takes at once.
    pub(super) most: Arc<AtomicUsize>,
    /// Cuts it.
    pub(super) driver: AbortHandle,
}

/// For many requests.
pub(super) async fn two(stream: Stream, counted: Counted) -> Result<Two, Refusal> {
    let (sender, mut connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(64 * 1024)
        .max_send_buf_size(SEND_BYTES)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_WAIT)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|_| Refusal::Connect)?;
    let most = Arc::new(AtomicUsize::new(MOST_STREAMS));
    let told = Arc::clone(&most);
    let driver = tokio::spawn(async move {
        let _counted = counted;
        let ended = poll_fn(|cx| {
            let ended = Pin::new(&mut connection).poll(cx);
            let most = connection.current_max_send_streams().min(MOST_STREAMS);
            told.store(most, Ordering::Relaxed);
            ended
        });
        if let Err(why) = ended.await {
            tracing::debug!(%why, "upstream connection ended");
        }
    });
    Ok(Two {
        sender,
        most,
        driver: driver.abort_handle(),
    })
}
