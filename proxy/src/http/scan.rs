//! The bytes of HTTP/1 requests as they come: where each message begins and ends, and what the parser would not tell.
//!
//! Never changes a byte of a body. A head that the parser would repair is made unreadable for it, which it answers with
//! 400 and the end of the connection.

/// No header name has it and no target, so no parser takes it.
const SPOILT: u8 = 0;
/// After such a head nothing is HTTP, if the answer is a good one.
const TUNNEL: &[u8] = b"CONNECT ";
/// As long as the longest name that matters here, and one more.
const NAME_BYTES: usize = 18;

/// Where in a message the next byte is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// The request line, or before it.
    Line,
    Name,
    Value,
    Body(u64),
    Size(u64),
    /// What follows the size of a chunk.
    Extension(u64),
    Chunk(u64),
    ChunkEnd,
    /// So many bytes of one line.
    Trailer(usize),
    /// The client has asked for another protocol or a tunnel: until the answer is known these are not for us.
    Paused,
    /// The parser has given up here too.
    Lost,
}

/// A header that tells where the body ends, or that it is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Length,
    Coding,
    Upgrade,
    Other,
}

/// Follows one connection.
#[derive(Debug)]
pub(super) struct Scan {
    at: At,
    /// A message has begun on this connection, however long ago.
    used: bool,
    message: Message,
}

/// What is known of the message that is under way.
#[derive(Debug)]
struct Message {
    begun: bool,
    /// Bytes of the request line, as many as tell whether it asks for a tunnel.
    line: usize,
    tunnel: bool,
    name: [u8; NAME_BYTES],
    name_length: usize,
    field: Field,
    length: Option<u64>,
    coded: bool,
    upgrade: bool,
    odd: bool,
}

impl Message {
    const fn new() -> Self {
        Self {
            begun: false,
            line: 0,
            tunnel: true,
            name: [0; NAME_BYTES],
            name_length: 0,
            field: Field::Other,
            length: None,
            coded: false,
            upgrade: false,
            odd: false,
        }
    }

    fn push(&mut self, byte: u8) {
        if let Some(place) = self.name.get_mut(self.name_length) {
            *place = byte.to_ascii_lowercase();
            self.name_length += 1;
        }
    }

    fn name(&self) -> &[u8] {
        self.name.get(..self.name_length).unwrap_or_default()
    }

    /// Takes the name that is complete. False where there must not be such a header.
    fn named(&mut self) -> bool {
        self.field = match self.name() {
            b"content-length" => Field::Length,
            b"transfer-encoding" => Field::Coding,
            b"upgrade" => Field::Upgrade,
            _ => Field::Other,
        };
        match self.field {
            Field::Length if self.coded || self.length.is_some() => return false,
            Field::Length => self.length = Some(0),
            Field::Coding if self.length.is_some() => return false,
            Field::Coding => self.coded = true,
            Field::Upgrade => self.upgrade = true,
            Field::Other => {}
        }
        true
    }

    fn value(&mut self, byte: u8) {
        if self.field != Field::Length || matches!(byte, b' ' | b'\t' | b'\r') {
            return;
        }
        let longer = |so_far: u64| so_far.checked_mul(10)?.checked_add(digit(byte, 10)?);
        match self.length.and_then(longer) {
            Some(length) => self.length = Some(length),
            None => self.odd = true,
        }
    }

    /// What follows the head.
    fn after(&self) -> Option<At> {
        match (self.odd, self.upgrade, self.coded, self.length) {
            (true, ..) => Some(At::Lost),
            (_, true, ..) => Some(At::Paused),
            (_, _, true, _) => Some(At::Size(0)),
            (_, _, _, Some(length @ 1..)) => Some(At::Body(length)),
            _ => None,
        }
    }
}

fn until(bytes: &[u8], end: impl Fn(u8) -> bool) -> usize {
    let end = bytes.iter().position(|byte| end(*byte));
    end.unwrap_or(bytes.len())
}

fn digit(byte: u8, base: u32) -> Option<u64> {
    char::from(byte).to_digit(base).map(u64::from)
}

impl Scan {
    pub(super) const fn new() -> Self {
        Self {
            at: At::Line,
            used: false,
            message: Message::new(),
        }
    }

    /// Part of a message has come, and not all of it; or none has come yet at all.
    pub(super) fn is_waiting(&self) -> bool {
        match self.at {
            At::Line => self.message.begun || !self.used,
            At::Paused | At::Lost => false,
            _ => true,
        }
    }

    /// No request is under way: what comes next is a new one.
    pub(super) fn rest(&mut self) {
        if self.at == At::Paused {
            self.begin();
        }
    }

    fn begin(&mut self) {
        self.at = At::Line;
        self.message = Message::new();
    }

    /// Looks at what has been read, before the parser does.
    pub(super) fn read(&mut self, bytes: &mut [u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let quiet = self.quiet(rest);
            if quiet > 0 {
                let (now, later) = rest.split_at_mut(quiet);
                if self.at == At::Name {
                    now.iter().for_each(|byte| self.message.push(*byte));
                }
                rest = later;
                continue;
            }
            let whole = match self.at {
                At::Body(left) | At::Chunk(left) => {
                    usize::try_from(left).unwrap_or(usize::MAX).min(rest.len())
                }
                At::Paused | At::Lost => return,
                _ => 1,
            };
            let (now, later) = rest.split_at_mut(whole);
            let taken = u64::try_from(now.len()).unwrap_or(u64::MAX);
            match (self.at, now) {
                (At::Body(left), _) if left <= taken => self.begin(),
                (At::Body(left), _) => self.at = At::Body(left - taken),
                (At::Chunk(left), _) if left <= taken => self.at = At::ChunkEnd,
                (At::Chunk(left), _) => self.at = At::Chunk(left - taken),
                (_, [byte]) => self.step(byte),
                _ => {}
            }
            rest = later;
        }
    }

