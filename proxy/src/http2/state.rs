//! What both sides of a connection have agreed on, and where each of its streams stands.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::task::Waker;

use http::Request;

use super::calm::{ABUSED, Calm};
use super::ending::Farewell;
use super::frame::{
    CONNECT_PROTOCOL, ENABLE_PUSH, INITIAL_WINDOW, LIST_SIZE, MOST_STREAMS, RESET, SETTINGS,
    WINDOW, WINDOW_UPDATE,
};
use super::hpack::{Decoder, Encoder};
use super::outbox::Outbox;
use super::reason::{Error, Reason};
use super::stream::Stream;

/// Streams that this side has ended are remembered for a while: the other side may not have heard of it.
const REMEMBERED: usize = 256;
/// Which end of a connection this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Client,
    Server,
}

/// What this side takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// What may be under way on one stream, in bytes.
    pub(crate) stream_window: u32,
    /// The same for the connection.
    pub(crate) connection_window: u32,
    /// Of a list of fields, in bytes as RFC 9113 10.5.1 counts them.
    pub(crate) head_bytes: usize,
    /// At once, of those that the other side begins; of a client: of its own, until the server says how many.
    pub(crate) streams: usize,
}

/// Why what a client has begun is no request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// Its head breaks the rules.
    Malformed,
    /// Its head is longer than it may be.
    HeadTooLarge,
}

/// One connection.
#[derive(Debug)]
pub(super) struct State {
    pub(super) role: Role,
    pub(super) limits: Limits,
    pub(super) calm: Calm,
    /// The first frame has come.
    pub(super) greeted: bool,

    pub(super) out: Outbox,
    /// How many there have been before this one.
    pub(super) outbox: u64,
    pub(super) encoder: Encoder,
    /// What the other side takes.
    pub(super) most_streams: usize,
    pub(super) initial_window: i64,
    pub(super) window: i64,

    pub(super) decoder: Decoder,
    /// A list of which more is to come.
    pub(super) block: Option<Block>,
    /// As much more the other side may send.
    pub(super) room: i64,
    /// What was read, and the other side does not know of.
    pub(super) read: u32,

    pub(super) streams: Streams,
    /// How many are not closed.
    pub(super) open: usize,
    /// The last one that the client has begun.
    pub(super) last: u32,
    /// Ended by this side.
    pub(super) ended_here: VecDeque<u32>,
    pub(super) accepted: VecDeque<(u32, Result<Request<()>, Unfit>)>,
    /// Who waits for the others: those that have sent nothing in this turn, and those that have.
    pub(super) hungry: Vec<u32>,
    pub(super) fed: Vec<u32>,

    /// The last stream that the other side has looked at before it leaves.
    pub(super) going: Option<u32>,
    pub(super) farewell: Farewell,
    pub(super) error: Option<Error>,
    /// Who may still begin requests.
    pub(super) clients: usize,
    /// An answer to a PING is waited for, and by whom.
    pub(super) asked: bool,
    pub(super) asking: Option<Waker>,

    pub(super) driver: Option<Waker>,
    /// The driver will look at it, or has been woken to.
    pub(super) rung: bool,
}

/// A list of fields in several frames.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) stream: u32,
    pub(super) end: bool,
    pub(super) bytes: Vec<u8>,
    pub(super) frames: usize,
}

/// By their numbers.
pub(super) type Streams = HashMap<u32, Stream, BuildHasherDefault<Spread>>;

