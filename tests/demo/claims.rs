//! The six claims, each with the evidence for it.
//!
//! Never takes a process at its word where it can measure itself.

mod changes;
mod outage;
mod traffic;

use std::sync::Arc;

use mesh_tests::{Mesh, Tally};

/// What is claimed, in the order in which it is proved.
pub(crate) const TITLES: [&str; 6] = [
    "web reaches api over mutual TLS 1.3, and neither was changed for it",
    "the outsider is refused, and the refusal names the file and the line",
    "a canary takes 10 % of 1,000 requests",
    "a commit moves it to 50 % on every proxy, and not one request fails",
    "a commit with a mistake is told and not published",
    "meshd is killed, a proxy restarts without it, and traffic goes on",
];

/// Evidence, piece by piece.
#[derive(Debug, Default)]
pub(crate) struct Proof(Vec<(bool, String)>);

impl Proof {
    /// Evidence that nothing came of it.
    pub(crate) fn failed(reason: &str) -> Self {
        Self(vec![(false, reason.to_owned())])
    }

    /// One piece, and whether it speaks for the claim.
    fn show(&mut self, holds: bool, evidence: impl Into<String>) {
        self.0.push((holds, evidence.into()));
    }

    /// A piece without weight.
    fn note(&mut self, text: impl Into<String>) {
        self.show(true, text);
    }

    /// True when every piece speaks for the claim, and there is one.
    pub(crate) fn holds(&self) -> bool {
        !self.0.is_empty() && self.0.iter().all(|(holds, _)| *holds)
    }

    pub(crate) fn evidence(&self) -> &[(bool, String)] {
        &self.0
    }
}

/// The evidence for a claim.
pub(crate) async fn prove(number: usize, mesh: Arc<Mesh>) -> Proof {
    match number {
        1 => traffic::mutual_tls(&mesh).await,
        2 => traffic::refusal(&mesh).await,
        3 => traffic::split(&mesh).await,
        4 => changes::move_the_canary(&mesh).await,
        5 => changes::a_mistake(&mesh).await,
        6 => outage::without_meshd(&mesh).await,
        _ => Proof::failed("there is no such claim"),
    }
}

/// How far a fair draw may be from its share: four standard deviations, one run in sixteen thousand is outside.
fn bounds(share: f64, count: u64) -> (f64, f64) {
    let count = f64::from(u32::try_from(count).unwrap_or(u32::MAX)).max(1.0);
    let reach = 4.0 * (share * (1.0 - share) / count).sqrt();
    (share - reach, share + reach)
}

/// The canary's share of the answers, as evidence.
fn show_share(proof: &mut Proof, tally: &Tally, share: f64) {
    let (low, high) = bounds(share, tally.sent);
    let measured = tally.share("api-2");
    let answers: Vec<String> = tally
        .by
        .iter()
        .map(|(workload, count)| format!("{workload} {count}"))
        .collect();
    proof.show(
        (low..=high).contains(&measured),
        format!(
            "{} requests: {}; the canary api-2 has {:.1} %, expected {:.1} to {:.1} %",
            tally.sent,
            answers.join(", "),
            measured * 100.0,
            low * 100.0,
            high * 100.0
        ),
    );
}

/// Requests that failed, as evidence.
fn show_failures(proof: &mut Proof, what: &str, tally: &Tally) {
    let failed = tally.failures.len();
    let first = tally
        .failures
        .first()
        .map(|first| format!(", the first {first}"));
    proof.show(
        failed == 0 && tally.sent > 0,
        format!(
            "{failed} of {} requests {what} failed{}, the slowest took {} ms",
            tally.sent,
            first.unwrap_or_default(),
            tally.slowest.as_millis()
        ),
    );
}
