//! Hashes that lead to instances, so that an instance that comes or goes moves few of them: a ring with several places for
//! each (Karger and others, 1997), or the table of Maglev (Eisenbud and others, 2016, section 3.4).
//!
//! Never depends on the order of instances: their addresses say where they stand.

use mesh_bundle::resource::load_balancing::HashFunction;
use twox_hash::XxHash64;

use super::FIRSTS;
use crate::table::Instance;

/// Looked at for the second and third instance of a hash. They are near, unless one instance has almost every place.
const WALK: usize = 256;
/// On a ring (language 5.10).
const MOST_PLACES: usize = 1 << 23;
/// Of `MurmurHash` 2 (Appleby, public domain).
const MULTIPLIER: u64 = 0xc6a4_a793_5bd1_e995;
const SEED: u64 = 0xc70f_6907;

/// Hashes to places among the members of a group.
#[derive(Debug)]
pub(super) enum Wheel {
    /// By hash.
    Ring(Vec<(u64, u32)>),
    Table(Vec<u32>),
}

impl Wheel {
    /// As many places for each member, altogether at least `least` and at most `most`, but never none. It is a power of two,
    /// so that it stays the same while few members come and go.
    pub(super) fn ring(
        members: &[Instance],
        function: HashFunction,
        least: usize,
        most: usize,
    ) -> Self {
        let count = members.len().max(1);
        let each = least.min(MOST_PLACES).div_ceil(count).next_power_of_two();
        let each = each.min(most.min(MOST_PLACES) / count).max(1);
        let hash = |text: String| match function {
            HashFunction::XxHash => XxHash64::oneshot(0, text.as_bytes()),
            HashFunction::MurmurHash2 => murmur(text.as_bytes()),
        };
        let mut ring = Vec::with_capacity(each.saturating_mul(members.len()));
        for (place, member) in (0_u32..).zip(members) {
            ring.extend(
                (0..each).map(|number| (hash(format!("{}_{number}", member.label)), place)),
            );
        }
        ring.sort_unstable();
        Self::Ring(ring)
    }

    /// `size` is a prime number, so that the walk of each member comes to every place.
    pub(super) fn maglev(members: &[Instance], size: usize) -> Self {
        const NOBODY: u32 = u32::MAX;
        let large = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let modulo = |hash: u64, by: usize| {
            let rest = hash.checked_rem(large(by)).unwrap_or_default();
            usize::try_from(rest).unwrap_or_default()
        };
        struct Walk {
            at: usize,
            step: usize,
        }
        let walk = |member: &Instance| Walk {
            at: modulo(XxHash64::oneshot(0, member.label.as_bytes()), size),
            step: modulo(
                XxHash64::oneshot(1, member.label.as_bytes()),
                size.saturating_sub(1),
            ) + 1,
        };
        let mut walks: Vec<Walk> = members.iter().map(walk).collect();
        let mut table = vec![NOBODY; if members.is_empty() { 0 } else { size }];
        let mut free = table.len();
        while free > 0 {
            for (place, walk) in (0_u32..).zip(&mut walks) {
                // There is a free place, and the walk comes to it.
                while free > 0 {
                    let at = walk.at;
                    walk.at = modulo(large(at + walk.step), size);
                    if let Some(slot) = table.get_mut(at).filter(|slot| **slot == NOBODY) {
                        *slot = place;
                        free -= 1;
                        break;
                    }
                }
            }
        }
        Self::Table(table)
    }

    /// Where a hash leads, and where it would lead without the ones before.
    pub(super) fn firsts(&self, hash: u64) -> [Option<usize>; FIRSTS] {
        let (start, len) = match self {
            Self::Ring(ring) => (ring.partition_point(|(at, _)| *at < hash), ring.len()),
            Self::Table(table) => {
                let len = u64::try_from(table.len()).unwrap_or(u64::MAX);
                let start = hash.checked_rem(len).unwrap_or_default();
                (usize::try_from(start).unwrap_or_default(), table.len())
            }
        };
        let mut firsts = [None; FIRSTS];
        for number in 0..len.min(WALK) {
            let at = (start + number).checked_rem(len).unwrap_or_default();
            let found = match self {
                Self::Ring(ring) => ring.get(at).map(|(_, place)| *place),
                Self::Table(table) => table.get(at).copied(),
            };
            let found = found.and_then(|place| usize::try_from(place).ok());
            if firsts.contains(&found) {
                continue;
            }
            if let Some(free) = firsts.iter_mut().find(|first| first.is_none()) {
                *free = found;
            }
            if firsts.iter().all(Option::is_some) {
                break;
            }
        }
        firsts
    }
}

/// `MurmurHash64A`.
fn murmur(bytes: &[u8]) -> u64 {
    let mix = |word: u64| {
        let word = word.wrapping_mul(MULTIPLIER);
        (word ^ (word >> 47)).wrapping_mul(MULTIPLIER)
    };
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    let mut hash = SEED ^ length.wrapping_mul(MULTIPLIER);
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        hash = (hash ^ mix(u64::from_le_bytes(*word))).wrapping_mul(MULTIPLIER);
    }
    if !rest.is_empty() {
        let tail = rest.iter().rev();
        let tail = tail.fold(0_u64, |tail, byte| (tail << 8) | u64::from(*byte));
        hash = (hash ^ tail).wrapping_mul(MULTIPLIER);
    }
    hash = (hash ^ (hash >> 47)).wrapping_mul(MULTIPLIER);
    hash ^ (hash >> 47)
}

pub(super) fn is_prime(number: u32) -> bool {
    let number = u64::from(number);
    let mut divisors = (2..).take_while(|divisor| divisor * divisor <= number);
    number > 1 && divisors.all(|divisor| number % divisor != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn primes() {
        let primes: Vec<u32> = (0..30).filter(|number| is_prime(*number)).collect();
        assert_eq!(primes, [2, 3, 5, 7, 11, 13, 17, 19, 23, 29]);
        assert!(is_prime(65_537) && is_prime(5_000_011) && !is_prime(65_536));
    }

    /// Of an implementation in C++ that is not ours: `std::_Hash_bytes` of libstdc++ with the same seed.
    #[test]
    fn murmur_is_what_others_make_of_the_same_bytes() {
        for (text, expected) in [
            ("", 0x553e_9390_1e46_2a6e),
            ("a", 0x454d_dee4_88c1_ed6b),
            ("10.0.0.1:8080_17", 0xc27b_da57_83a7_9ab5),
            ("10.0.0.1:8080_171", 0xd2f4_fc56_d627_b6dc),
        ] {
            assert_eq!(murmur(text.as_bytes()), expected, "{text}");
        }
    }
}
