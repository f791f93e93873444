//! Frames: their heads, and what is in those that are for the connection (RFC 9113 4 and 6).

/// The bytes of a head.
pub(super) const HEAD: usize = 9;
/// The longest payload that either side sends or takes: neither asks for more.
pub(super) const MOST_BYTES: usize = 16_384;
/// Of a stream and of a connection, where nobody has said otherwise.
pub(super) const WINDOW: u32 = 65_535;
/// No window may be larger.
pub(super) const LARGEST_WINDOW: u32 = (1 << 31) - 1;

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const PRIORITY: u8 = 2;
pub(super) const RESET: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PUSH: u8 = 5;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
pub(super) const WINDOW_UPDATE: u8 = 8;
pub(super) const CONTINUATION: u8 = 9;

pub(super) const END_STREAM: u8 = 1;
/// Of SETTINGS and PING.
pub(super) const ACK: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;
pub(super) const PADDED: u8 = 8;
pub(super) const HAS_PRIORITY: u8 = 32;

/// Settings (RFC 9113 6.5.2, RFC 8441 3).
pub(super) const TABLE_SIZE: u16 = 1;
pub(super) const ENABLE_PUSH: u16 = 2;
pub(super) const MOST_STREAMS: u16 = 3;
pub(super) const INITIAL_WINDOW: u16 = 4;
pub(super) const FRAME_SIZE: u16 = 5;
pub(super) const LIST_SIZE: u16 = 6;
pub(super) const CONNECT_PROTOCOL: u16 = 8;

/// What stands before each payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) length: usize,
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
}

impl Head {
    /// `None`: there are not enough bytes yet.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let [high, middle, low, kind, flags, a, b, c, d] = *bytes.first_chunk::<HEAD>()?;
        let length = u32::from_be_bytes([0, high, middle, low]);
        Some(Self {
            length: usize::try_from(length).unwrap_or(usize::MAX),
            kind,
            flags,
            stream: u32::from_be_bytes([a & 127, b, c, d]),
        })
    }

    pub(super) fn bytes(self) -> [u8; HEAD] {
        let [.., high, middle, low] = self.length.to_be_bytes();
        let [a, b, c, d] = self.stream.to_be_bytes();
        [high, middle, low, self.kind, self.flags, a, b, c, d]
    }

    pub(super) fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// Takes the padding of a frame away that may have some. `None`: it is longer than the frame.
pub(super) fn unpadded(head: Head, payload: &[u8]) -> Option<&[u8]> {
    if !head.has(PADDED) {
        return Some(payload);
    }
    let (length, rest) = payload.split_first()?;
    rest.get(..rest.len().checked_sub(usize::from(*length))?)
}

/// Four bytes as a number.
pub(super) fn number(bytes: &[u8]) -> Option<u32> {
    bytes
        .first_chunk::<4>()
        .map(|bytes| u32::from_be_bytes(*bytes))
}
