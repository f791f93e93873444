//! Bodies on their way through: each frame is handed on as it comes, and noticed.
//!
//! Never ends a body cleanly that its sender has not ended.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::mpsc;

use super::ending::Ending;
use super::overdue;
use super::pace::Pace;
use super::received::Received;
use super::recorded::Reading;
use super::timers::Watchdog;
use super::tunnel::Handover;
use crate::http2;
use crate::refusal::Refusal;
use crate::tcp::Activity;
use crate::upstream::{Lease, Place};

/// Frames of a mirrored body that its backend has not taken yet; when there are more, the copy is given up.
pub(super) const MIRRORED_FRAMES: usize = 64;

/// Why a body ends early. What the other side sees of it is a reset.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error("{}", .0.row().label)]
    Refused(Refusal),
    #[error(transparent)]
    One(hyper::Error),
    #[error("the stream was cut")]
    Two(#[source] http2::Error),
    #[error("the copy was given up")]
    Copy,
}

/// What a client is answered.
#[derive(Debug)]
pub(crate) enum Body {
    /// From this proxy.
    Own(Option<Bytes>),
    /// From nobody: what follows on the stream is no body.
    Tunnel(Handover),
    /// From an upstream.
    Answer(Box<Answered>),
}

/// A response of an upstream, and all that ends with it.
pub(crate) struct Answered {
    inner: Received,
    /// Until somebody looks after it who is asked more often.
    watchdog: Option<Watchdog>,
    activity: Arc<Activity>,
    lease: Option<Lease>,
    ending: Ending,
    pace: Option<Pace>,
    /// Of a request that is under way.
    _place: Place,
    done: bool,
}

/// What is counted of a request until its response has ended.
pub(super) struct Counted {
    pub(super) ending: Ending,
    pub(super) place: Place,
}

/// What an upstream is sent.
#[derive(Debug)]
pub(crate) enum RequestBody {
    Empty,
    /// The client's.
    Stream {
        inner: Received,
        activity: Arc<Activity>,
        copy: Option<mpsc::Sender<Option<Frame<Bytes>>>>,
    },
    /// One of the others, which can perhaps be sent again.
    Recorded(Reading),
    /// A copy of the client's; `None` is its end.
    Copy(mpsc::Receiver<Option<Frame<Bytes>>>),
}

impl Body {
    pub(super) fn answer(
        inner: Received,
        watchdog: Watchdog,
        activity: Arc<Activity>,
        lease: Lease,
        Counted { ending, place }: Counted,
        pace: Option<Pace>,
    ) -> Self {
        Self::Answer(Box::new(Answered {
            inner,
            watchdog: Some(watchdog),
            activity,
            lease: Some(lease),
            ending,
            pace,
            _place: place,
            done: false,
        }))
    }
}

impl fmt::Debug for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answered")
            .field("lease", &self.lease)
            .field("done", &self.done)
            .finish_non_exhaustive()
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match self.get_mut() {
            Self::Own(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
            Self::Tunnel(_) => Poll::Ready(None),
            Self::Answer(answered) => answered.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(text) => text.is_none(),
            Self::Tunnel(_) => true,
            Self::Answer(answered) => answered.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(text) => {
                let length = text.as_ref().map_or(0, Bytes::len);
                SizeHint::with_exact(u64::try_from(length).unwrap_or(u64::MAX))
            }
            Self::Tunnel(_) => SizeHint::with_exact(0),
            Self::Answer(answered) => answered.size_hint(),
        }
    }
}

