//! The server's end of a connection of HTTP/2: its streams, each with a task of its own, and its end.
//!
//! Never answers a stream that its client has given up, and never ends one that is under way because of another.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::header::CONTENT_LENGTH;
use http::{HeaderValue, Method, Request, Response};
use http_body::Body as _;
use tokio::time::{Sleep, sleep};

use super::answer::{explain, refuse};
use super::bootstrap::Bootstrap;
use super::overdue::Watch;
use super::serve::{Answer, Connection, Ended, Graceful, MOST_STREAMS, answer};
use super::tunnel::Outgoing;
use super::two::{Pulse, Pump};
use super::{Body, Received, head};
use crate::http2::{Begun, Limits, RecvStream, Respond, Server, Unfit};
use crate::metrics::Direction;
use crate::refusal::Refusal;
use crate::session::Session;
use crate::stream;

/// What may be under way to this proxy on one stream.
const PEER_WINDOW: u32 = 128 * 1024;
const WINDOW: u32 = 64 * 1024;
/// Of requests.
const HEAD_BYTES: usize = 64 * 1024;

/// A client has this long to make room for an answer of this proxy itself: some words, which no limit of a request is over.
const OWN_PATIENCE: Duration = Duration::from_secs(5);

/// A connection while it is served.
pub(super) struct Streams {
    server: Server<stream::Stream>,
    /// Resolves when the client is gone without a word.
    gone: Pin<Box<dyn Future<Output = ()> + Send>>,
    connection: Arc<Connection>,
    pulse: Arc<Pulse>,
}

impl Streams {
    pub(super) fn new(stream: stream::Stream, connection: &Arc<Connection>) -> Self {
        let server = Server::new(stream, limits(&connection.session));
        let pulse = Arc::<Pulse>::default();
        Self {
            gone: Box::pin(Arc::clone(&pulse).stops(server.pings())),
            server,
            connection: Arc::clone(connection),
            pulse,
        }
    }

    fn begin(&self, begun: Begun) {
        self.pulse.hear();
        let Begun { request, respond } = begun;
        match request {
            Ok(request) => self.ask(request, respond),
            Err(Unfit::Malformed) => self.refuse(Refusal::BadRequest, respond),
            Err(Unfit::HeadTooLarge) => self.refuse(Refusal::HeadTooLarge, respond),
        }
    }

    fn ask(&self, request: Request<RecvStream>, respond: Respond) {
        let is_head = request.method() == Method::HEAD;
        let (mut parts, stream) = request.into_parts();
        Bootstrap::translate(&mut parts);
        let body = Received::streamed(stream, &parts.headers, &self.pulse);
        let request = Request::from_parts(parts, body);
        self.spawn(answer(&self.connection, request), respond, is_head);
    }

    /// Says no to what is no request.
    fn refuse(&self, refusal: Refusal, respond: Respond) {
        let session = &self.connection.session;
        let table = session.shared.table();
        session.refused(refusal, None, &table);
        let mut response = refuse(refusal, false);
        explain(&mut response, session.note(refusal, None, &table));
        self.spawn(Box::pin(std::future::ready(response)), respond, false);
    }

    fn spawn(&self, answer: Answer, respond: Respond, is_head: bool) {
        let stream = Stream {
            state: Step::Asked(answer, respond),
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
fn limits(session: &Session) -> Limits {
    let (stream_window, connection_window) = match (session.direction, &session.peer) {
        (Direction::Inbound, Some(_)) => (PEER_WINDOW, PEER_WINDOW * MOST_STREAMS),
        (Direction::Inbound, None) => (WINDOW, WINDOW),
        (Direction::Outbound, _) => (WINDOW, WINDOW * MOST_STREAMS),
    };
    Limits {
        stream_window,
        connection_window,
        head_bytes: HEAD_BYTES,
        streams: usize::try_from(MOST_STREAMS).unwrap_or(usize::MAX),
    }
}

impl Future for Streams {
    type Output = Result<(), Ended>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if this.gone.as_mut().poll(cx).is_ready() {
            tracing::debug!("a client is gone without a word");
            return Poll::Ready(Ok(()));
        }
        loop {
            match ready!(this.server.poll_accept(cx)) {
                Some(Ok(begun)) => this.begin(begun),
                Some(Err(why)) => return Poll::Ready(Err(Ended::Two(why))),
                None => return Poll::Ready(Ok(())),
            }
        }
    }
}

impl Graceful for Streams {
    const ONLY_WITH_AN_ANSWER: bool = false;

    fn drain(self: Pin<&mut Self>) {
        self.server.drain();
    }
}

/// One request, until its answer has been sent.
struct Stream {
    state: Step,
    /// Its answer has a head only.
    is_head: bool,
    under_way: Option<UnderWay>,
    /// Until when its reader has time, where nothing else watches over its answer and there was no room at once.
    patience: Option<Pin<Box<Sleep>>>,
}

enum Step {
    Asked(Answer, Respond),
    Answering(Pump<Body>),
    /// This proxy's own words.
    Refusing(Pump<Body>),
    Over,
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
                Step::Asked(answer, respond) => {
                    let Poll::Ready(response) = answer.as_mut().poll(cx) else {
                        // Whoever gives a request up does not wait for what becomes of it.
                        return respond.poll_reset(cx);
                    };
                    if let Step::Asked(_, respond) = std::mem::replace(&mut this.state, Step::Over)
                    {
                        this.state = this.answer(response, respond);
                    }
                }
                Step::Over => return Poll::Ready(()),
            }
        }
    }
}

impl Stream {
    /// Sends the head; what sends the body, where there is one.
    fn answer(&mut self, response: Response<Body>, respond: Respond) -> Step {
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
        let stream = match respond.send(parts.status, &parts.headers, ended) {
            Ok(stream) => stream,
            Err(why) => {
                tracing::debug!(%why, "no answer was sent");
                return Step::Over;
            }
        };
        match body {
            Body::Tunnel(handover) => {
                if let Some(under_way) = self.under_way.take() {
                    // Where nobody takes it any more the stream is reset.
                    drop(handover.send(Outgoing { stream, under_way }));
                }
                Step::Over
            }
            _ if ended => Step::Over,
            Body::Own(_) => Step::Refusing(Pump::new(body, stream)),
            Body::Answer(_) => Step::Answering(Pump::new(body, stream)),
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
