//! The end of a connection: announced, reached, or forced; and whether the other side is still there.
//!
//! Never leaves anybody waiting for what will not come: all streams of a connection that ends hear of it.

use super::frame::{GOAWAY, LARGEST_WINDOW, PING};
use super::reason::{Error, Reason};
use super::state::{Role, State};

/// What a server says before it ends a connection, so that it knows what was under way (RFC 9113 6.8).
const FAREWELL: [u8; 8] = *b"farewell";
/// Any other PING.
const ALIVE: [u8; 8] = *b"are you?";

/// How far the end of a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Farewell {
    No,
    /// The client is told to begin nothing more, and has not heard of it.
    Said,
    /// What it begins now it has been promised is not looked at.
    Heard,
}

impl State {
    /// The connection is over for all.
    pub(super) fn fail(&mut self, why: Error) {
        if self.error.is_some() {
            return;
        }
        self.error = Some(why);
        if let Error::Violated(reason) = why {
            self.goodbye(reason);
        }
        self.streams.values_mut().for_each(|stream| {
            stream.error.get_or_insert(why);
            stream.closed = true;
            stream.wake_reader();
            stream.wake_writer();
        });
        self.streams.retain(|_, stream| stream.handles > 0);
        self.open = 0;
        self.accepted.clear();
        if let Some(asking) = self.asking.take() {
            asking.wake();
        }
    }

    pub(super) fn goodbye(&mut self, reason: Reason) {
        let last = match self.role {
            Role::Client => 0,
            Role::Server => self.last,
        };
        self.say_goodbye(last, reason);
    }

    fn say_goodbye(&mut self, last: u32, reason: Reason) {
        let payload = [last.to_be_bytes(), reason.0.to_be_bytes()].concat();
        self.out.frame(GOAWAY, 0, 0, &payload);
    }

    /// Tells the client to begin nothing more.
    pub(super) fn drain(&mut self) {
        if self.farewell == Farewell::No {
            self.farewell = Farewell::Said;
            self.say_goodbye(LARGEST_WINDOW, Reason::NO_ERROR);
            self.out.frame(PING, 0, 0, &FAREWELL);
            self.ring();
        }
    }

    /// The other side has answered a PING.
    pub(super) fn answered(&mut self, payload: &[u8]) {
        if payload == FAREWELL && self.farewell == Farewell::Said {
            self.farewell = Farewell::Heard;
            self.goodbye(Reason::NO_ERROR);
            self.ring();
        }
        if payload == ALIVE
            && std::mem::take(&mut self.asked)
            && let Some(asking) = self.asking.take()
        {
            asking.wake();
        }
    }

    /// Asks whether the other side is there.
    pub(super) fn ask(&mut self) {
        self.asked = true;
        self.out.frame(PING, 0, 0, &ALIVE);
        self.ring();
    }

    /// Nothing is under way any more, and nothing more will be.
    pub(super) fn is_over(&self) -> bool {
        let last = match self.role {
            Role::Client => self.clients == 0 || self.going.is_some(),
            Role::Server => self.farewell == Farewell::Heard || self.going.is_some(),
        };
        last && self.open == 0 && self.accepted.is_empty()
    }

    /// The other side says nothing more: it has come to an end, or it is gone.
    pub(super) fn end_of_input(&self) -> Result<(), Error> {
        match self.open {
            0 => Ok(()),
            _ => Err(self.error.unwrap_or(Error::Closed)),
        }
    }
}
