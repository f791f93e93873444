//! Random bytes, from the system's generator only.
//!
//! Never falls back to something weaker: without randomness meshd cannot issue anything, and ends.

use std::fmt::Write;
use std::time::Duration;

/// Fills `N` bytes.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    if aws_lc_rs::rand::fill(&mut bytes).is_err() {
        // The generator of the library is seeded by the system and fails only when that is broken; going on would mean
        // keys and serial numbers that can be guessed.
        tracing::error!("the system gives no random bytes");
        std::process::abort();
    }
    bytes
}

/// `count` random bytes (at most 32) as hex digits.
pub(crate) fn hex(count: usize) -> String {
    to_hex(bytes::<32>().iter().take(count))
}

/// As hex digits.
pub(crate) fn to_hex<'a>(bytes: impl IntoIterator<Item = &'a u8>) -> String {
    let mut text = String::new();
    for byte in bytes {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// `middle`, give or take up to `percent` of it: so that a thousand clocks that were started together drift apart.
pub(crate) fn around(middle: Duration, percent: u32) -> Duration {
    let unit = f64::from(u32::from_le_bytes(bytes())) / f64::from(u32::MAX);
    let share = f64::from(percent.min(100)) / 100.0;
    middle.mul_f64(1.0 - share + 2.0 * share * unit)
}

/// 32 bytes from their hex digits.
pub(crate) fn from_hex(text: &str) -> Option<Vec<u8>> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let pairs = (0..32).map(|at| u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok());
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_in_its_bounds() {
        let middle = Duration::from_secs(100);
        for _ in 0..1_000 {
            let value = around(middle, 10);
            assert!(
                value >= Duration::from_secs(90) && value <= Duration::from_secs(110),
                "{value:?}"
            );
        }
    }

    #[test]
    fn hex_digits_differ() {
        assert_eq!(hex(8).len(), 16);
        assert_ne!(hex(16), hex(16));
    }
}
