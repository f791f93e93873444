//! Gates on traffic: what the proxies that have a commit serve now, against what the same ones served before.
//!
//! Never lets one proxy speak for all: where several tell something, none counts for more than all the others together.

mod part;

use std::fmt::Write as _;
use std::time::Duration;

use mesh_compiler::config::rollout::{Traffic as Gates, percent};
use mesh_delivery::traffic::{Both, CLASSES, Flow};
use serde::Serialize;

use part::Teller;
pub(crate) use part::{Part, Parts};

/// Latency that nobody notices is none, however many times as long it is.
const UNNOTICED: Duration = Duration::from_millis(5);

/// One proxy.
#[derive(Debug, Clone, Default)]
pub(crate) struct Compared {
    pub(crate) before: Both,
    pub(crate) after: Both,
}

/// What is seen of all of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Figures {
    pub(crate) inbound: Change,
    pub(crate) outbound: Change,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Change {
    /// `None`: nothing was told.
    before: Option<Sum>,
    after: Option<Sum>,
}

/// The traffic of one direction.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Sum {
    requests: u64,
    /// How many of them count.
    #[serde(skip)]
    weighed: u64,
    /// Of a million, as is the next.
    failures: u32,
    denials: u32,
    /// Until 99 of 100 HTTP requests were answered, in microseconds.
    p99: Option<u64>,
}

impl Figures {
    /// Of proxies that have a commit, wherever they are connected. No proxy counts for more than `fewest` requests and all
    /// the others together.
    pub(crate) fn of(parts: &[Parts], fewest: u32) -> Self {
        let change = |way: fn(&[Part; 2]) -> &Part| {
            let sum = |of: fn(&Parts) -> &[Part; 2]| {
                let parts = parts.iter().map(|parts| way(of(parts)));
                Sum::of(parts.flat_map(Part::tellers), fewest)
            };
            Change {
                before: sum(|parts| &parts.before),
                after: sum(|parts| &parts.after),
            }
        };
        Self {
            inbound: change(|[inbound, _]| inbound),
            outbound: change(|[_, outbound]| outbound),
        }
    }

    /// The gate that is broken, and the numbers.
    pub(crate) fn broken(&self, gates: &Gates) -> Option<(&'static str, String)> {
        let both = [("to", &self.inbound), ("from", &self.outbound)];
        both.into_iter()
            .find_map(|(way, change)| change.broken(way, gates))
    }

    /// In words; nothing where nothing was told.
    pub(crate) fn words(&self) -> String {
        let mut words = String::new();
        for (way, change) in [("to", &self.inbound), ("from", &self.outbound)] {
            let Some(after) = &change.after else {
                continue;
            };
            let _ = write!(words, "; {way} its workloads {after}");
            if let Some(before) = &change.before {
                let _ = write!(words, ", before {before}");
            }
        }
        words
    }
}

impl Change {
    fn broken(&self, way: &str, gates: &Gates) -> Option<(&'static str, String)> {
        let fewest = u64::from(gates.min_requests).max(1);
        let after = self.after.as_ref().filter(|it| it.weighed >= fewest)?;
        // Too few before: all that is wrong now is new, as far as anybody knows.
        let before = self.before.as_ref().filter(|it| it.weighed >= fewest);
        let shares = [
            (
                "Failures",
                "fail",
                gates.failures,
                after.failures,
                before.map(|it| it.failures),
            ),
            (
                "Denials",
                "are denied",
                gates.denials,
                after.denials,
                before.map(|it| it.denials),
            ),
        ];
        let requests = after.requests;
        for (gate, what, most, now, then) in shares {
            let Some(most) = most else {
                continue;
            };
            if now.saturating_sub(then.unwrap_or_default()) <= most {
                continue;
            }
            let then = then.map_or("which was not known before".to_owned(), |then| {
                format!("before {} %", rounded(then))
            });
            let (now, most) = (rounded(now), percent(most));
            return Some((
                gate,
                format!(
                    "{now} % of {requests} requests {way} its workloads {what}, {then}; at most {most} % more may"
                ),
            ));
        }
        let most = gates.latency_percent?;
        let (now, then) = (after.p99?, before?.p99?);
        let allowed = then + then * u64::from(most) / 100;
        let added = Duration::from_micros(now.saturating_sub(then));
        (now > allowed && added > UNNOTICED).then(|| {
            let (now, then) = (millis(now), millis(then));
            let why = format!("99 % of {requests} requests {way} its workloads take up to {now}, before {then}; at most {most} % longer may they");
            ("Latency", why)
        })
    }
}

