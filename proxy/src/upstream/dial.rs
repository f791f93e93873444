//! What is spoken on a new connection to an upstream, and who keeps it going.
//!
//! Never waits for the other side: a connection is there, and the first answer shows whether it speaks HTTP.

use std::time::Duration;

use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::task::AbortHandle;

use super::pool::Counted;
use crate::http::RequestBody;
use crate::refusal::Refusal;
use crate::stream::Stream;

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

/// For many requests. The connection can be cut.
pub(super) async fn two(
    stream: Stream,
    counted: Counted,
) -> Result<(http2::SendRequest<RequestBody>, AbortHandle), Refusal> {
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
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
    let driver = tokio::spawn(async move {
        let _counted = counted;
        if let Err(why) = connection.await {
            tracing::debug!(%why, "upstream connection ended");
        }
    });
    Ok((sender, driver.abort_handle()))
}
