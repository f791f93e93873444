//! One stream, for those who have to do with it.
//!
//! Never leaves a stream open that nobody has to do with any more: it is reset.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};

use super::core::Core;
use super::frame::MOST_BYTES;
use super::reason::{Error, Reason};
use super::stream::remember;

/// One of those who have to do with a stream.
#[derive(Debug)]
pub(super) struct Handle {
    pub(super) core: Arc<Core>,
    pub(super) id: u32,
    /// What comes is for it.
    reads: bool,
}

impl Handle {
    pub(super) fn new(core: &Arc<Core>, id: u32, reads: bool) -> Self {
        Self {
            core: Arc::clone(core),
            id,
            reads,
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut state = self.core.lock();
        match self.reads {
            true => state.read_no_more(self.id),
            false => state.leave(self.id),
        }
    }
}

/// The answer to a request, before it has come.
#[derive(Debug)]
pub(crate) struct Answer(Option<Handle>);

impl Answer {
    pub(super) fn new(handle: Handle) -> Self {
        Self(Some(handle))
    }

    pub(crate) fn poll(&mut self, cx: &Context<'_>) -> Poll<Result<Response<RecvStream>, Error>> {
        let Some(handle) = &self.0 else {
            return Poll::Pending;
        };
        let head = {
            let mut state = handle.core.lock();
            let gone = state.error.unwrap_or(Error::Closed);
            let Some(stream) = state.streams.get_mut(&handle.id) else {
                return Poll::Ready(Err(gone));
            };
            match (stream.head.take(), stream.error) {
                (Some(head), _) => *head,
                (None, Some(why)) => return Poll::Ready(Err(why)),
                (None, None) => {
                    remember(&mut stream.reader, cx);
                    return Poll::Pending;
                }
            }
        };
        let Some(handle) = self.0.take() else {
            return Poll::Pending;
        };
        let mut response = Response::new(RecvStream(handle));
        (*response.status_mut(), *response.headers_mut()) = head;
        *response.version_mut() = http::Version::HTTP_2;
        Poll::Ready(Ok(response))
    }
}

/// What comes after a head.
#[derive(Debug)]
pub(crate) struct RecvStream(Handle);

impl RecvStream {
    pub(super) fn new(handle: Handle) -> Self {
        Self(handle)
    }

    /// Nothing more will come, and nothing waits.
    pub(crate) fn is_end_stream(&self) -> bool {
        let state = self.0.core.lock();
        let stream = state.streams.get(&self.0.id);
        stream.is_none_or(|stream| {
            stream.received_all && !stream.has_data() && stream.trailers.is_none()
        })
    }

    /// What comes next of the body. `None` is its end.
    pub(crate) fn poll_data(&mut self, cx: &Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        let id = self.0.id;
        let mut state = self.0.core.lock();
        let gone = state.error.unwrap_or(Error::Closed);
        let Some(stream) = state.streams.get_mut(&id) else {
            return Poll::Ready(Some(Err(gone)));
        };
        match (stream.take(), stream.received_all, stream.error) {
            (Some(data), ..) => {
                // It is on its way to the other side, whose own window holds more back.
                state.has_read(id, data.len());
                Poll::Ready(Some(Ok(data.freeze())))
            }
            (None, true, _) => Poll::Ready(None),
            (None, false, Some(why)) => Poll::Ready(Some(Err(why))),
            (None, false, None) => {
                remember(&mut stream.reader, cx);
                Poll::Pending
            }
        }
    }

    /// What comes after the body, once that has ended.
    pub(crate) fn take_trailers(&mut self) -> Option<HeaderMap> {
        let mut state = self.0.core.lock();
        let stream = state.streams.get_mut(&self.0.id)?;
        stream.trailers.take().map(|trailers| *trailers)
    }
}

/// Where an answer goes.
#[derive(Debug)]
pub(crate) struct Respond(Handle);

impl Respond {
    pub(super) fn new(handle: Handle) -> Self {
        Self(handle)
    }

    /// Sends the head, after which the rest can be sent. `Err`: nobody waits for it any more.
    pub(crate) fn send(
        self,
        status: StatusCode,
        headers: &HeaderMap,
        ended: bool,
    ) -> Result<SendStream, Error> {
        let sent = self
            .0
            .core
            .lock()
            .respond(self.0.id, status, headers, ended);
        sent.map(|()| SendStream(self.0))
    }

    /// Resolves when the other side has given the stream up.
    pub(crate) fn poll_reset(&self, cx: &Context<'_>) -> Poll<()> {
        poll_reset(&self.0, cx)
    }
}

/// What is sent after a head.
#[derive(Debug)]
pub(crate) struct SendStream(Handle);

impl SendStream {
    pub(super) fn new(handle: Handle) -> Self {
        Self(handle)
    }

    /// Sends what is there, which is cut off from it; ready when that was all.
    pub(crate) fn poll_send(
        &mut self,
        data: &mut Bytes,
        last: bool,
        cx: &Context<'_>,
    ) -> Poll<Result<(), Error>> {
        let mut state = self.0.core.lock();
        state.poll_data(self.0.id, data, last, cx)
    }

    /// Sends some of it; how much that was.
    pub(crate) fn poll_write(
        &mut self,
        bytes: &[u8],
        cx: &Context<'_>,
    ) -> Poll<Result<usize, Error>> {
        let length = bytes.len().min(MOST_BYTES);
        let mut left = Bytes::copy_from_slice(bytes.get(..length).unwrap_or_default());
        match self.poll_send(&mut left, false, cx) {
            Poll::Ready(Err(why)) => Poll::Ready(Err(why)),
            Poll::Pending if left.len() == length => Poll::Pending,
            _ => Poll::Ready(Ok(length - left.len())),
        }
    }

    /// Nothing follows.
    pub(crate) fn end(&mut self) -> Result<(), Error> {
        self.0.core.lock().send_end(self.0.id)
    }

    /// Nothing follows but these.
    pub(crate) fn send_trailers(&mut self, trailers: &HeaderMap) -> Result<(), Error> {
        self.0.core.lock().send_trailers(self.0.id, trailers)
    }

    /// Ends the stream before its time.
    pub(crate) fn reset(&mut self, reason: Reason) {
        let mut state = self.0.core.lock();
        state.reset(self.0.id, reason, Error::Closed);
    }

    /// Resolves when the other side has given the stream up. To be asked by the task that sends: one is woken.
    pub(crate) fn poll_reset(&self, cx: &Context<'_>) -> Poll<()> {
        poll_reset(&self.0, cx)
    }
}

fn poll_reset(handle: &Handle, cx: &Context<'_>) -> Poll<()> {
    let mut state = handle.core.lock();
    match state.streams.get_mut(&handle.id) {
        Some(stream) if stream.error.is_none() => {
            remember(&mut stream.writer, cx);
            Poll::Pending
        }
        _ => Poll::Ready(()),
    }
}