impl Sum {
    /// In shares of a million, each proxy weighed.
    fn of<'p>(tellers: impl Iterator<Item = Teller<'p>> + Clone, fewest: u32) -> Option<Self> {
        let total: u64 = tellers.clone().map(|teller| teller.requests).sum();
        let weights = tellers.clone().map(|teller| weight(teller, total, fewest));
        let weighed: u64 = weights.sum();
        if weighed == 0 {
            return None;
        }
        let (mut failures, mut denials) = (0_u128, 0_u128);
        let mut latency = Flow::default();
        for teller in tellers {
            let (weight, own) = (weight(teller, total, fewest), teller.requests.max(1));
            let flow = teller.flow;
            let scaled =
                |count: u32| u128::from(count) * 1_000_000 * u128::from(weight) / u128::from(own);
            failures += scaled(flow.failures);
            denials += scaled(flow.denials);
            for class in 0..CLASSES {
                if let (Some(sum), Some(count)) =
                    (latency.latency.get_mut(class), flow.latency.get(class))
                {
                    let more = u128::from(*count) * u128::from(weight) / u128::from(own);
                    *sum = sum.saturating_add(u32::try_from(more).unwrap_or(u32::MAX));
                }
            }
        }
        let share = |part: u128| {
            let share = (part / u128::from(weighed)).min(1_000_000);
            u32::try_from(share).unwrap_or(1_000_000)
        };
        let p99 = latency.percentile(99).map(|span| span.as_micros());
        Some(Self {
            requests: total,
            weighed,
            failures: share(failures),
            denials: share(denials),
            p99: p99.and_then(|micros| u64::try_from(micros).ok()),
        })
    }
}

/// For how many requests somebody counts. Of several none outweighs the others: one of them who tells more than he is kept
/// apart from them.
fn weight(teller: Teller<'_>, total: u64, fewest: u32) -> u64 {
    let own = teller.requests;
    match total.saturating_sub(own) {
        // Nobody else tells anything.
        0 => own,
        others if teller.is_one => own.min(others.max(fewest.into())),
        _ => own,
    }
}

impl std::fmt::Display for Sum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (failures, denials) = (rounded(self.failures), rounded(self.denials));
        write!(
            f,
            "{} requests: {failures} % failed, {denials} % denied",
            self.requests
        )?;
        match self.p99 {
            Some(p99) => write!(f, ", 99 % within {}", millis(p99)),
            None => Ok(()),
        }
    }
}

/// Percent, with two digits behind the point.
fn rounded(millionths: u32) -> String {
    percent(millionths / 100 * 100)
}

fn millis(micros: u64) -> String {
    format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100)
}

#[cfg(test)]
mod tests {
    use mesh_delivery::traffic::class;

    use super::*;

    /// So many requests, of which so many fail and are denied; each takes so many milliseconds.
    fn flow(requests: u32, failures: u32, denials: u32, millis: u64) -> Flow {
        let mut flow = Flow {
            failures,
            denials,
            ..Flow::default()
        };
        flow.latency[class(Duration::from_millis(millis))] = requests;
        flow
    }

    fn compared(before: Flow, after: Flow) -> Compared {
        let inbound = |inbound| Both {
            inbound,
            ..Both::default()
        };
        Compared {
            before: inbound(before),
            after: inbound(after),
        }
    }

    fn gates() -> Gates {
        Gates {
            min_requests: 100,
            failures: Some(10_000),
            denials: Some(10_000),
            latency_percent: Some(100),
        }
    }

    fn judged(proxies: &[Compared]) -> String {
        let figures = Figures::of(&[Parts::of(proxies)], 100);
        let broken = figures.broken(&gates());
        broken.map_or_else(String::new, |(gate, why)| format!("{gate}: {why}"))
    }