/// Streams have numbers that follow each other: one multiplication spreads them.
#[derive(Debug, Default)]
pub(super) struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes
            .iter()
            .for_each(|byte| self.write_u32(u32::from(*byte)));
    }

    fn write_u32(&mut self, number: u32) {
        self.0 = (self.0 ^ u64::from(number)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

impl State {
    pub(super) fn new(role: Role, limits: Limits) -> Self {
        let mut state = Self {
            role,
            limits,
            calm: Calm::new(),
            greeted: false,
            out: Outbox::default(),
            outbox: 1,
            encoder: Encoder::default(),
            most_streams: limits.streams,
            initial_window: i64::from(WINDOW),
            window: i64::from(WINDOW),
            decoder: Decoder::default(),
            block: None,
            room: i64::from(limits.connection_window.max(WINDOW)),
            read: 0,
            streams: HashMap::default(),
            open: 0,
            last: 0,
            ended_here: VecDeque::new(),
            accepted: VecDeque::new(),
            hungry: Vec::new(),
            fed: Vec::new(),
            going: None,
            farewell: Farewell::No,
            error: None,
            clients: 0,
            asked: false,
            asking: None,
            driver: None,
            rung: true,
        };
        state.greet();
        state
    }

    /// Says what this side takes.
    fn greet(&mut self) {
        let limits = self.limits;
        let mut settings = vec![
            (INITIAL_WINDOW, limits.stream_window),
            (
                LIST_SIZE,
                u32::try_from(limits.head_bytes).unwrap_or(u32::MAX),
            ),
        ];
        match self.role {
            Role::Client => settings.push((ENABLE_PUSH, 0)),
            Role::Server => {
                let streams = u32::try_from(limits.streams).unwrap_or(u32::MAX);
                settings.extend([(MOST_STREAMS, streams), (CONNECT_PROTOCOL, 1)]);
            }
        }
        let mut payload = Vec::new();
        for (setting, value) in settings {
            payload.extend_from_slice(&setting.to_be_bytes());
            payload.extend_from_slice(&value.to_be_bytes());
        }
        self.out.frame(SETTINGS, 0, 0, &payload);
        let more = limits.connection_window.saturating_sub(WINDOW);
        if more > 0 {
            self.out.frame(WINDOW_UPDATE, 0, 0, &more.to_be_bytes());
        }
    }

    /// There is something to send, or the end may have come.
    pub(super) fn ring(&mut self) {
        if !self.rung {
            self.rung = true;
            if let Some(driver) = &self.driver {
                driver.wake_by_ref();
            }
        }
    }

    /// Nobody has begun this stream yet.
    pub(super) fn is_idle(&self, stream: u32) -> bool {
        stream.is_multiple_of(2) || stream > self.last
    }

    /// A stream may have come to its end.
    pub(super) fn settle(&mut self, id: u32) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        if !stream.closed && (stream.error.is_some() || stream.received_all && stream.sent_all) {
            stream.closed = true;
            self.open -= 1;
            if self.open == 0 {
                self.ring();
            }
        }
        let gone =
            |stream: &mut Stream| (stream.closed && stream.handles == 0).then(|| stream.clear());
        if let Some(unread) = self.streams.get_mut(&id).and_then(gone) {
            self.streams.remove(&id);
            self.give_back(unread);
        }
    }

    /// Ends a stream before its time.
    pub(super) fn reset(&mut self, id: u32, reason: Reason, why: Error) {
        let Some(stream) = self.streams.get_mut(&id).filter(|stream| !stream.closed) else {
            return;
        };
        stream.error = Some(why);
        stream.wake_reader();
        stream.wake_writer();
        let unread = stream.clear();
        self.give_back(unread);
        self.say_reset(id, reason);
        self.settle(id);
    }

    pub(super) fn say_reset(&mut self, id: u32, reason: Reason) {
        self.out.frame(RESET, 0, id, &reason.0.to_be_bytes());
        if self.ended_here.len() == REMEMBERED {
            self.ended_here.pop_front();
        }
        self.ended_here.push_back(id);
        self.ring();
    }

    /// Something that came on a stream is against the rules, which ends this stream only (RFC 9113 5.4.2).
    pub(super) fn breaks(&mut self, id: u32, reason: Reason) -> Result<(), Reason> {
        self.reset(id, reason, Error::Broken(reason));
        self.calm.vain(ABUSED)
    }

    /// What came on the connection has been read, or never will be: the other side may send as much again, once it is
    /// worth saying so.
    pub(super) fn give_back(&mut self, bytes: usize) {
        self.read = self
            .read
            .saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
        if self.read > 0 && self.read >= self.limits.connection_window / 2 {
            self.out
                .frame(WINDOW_UPDATE, 0, 0, &self.read.to_be_bytes());
            self.room += i64::from(std::mem::take(&mut self.read));
            self.ring();
        }
    }

    /// What was written is on its way, and there is room for more.
    pub(super) fn next_outbox(&mut self) {
        self.outbox += 1;
        self.feed();
    }

    /// Those who have waited for others go on, the ones first that have sent nothing yet.
    pub(super) fn feed(&mut self) {
        let (hungry, fed) = (
            std::mem::take(&mut self.hungry),
            std::mem::take(&mut self.fed),
        );
        for id in hungry.into_iter().chain(fed) {
            if let Some(stream) = self.streams.get_mut(&id) {
                stream.waits = false;
                stream.wake_writer();
            }
        }
    }
}
