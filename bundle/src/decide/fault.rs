//! Which faults are made in one request, in which order (language 5.14).
//!
//! Never rolls: each chance is asked of the caller, once and in order, so that the same numbers give the same faults.

use std::time::Duration;

use crate::origin::Origin;
use crate::resource::{Fault, IndependentRule};

use super::independent::applying;
use super::peer::Peer;

/// The faults of one request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults<'a> {
    /// How long it waits before it is passed on or aborted: the sum of all delays.
    pub delay: Duration,
    /// What it is answered instead.
    pub abort: Option<Aborted<'a>>,
    /// The speed of the response's body in bits per second, where it is limited: the slowest counts.
    pub bits_per_second: Option<u64>,
}

/// An answer instead of that of the workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aborted<'a> {
    /// Its status.
    pub status: u16,
    /// The fault.
    pub origin: &'a Origin,
}

/// The faults that a request of a peer meets. `roll` gives a number below 1,000,000, each equally likely. Nothing comes after
/// an abort.
#[must_use]
pub fn faults<'a>(
    rules: &'a [IndependentRule<Fault>],
    peer: &Peer<'a>,
    mut roll: impl FnMut() -> u32,
) -> Faults<'a> {
    let mut met = Faults::default();
    for fault in applying(rules, peer).flat_map(|rule| &rule.acts) {
        let mut falls_on = |parts_per_million: u32| roll() < parts_per_million;
        if let Some(delay) = &fault.delay
            && falls_on(delay.parts_per_million)
        {
            met.delay = met.delay.saturating_add(delay.value.as_std());
        }
        if let Some(abort) = &fault.abort
            && falls_on(abort.parts_per_million)
        {
            met.abort = Some(Aborted {
                status: abort.status,
                origin: &fault.origin,
            });
            return met;
        }
        if let Some(bandwidth) = &fault.response_bandwidth
            && falls_on(bandwidth.parts_per_million)
        {
            let slowest = met.bits_per_second.unwrap_or(u64::MAX);
            met.bits_per_second = Some(slowest.min(bandwidth.bits_per_second));
        }
    }
    met
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{Abort, Bandwidth, Delay};

    fn rule(number: u32, faults: &[(u64, u16, u64)]) -> IndependentRule<Fault> {
        let origin = Origin {
            resource: "kri_mfi_default___x_".parse().unwrap(),
            file: "a.yaml".to_owned(),
            line: number,
        };
        let fault = |(delay, abort, bits): &(u64, u16, u64)| Fault {
            delay: (*delay > 0).then(|| Delay {
                value: crate::Duration::from_millis(*delay),
                parts_per_million: 500_000,
            }),
            abort: (*abort > 0).then_some(Abort {
                status: *abort,
                parts_per_million: 500_000,
            }),
            response_bandwidth: (*bits > 0).then_some(Bandwidth {
                bits_per_second: *bits,
                parts_per_million: 500_000,
            }),
            origin: origin.clone(),
        };
        IndependentRule {
            number,
            peer: None,
            acts: faults.iter().map(fault).collect(),
            origin: origin.clone(),
        }
    }

    #[test]
    fn delays_add_up_the_slowest_counts_and_an_abort_ends_it() {
        let rules = [
            rule(1, &[(10, 0, 0), (20, 0, 800)]),
            rule(2, &[(40, 503, 0)]),
            rule(3, &[(80, 500, 400)]),
        ];
        // One digit for each chance that is asked for: `+` falls on it.
        let check = |rolls: &str, expected: (u64, Option<(u16, u32)>, Option<u64>)| {
            let mut rolls_left = rolls.chars();
            let met = faults(&rules, &Peer::default(), || match rolls_left.next() {
                Some('+') => 499_999,
                Some('-') => 500_000,
                other => panic!("{other:?} is no roll"),
            });
            let abort = met.abort.map(|abort| (abort.status, abort.origin.line));
            let told = (met.delay.as_millis(), abort, met.bits_per_second);
            let expected = (u128::from(expected.0), expected.1, expected.2);
            assert_eq!(told, expected, "{rolls}");
            assert_eq!(rolls_left.next(), None, "{rolls}");
        };
        check("--------", (0, None, None));
        check("++-+----", (70, None, None));
        check("+++-+", (30, Some((503, 2)), Some(800)));
        check("--+--+-+", (80, None, Some(400)));
        check("-----++", (80, Some((500, 3)), None));
    }
}
