//! One connection to meshd: socket, TLS, HTTP/2, and what broke it.
//!
//! Never outlives its owner: the task that drives it ends when the link is dropped.

use std::error::Error as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tonic::body::Body;
use tonic::{Code, Status};

use super::error::{ClientError, said};
use super::patience::Patience;
use super::watched::{Broken, Fault, Watched};
use crate::bounds;
use crate::generated::delivery_client::DeliveryClient;
use crate::message::Denied;
use crate::server::ALPN;

/// For the reason to come after a call has failed.
const REASON: Duration = Duration::from_secs(1);
/// What meshd may send ahead of what is read. Small, so that on a link of 1 KiB/s an answer to a ping is not behind more
/// than it may take; on every other link a frame of a change fits.
const STREAM_WINDOW: u32 = 16 << 10;
/// What HTTP/2 begins with.
const CONNECTION_WINDOW: u32 = 64 << 10;

#[derive(Debug)]
pub(crate) struct Link {
    address: String,
    client: DeliveryClient<Requests>,
    driver: JoinHandle<()>,
    fault: Fault,
}

/// HTTP/2 requests, in the shape that the generated client calls.
#[derive(Debug, Clone)]
pub(super) struct Requests(http2::SendRequest<Body>);

impl tower_service::Service<http::Request<Body>> for Requests {
    type Response = http::Response<Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}

impl Link {
    pub(crate) async fn open(
        address: &str,
        tls: &ClientConfig,
        server_name: &str,
        patience: &Patience,
    ) -> Result<Self, ClientError> {
        let malformed = || ClientError::Name {
            name: server_name.to_owned(),
        };
        let name = ServerName::try_from(server_name.to_owned()).map_err(|_| malformed())?;
        let origin = http::Uri::builder()
            .scheme("https")
            .authority(server_name)
            .path_and_query("/");
        let origin = origin.build().map_err(|_| malformed())?;

        let fault = Fault::default();
        let broken = |broken: &Broken| explain(address, broken);
        let socket = within(patience.connect, TcpStream::connect(address)).await;
        let socket = socket.map_err(|error| broken(&error))?;
        // Acknowledgements are small and waited for.
        let _ = socket.set_nodelay(true);
        let connector = TlsConnector::from(Arc::new(configured(tls)));
        let stream = within(
            patience.handshake,
            Box::pin(connector.connect(name, socket)),
        )
        .await;
        let stream = stream.map_err(|error| broken(&error))?;
        if stream.get_ref().1.alpn_protocol() != Some(ALPN) {
            let reason = "the server speaks another protocol".to_owned();
            return Err(broken(&Broken::Tls(reason)));
        }
        let stream = TokioIo::new(Watched::new(stream, fault.clone()));
        let mut http = http2::Builder::new(TokioExecutor::new());
        http.timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .keep_alive_interval(patience.ping)
            .keep_alive_timeout(patience.pong)
            .keep_alive_while_idle(true);
        // Boxed for its size, which would be in every future of a caller.
        let opened = Box::pin(http.handshake(stream));
        let opened = within(patience.handshake, async {
            opened.await.map_err(io::Error::other)
        })
        .await;
        let (requests, connection) =
            opened.map_err(|error| broken(fault.seen().unwrap_or(&error)))?;
        let seen = fault.clone();
        let driver = tokio::spawn(async move {
            if let Err(error) = connection.await {
                seen.note_words(&error);
            }
        });
        let client = DeliveryClient::with_origin(Requests(requests), origin)
            .max_decoding_message_size(bounds::TO_PROXY);
        Ok(Self {
            address: address.to_owned(),
            client,
            driver,
            fault,
        })
    }

    pub(super) fn client(&mut self) -> &mut DeliveryClient<Requests> {
        &mut self.client
    }

    /// Why a call failed that meshd should have answered.
    pub(super) async fn explain(&mut self, status: &Status) -> ClientError {
        if status.source().is_none() {
            return said(status);
        }
        // The connection broke. Under TLS 1.3 a refused certificate looks like that, until the alert has been read.
        if !self.driver.is_finished() {
            let _ = timeout(REASON, &mut self.driver).await;
        }
        match self.fault.seen() {
            Some(broken) => explain(&self.address, broken),
            None => self.silent("it closed the connection"),
        }
    }

    /// Why a session ended that was open.
    pub(super) async fn explain_end(&mut self, status: &Status) -> ClientError {
        match self.explain(status).await {
            ClientError::Unreachable { reason, .. }
            | ClientError::Refused(Denied::Unavailable(reason)) => ClientError::Ended(reason),
            ClientError::Refused(Denied::Invalid(reason)) if status.code() == Code::OutOfRange => {
                ClientError::Protocol(reason)
            }
            other => other,
        }
    }

    pub(super) fn silent(&self, reason: &str) -> ClientError {
        explain(&self.address, &Broken::Socket(reason.to_owned()))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// A resumed connection would be trusted for what was valid once.
fn configured(tls: &ClientConfig) -> ClientConfig {
    let mut tls = tls.clone();
    tls.alpn_protocols = vec![ALPN.to_vec()];
    tls.resumption = Resumption::disabled();
    tls.enable_early_data = false;
    tls
}

async fn within<T>(
    deadline: Duration,
    step: impl Future<Output = io::Result<T>>,
) -> Result<T, Broken> {
    match timeout(deadline, step).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(Broken::from(&error)),
        Err(_) => Err(Broken::Socket(format!(
            "no answer within {} s",
            deadline.as_secs()
        ))),
    }
}

fn explain(address: &str, broken: &Broken) -> ClientError {
    let address = address.to_owned();
    match broken.clone() {
        Broken::Tls(reason) => ClientError::Tls { address, reason },
        Broken::Socket(reason) => ClientError::Unreachable { address, reason },
    }
}
