//! The control socket: how commands on the same machine ask a running meshd.
//!
//! Never reached over the network, and never by another user: it lies in the state directory, which is its owner's alone.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::{UnixListener, UnixStream};

use crate::state::StateDir;

const SOCKET: &str = "control.sock";
/// Only the user that meshd runs as.
const MODE: u32 = 0o600;
/// What an operating system takes for the path of a socket, less the byte that ends it.
const LONGEST_PATH: usize = 107;
/// A status of ten thousand proxies has a few megabytes.
const ANSWER: usize = 64 << 20;

/// Opens the socket. Whoever holds the lock of the state directory takes the place of one that was killed.
///
/// # Errors
/// In words: it cannot be made there.
pub(crate) fn listen(state: &StateDir) -> Result<UnixListener, String> {
    let path = state.path(SOCKET);
    let failed = |error: io::Error| format!("listening on `{}`: {error}", path.display());
    if path.as_os_str().len() > LONGEST_PATH {
        let help = "give meshd a state directory with a shorter path";
        return Err(format!(
            "the path of the control socket `{}` has more than {LONGEST_PATH} bytes; {help}",
            path.display()
        ));
    }
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let listener = UnixListener::bind(&path).map_err(failed)?;
    fs::set_permissions(&path, Permissions::from_mode(MODE)).map_err(failed)?;
    Ok(listener)
}

/// Nobody is to find a socket that nobody answers; one that stays is replaced by the next meshd.
pub(crate) fn close(state: &StateDir) {
    let _ = fs::remove_file(state.path(SOCKET));
}

/// Asks the meshd of a state directory.
#[derive(Debug)]
pub(crate) struct Client {
    path: PathBuf,
}

/// What it said.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    body: Bytes,
}

impl Answer {
    /// As text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// As JSON, in which meshd speaks.
    pub(crate) fn json(&self) -> Result<Value, String> {
        serde_json::from_slice(&self.body)
            .map_err(|error| format!("what meshd answers is no JSON: {error}"))
    }
}

impl Client {
    pub(crate) fn new(state: &Path) -> Self {
        Self {
            path: state.join(SOCKET),
        }
    }

    /// One request on a connection of its own.
    ///
    /// # Errors
    /// In words: nobody listens, or the answer is not whole.
    pub(crate) async fn ask(
        &self,
        (method, path): (&str, &str),
        body: String,
    ) -> Result<Answer, String> {
        let socket = self.path.display();
        let stream = UnixStream::connect(&self.path).await.map_err(|error| {
            let help = "does meshd run with this state directory, and for this user?";
            format!("asking meshd at `{socket}`: {error}; {help}")
        })?;
        let broken = |error: &dyn std::fmt::Display| format!("asking meshd at `{socket}`: {error}");
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| broken(&error))?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "meshd")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| broken(&error))?;
        let exchange = async {
            let response = sender.send_request(request).await;
            let response = response.map_err(|error| broken(&error))?;
            let status = response.status().as_u16();
            let body = Limited::new(response.into_body(), ANSWER).collect().await;
            let body = body.map_err(|error| broken(&error))?.to_bytes();
            Ok(Answer { status, body })
        };
        tokio::pin!(exchange);
        tokio::pin!(connection);
        tokio::select! {
            answer = &mut exchange => answer,
            ended = &mut connection => match ended {
                // It may have ended with the whole answer.
                Ok(()) => exchange.await,
                Err(error) => Err(broken(&error)),
            },
        }
    }
}