impl Answered {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.watchdog = self.watchdog.take().and_then(overdue::watch);
        if let Some(refusal) = overdue::due() {
            return self.cut(refusal);
        }
        let Poll::Ready(frame) = self.poll_paced(cx) else {
            let Some(watchdog) = &mut self.watchdog else {
                return Poll::Pending;
            };
            let refusal = ready!(Pin::new(watchdog).poll(cx));
            return self.cut(refusal);
        };
        match &frame {
            Some(Ok(frame)) => {
                self.activity.touch();
                self.activity.send(length(frame));
                if let Some(trailers) = frame.trailers_ref() {
                    self.ending.closes(trailers);
                }
            }
            Some(Err(_)) => self.ending.cut(Refusal::Closed),
            None => self.done = true,
        }
        Poll::Ready(frame)
    }

    fn cut(&mut self, refusal: Refusal) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.ending.tell(refusal);
        Poll::Ready(Some(Err(Broken::Refused(refusal))))
    }

    /// What comes next; of a slowed body a piece, when its time has come.
    fn poll_paced(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let Some(pace) = &mut self.pace else {
            return Pin::new(&mut self.inner).poll_frame(cx);
        };
        loop {
            if let Some(piece) = ready!(pace.poll_piece(cx)) {
                return Poll::Ready(Some(Ok(Frame::data(piece))));
            }
            match ready!(Pin::new(&mut self.inner).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    // An empty frame has nothing to wait for.
                    Ok(data) => pace.begin(data),
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                ended => return Poll::Ready(ended),
            }
        }
    }

    fn held(&self) -> usize {
        self.pace.as_ref().map_or(0, Pace::left)
    }

    fn is_end_stream(&self) -> bool {
        self.held() == 0 && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let held = u64::try_from(self.held()).unwrap_or(u64::MAX);
        let inner = self.inner.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(inner.lower().saturating_add(held));
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper.saturating_add(held));
        }
        hint
    }
}

impl Drop for Answered {
    fn drop(&mut self) {
        if let Some(refusal) = overdue::due() {
            self.ending.tell(refusal);
        }
        overdue::over();
        // Whoever reads it may know the length, and need not ask for the end.
        if self.done || self.is_end_stream() {
            self.ending.complete();
            if let Some(lease) = self.lease.take() {
                lease.finish();
            }
        }
    }
}

impl RequestBody {
    /// Of this proxy's own.
    pub(crate) fn own(bytes: Bytes) -> Self {
        let (sender, receiver) = mpsc::channel(2);
        for frame in [Some(Frame::data(bytes)), None] {
            // There is room for both.
            drop(sender.try_send(frame));
        }
        Self::Copy(receiver)
    }

    pub(super) fn stream(
        inner: Received,
        activity: &Arc<Activity>,
        copy: Option<mpsc::Sender<Option<Frame<Bytes>>>>,
    ) -> Self {
        match inner.is_end_stream() {
            true => {
                activity.request_ended();
                Self::Empty
            }
            false => Self::Stream {
                inner,
                activity: Arc::clone(activity),
                copy,
            },
        }
    }
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            Self::Stream {
                inner,
                activity,
                copy,
            } => {
                let frame = ready!(Pin::new(&mut *inner).poll_frame(cx));
                activity.touch();
                match &frame {
                    Some(Ok(frame)) => {
                        activity.receive(length(frame));
                        // Whoever sends it on may know that, and need not ask for the end.
                        if inner.is_end_stream() {
                            activity.request_ended();
                        }
                    }
                    Some(Err(_)) => activity.break_off(),
                    None => activity.request_ended(),
                }
                mirror(copy, frame.as_ref());
                Poll::Ready(frame)
            }
            Self::Recorded(reading) => reading.poll_frame(cx),
            Self::Copy(frames) => match ready!(frames.poll_recv(cx)) {
                Some(Some(frame)) => Poll::Ready(Some(Ok(frame))),
                Some(None) => Poll::Ready(None),
                None => Poll::Ready(Some(Err(Broken::Copy))),
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            // The end of a copied body must be seen, or the copy would not end.
            Self::Stream { inner, copy, .. } => copy.is_none() && inner.is_end_stream(),
            Self::Copy(_) => false,
            Self::Recorded(reading) => reading.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Stream { inner, .. } => inner.size_hint(),
            Self::Copy(_) => SizeHint::default(),
            Self::Recorded(reading) => reading.size_hint(),
        }
    }
}

fn length(frame: &Frame<Bytes>) -> usize {
    frame.data_ref().map_or(0, Bytes::len)
}

/// Gives a frame to the copy, which must never slow the original down.
fn mirror(
    copy: &mut Option<mpsc::Sender<Option<Frame<Bytes>>>>,
    frame: Option<&Result<Frame<Bytes>, Broken>>,
) {
    let Some(sender) = copy else { return };
    let copied = match frame {
        None => Some(None),
        Some(Ok(frame)) => frame
            .data_ref()
            .map(|data| Some(Frame::data(data.clone())))
            .or_else(|| {
                let trailers = frame.trailers_ref().cloned();
                trailers.map(|trailers| Some(Frame::trailers(trailers)))
            }),
        Some(Err(_)) => None,
    };
    let kept = copied.is_some_and(|copied| sender.try_send(copied).is_ok());
    if !kept || frame.is_none() {
        *copy = None;
    }
}
