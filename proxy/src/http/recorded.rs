//! A body that can be sent from its beginning again, as long as it is small.
//!
//! Never keeps more than a bound: a body that is longer can only go on.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as _, Frame, SizeHint};

use super::RequestBody;
use super::body::Broken;

/// Of one body. Most requests with a body are smaller; larger ones are uploads, which nobody wants to send twice.
const MOST_BYTES: usize = 64 * 1024;
/// A body of many tiny frames costs more than its bytes.
const MOST_FRAMES: usize = 256;

/// A body, what was read of it, and who reads it.
#[derive(Debug)]
pub(crate) struct Recording(Arc<Mutex<Recorded>>);

#[derive(Debug)]
struct Recorded {
    source: RequestBody,
    size: SizeHint,
    frames: Vec<Piece>,
    /// Bytes that are kept.
    most: usize,
    /// Only until there is an answer.
    briefly: bool,
    bytes: usize,
    /// The source has come to its end.
    ended: bool,
    /// What was read is not kept any more.
    lost: bool,
    /// Of the latest reader: an earlier one must not take what is meant for it.
    reader: u64,
}

#[derive(Debug, Clone)]
enum Piece {
    Data(Bytes),
    Trailers(Box<HeaderMap>),
}

/// One time that the body is sent.
#[derive(Debug)]
pub(crate) struct Reading {
    recorded: Arc<Mutex<Recorded>>,
    reader: u64,
    next: usize,
}

impl Recording {
    /// Of what is read of it, as much is kept as may be. `None`: there is no body.
    pub(super) fn new(source: RequestBody) -> Option<Self> {
        Self::keeping(source, MOST_BYTES, false)
    }

    /// The same until there is an answer, which [`Recording::forget`] is told of.
    pub(crate) fn until_answered(body: RequestBody) -> Option<Self> {
        Self::keeping(body, MOST_BYTES, true)
    }

    /// As it is: of one that nothing is kept of, only the beginning can be had again, as long as nobody has read that.
    pub(crate) fn of(body: RequestBody) -> Option<Self> {
        Self::keeping(body, 0, false)
    }

    fn keeping(source: RequestBody, most: usize, briefly: bool) -> Option<Self> {
        match source {
            RequestBody::Empty => None,
            RequestBody::Recorded(reading) => Some(Self(reading.recorded)),
            source => Some(Self(Arc::new(Mutex::new(Recorded {
                size: source.size_hint(),
                source,
                frames: Vec::new(),
                most,
                briefly,
                bytes: 0,
                ended: false,
                lost: false,
                reader: 0,
            })))),
        }
    }

    /// There is an answer: what is kept for another try of a policy stays, the rest nobody will ask for.
    pub(crate) fn forget(&self) {
        let mut recorded = locked(&self.0);
        if recorded.briefly {
            recorded.lose();
        }
    }

    /// Can it still be sent from its beginning?
    pub(crate) fn is_whole(&self) -> bool {
        !locked(&self.0).lost
    }

    /// The body from its beginning. Whoever read it before gets nothing more of it.
    pub(crate) fn read(&self) -> RequestBody {
        let mut recorded = locked(&self.0);
        recorded.reader += 1;
        RequestBody::Recorded(Reading {
            recorded: Arc::clone(&self.0),
            reader: recorded.reader,
            next: 0,
        })
    }
}

fn locked(recorded: &Mutex<Recorded>) -> MutexGuard<'_, Recorded> {
    recorded.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Reading {
    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let mut recorded = locked(&self.recorded);
        if recorded.reader != self.reader {
            return Poll::Ready(Some(Err(Broken::Copy)));
        }
        if let Some(piece) = recorded.frames.get(self.next) {
            let frame = piece.frame();
            self.next += 1;
            return Poll::Ready(Some(Ok(frame)));
        }
        if recorded.ended {
            return Poll::Ready(None);
        }
        let frame = ready!(Pin::new(&mut recorded.source).poll_frame(cx));
        match &frame {
            None => recorded.ended = true,
            Some(Err(_)) => recorded.lose(),
            Some(Ok(frame)) => {
                recorded.keep(frame);
                self.next = recorded.frames.len();
            }
        }
        Poll::Ready(frame)
    }

    pub(super) fn is_end_stream(&self) -> bool {
        let recorded = locked(&self.recorded);
        let ended = recorded.ended || recorded.source.is_end_stream();
        ended && self.next >= recorded.frames.len()
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        match self.next {
            0 => locked(&self.recorded).size,
            _ => SizeHint::default(),
        }
    }
}

impl Recorded {
    fn keep(&mut self, frame: &Frame<Bytes>) {
        if self.lost {
            return;
        }
        if self.most == 0 {
            return self.lose();
        }
        let data = frame.data_ref().cloned().map(Piece::Data);
        let piece = data.or_else(|| {
            let trailers = frame.trailers_ref()?;
            Some(Piece::Trailers(Box::new(trailers.clone())))
        });
        self.bytes += frame.data_ref().map_or(0, Bytes::len);
        match piece {
            Some(piece) if self.bytes <= self.most && self.frames.len() < MOST_FRAMES => {
                self.frames.push(piece);
            }
            _ => self.lose(),
        }
    }

    fn lose(&mut self) {
        self.lost = true;
        self.frames = Vec::new();
    }
}

impl Piece {
    fn frame(&self) -> Frame<Bytes> {
        match self {
            Self::Data(data) => Frame::data(data.clone()),
            Self::Trailers(trailers) => Frame::trailers(HeaderMap::clone(trailers)),
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use tokio::sync::mpsc;

    use super::*;

    /// A body of these frames.
    fn body(frames: &[usize]) -> Recording {
        let (sender, receiver) = mpsc::channel(1_024);
        for length in frames {
            let data = Frame::data(Bytes::from(vec![b'x'; *length]));
            sender.try_send(Some(data)).unwrap();
        }
        sender.try_send(None).unwrap();
        Recording::new(RequestBody::Copy(receiver)).unwrap()
    }

    async fn length(body: RequestBody) -> Option<usize> {
        Some(body.collect().await.ok()?.to_bytes().len())
    }

    #[tokio::test]
    async fn a_small_body_is_read_again_and_again() {
        let recording = body(&[10, 20, 30]);
        for _ in 0..3 {
            assert!(recording.is_whole());
            assert_eq!(length(recording.read()).await, Some(60));
        }
    }

    #[tokio::test]
    async fn who_breaks_off_leaves_the_whole_to_the_next() {
        let recording = body(&[10, 20]);
        let mut first = recording.read();
        first.frame().await.unwrap().unwrap();
        let second = recording.read();
        assert!(first.frame().await.unwrap().is_err());
        assert_eq!(length(second).await, Some(30));
    }

    #[tokio::test]
    async fn what_is_not_kept_can_be_had_until_it_is_read() {
        let (sender, receiver) = mpsc::channel(1);
        sender
            .try_send(Some(Frame::data(Bytes::from_static(b"x"))))
            .unwrap();
        let recording = Recording::of(RequestBody::Copy(receiver)).unwrap();
        drop(recording.read());
        assert!(recording.is_whole());
        recording.read().frame().await.unwrap().unwrap();
        assert!(!recording.is_whole());
    }

    #[tokio::test]
    async fn a_large_body_is_read_once() {
        for frames in [vec![MOST_BYTES, 1], vec![1; MOST_FRAMES + 1]] {
            let recording = body(&frames);
            assert_eq!(length(recording.read()).await, Some(frames.iter().sum()));
            assert!(!recording.is_whole());
        }
    }
}
