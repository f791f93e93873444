//! Frames as they come, and what they change.
//!
//! `Err` ends the connection; what concerns one stream ends that one.

use bytes::{Buf as _, BytesMut};

use super::calm::ABUSED;
use super::frame::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HAS_PRIORITY, HEAD, HEADERS, Head,
    MOST_BYTES, PADDED, PING, PRIORITY, PUSH, RESET, SETTINGS, WINDOW_UPDATE, number, unpadded,
};
use super::reason::{Error, Reason};
use super::state::{Block, Role, State};

/// A payload no longer than this is copied, so that it does not hold the buffer that it came in.
const SMALL: usize = 2 * 1024;
/// Of one list of fields, as it is sent: more than any of those that are taken.
const MOST_BLOCK: usize = 256 * 1024;
/// Frames for one list.
const MOST_FRAMES: usize = 64;

impl State {
    /// Takes all frames that are there as a whole.
    pub(super) fn receive(&mut self, input: &mut BytesMut) -> Result<(), Reason> {
        while let Some(head) = Head::read(input) {
            if head.length > MOST_BYTES {
                return Err(Reason::FRAME_SIZE_ERROR);
            }
            let whole = HEAD + head.length;
            let Some(payload) = input.get(HEAD..whole) else {
                return Ok(());
            };
            self.calm.begins(head)?;
            self.is_due(head)?;
            if head.kind == DATA {
                input.advance(HEAD);
                self.data(head, input)?;
            } else {
                self.other(head, payload)?;
                input.advance(whole);
            }
        }
        Ok(())
    }

    /// Settings come first, and a list is not interrupted.
    fn is_due(&mut self, head: Head) -> Result<(), Reason> {
        let settings = head.kind == SETTINGS && !head.has(ACK);
        let continues = |block: &Block| head.kind == CONTINUATION && block.stream == head.stream;
        let due = match &self.block {
            _ if !std::mem::replace(&mut self.greeted, true) => settings,
            Some(block) => continues(block),
            None => head.kind != CONTINUATION,
        };
        if due {
            Ok(())
        } else {
            Err(Reason::PROTOCOL_ERROR)
        }
    }

    fn other(&mut self, head: Head, payload: &[u8]) -> Result<(), Reason> {
        // For a stream, or for the connection.
        let right = match head.kind {
            HEADERS | PRIORITY | RESET | CONTINUATION => head.stream != 0,
            SETTINGS | PING | GOAWAY => head.stream == 0,
            PUSH => false,
            _ => true,
        };
        if !right {
            return Err(Reason::PROTOCOL_ERROR);
        }
        match head.kind {
            HEADERS => self.headers(head, payload),
            CONTINUATION => self.continuation(head, payload),
            RESET => self.was_reset(head, payload),
            SETTINGS => self.settings(head, payload),
            PING => self.ping(head, payload),
            GOAWAY => self.going(payload),
            WINDOW_UPDATE => self.more_window(head, payload),
            PRIORITY if head.length != 5 => Err(Reason::FRAME_SIZE_ERROR),
            // Of priorities nothing is made, and what nobody knows means nothing (RFC 9113 5.3 and 5.5).
            _ => Ok(()),
        }
    }

    fn data(&mut self, head: Head, input: &mut BytesMut) -> Result<(), Reason> {
        let (id, length) = (head.stream, head.length);
        let payload = input.get(..length).unwrap_or_default();
        let data = unpadded(head, payload).ok_or(Reason::PROTOCOL_ERROR)?.len();
        self.room -= i64::try_from(length).unwrap_or(i64::MAX);
        if self.room < 0 {
            return Err(Reason::FLOW_CONTROL_ERROR);
        }
        let Some(stream) = self.streams.get_mut(&id).filter(|stream| !stream.closed) else {
            input.advance(length);
            if self.is_idle(id) {
                return Err(Reason::PROTOCOL_ERROR);
            }
            self.give_back(length);
            return self.calm.pay();
        };
        stream.room -= i64::try_from(length).unwrap_or(i64::MAX);
        let left = stream.expected.map(|left| left.checked_sub(u64_of(data)));
        let why = match () {
            () if stream.received_all => Some(Reason::STREAM_CLOSED),
            () if stream.room < 0 => Some(Reason::FLOW_CONTROL_ERROR),
            () if !stream.heard || left == Some(None) => Some(Reason::PROTOCOL_ERROR),
            () => None,
        };
        if let Some(why) = why {
            input.advance(length);
            self.give_back(length);
            return self.breaks(id, why);
        }
        stream.expected = left.flatten();
        let unread = stream.unread;
        if data > 0 && !unread {
            let skip = usize::from(head.has(PADDED));
            stream.keep(match data {
                ..=SMALL => {
                    let data = BytesMut::from(payload.get(skip..skip + data).unwrap_or_default());
                    input.advance(length);
                    data
                }
                _ => {
                    let mut whole = input.split_to(length);
                    whole.advance(skip);
                    whole.truncate(data);
                    whole
                }
            });
            stream.wake_reader();
        } else {
            input.advance(length);
        }
        match unread {
            true => self.give_back(length),
            // Padding is read at once.
            false => self.has_read(id, length - data),
        }
        match head.has(END_STREAM) {
            true => self.received_all(id),
            false => Ok(()),
        }
    }

