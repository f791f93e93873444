//! The server's end of a connection of HTTP/2: its streams, each with a task of its own, and its end.
//!
//! Never answers a stream that its client has given up, and never ends one that is under way because of another.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::server::{self, Connection as Library, SendResponse};
use h2::{Reason, RecvStream};
use http::header::CONTENT_LENGTH;
use http::{HeaderValue, Method, Request, Response};
use http_body::Body as _;
use tokio::time::{Sleep, sleep};

use super::bootstrap::Bootstrap;
use super::calm::Calm;
use super::overdue::Watch;
use super::serve::{Answer, Connection, Ended, Graceful, MOST_STREAMS, answer};
use super::tunnel::Outgoing;
use super::two::{Pulse, Pump};
use super::{Body, Received, head};
use crate::metrics::Direction;
use crate::session::Session;

/// What may be under way to this proxy on one stream.
const PEER_WINDOW: u32 = 128 * 1024;
const WINDOW: u32 = 64 * 1024;
/// Of requests.
const HEAD_BYTES: u32 = 64 * 1024;
/// Of answers that wait for room, of one stream.
const SEND_BYTES: usize = 64 * 1024;

/// A client has this long to make room for an answer of this proxy itself: some words, which no limit of a request is over.
const OWN_PATIENCE: Duration = Duration::from_secs(5);

/// A connection while it is served.
pub(super) struct Streams {
    state: State,
    connection: Arc<Connection>,
    pulse: Arc<Pulse>,
}

enum State {
    Beginning(Box<server::Handshake<Calm, Bytes>>),
    Serving {
        library: Box<Library<Calm, Bytes>>,
        /// Resolves when the client is gone without a word.
        gone: Pin<Box<dyn Future<Output = ()> + Send>>,
    },
    Over,
}

impl Streams {
    pub(super) fn new(stream: Calm, connection: &Arc<Connection>) -> Self {
        let handshake = builder(&connection.session).handshake(stream);
        Self {
            state: State::Beginning(Box::new(handshake)),
            connection: Arc::clone(connection),
            pulse: Arc::default(),
        }
    }

    fn begin(&self, request: Request<RecvStream>, respond: SendResponse<Bytes>) {
        self.pulse.hear();
        let is_head = request.method() == Method::HEAD;
        let (mut parts, stream) = request.into_parts();
        Bootstrap::translate(&mut parts);
        let body = Received::streamed(stream, &parts.headers, &self.pulse);
        let request = Request::from_parts(parts, body);
        let stream = Stream {
            state: Step::Asked(answer(&self.connection, request)),
            respond,
            is_head,
            under_way: Some(UnderWay::new(&self.pulse)),
            patience: None,
        };
        tokio::spawn(async move {
            let mut stream = pin!(Some(stream));
            let mut watch = Watch::default();
            std::future::poll_fn(|cx| watch.poll(stream.as_mut(), cx)).await;
        });
    }
}

/// The window of a connection has room for all of its streams, so that none which stalls stops the others; only a stranger
/// must do with one.
fn builder(session: &Session) -> server::Builder {
    let (stream, connection) = match (session.direction, &session.peer) {
        (Direction::Inbound, Some(_)) => (PEER_WINDOW, PEER_WINDOW * MOST_STREAMS),
        (Direction::Inbound, None) => (WINDOW, WINDOW),
        (Direction::Outbound, _) => (WINDOW, WINDOW * MOST_STREAMS),
    };
    let mut builder = server::Builder::new();
    builder
        .max_concurrent_streams(MOST_STREAMS)
        .max_header_list_size(HEAD_BYTES)
        .max_send_buffer_size(SEND_BYTES)
        .enable_connect_protocol()
        .initial_window_size(stream)
        .initial_connection_window_size(connection);
    builder
}

