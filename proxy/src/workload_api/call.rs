//! One call of a Workload API, which is answered again and again for as long as it lasts.
//!
//! Never holds more than one answer, and never waits for an agent that is gone without a word.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::BytesMut;
use h2::RecvStream;
use h2::client::Builder;
use http::{HeaderMap, Request, StatusCode, header};
use tokio::net::UnixStream;
use tokio::task::AbortHandle;

use mesh_delivery::workload_api::{self as wire, Answer};

use crate::http::Pulse;

/// Of the head of an answer.
const HEAD_BYTES: u32 = 16 * 1024;

/// Why there is nothing to hear.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error("the socket cannot be used: {0}")]
    Socket(#[from] io::Error),
    #[error("it does not answer")]
    Silent,
    #[error("it breaks off: {0}")]
    Broken(#[from] h2::Error),
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
        let mut builder = Builder::new();
        builder.enable_push(false).max_header_list_size(HEAD_BYTES);
        let (sender, mut connection) = builder.handshake(stream).await?;
        let pulse = Arc::new(Pulse::default());
        pulse.streams.store(1, Ordering::Relaxed);
        let pings = connection.ping_pong();
        let driver = tokio::spawn(async move {
            // How it ended, whoever reads the answer hears.
            tokio::select! {
                ended = connection => drop(ended),
                () = pulse.stops(pings) => {}
            }
        });
        let driver = driver.abort_handle();
        let mut sender = sender.ready().await?;
        let request = Request::post(format!("http://localhost{}", wire::FETCH))
            .header(header::CONTENT_TYPE, "application/grpc")
            .header(header::TE, "trailers")
            // A request without it was not meant for the agent: somebody else has made this process send it.
            .header("workload.spiffe.io", "true")
            .body(())
            .map_err(|error| Trouble::Unreadable(error.to_string()))?;
        let (answer, mut asked) = sender.send_request(request, false)?;
        asked.send_data(wire::ASK, true)?;
        let answer = answer.await?;
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
            let Some(data) = self.answers.data().await else {
                let trailers = self.answers.trailers().await?;
                refused(&trailers.unwrap_or_default())?;
                return Err(Trouble::Over);
            };
            let data = data?;
            self.answers.flow_control().release_capacity(data.len())?;
            self.read.extend_from_slice(&data);
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