    #[test]
    fn a_gate_is_broken_by_what_has_become_worse_among_enough_requests() {
        let good = || flow(1_000, 10, 5, 10);
        for (after, expected) in [
            (good(), ""),
            (flow(1_000, 20, 15, 19), ""),
            (
                flow(1_000, 21, 5, 10),
                "Failures: 2.1 % of 1000 requests to its workloads fail, before 1 %; at most 1 % more may",
            ),
            (
                flow(1_000, 10, 16, 10),
                "Denials: 1.6 % of 1000 requests to its workloads are denied, before 0.5 %; at most 1 % more may",
            ),
            (
                flow(1_000, 10, 5, 30),
                "Latency: 99 % of 1000 requests to its workloads take up to",
            ),
            (flow(99, 99, 99, 9_000), ""),
        ] {
            let found = judged(&[compared(good(), after)]);
            assert!(
                found.starts_with(expected) && found.is_empty() == expected.is_empty(),
                "{found}"
            );
        }
        // Nobody notices three milliseconds.
        assert_eq!(
            judged(&[compared(flow(1_000, 0, 0, 1), flow(1_000, 0, 0, 4))]),
            ""
        );
    }

    #[test]
    fn what_was_not_known_before_was_good() {
        let unknown = [compared(flow(10, 10, 0, 1), flow(1_000, 20, 0, 900))];
        let found = judged(&unknown);
        let expected = "Failures: 2 % of 1000 requests to its workloads fail, which was not known before; at most 1 % more may";
        assert_eq!(found, expected);
        let slow = [compared(flow(10, 0, 0, 1), flow(1_000, 0, 0, 900))];
        assert_eq!(judged(&slow), "", "of latency nothing can be said");
        let tcp = Flow {
            denials: 150,
            ..Flow::default()
        };
        assert!(judged(&[compared(Flow::default(), tcp)]).starts_with("Denials: 100 % of 150"));
    }

    #[test]
    fn wherever_they_are_connected_they_show_the_same() {
        let denied = Flow {
            denials: 70,
            ..Flow::default()
        };
        let proxies = [
            compared(flow(1_000, 3, 0, 10), flow(900, 30, 5, 20)),
            compared(flow(40, 0, 0, 10), flow(9_000_000, 0, 0, 1)),
            compared(denied.clone(), flow(60, 1, 60, 700)),
            compared(Flow::default(), denied),
            compared(flow(700, 0, 9, 3), flow(1, 1, 0, 3)),
        ];
        let whole = Figures::of(&[Parts::of(&proxies)], 100);
        for cut in 0..=proxies.len() {
            let (one, other) = proxies.split_at(cut);
            let parts = [Parts::of(one), Parts::of(other), Parts::default()];
            assert_eq!(Figures::of(&parts, 100), whole, "{cut}");
        }
        // Too few at each of them.
        let bad = || compared(flow(60, 0, 0, 10), flow(60, 30, 0, 10));
        let parts = [Parts::of(&[bad()]), Parts::of(&[bad()])];
        assert!(Figures::of(&parts[..1], 100).broken(&gates()).is_none());
        assert!(Figures::of(&parts, 100).broken(&gates()).is_some());
    }

    #[test]
    fn one_that_lies_does_not_hide_what_the_others_see() {
        let good = || flow(1_000, 0, 0, 10);
        let bad = |share: u32| compared(good(), flow(1_000, 10 * share, 0, 10));
        let lies = || compared(good(), flow(9_000_000, 0, 0, 10));
        assert!(judged(&[bad(30), bad(30), lies()]).starts_with("Failures: 15 % of 9002000"));
        assert!(judged(&[bad(50), lies()]).starts_with("Failures: 25 % of 9001000"));
        // And one that has less to tell than there has to be does not silence the other.
        let idle = || compared(good(), flow(1, 0, 0, 10));
        assert!(judged(&[idle(), bad(50)]).starts_with("Failures: 49"));
        assert!(judged(&[bad(50)]).starts_with("Failures: 50 % of 1000"));
    }
}
