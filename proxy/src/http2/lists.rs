//! Lists of fields as they come: requests, responses and trailers.

use http::StatusCode;

use super::calm::REFUSED;
use super::ending::Farewell;
use super::head::{Fields, length};
use super::reason::Reason;
use super::state::{Role, State, Unfit};
use super::stream::Stream;

impl State {
    /// A whole list. It is read in any case: what it tells to remember is needed for those that follow.
    pub(super) fn list(&mut self, id: u32, end: bool, block: &[u8]) -> Result<(), Reason> {
        let mut fields = Fields::default();
        let most = self.limits.head_bytes;
        let read = self
            .decoder
            .read(block, |field, size| fields.add(field, size, most));
        read.map_err(|_| Reason::COMPRESSION_ERROR)?;
        let Some(stream) = self.streams.get_mut(&id).filter(|stream| !stream.closed) else {
            return self.list_of_none(id, end, fields);
        };
        if stream.received_all {
            return self.breaks(id, Reason::STREAM_CLOSED);
        }
        match stream.heard {
            true => self.trailers(id, end, fields),
            false => self.response(id, end, fields),
        }
    }

    /// Of a stream that is not there: it begins, or it has ended.
    fn list_of_none(&mut self, id: u32, end: bool, fields: Fields) -> Result<(), Reason> {
        match self.role {
            Role::Server if id.is_multiple_of(2) => Err(Reason::PROTOCOL_ERROR),
            Role::Server if id > self.last => self.request(id, end, fields),
            Role::Client if self.is_idle(id) => Err(Reason::PROTOCOL_ERROR),
            _ if self.ended_here.contains(&id) || self.streams.contains_key(&id) => self.calm.pay(),
            Role::Client => self.calm.pay(),
            Role::Server => Err(Reason::STREAM_CLOSED),
        }
    }

    fn request(&mut self, id: u32, end: bool, fields: Fields) -> Result<(), Reason> {
        if self.farewell == Farewell::Heard {
            // The client has been told that nobody looks at it.
            return Ok(());
        }
        self.last = id;
        if self.open >= self.limits.streams {
            self.say_reset(id, Reason::REFUSED_STREAM);
            return self.calm.vain(REFUSED);
        }
        let mut stream = Stream::new(self.limits.stream_window, self.initial_window, 0);
        stream.heard = true;
        stream.received_all = end;
        let large = fields.large;
        let accepted = match fields.request() {
            _ if large => Err(Unfit::HeadTooLarge),
            Ok(request) => {
                // One that says several things is refused by whoever looks at the others too.
                stream.expected = length(request.headers()).ok().flatten();
                match end && stream.expected.is_some_and(|length| length > 0) {
                    true => Err(Unfit::Malformed),
                    false => Ok(request),
                }
            }
            Err(_) => Err(Unfit::Malformed),
        };
        stream.unread = accepted.is_err();
        self.streams.insert(id, stream);
        self.open += 1;
        self.accepted.push_back((id, accepted));
        Ok(())
    }

    fn response(&mut self, id: u32, end: bool, fields: Fields) -> Result<(), Reason> {
        let large = fields.large;
        let (status, headers) = match fields.response() {
            Ok(head) if !large && head.0 != StatusCode::SWITCHING_PROTOCOLS => head,
            _ => return self.breaks(id, Reason::PROTOCOL_ERROR),
        };
        let Some(stream) = self.streams.get_mut(&id) else {
            return Ok(());
        };
        if status.is_informational() {
            return match end {
                true => self.breaks(id, Reason::PROTOCOL_ERROR),
                // The last word is still to come.
                false => Ok(()),
            };
        }
        let Ok(expected) = length(&headers) else {
            return self.breaks(id, Reason::PROTOCOL_ERROR);
        };
        let bare = status == StatusCode::NOT_MODIFIED || status == StatusCode::NO_CONTENT;
        stream.is_head |= bare;
        stream.expected = expected.filter(|_| !stream.is_head);
        stream.heard = true;
        stream.head = Some(Box::new((status, headers)));
        stream.wake_reader();
        match end {
            true => self.received_all(id),
            false => Ok(()),
        }
    }

    fn trailers(&mut self, id: u32, end: bool, fields: Fields) -> Result<(), Reason> {
        let (true, Ok(trailers)) = (end, fields.trailers()) else {
            return self.breaks(id, Reason::PROTOCOL_ERROR);
        };
        if let Some(stream) = self.streams.get_mut(&id).filter(|stream| !stream.unread) {
            stream.trailers = Some(Box::new(trailers));
        }
        self.received_all(id)
    }
}
