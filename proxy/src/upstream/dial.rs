//! HTTP/1.1 on a new connection to an upstream, and who keeps it going.
//!
//! Never waits for the other side: a connection is there, and the first answer shows whether it speaks HTTP.

use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;

use crate::http::RequestBody;
use crate::refusal::Refusal;
use crate::stream::Stream;

/// The head of a response.
const HEAD_BYTES: usize = 64 * 1024;

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