impl Future for Streams {
    type Output = Result<(), Ended>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            match &mut this.state {
                State::Beginning(handshake) => {
                    let library = ready!(Pin::new(handshake.as_mut()).poll(cx));
                    let mut library = Box::new(library.map_err(Ended::Two)?);
                    let gone = Arc::clone(&this.pulse).stops(library.ping_pong());
                    let gone = Box::pin(gone);
                    this.state = State::Serving { library, gone };
                }
                State::Serving { library, gone } => {
                    if gone.as_mut().poll(cx).is_ready() {
                        tracing::debug!("a client is gone without a word");
                        return Poll::Ready(Ok(()));
                    }
                    match ready!(library.poll_accept(cx)) {
                        Some(Ok((request, respond))) => this.begin(request, respond),
                        Some(Err(why)) => return Poll::Ready(Err(Ended::Two(why))),
                        None => return Poll::Ready(Ok(())),
                    }
                }
                State::Over => return Poll::Ready(Ok(())),
            }
        }
    }
}

impl Graceful for Streams {
    const ONLY_WITH_AN_ANSWER: bool = false;

    fn drain(mut self: Pin<&mut Self>) {
        match &mut self.state {
            State::Beginning(_) => self.state = State::Over,
            State::Serving { library, .. } => library.graceful_shutdown(),
            State::Over => {}
        }
    }
}

/// One request, until its answer has been sent.
struct Stream {
    state: Step,
    respond: SendResponse<Bytes>,
    /// Its answer has a head only.
    is_head: bool,
    under_way: Option<UnderWay>,
    /// Until when its reader has time, where nothing else watches over its answer and there was no room at once.
    patience: Option<Pin<Box<Sleep>>>,
}

enum Step {
    Asked(Answer),
    Answering(Pump<Body>),
    /// This proxy's own words.
    Refusing(Pump<Body>),
}

impl Future for Stream {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        loop {
            match &mut this.state {
                Step::Answering(pump) => return Pin::new(pump).poll(cx),
                Step::Refusing(pump) => {
                    if Pin::new(pump).poll(cx).is_ready() {
                        return Poll::Ready(());
                    }
                    let patience = || Box::pin(sleep(OWN_PATIENCE));
                    let patience = this.patience.get_or_insert_with(patience);
                    // The stream is reset with what has not been sent.
                    return patience.as_mut().poll(cx);
                }
                Step::Asked(answer) => {
                    let Poll::Ready(response) = answer.as_mut().poll(cx) else {
                        // Whoever gives a request up does not wait for what becomes of it.
                        return this.respond.poll_reset(cx).map(|_| ());
                    };
                    let own = matches!(response.body(), Body::Own(_));
                    match (this.answer(response), own) {
                        (Some(pump), false) => this.state = Step::Answering(pump),
                        (Some(pump), true) => this.state = Step::Refusing(pump),
                        (None, _) => return Poll::Ready(()),
                    }
                }
            }
        }
    }
}

impl Stream {
    /// Sends the head; what sends the body, where there is one.
    fn answer(&mut self, response: Response<Body>) -> Option<Pump<Body>> {
        let (mut parts, body) = response.into_parts();
        // Also what a filter has put there.
        head::response(&mut parts.headers);
        let is_tunnel = matches!(body, Body::Tunnel(_));
        let mut ended = body.is_end_stream() && !is_tunnel;
        if let Some(length) = body.size_hint().exact().filter(|_| !ended && !is_tunnel) {
            let length = || HeaderValue::from(length);
            parts.headers.entry(CONTENT_LENGTH).or_insert_with(length);
        }
        ended |= self.is_head;
        match self
            .respond
            .send_response(Response::from_parts(parts, ()), ended)
        {
            Ok(stream) => match (body, self.under_way.take()) {
                (Body::Tunnel(handover), Some(under_way)) => {
                    // Where nobody takes it any more the stream is reset.
                    drop(handover.send(Outgoing { stream, under_way }));
                    None
                }
                (body, under_way) => {
                    self.under_way = under_way;
                    (!ended).then(|| Pump::answer(body, stream))
                }
            },
            Err(why) => {
                tracing::debug!(%why, "no answer was sent");
                self.respond.send_reset(Reason::INTERNAL_ERROR);
                None
            }
        }
    }
}

/// Counts as a request for as long as it lives.
#[derive(Debug)]
pub(super) struct UnderWay(Arc<Pulse>);

impl UnderWay {
    fn new(pulse: &Arc<Pulse>) -> Self {
        pulse.streams.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(pulse))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Ordering::Relaxed);
    }
}