    /// The other side says no more on this stream.
    pub(super) fn received_all(&mut self, id: u32) -> Result<(), Reason> {
        let Some(stream) = self.streams.get_mut(&id) else {
            return Ok(());
        };
        if stream.expected.is_some_and(|left| left > 0) && !stream.is_head {
            return self.breaks(id, Reason::PROTOCOL_ERROR);
        }
        stream.received_all = true;
        stream.wake_reader();
        self.settle(id);
        Ok(())
    }

    /// Some bytes of a stream have been read: the other side may send as many again.
    pub(super) fn has_read(&mut self, id: u32, bytes: usize) {
        if bytes == 0 {
            return;
        }
        self.give_back(bytes);
        let window = self.limits.stream_window;
        let open = self.streams.get_mut(&id);
        let Some(stream) = open.filter(|stream| !stream.received_all && !stream.closed) else {
            return;
        };
        stream.read = stream
            .read
            .saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
        if stream.read >= window / 2 {
            let more = std::mem::take(&mut stream.read);
            stream.room += i64::from(more);
            self.out.frame(WINDOW_UPDATE, 0, id, &more.to_be_bytes());
            self.ring();
        }
    }

    fn headers(&mut self, head: Head, payload: &[u8]) -> Result<(), Reason> {
        let mut fields = unpadded(head, payload).ok_or(Reason::PROTOCOL_ERROR)?;
        if head.has(HAS_PRIORITY) {
            fields = fields.get(5..).ok_or(Reason::FRAME_SIZE_ERROR)?;
        }
        let end = head.has(END_STREAM);
        if head.has(END_HEADERS) {
            return self.list(head.stream, end, fields);
        }
        self.block = Some(Block {
            stream: head.stream,
            end,
            bytes: fields.to_vec(),
            frames: 1,
        });
        Ok(())
    }

    fn continuation(&mut self, head: Head, payload: &[u8]) -> Result<(), Reason> {
        let Some(block) = &mut self.block else {
            return Err(Reason::PROTOCOL_ERROR);
        };
        block.frames += 1;
        block.bytes.extend_from_slice(payload);
        if block.frames > MOST_FRAMES || block.bytes.len() > MOST_BLOCK {
            return Err(Reason::ENHANCE_YOUR_CALM);
        }
        match self.block.take_if(|_| head.has(END_HEADERS)) {
            Some(block) => self.list(block.stream, block.end, &block.bytes),
            None => Ok(()),
        }
    }

    fn was_reset(&mut self, head: Head, payload: &[u8]) -> Result<(), Reason> {
        let [_, _, _, _] = payload else {
            return Err(Reason::FRAME_SIZE_ERROR);
        };
        if self.is_idle(head.stream) {
            return Err(Reason::PROTOCOL_ERROR);
        }
        let reason = Reason(number(payload).unwrap_or_default());
        let Some(stream) = self.streams.get_mut(&head.stream) else {
            return Ok(());
        };
        if !stream.closed {
            let unprocessed = reason == Reason::REFUSED_STREAM && !stream.heard;
            stream.error = Some(match unprocessed {
                true => Error::Unprocessed,
                false => Error::Reset(reason),
            });
            stream.wake_reader();
            stream.wake_writer();
        }
        let vain = self.role == Role::Server && !stream.accepted;
        self.settle(head.stream);
        if vain { self.calm.vain(ABUSED) } else { Ok(()) }
    }
}

fn u64_of(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
