//! What is known of one stream.

use std::collections::VecDeque;
use std::task::{Context, Waker};

use bytes::BytesMut;
use http::{HeaderMap, StatusCode};

use super::reason::Error;

/// What comes in smaller pieces is put together up to this.
const PIECE: usize = 4 * 1024;

/// Both directions of a stream.
#[derive(Debug)]
pub(super) struct Stream {
    /// What has come and was not read yet: the next of it, and what follows. One piece is almost always all.
    next: Option<BytesMut>,
    rest: VecDeque<BytesMut>,
    /// Of a response.
    pub(super) head: Option<Box<(StatusCode, HeaderMap)>>,
    /// The head has come.
    pub(super) heard: bool,
    pub(super) trailers: Option<Box<HeaderMap>>,
    /// What must still come, where its head has said how much.
    pub(super) expected: Option<u64>,
    /// Its response has a head only, whatever that says.
    pub(super) is_head: bool,
    /// As much more the other side may send.
    pub(super) room: i64,
    /// What was read, and the other side does not know of.
    pub(super) read: u32,
    /// Nobody reads it.
    pub(super) unread: bool,
    pub(super) received_all: bool,
    /// Somebody has heard of it.
    pub(super) accepted: bool,

    /// As much more may be sent; less than nothing where the other side has changed its mind.
    pub(super) window: i64,
    pub(super) sent_head: bool,
    pub(super) sent_all: bool,
    /// The number of the outbox that it has put something in, and how much.
    pub(super) share: (u64, usize),
    /// It waits for others on its connection.
    pub(super) waits: bool,

    pub(super) error: Option<Error>,
    /// Neither side says anything more.
    pub(super) closed: bool,
    /// Those who have to do with it.
    pub(super) handles: u8,
    pub(super) reader: Option<Waker>,
    pub(super) writer: Option<Waker>,
}

impl Stream {
    pub(super) fn new(room: u32, window: i64, handles: u8) -> Self {
        Self {
            next: None,
            rest: VecDeque::new(),
            head: None,
            heard: false,
            trailers: None,
            expected: None,
            is_head: false,
            room: i64::from(room),
            read: 0,
            unread: false,
            received_all: false,
            accepted: false,
            window,
            sent_head: false,
            sent_all: false,
            share: (0, 0),
            waits: false,
            error: None,
            closed: false,
            handles,
            reader: None,
            writer: None,
        }
    }

    /// Keeps what came. Pieces are put together, so that what is held is no more than a few times what was sent.
    pub(super) fn keep(&mut self, data: BytesMut) {
        match self.rest.back_mut().or(self.next.as_mut()) {
            Some(last) if last.len() + data.len() <= PIECE => last.extend_from_slice(&data),
            Some(_) => self.rest.push_back(data),
            None => self.next = Some(data),
        }
    }

    pub(super) fn take(&mut self) -> Option<BytesMut> {
        std::mem::replace(&mut self.next, self.rest.pop_front())
    }

    /// All of it; how much it was.
    pub(super) fn clear(&mut self) -> usize {
        let all = self.next.take().into_iter().chain(self.rest.drain(..));
        all.map(|data| data.len()).sum()
    }

    pub(super) fn has_data(&self) -> bool {
        self.next.is_some()
    }

    /// Something has come.
    pub(super) fn wake_reader(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }

    /// Something can be sent.
    pub(super) fn wake_writer(&mut self) {
        if let Some(writer) = self.writer.take() {
            writer.wake();
        }
    }
}

/// Remembers whom to wake.
pub(super) fn remember(place: &mut Option<Waker>, cx: &Context<'_>) {
    match place {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *place = Some(cx.waker().clone()),
    }
}
