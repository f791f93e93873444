//! The proxy's end of the wire: enrolment, and a session that gives [`Event`]s.
//!
//! Never reconnects by itself, and never waits without an end for a meshd that is dead: the proxy decides when to try
//! again, and goes on with what it has meanwhile.

mod connect;
mod error;
mod patience;
mod watched;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::ClientConfig;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use crate::generated as wire;
use crate::message::{Enrolled, Enrollment, FromProxy, Received, ToProxy};
use crate::subscriber::{Event, Misplaced, Step, Subscriber};
pub(crate) use connect::Link;

pub use error::ClientError;
pub(crate) use patience::Patience;

/// For a message to leave: longer than it takes to notice that meshd is dead.
const LEAVE: Duration = Duration::from_secs(30);
/// Messages on their way out: a proxy says little.
const QUEUE: usize = 16;

/// Trades a join token for a control certificate.
///
/// `tls` decides whether the server is trusted; `server_name` is what its certificate must be for.
///
/// # Errors
/// See [`ClientError`].
pub async fn enroll(
    address: &str,
    tls: Arc<ClientConfig>,
    server_name: &str,
    request: Enrollment,
) -> Result<Enrolled, ClientError> {
    let patience = Patience::default();
    let mut link = Link::open(address, &tls, server_name, &patience).await?;
    let call = link.client().enroll(wire::EnrollRequest::from(request));
    let Ok(answered) = timeout(patience.answer, Box::pin(call)).await else {
        return Err(link.silent("the enrolment was not answered"));
    };
    match answered {
        Ok(response) => Ok(response.into_inner().try_into()?),
        Err(status) => Err(link.explain(&status).await),
    }
}

/// A session with meshd. It is over when it is dropped, or when [`Session::next`] returns an error.
#[derive(Debug)]
pub struct Session {
    link: Link,
    inbound: Streaming<wire::ToProxy>,
    sender: Sender,
    /// A refusal that meshd has not been sent yet.
    refusal: Option<FromProxy>,
}

/// Sends what the proxy has to say, from any task.
#[derive(Debug, Clone)]
pub struct Sender {
    queue: mpsc::Sender<FromProxy>,
    subscriber: Arc<Mutex<Subscriber>>,
}

/// Why a message was not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsent {
    /// The session is over.
    #[error("the session is over")]
    Over,
    /// meshd takes nothing.
    #[error("meshd takes no messages")]
    Stalled,
    /// It makes no sense now.
    #[error(transparent)]
    Misplaced(#[from] Misplaced),
}

impl Session {
    /// Opens a session: meshd has admitted the proxy when this returns. `held` is what the proxy holds already; when it
    /// is what is wanted, no configuration follows.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn open(
        address: &str,
        tls: Arc<ClientConfig>,
        server_name: &str,
        version: &str,
        held: Option<Received>,
    ) -> Result<Self, ClientError> {
        let patience = Patience::default();
        let link = Link::open(address, &tls, server_name, &patience).await?;
        Self::begin(link, &patience, version, held).await
    }

    pub(crate) async fn begin(
        mut link: Link,
        patience: &Patience,
        version: &str,
        held: Option<Received>,
    ) -> Result<Self, ClientError> {
        let subscriber = Subscriber::new(held);
        let (queue, messages) = mpsc::channel(QUEUE);
        // It is the first in a queue of many.
        let _ = queue.try_send(FromProxy::Hello(subscriber.hello(version)));
        let outgoing = ReceiverStream::new(messages).map(wire::FromProxy::from);
        let call = Box::pin(link.client().session(outgoing));
        let Ok(opened) = timeout(patience.answer, call).await else {
            return Err(link.silent("the hello was not answered"));
        };
        match opened {
            Ok(response) => Ok(Self {
                link,
                inbound: response.into_inner(),
                sender: Sender {
                    queue,
                    subscriber: Arc::new(Mutex::new(subscriber)),
                },
                refusal: None,
            }),
            Err(status) => Err(link.explain(&status).await),
        }
    }

    /// What happens next. May be dropped and called again: nothing is lost.
    ///
    /// # Errors
    /// The session is over. [`ClientError::Ended`]: it was in order until then; everything else is as for
    /// [`Session::open`].
    pub async fn next(&mut self) -> Result<Event, ClientError> {
        loop {
            self.refuse().await?;
            let message = match self.inbound.message().await {
                Ok(Some(message)) => ToProxy::try_from(message)?,
                Ok(None) => return Err(ClientError::Ended("meshd ended the session".to_owned())),
                Err(status) => return Err(self.link.explain_end(&status).await),
            };
            match self.sender.subscriber().receive(message)? {
                Step::Wait => {}
                Step::Tell(event) => return Ok(event),
                Step::Refuse(refusal) => self.refusal = Some(refusal),
            }
        }
    }

    /// For everything that the proxy says, [`FromProxy::Ack`] and [`FromProxy::Nack`] included.
    #[must_use]
    pub fn sender(&self) -> Sender {
        self.sender.clone()
    }

    async fn refuse(&mut self) -> Result<(), ClientError> {
        if self.refusal.is_none() {
            return Ok(());
        }
        let over = |_| ClientError::Ended("meshd takes no messages".to_owned());
        let place = timeout(LEAVE, self.sender.queue.reserve()).await;
        let place = place
            .map_err(over)?
            .map_err(|_| ClientError::Ended("the session is over".to_owned()))?;
        if let Some(refusal) = self.refusal.take() {
            place.send(refusal);
        }
        Ok(())
    }
}

impl Sender {
    /// Sends one message. An answer to a configuration counts from the moment that this returns.
    ///
    /// # Errors
    /// See [`Unsent`].
    pub async fn send(&self, message: FromProxy) -> Result<(), Unsent> {
        let place = timeout(LEAVE, self.queue.reserve()).await;
        let place = place
            .map_err(|_| Unsent::Stalled)?
            .map_err(|_| Unsent::Over)?;
        self.subscriber().send(&message)?;
        place.send(message);
        Ok(())
    }

    pub(crate) fn subscriber(&self) -> std::sync::MutexGuard<'_, Subscriber> {
        // Its methods leave it whole or take nothing.
        let locked = self.subscriber.lock();
        locked.unwrap_or_else(PoisonError::into_inner)
    }
}
