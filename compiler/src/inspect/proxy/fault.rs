//! Faults that an inbound makes on purpose, for people.
//!
//! Never leaves out a share: what happens to every request looks different from what happens to some.

use mesh_bundle::resource::{Fault, IndependentRule};

use crate::inspect::words;

use super::Telling;

impl Telling<'_> {
    pub(super) fn faults(&mut self, rules: &[IndependentRule<Fault>]) {
        for rule in rules {
            self.fault(rule);
        }
    }

    /// What one rule does.
    pub(in crate::inspect) fn fault(&mut self, rule: &IndependentRule<Fault>) {
        for fault in &rule.acts {
            let whom = words::whom(rule.peer.as_ref());
            let text = format!("fault       {}, for {whom}", parts(fault));
            self.page.noted(1, &text, &fault.origin);
        }
    }
}

fn parts(fault: &Fault) -> String {
    let share = |parts: u32| words::percent(u64::from(parts), 1_000_000);
    let mut parts = Vec::new();
    if let Some(delay) = &fault.delay {
        let share = share(delay.parts_per_million);
        parts.push(format!("{share} wait {}", delay.value));
    }
    if let Some(abort) = &fault.abort {
        let share = share(abort.parts_per_million);
        parts.push(format!("{share} get {}", abort.status));
    }
    if let Some(bandwidth) = &fault.response_bandwidth {
        let share = share(bandwidth.parts_per_million);
        let speed = speed(bandwidth.bits_per_second);
        parts.push(format!("{share} are answered at {speed}"));
    }
    parts.join(", ")
}

/// In the largest unit of the language that is exact.
fn speed(bits_per_second: u64) -> String {
    let kilo = bits_per_second / 1_000;
    match kilo {
        _ if kilo > 0 && kilo.is_multiple_of(1_000_000) => format!("{} Gbps", kilo / 1_000_000),
        _ if kilo > 0 && kilo.is_multiple_of(1_000) => format!("{} Mbps", kilo / 1_000),
        _ => format!("{kilo} kbps"),
    }
}
