//! Is there room for one more request or connection? (language 5.8)
//!
//! Never keeps a count or reads a clock: the bucket and the time are given, the bucket that follows is the answer.

use std::time::Duration;

use crate::resource::{HttpRateLimit, PeerRateLimit, Rate, RateLimits, TcpRateLimit};

use super::peer::Peer;

/// The limit that a request or connection counts against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limited<'a, T> {
    /// Its place among [`RateLimits::peers`]; `None`: the limit of everybody.
    pub place: Option<usize>,
    /// The limit.
    pub limit: &'a T,
    /// How many.
    pub rate: &'a Rate,
}

/// What one limit has let through.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bucket {
    /// Tokens taken since it was last filled. What is left follows from the limit, which may change meanwhile.
    taken: u32,
    /// When it was last filled, since some beginning that is the same for all calls.
    filled: Duration,
}

/// The limit on the requests of a peer: that of the most specific match, or that of everybody. `None`: no limit.
#[must_use]
pub fn request_limit<'a>(
    limits: &'a RateLimits,
    peer: &Peer<'_>,
) -> Option<Limited<'a, HttpRateLimit>> {
    let own = first(limits, peer, |_| true);
    let (place, limit) = match own {
        Some((place, own)) => (Some(place), own.http.as_ref()?),
        None => (None, limits.http.as_ref()?),
    };
    let rate = limit.limit()?;
    Some(Limited { place, limit, rate })
}

/// The limit on the connections of a peer. `None`: no limit.
#[must_use]
pub fn connection_limit<'a>(
    limits: &'a RateLimits,
    peer: &Peer<'_>,
) -> Option<Limited<'a, TcpRateLimit>> {
    let own = first(limits, peer, |own| own.tcp.is_some());
    let (place, limit) = match own {
        Some((place, own)) => (Some(place), own.tcp.as_ref()?),
        None => (None, limits.tcp.as_ref()?),
    };
    let rate = limit.limit()?;
    Some(Limited { place, limit, rate })
}

fn first<'a>(
    limits: &'a RateLimits,
    peer: &Peer<'_>,
    counts: impl Fn(&PeerRateLimit) -> bool,
) -> Option<(usize, &'a PeerRateLimit)> {
    let mut peers = limits.peers.iter().enumerate();
    peers.find(|(_, own)| counts(own) && own.peer.matches(peer))
}

impl Bucket {
    /// A full one.
    #[must_use]
    pub fn full(now: Duration) -> Self {
        Self {
            taken: 0,
            filled: now,
        }
    }

    /// Takes one token, and says whether there was one.
    #[must_use]
    pub fn take(self, rate: &Rate, now: Duration) -> (Self, bool) {
        let mut bucket = self.filled_by(rate.interval.value.as_std(), now);
        let granted = bucket.taken < rate.num.value;
        if granted {
            bucket.taken += 1;
        }
        (bucket, granted)
    }

    /// The bucket as it is after the fillings that were due by now.
    fn filled_by(self, interval: Duration, now: Duration) -> Self {
        let passed = now.saturating_sub(self.filled).as_nanos();
        let Some(whole) = passed.checked_div(interval.as_nanos()) else {
            // An interval of nothing is a bucket that is always full.
            return Self::full(now);
        };
        if whole == 0 {
            return self;
        }
        let since = passed.checked_rem(interval.as_nanos()).unwrap_or(0);
        let since = Duration::from_nanos(u64::try_from(since).unwrap_or(u64::MAX));
        Self::full(now.saturating_sub(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin::Sourced;

    fn rate(num: u32, millis: u64) -> Rate {
        Rate {
            num: Sourced::built_in(num),
            interval: Sourced::built_in(crate::Duration::from_millis(millis)),
        }
    }

    /// At each of these milliseconds one token is asked for.
    fn ask(bucket: &mut Bucket, rate: &Rate, at: &[u64]) -> Vec<bool> {
        let one = |at: &u64| {
            let (after, granted) = bucket.take(rate, Duration::from_millis(*at));
            *bucket = after;
            granted
        };
        at.iter().map(one).collect()
    }

    #[test]
    fn so_many_in_each_interval() {
        for (num, interval, at, granted) in [
            (2, 100, vec![0, 1, 2], vec![true, true, false]),
            (
                1,
                100,
                vec![0, 99, 100, 199, 200],
                vec![true, false, true, false, true],
            ),
            // Intervals that passed without a request add nothing.
            (1, 100, vec![0, 950, 951], vec![true, true, false]),
            // Filled at 900, not at 950.
            (
                1,
                100,
                vec![0, 950, 999, 1_000],
                vec![true, true, false, true],
            ),
            // Time never goes back.
            (1, 100, vec![500, 400], vec![true, false]),
        ] {
            let mut bucket = Bucket::full(Duration::ZERO);
            let told = ask(&mut bucket, &rate(num, interval), &at);
            assert_eq!(told, granted, "{num} in {interval} at {at:?}");
        }
    }

    #[test]
    fn another_limit_begins_with_what_was_taken() {
        let mut bucket = Bucket::full(Duration::ZERO);
        assert_eq!(
            ask(&mut bucket, &rate(2, 100), &[0, 0, 0]),
            [true, true, false]
        );
        assert_eq!(ask(&mut bucket, &rate(3, 100), &[1, 1]), [true, false]);
        assert_eq!(ask(&mut bucket, &rate(1, 100), &[2]), [false]);
    }
}
