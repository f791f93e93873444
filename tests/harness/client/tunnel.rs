//! A connection that carries bytes: an upgraded one, or one that never was HTTP.
//!
//! Never frames anything: what is said on one side is what is heard on the other.

use hyper::HeaderMap;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::patience::within;

pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Bytes in both directions.
pub struct Tunnel {
    /// Of the response that opened it, where one did.
    pub headers: HeaderMap,
    pub(super) stream: Box<dyn Stream>,
}

impl std::fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tunnel").finish_non_exhaustive()
    }
}

impl Tunnel {
    /// Sends a text.
    ///
    /// # Panics
    /// When the connection is closed.
    pub async fn say(&mut self, text: &str) {
        let sent = within("bytes sent", self.stream.write_all(text.as_bytes())).await;
        sent.unwrap_or_else(|error| panic!("`{text}` not sent: {error}"));
    }

    /// The next bytes, which must be this text.
    ///
    /// # Panics
    /// When they are not.
    pub async fn hear(&mut self, text: &str) {
        let mut heard = vec![0; text.len()];
        let read = within(
            &format!("`{text}` from the other end"),
            self.stream.read_exact(&mut heard),
        )
        .await;
        let heard = String::from_utf8_lossy(&heard);
        assert!(
            read.is_ok() && heard == text,
            "`{text}` was not heard: {read:?}, {heard:?}"
        );
    }

    /// Says that nothing more comes; the other direction stays open.
    pub async fn finish(&mut self) {
        // A connection that is closed already is finished too.
        let _ = within("a half close", self.stream.shutdown()).await;
    }

    /// Everything until the other end closes, cleanly or not.
    pub async fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        // What came before a reset counts.
        let _ = within(
            "the end of the connection",
            self.stream.read_to_end(&mut rest),
        )
        .await;
        String::from_utf8_lossy(&rest).into_owned()
    }
}
