//! Text in bits, short ones for what is frequent (RFC 7541 5.2).
//!
//! Only read: between two proxies the bytes cost less than writing them so, and whoever reads must take both.

use std::sync::LazyLock;

use super::Unreadable;

/// How many bits each byte has, and at last what no text contains. The codes follow from that: shorter ones come first,
/// and of the same length those of smaller bytes (RFC 7541 appendix B).
#[rustfmt::skip]
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
    28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7,
    7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21,
    23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24,
    21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];
const END: u16 = 256;
const SHORTEST: u8 = 5;
const LONGEST: u8 = 30;

static CODES: LazyLock<Codes> = LazyLock::new(Codes::new);

/// All codes, by their bits.
struct Codes {
    /// By the next eight bits: what they begin with, and its length, where that is no more than eight.
    short: Vec<(u16, u8)>,
    /// By length: the first 32 bits that are no code of this length or of a shorter one, and what is subtracted from a
    /// code to have its place.
    ranges: Vec<(u8, u64, u32)>,
    symbols: Vec<u16>,
}

impl Codes {
    fn new() -> Self {
        let mut codes = Self {
            short: vec![(END, 0); 256],
            ranges: Vec::new(),
            symbols: Vec::new(),
        };
        let mut next = 0_u32;
        for length in SHORTEST..=LONGEST {
            next <<= 1;
            let first = next;
            let place = u32::try_from(codes.symbols.len()).unwrap_or_default();
            let of_length = (0..).zip(LENGTHS).filter(|(_, bits)| *bits == length);
            for (symbol, _) in of_length {
                codes.symbols.push(symbol);
                if length <= 8 {
                    let spare = 8 - u32::from(length);
                    let from = usize::try_from(next << spare).unwrap_or_default();
                    let places = codes.short.iter_mut().skip(from).take(1 << spare);
                    places.for_each(|place| *place = (symbol, length));
                }
                next += 1;
            }
            let limit = u64::from(next) << (32 - u32::from(length));
            codes
                .ranges
                .push((length, limit, first.wrapping_sub(place)));
        }
        codes
    }

    /// What these bits begin with, and how many of them it is.
    fn find(&self, bits: u32) -> (u16, u8) {
        let byte = usize::try_from(bits >> 24).unwrap_or_default();
        if let Some(found @ (_, 1..)) = self.short.get(byte) {
            return *found;
        }
        for (length, limit, subtract) in &self.ranges {
            if u64::from(bits) < *limit {
                let code = bits >> (32 - u32::from(*length));
                let place = usize::try_from(code.wrapping_sub(*subtract)).unwrap_or(usize::MAX);
                let symbol = self.symbols.get(place).copied();
                return (symbol.unwrap_or(END), *length);
            }
        }
        (END, LONGEST)
    }
}

/// Reads a text.
pub(super) fn read(text: &[u8]) -> Result<Vec<u8>, Unreadable> {
    let codes = &*CODES;
    // No code is shorter than five bits.
    let mut read = Vec::with_capacity(text.len() * 8 / 5);
    let mut text = text.iter();
    // Those that are known stand at the front.
    let (mut bits, mut known) = (0_u64, 0_u32);
    loop {
        while known <= 56 {
            let Some(byte) = text.next() else { break };
            bits |= u64::from(*byte) << (56 - known);
            known += 8;
        }
        // Behind the last ones it says what no text contains, of which the end of one may have the beginning.
        let padded = bits | u64::MAX.checked_shr(known).unwrap_or_default();
        let front = u32::try_from(padded >> 32).unwrap_or_default();
        let (symbol, length) = codes.find(front);
        if u32::from(length) > known {
            let whole = padded == u64::MAX && known < 8;
            return if whole { Ok(read) } else { Err(Unreadable) };
        }
        read.push(u8::try_from(symbol).map_err(|_| Unreadable)?);
        bits <<= length;
        known -= u32::from(length);
    }
}

/// The other way, for tests.
#[cfg(test)]
pub(super) fn write(text: &[u8]) -> Vec<u8> {
    let mut codes = std::collections::BTreeMap::new();
    let mut next = 0_u32;
    for length in SHORTEST..=LONGEST {
        next <<= 1;
        for (symbol, _) in (0_u16..).zip(LENGTHS).filter(|(_, bits)| *bits == length) {
            codes.insert(symbol, (next, length));
            next += 1;
        }
    }
    let mut bits = String::new();
    for byte in text {
        let (code, length) = codes[&u16::from(*byte)];
        bits.push_str(&format!("{code:0width$b}", width = usize::from(length)));
    }
    bits.push_str(&"1".repeat((8 - bits.len() % 8) % 8));
    let byte = |eight: &[u8]| u8::from_str_radix(std::str::from_utf8(eight).unwrap(), 2).unwrap();
    bits.as_bytes().chunks(8).map(byte).collect()
}
