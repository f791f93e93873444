//! Random numbers for splits: fast, good enough to be fair, and never used for a secret.
//!
//! Never shared between threads: each has its own state, so that a request waits for nobody.

use std::cell::Cell;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};

thread_local! {
    static STATE: Cell<u64> = Cell::new(RandomState::new().build_hasher().finish());
}

/// 64 random bits: `SplitMix64` (Steele, Lea, Flood 2014).
pub(crate) fn roll() -> u64 {
    STATE.with(|state| {
        let next = state.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
        state.set(next);
        mixed(next)
    })
}

/// Bits that look as if they had nothing to do with these.
pub(crate) fn mixed(bits: u64) -> u64 {
    let mut mixed = bits;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_share_gets_its_part() {
        let mut counts = [0_u32; 10];
        for _ in 0..100_000 {
            counts[usize::try_from(roll() % 10).unwrap()] += 1;
        }
        for count in counts {
            assert!((9_000..11_000).contains(&count), "{counts:?}");
        }
    }
}
