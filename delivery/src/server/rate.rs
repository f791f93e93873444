//! How often a peer may do something.
//!
//! Never reads a clock: now is an argument.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use tokio::time::Instant;

/// Messages of one session: a burst of certificate requests and answers, and then a steady trickle.
const MESSAGES: Rate = Rate {
    burst: 100,
    every: Duration::from_millis(10),
};
/// Enrolments from one address: a rack behind one address starts within seconds, a guesser gets nowhere.
const ENROLMENTS: Rate = Rate {
    burst: 200,
    every: Duration::from_millis(20),
};
/// Addresses that are remembered.
const ADDRESSES: usize = 4096;
/// Between two looks for addresses that need not be remembered any more: a look costs, and a flood must not.
const SWEEP: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy)]
struct Rate {
    burst: u32,
    every: Duration,
}

/// Holds up to a burst of permissions, and gains one every so often.
#[derive(Debug)]
pub(super) struct Bucket {
    rate: Rate,
    left: u32,
    since: Instant,
}

impl Bucket {
    pub(super) fn of_messages(now: Instant) -> Self {
        Self::full(MESSAGES, now)
    }

    fn full(rate: Rate, now: Instant) -> Self {
        Self {
            rate,
            left: rate.burst,
            since: now,
        }
    }

    pub(super) fn take(&mut self, now: Instant) -> bool {
        self.refill(now);
        let granted = self.left > 0;
        self.left = self.left.saturating_sub(1);
        granted
    }

    fn refill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.since);
        let gained = passed.as_nanos() / self.rate.every.as_nanos().max(1);
        let gained = u32::try_from(gained).unwrap_or(u32::MAX);
        self.left = self.left.saturating_add(gained).min(self.rate.burst);
        self.since = if self.left == self.rate.burst {
            now
        } else {
            self.since + self.rate.every * gained
        };
    }
}

/// Enrolment attempts by address. When more addresses come than it remembers, those beyond share one bucket.
#[derive(Debug, Default)]
pub(super) struct Limiter {
    addresses: BTreeMap<IpAddr, Bucket>,
    others: Option<Bucket>,
    swept: Option<Instant>,
}

impl Limiter {
    pub(super) fn admits(&mut self, address: IpAddr, now: Instant) -> bool {
        let address = holder(address);
        if let Some(bucket) = self.addresses.get_mut(&address) {
            return bucket.take(now);
        }
        let due = |swept: Instant| now.saturating_duration_since(swept) >= SWEEP;
        if self.addresses.len() >= ADDRESSES && self.swept.is_none_or(due) {
            self.swept = Some(now);
            self.addresses.retain(|_, bucket| {
                bucket.refill(now);
                bucket.left < bucket.rate.burst
            });
        }
        let fresh = || Bucket::full(ENROLMENTS, now);
        if self.addresses.len() >= ADDRESSES {
            return self.others.get_or_insert_with(fresh).take(now);
        }
        self.addresses
            .entry(address)
            .or_insert_with(fresh)
            .take(now)
    }
}

/// Whoever has an IPv6 address has all 2^64 of its network.
fn holder(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => IpAddr::from(Ipv6Addr::from(u128::from(address) >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_refills() {
        let start = Instant::now();
        let mut bucket = Bucket::of_messages(start);
        assert!((0..100).all(|_| bucket.take(start)));
        assert!(!bucket.take(start));
        assert!(!bucket.take(start + Duration::from_millis(9)));
        assert!(bucket.take(start + Duration::from_millis(10)));
        assert!(!bucket.take(start + Duration::from_millis(19)));
        let later = start + Duration::from_secs(3600);
        assert_eq!((0..200).filter(|_| bucket.take(later)).count(), 100);
    }

    #[test]
    fn one_address_does_not_spend_what_another_has() {
        let now = Instant::now();
        let mut limiter = Limiter::default();
        let address = |last: u8| IpAddr::from([127, 0, 0, last]);
        assert_eq!(
            (0..300).filter(|_| limiter.admits(address(1), now)).count(),
            200
        );
        assert!(limiter.admits(address(2), now));

        let host = |last: u16| IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, last]);
        let admitted = (0..300).filter(|n| limiter.admits(host(*n), now)).count();
        assert_eq!(admitted, 200, "one network is one address");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let now = Instant::now();
        let mut limiter = Limiter::default();
        let address = |n: u32| IpAddr::from((0x0a00_0000 + n).to_be_bytes());
        let admitted = (0..10_000)
            .filter(|n| limiter.admits(address(*n), now))
            .count();
        assert_eq!(limiter.addresses.len(), ADDRESSES);
        assert_eq!(admitted, ADDRESSES + 200);
        let later = now + Duration::from_secs(60);
        assert!(limiter.admits(address(20_000), later));
        assert_eq!(limiter.addresses.len(), 1);
    }
}
