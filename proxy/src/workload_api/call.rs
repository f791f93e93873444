//! One call of a Workload API, which is answered again and again for as long as it lasts.
//!
//! Never holds more than one answer, and never waits for an agent that is gone without a word.

use std::future::poll_fn;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::BytesMut;
use http::header::{CONTENT_TYPE, TE};
use http::uri::Scheme;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use tokio::net::UnixStream;
use tokio::task::AbortHandle;

use mesh_delivery::workload_api::{self as wire, Answer};

use crate::http::Pulse;
use crate::http2::{self, Limits, RecvStream, RequestHead};

const LIMITS: Limits = Limits {
    stream_window: 64 * 1024,
    connection_window: 64 * 1024,
    head_bytes: 16 * 1024,
    streams: 1,
};

/// Why there is nothing to hear.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error("the socket cannot be used: {0}")]
    Socket(#[from] io::Error),
    #[error("it does not answer")]
    Silent,
    #[error("it breaks off: {0}")]
    Broken(#[from] http2::Error),
    #[error("it answers with status {0}, and not as gRPC does")]
    NotGrpc(StatusCode),
    #[error("it refuses with gRPC status {0}: {1}")]
    Refused(String, String),
    #[error("it has ended its answer")]
    Over,
    #[error("{0}")]
    Unreadable(String),
}

/// A call that is under way.
pub(super) struct Call {
    answers: RecvStream,
    read: BytesMut,
    driver: AbortHandle,
}

impl Drop for Call {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Call {
    pub(super) async fn open(socket: &Path) -> Result<Self, Trouble> {
        let stream = UnixStream::connect(socket).await?;
        let (client, connection) = http2::connect(stream, LIMITS);
        let pulse = Arc::new(Pulse::default());
        pulse.streams.store(1, Ordering::Relaxed);
        let pings = connection.pings();
        let driver = tokio::spawn(async move {
            // How it ended, whoever reads the answer hears.
            tokio::select! {
                _ = connection => {}
                () = pulse.stops(pings) => {}
            }
        });
        let driver = driver.abort_handle();
        let headers = [
            (CONTENT_TYPE, "application/grpc"),
            (TE, "trailers"),
            // A request without it was not meant for the agent: somebody else has made this process send it.
            (HeaderName::from_static("workload.spiffe.io"), "true"),
        ];
        let headers = headers.map(|(name, value)| (name, HeaderValue::from_static(value)));
        let head = RequestHead {
            method: &Method::POST,
            scheme: &Scheme::HTTP,
            authority: b"localhost",
            path: wire::FETCH,
            headers: &HeaderMap::from_iter(headers),
            instead: None,
        };
        let (mut answer, asked) = client.begin(&head, false)?;
        if let Some(mut asked) = asked {
            let mut ask = wire::ASK;
            poll_fn(|cx| asked.poll_send(&mut ask, true, cx)).await?;
        }
        let answer = poll_fn(|cx| answer.poll(cx)).await?;
        if answer.status() != StatusCode::OK {
            return Err(Trouble::NotGrpc(answer.status()));
        }
        refused(answer.headers())?;
        Ok(Self {
            answers: answer.into_body(),
            read: BytesMut::new(),
            driver,
        })
    }

    /// What it says next.
    pub(super) async fn next(&mut self) -> Result<Answer, Trouble> {
        loop {
            if let Some(answer) = wire::take(&mut self.read).map_err(Trouble::Unreadable)? {
                return Ok(answer);
            }
            let Some(data) = poll_fn(|cx| self.answers.poll_data(cx)).await else {
                let trailers = self.answers.take_trailers();
                refused(&trailers.unwrap_or_default())?;
                return Err(Trouble::Over);
            };
            self.read.extend_from_slice(&data?);
        }
    }
}

/// Is this the end of a call that failed?
fn refused(headers: &HeaderMap) -> Result<(), Trouble> {
    let text = |name: &str| {
        let value = headers.get(name).map(|value| value.as_bytes());
        let value = String::from_utf8_lossy(value.unwrap_or_default());
        value
            .chars()
            .filter(|c| !c.is_control())
            .take(200)
            .collect()
    };
    let status: String = text("grpc-status");
    match status.as_str() {
        "" | "0" => Ok(()),
        _ => Err(Trouble::Refused(status, text("grpc-message"))),
    }
}
