//! A stand-in for the SPIRE agent of a host: the SPIFFE Workload API over gRPC on a socket, for one workload.
//!
//! Never answers who does not ask as the specification has it. Its messages are written byte by byte, by no code of the mesh.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Empty, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::HeaderValue;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::WatchStream;

use crate::mint::{Authority, Names};

/// An agent that runs until it is dropped.
#[derive(Debug)]
pub struct Agent {
    socket: PathBuf,
    say: watch::Sender<Bytes>,
    task: AbortHandle,
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Agent {
    /// One that gives a workload this identity, signed by an authority and to be believed by these.
    ///
    /// # Panics
    /// When the socket cannot be made.
    #[must_use]
    pub fn start(socket: &Path, id: &str, by: &Authority, bundle: &[&Authority]) -> Self {
        drop(std::fs::remove_file(socket));
        let listener = UnixListener::bind(socket).expect("a socket of an agent");
        let (say, said) = watch::channel(answer(id, by, bundle));
        let task = tokio::spawn(async move {
            // They end with it.
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let said = Arc::new(said.clone());
                connections.spawn(async move {
                    let service = service_fn(move |request| {
                        let said = Arc::clone(&said);
                        async move { Ok::<_, Infallible>(serve(&request, &said)) }
                    });
                    let server = http2::Builder::new(TokioExecutor::new());
                    drop(server.serve_connection(TokioIo::new(stream), service).await);
                });
            }
        });
        Self {
            socket: socket.to_owned(),
            say,
            task: task.abort_handle(),
        }
    }

    /// Where it is, as `SPIFFE_ENDPOINT_SOCKET` says it.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    /// Gives another certificate from now on.
    pub fn renew(&self, id: &str, by: &Authority, bundle: &[&Authority]) {
        self.say.send_replace(answer(id, by, bundle));
    }
}

/// What it says, again each time that this changes.
fn serve(
    request: &Request<Incoming>,
    said: &watch::Receiver<Bytes>,
) -> Response<BoxBody<Bytes, Infallible>> {
    let header = |name: &str| request.headers().get(name).map(HeaderValue::as_bytes);
    let asked = request.uri().path() == "/SpiffeWorkloadAPI/FetchX509SVID"
        && header("content-type") == Some(b"application/grpc")
        && header("workload.spiffe.io") == Some(b"true");
    let response = Response::builder().header("content-type", "application/grpc");
    let response = match asked {
        true => {
            let answers = WatchStream::new(said.clone()).map(|it| Ok(Frame::data(it)));
            response.body(StreamBody::new(answers).boxed())
        }
        false => response
            .header("grpc-status", "3")
            .header("grpc-message", "not asked as it must be")
            .body(Empty::new().boxed()),
    };
    response.expect("an answer of an agent")
}

/// A gRPC message with one `X509SVID`.
fn answer(id: &str, by: &Authority, bundle: &[&Authority]) -> Bytes {
    let uris = [id];
    let given = by.issue(&Names {
        uris: &uris,
        ..Names::default()
    });
    let authorities = bundle.iter().flat_map(|authority| {
        let der = CertificateDer::from_pem_slice(authority.certificate.as_bytes());
        der.expect("a certificate of an authority").to_vec()
    });
    let mut svid = BytesMut::new();
    field(&mut svid, 1, id.as_bytes());
    let chain = given.chain.iter().flat_map(|der| der.to_vec());
    field(&mut svid, 2, &chain.collect::<Vec<u8>>());
    field(&mut svid, 3, given.key.secret_der());
    field(&mut svid, 4, &authorities.collect::<Vec<u8>>());
    let mut message = BytesMut::new();
    field(&mut message, 1, &svid);
    let mut framed = BytesMut::new();
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).expect("a short message"));
    framed.put(message);
    framed.freeze()
}

/// Bytes of a message of protobuf, with the number of their field and their length.
fn field(message: &mut BytesMut, number: u8, bytes: &[u8]) {
    message.put_u8(number << 3 | 2);
    let mut length = bytes.len();
    while length > 0x7f {
        message.put_u8(0x80 | u8::try_from(length & 0x7f).unwrap_or_default());
        length >>= 7;
    }
    message.put_u8(u8::try_from(length).unwrap_or_default());
    message.put_slice(bytes);
}
