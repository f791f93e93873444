//! What this side says on its streams.
//!
//! Never holds more than a bound of what it is given: who sends a body waits until there is room for it.

use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};

use super::frame::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, LARGEST_WINDOW, MOST_BYTES,
};
use super::head::{RequestHead, write_request, write_response, write_trailers};
use super::reason::{Error, Reason};
use super::state::{Role, State, Streams};
use super::stream::{Stream, remember};

/// Of all bodies of a connection in one turn.
const MOST_DATA: usize = 256 * 1024;
/// Of one of them.
const SHARE: usize = 64 * 1024;

const LIST: (u8, u8) = (HEADERS, CONTINUATION);

impl State {
    /// How many streams a client may have under way; `None`: it can begin no more.
    pub(super) fn most(&self) -> Option<usize> {
        let over = self.error.is_some() || self.going.is_some() || self.last > LARGEST_WINDOW - 2;
        (!over).then(|| self.most_streams.min(self.limits.streams))
    }

    /// Begins a request, which as many handles have to do with.
    pub(super) fn begin(
        &mut self,
        head: &RequestHead<'_>,
        ended: bool,
        handles: u8,
    ) -> Result<u32, Error> {
        if self.most().is_none() {
            return Err(self.error.unwrap_or(Error::Unprocessed));
        }
        let id = match self.last {
            0 => 1,
            last => last + 2,
        };
        self.last = id;
        let mut stream = Stream::new(self.limits.stream_window, self.initial_window, handles);
        stream.is_head = *head.method == Method::HEAD;
        stream.accepted = true;
        stream.sent_head = true;
        stream.sent_all = ended;
        self.streams.insert(id, stream);
        self.open += 1;
        let encoder = &mut self.encoder;
        self.out.block(LIST, (end(ended), END_HEADERS), id, |out| {
            write_request(head, encoder, out);
        });
        self.ring();
        Ok(id)
    }

    /// Sends the head of a response.
    pub(super) fn respond(
        &mut self,
        id: u32,
        status: StatusCode,
        headers: &HeaderMap,
        ended: bool,
    ) -> Result<(), Error> {
        let stream = writable(&mut self.streams, self.error, id)?;
        stream.sent_head = true;
        stream.sent_all = ended;
        let encoder = &mut self.encoder;
        self.out.block(LIST, (end(ended), END_HEADERS), id, |out| {
            write_response(status, headers, encoder, out);
        });
        self.ring();
        self.settle(id);
        Ok(())
    }

    /// Sends trailers, and with them the end.
    pub(super) fn send_trailers(&mut self, id: u32, trailers: &HeaderMap) -> Result<(), Error> {
        writable(&mut self.streams, self.error, id)?.sent_all = true;
        let encoder = &mut self.encoder;
        self.out.block(LIST, (END_STREAM, END_HEADERS), id, |out| {
            write_trailers(trailers, encoder, out);
        });
        self.ring();
        self.settle(id);
        Ok(())
    }

    /// Nothing follows on a stream.
    pub(super) fn send_end(&mut self, id: u32) -> Result<(), Error> {
        writable(&mut self.streams, self.error, id)?.sent_all = true;
        self.out.frame(DATA, END_STREAM, id, &[]);
        self.ring();
        self.settle(id);
        Ok(())
    }

    /// Sends as much of a body, of which there is some, as there is room for; ready when that is all of it.
    pub(super) fn poll_data(
        &mut self,
        id: u32,
        data: &mut Bytes,
        last: bool,
        cx: &Context<'_>,
    ) -> Poll<Result<(), Error>> {
        let stream = match writable(&mut self.streams, self.error, id) {
            Ok(stream) => stream,
            Err(why) => return Poll::Ready(Err(why)),
        };
        if stream.share.0 != self.outbox {
            stream.share = (self.outbox, 0);
        }
        while !data.is_empty() {
            let room = self.window.min(stream.window).max(0);
            let room = usize::try_from(room).unwrap_or(usize::MAX);
            let length = data.len().min(MOST_BYTES).min(room);
            let full = self.out.data() >= MOST_DATA || stream.share.1 >= SHARE;
            if length == 0 || full {
                return self.wait(id, cx);
            }
            let sent = i64::try_from(length).unwrap_or(i64::MAX);
            stream.window -= sent;
            self.window -= sent;
            stream.share.1 += length;
            let ends = last && length == data.len();
            self.out.data_frame(end(ends), id, data.split_to(length));
        }
        stream.sent_all = last;
        self.ring();
        self.settle(id);
        Poll::Ready(Ok(()))
    }

    /// Waits until a stream may send more, behind those that have sent less.
    fn wait(&mut self, id: u32, cx: &Context<'_>) -> Poll<Result<(), Error>> {
        self.ring();
        if let Some(stream) = self.streams.get_mut(&id) {
            remember(&mut stream.writer, cx);
            if stream.window > 0 && !std::mem::replace(&mut stream.waits, true) {
                let fed = stream.share.1 > 0;
                let queue = if fed { &mut self.fed } else { &mut self.hungry };
                queue.push(id);
            }
        }
        Poll::Pending
    }

    /// One of those who have to do with a stream has no more to do with it.
    pub(super) fn leave(&mut self, id: u32) {
        let role = self.role;
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        stream.handles = stream.handles.saturating_sub(1);
        if stream.handles > 0 {
            return;
        }
        if stream.closed {
            return self.settle(id);
        }
        // Who has had the whole answer needs no more of the request (RFC 9113 8.1).
        let reason = match role {
            Role::Server if stream.sent_all => Reason::NO_ERROR,
            _ => Reason::CANCEL,
        };
        self.reset(id, reason, Error::Closed);
    }

    /// Nobody reads what comes on a stream any more.
    pub(super) fn read_no_more(&mut self, id: u32) {
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.unread = true;
            stream.reader = None;
            let unread = stream.clear();
            self.give_back(unread);
        }
        self.leave(id);
    }
}

fn writable(streams: &mut Streams, over: Option<Error>, id: u32) -> Result<&mut Stream, Error> {
    let stream = streams.get_mut(&id).ok_or(over.unwrap_or(Error::Closed))?;
    match stream.error {
        Some(why) => Err(why),
        None if stream.sent_all => Err(Error::Closed),
        None => Ok(stream),
    }
}

fn end(ended: bool) -> u8 {
    if ended { END_STREAM } else { 0 }
}