    /// How many of the next bytes change nothing but the name that they belong to.
    fn quiet(&self, bytes: &[u8]) -> usize {
        match self.at {
            At::Line if self.message.line >= TUNNEL.len() => {
                until(bytes, |byte| matches!(byte, b'\n' | b'#'))
            }
            At::Name => until(bytes, |byte| matches!(byte, b':' | b'\n')),
            At::Value if self.message.field != Field::Length => until(bytes, |byte| byte == b'\n'),
            _ => 0,
        }
    }

    fn step(&mut self, byte: &mut u8) {
        match (self.at, *byte) {
            (At::Line, b'\r' | b'\n') if !self.message.begun => {}
            (At::Line, b'\n') => {
                self.message.upgrade = self.message.tunnel && self.message.line == TUNNEL.len();
                self.at = At::Name;
            }
            (At::Line, got) => {
                (self.message.begun, self.used) = (true, true);
                if let Some(expected) = TUNNEL.get(self.message.line) {
                    self.message.tunnel &= *expected == got;
                    self.message.line += 1;
                }
                // The parser would forget what follows, and ask for the rest.
                if got == b'#' {
                    *byte = SPOILT;
                }
            }
            (At::Name, b'\n') if matches!(self.message.name(), b"" | b"\r") => {
                match self.message.after() {
                    Some(next) => self.at = next,
                    None => self.begin(),
                }
            }
            (At::Name, b':') => {
                if !self.message.named() {
                    *byte = SPOILT;
                }
                self.message.name_length = 0;
                self.at = At::Value;
            }
            (At::Name, b'\n') => self.message.name_length = 0,
            (At::Name, got) => self.message.push(got),
            (At::Value, b'\n') => self.at = At::Name,
            (At::Value, got) => self.message.value(got),
            (_, got) => self.at = self.chunked(got),
        }
    }

    /// The next place in a body of chunks.
    fn chunked(&mut self, byte: u8) -> At {
        match (self.at, byte) {
            (At::Size(0) | At::Extension(0), b'\n') => At::Trailer(0),
            (At::Size(size) | At::Extension(size), b'\n') => At::Chunk(size),
            (At::Size(size), b'\r') => At::Size(size),
            (At::Size(size), got) => match digit(got, 16) {
                Some(digit) => match size.checked_mul(16) {
                    Some(size) => At::Size(size | digit),
                    None => At::Lost,
                },
                None => At::Extension(size),
            },
            (At::ChunkEnd, b'\n') => At::Size(0),
            (At::Trailer(0), b'\n') => {
                self.message = Message::new();
                At::Line
            }
            (At::Trailer(_), b'\n') => At::Trailer(0),
            (At::Trailer(length), got) if got != b'\r' => At::Trailer(length.saturating_add(1)),
            (at, _) => at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same whether it comes at once or byte by byte.
    fn scanned(text: &str) -> (Vec<u8>, bool) {
        let mut whole = text.as_bytes().to_vec();
        let mut scan = Scan::new();
        scan.read(&mut whole);
        let (mut single, mut slow) = (text.as_bytes().to_vec(), Scan::new());
        for byte in single.chunks_mut(1) {
            slow.read(byte);
        }
        assert_eq!(whole, single, "{text:?}");
        assert_eq!(scan.is_waiting(), slow.is_waiting(), "{text:?}");
        (whole, scan.is_waiting())
    }

    #[test]
    fn only_what_the_parser_would_repair_is_spoilt() {
        let get = "GET / HTTP/1.1\r\nhost: a#b\r\n\r\n";
        let sized = "POST / HTTP/1.1\r\ncontent-length: 12\r\n\r\nGET /# HT\r\n\r";
        let chunks = "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n4;x=#\r\nG#\r\n\r\n0\r\nt#: #\r\n\r\n";
        let upgrade = "GET / HTTP/1.1\r\nupgrade: websocket\r\n\r\nGET /#";
        let tunnel = "CONNECT a:1 HTTP/1.1\r\n\r\nGET /#";
        for good in [
            get.to_owned(),
            get.repeat(3),
            format!("{sized}{get}"),
            format!("{chunks}{get}{sized}{chunks}"),
            upgrade.to_owned(),
            tunnel.to_owned(),
        ] {
            assert_eq!(scanned(&good), (good.clone().into_bytes(), false));
        }
        let fragment = "GET /a#b HTTP/1.1\r\n";
        let both = "POST / HTTP/1.1\r\ncontent-length: 1\r\nTransfer-Encoding: chunked\r\n";
        let both_ways = "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\nContent-Length: 1\r\n";
        let twice = "POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 1\r\n";
        // Methods are as they are written.
        let other = "connect a:1 HTTP/1.1\r\n\r\nGET /# HTTP/1.1\r\n";
        for bad in [fragment, both, both_ways, twice, other] {
            for before in ["", "\r\n", get, sized, chunks] {
                let (read, waiting) = scanned(&format!("{before}{bad}"));
                assert!(read.contains(&SPOILT) && waiting, "{before:?} {bad:?}");
            }
        }
    }

    #[test]
    fn a_head_that_has_begun_is_waited_for() {
        let get = "GET / HTTP/1.1\r\n\r\n";
        for (text, waiting) in [
            ("", true),
            ("\r\n", true),
            ("G", true),
            (get, false),
            ("GET / HTTP/1.1\r\n\r\n\r\n", false),
            ("GET / HTTP/1.1\r\n\r\nG", true),
            ("POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\nx", true),
            ("POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\nxy", false),
        ] {
            assert_eq!(scanned(text).1, waiting, "{text:?}");
        }
    }
}
