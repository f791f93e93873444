//! Frames that concern the connection or a window: what the other side takes, whether it is there, and when it leaves.

use super::frame::{
    ACK, FRAME_SIZE, Head, INITIAL_WINDOW, LARGEST_WINDOW, MOST_BYTES, MOST_STREAMS, PING,
    SETTINGS, TABLE_SIZE, number,
};
use super::reason::{Error, Reason};
use super::state::{Role, State};

impl State {
    pub(super) fn settings(&mut self, head: Head, payload: &[u8]) -> Result<(), Reason> {
        if head.has(ACK) {
            return match payload {
                [] => Ok(()),
                _ => Err(Reason::FRAME_SIZE_ERROR),
            };
        }
        let (settings, []) = payload.as_chunks::<6>() else {
            return Err(Reason::FRAME_SIZE_ERROR);
        };
        for [high, low, a, b, c, d] in settings {
            let value = u32::from_be_bytes([*a, *b, *c, *d]);
            self.setting(u16::from_be_bytes([*high, *low]), value)?;
        }
        self.out.frame(SETTINGS, ACK, 0, &[]);
        self.ring();
        Ok(())
    }

    fn setting(&mut self, setting: u16, value: u32) -> Result<(), Reason> {
        let size = usize::try_from(value).unwrap_or(usize::MAX);
        match setting {
            TABLE_SIZE => self.encoder.limit(size),
            MOST_STREAMS => self.most_streams = size,
            INITIAL_WINDOW if value > LARGEST_WINDOW => return Err(Reason::FLOW_CONTROL_ERROR),
            INITIAL_WINDOW => {
                let more = i64::from(value) - self.initial_window;
                self.initial_window = i64::from(value);
                let mut most = 0;
                self.streams.values_mut().for_each(|stream| {
                    stream.window += more;
                    most = most.max(stream.window);
                    stream.wake_writer();
                });
                if most > i64::from(LARGEST_WINDOW) {
                    return Err(Reason::FLOW_CONTROL_ERROR);
                }
            }
            FRAME_SIZE if !(MOST_BYTES..1 << 24).contains(&size) => {
                return Err(Reason::PROTOCOL_ERROR);
            }
            // No push was asked for, and a server cannot ask for any.
            _ => {}
        }
        Ok(())
    }

    pub(super) fn ping(&mut self, head: Head, payload: &[u8]) -> Result<(), Reason> {
        if payload.len() != 8 {
            return Err(Reason::FRAME_SIZE_ERROR);
        }
        match head.has(ACK) {
            true => self.answered(payload),
            false => {
                self.out.frame(PING, ACK, 0, payload);
                self.ring();
            }
        }
        Ok(())
    }

    pub(super) fn going(&mut self, payload: &[u8]) -> Result<(), Reason> {
        let last = number(payload).ok_or(Reason::FRAME_SIZE_ERROR)? & LARGEST_WINDOW;
        let reason = payload.get(4..).and_then(number);
        let reason = Reason(reason.ok_or(Reason::FRAME_SIZE_ERROR)?);
        tracing::debug!(%reason, "the other side leaves");
        let last = self.going.map_or(last, |before| before.min(last));
        self.going = Some(last);
        if self.role == Role::Client {
            let mut never: Vec<u32> = self
                .streams
                .keys()
                .copied()
                .filter(|id| *id > last)
                .collect();
            never.sort_unstable();
            for id in never {
                if let Some(stream) = self.streams.get_mut(&id).filter(|stream| !stream.closed) {
                    stream.error = Some(Error::Unprocessed);
                    stream.wake_reader();
                    stream.wake_writer();
                    self.settle(id);
                }
            }
        }
        self.ring();
        Ok(())
    }

    pub(super) fn more_window(&mut self, head: Head, payload: &[u8]) -> Result<(), Reason> {
        let [_, _, _, _] = payload else {
            return Err(Reason::FRAME_SIZE_ERROR);
        };
        let more = i64::from(number(payload).unwrap_or_default() & LARGEST_WINDOW);
        if head.stream == 0 {
            self.window += more;
            if more == 0 {
                return Err(Reason::PROTOCOL_ERROR);
            }
            if self.window > i64::from(LARGEST_WINDOW) {
                return Err(Reason::FLOW_CONTROL_ERROR);
            }
            self.feed();
            return Ok(());
        }
        if self.is_idle(head.stream) {
            return Err(Reason::PROTOCOL_ERROR);
        }
        let Some(stream) = self.streams.get_mut(&head.stream) else {
            return Ok(());
        };
        stream.window += more;
        let too_much = stream.window > i64::from(LARGEST_WINDOW);
        stream.wake_writer();
        match (more, too_much) {
            (0, _) => self.breaks(head.stream, Reason::PROTOCOL_ERROR),
            (_, true) => self.breaks(head.stream, Reason::FLOW_CONTROL_ERROR),
            _ => Ok(()),
        }
    }
}
