//! Numbers whose first byte has bits for something else too (RFC 7541 5.1).

use super::Unreadable;

/// Writes one below the bits that the first byte has already; `prefix` are those that are free.
pub(super) fn write(out: &mut Vec<u8>, first: u8, prefix: u32, value: usize) {
    let most = (1_usize << prefix) - 1;
    if value < most {
        out.push(first | low(value));
        return;
    }
    out.push(first | low(most));
    let mut rest = value - most;
    while rest >= 128 {
        out.push(low(rest & 127) | 128);
        rest >>= 7;
    }
    out.push(low(rest));
}

fn low(value: usize) -> u8 {
    u8::try_from(value & 255).unwrap_or_default()
}

/// Reads one whose first byte has been read.
pub(super) fn read(first: u8, prefix: u32, rest: &mut &[u8]) -> Result<usize, Unreadable> {
    let most = (1_usize << prefix) - 1;
    let start = usize::from(first) & most;
    if start < most {
        return Ok(start);
    }
    let mut value = start;
    // No list that is taken needs more than 28 bits.
    for shift in [0, 7, 14, 21] {
        let (byte, after) = rest.split_first().ok_or(Unreadable)?;
        *rest = after;
        value += (usize::from(*byte) & 127) << shift;
        if byte & 128 == 0 {
            return Ok(value);
        }
    }
    Err(Unreadable)
}
