//! What crosses the loopback network, seen from beside it.
//!
//! Never needed: it takes the right to open a packet socket, which root has, and says so where that is missing.

use std::collections::BTreeMap;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

/// `ETH_P_ALL` in network order: every frame, those that leave too.
const EVERYTHING: i32 = 0x0003_i32.swap_bytes() >> 16;
/// `ETH_P_IP` as it stands in a frame.
const IPV4: [u8; 2] = [0x08, 0x00];
const TCP: u8 = 6;

/// Segments of one direction of one connection by their sequence numbers.
type Segments = BTreeMap<u32, Vec<u8>>;

/// A capture that runs.
#[derive(Debug)]
pub struct Capture {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<BTreeMap<(SocketAddr, SocketAddr), Segments>>,
}

/// Everything that was seen: the bytes of each direction of each connection, in order.
#[derive(Debug)]
pub struct Seen {
    streams: BTreeMap<(SocketAddr, SocketAddr), Vec<u8>>,
}

impl Capture {
    /// Begins to look.
    ///
    /// # Errors
    /// When this process may not, or the system has no such thing.
    pub fn start() -> std::io::Result<Self> {
        let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(EVERYTHING)))?;
        // A wait for a frame ends now and then, to see whether it is still wanted.
        socket.set_read_timeout(Some(Duration::from_millis(50)))?;
        // Without room a busy moment would leave gaps; less than asked for is what the system allows.
        let _ = socket.set_recv_buffer_size(16 << 20);
        let stop = Arc::new(AtomicBool::new(false));
        let wanted = Arc::clone(&stop);
        let thread = std::thread::spawn(move || collect(socket, &wanted));
        Ok(Self { stop, thread })
    }

    /// Ends it.
    ///
    /// # Panics
    /// When the collecting thread did.
    #[must_use]
    pub fn stop(self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        let segments = self.thread.join().expect("the thread of the capture");
        let streams = segments
            .into_iter()
            .map(|(ends, segments)| (ends, in_order(&segments)))
            .collect();
        Seen { streams }
    }
}

impl Seen {
    /// Every direction of every connection with this end.
    fn with(&self, end: SocketAddr) -> impl Iterator<Item = &[u8]> {
        let streams = self.streams.iter();
        streams
            .filter(move |((from, to), _)| *from == end || *to == end)
            .map(|(_, bytes)| bytes.as_slice())
    }

    /// How many bytes were exchanged with this end.
    #[must_use]
    pub fn bytes(&self, end: SocketAddr) -> usize {
        self.with(end).map(<[u8]>::len).sum()
    }

    /// True when `text` was readable on the way to or from this end.
    #[must_use]
    pub fn shows(&self, end: SocketAddr, text: &str) -> bool {
        self.with(end).any(|bytes| {
            bytes
                .windows(text.len())
                .any(|window| window == text.as_bytes())
        })
    }

    /// The number of TLS records exchanged with this end, when there was nothing else.
    ///
    /// # Errors
    /// What there was.
    pub fn only_tls(&self, end: SocketAddr) -> Result<usize, String> {
        let mut total = 0;
        for bytes in self.with(end) {
            total += records(bytes)?;
        }
        Ok(total)
    }
}

/// RFC 8446, section 5.1: type, version, length, then that many bytes; the last one may be cut by the end of the capture.
fn records(mut bytes: &[u8]) -> Result<usize, String> {
    let mut count = 0;
    while let [kind, 3, 1..=4, high, low, rest @ ..] = bytes {
        if !(20..=23).contains(kind) {
            return Err(format!("a record of type {kind}"));
        }
        count += 1;
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        bytes = rest.get(length..).unwrap_or_default();
    }
    if bytes.len() >= 5 {
        let begin = String::from_utf8_lossy(bytes.get(..bytes.len().min(40)).unwrap_or_default());
        return Err(format!("no TLS after {count} records: {begin:?}"));
    }
    Ok(count)
}

fn collect(mut socket: Socket, stop: &AtomicBool) -> BTreeMap<(SocketAddr, SocketAddr), Segments> {
    let mut found: BTreeMap<_, Segments> = BTreeMap::new();
    let mut frame = vec![0; 128 * 1024];
    // What is in the socket when it is stopped is read to the end: the wait for more is what ends it.
    loop {
        match socket.read(&mut frame) {
            Ok(length) => {
                let frame = frame.get(..length).unwrap_or_default();
                if let Some((ends, sequence, payload)) = segment(frame) {
                    found
                        .entry(ends)
                        .or_default()
                        .insert(sequence, payload.to_vec());
                }
            }
            Err(_) if stop.load(Ordering::Relaxed) => return found,
            Err(_) => {}
        }
    }
}

type Ends = (SocketAddr, SocketAddr);

/// The TCP segment of an Ethernet frame, as the loopback device has them; nothing where it carries no bytes.
fn segment(frame: &[u8]) -> Option<(Ends, u32, &[u8])> {
    if frame.get(12..14)? != IPV4 {
        return None;
    }
    let packet = frame.get(14..)?;
    let header = usize::from(packet.first()? & 0x0f) * 4;
    let total = usize::from(u16::from_be_bytes([*packet.get(2)?, *packet.get(3)?]));
    if *packet.get(9)? != TCP {
        return None;
    }
    let address = |at: usize| -> Option<Ipv4Addr> {
        let bytes: [u8; 4] = packet.get(at..at + 4)?.try_into().ok()?;
        Some(Ipv4Addr::from(bytes))
    };
    let (from, to) = (address(12)?, address(16)?);
    // Segments that were never cut for a wire may leave the length out.
    let end = if total == 0 { packet.len() } else { total };
    let tcp = packet.get(header..end)?;
    let port =
        |at: usize| -> Option<u16> { Some(u16::from_be_bytes([*tcp.get(at)?, *tcp.get(at + 1)?])) };
    let sequence: [u8; 4] = tcp.get(4..8)?.try_into().ok()?;
    let offset = usize::from(tcp.get(12)? >> 4) * 4;
    let payload = tcp.get(offset..)?;
    if payload.is_empty() {
        return None;
    }
    let ends = (
        SocketAddrV4::new(from, port(0)?).into(),
        SocketAddrV4::new(to, port(2)?).into(),
    );
    Some((ends, u32::from_be_bytes(sequence), payload))
}

/// Each frame is seen twice on loopback, and a segment may be sent again: bytes count once.
fn in_order(segments: &Segments) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut next = None;
    for (sequence, payload) in segments {
        let known = next.map_or(0, |next: u32| next.saturating_sub(*sequence));
        let known = usize::try_from(known).unwrap_or(usize::MAX);
        bytes.extend_from_slice(payload.get(known..).unwrap_or_default());
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        next = Some(next.unwrap_or(0).max(sequence.wrapping_add(length)));
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_told_from_text() {
        let two = [&[22, 3, 1, 0, 2, 9, 9][..], &[23, 3, 3, 0, 1, 9]].concat();
        assert_eq!(records(&two), Ok(2));
        assert_eq!(records(&two[..10]), Ok(1), "cut by the end of the capture");
        assert!(records(b"GET / HTTP/1.1").is_err());
    }

    #[test]
    fn bytes_count_once() {
        let segments = Segments::from([(10, b"abc".to_vec()), (12, b"cde".to_vec())]);
        assert_eq!(in_order(&segments), b"abcde");
    }
}
