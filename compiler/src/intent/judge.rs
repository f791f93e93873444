//! One test, asked of one bundle: what does not hold, and which lines say so.
//!
//! Never stops at the first answer that is wrong; never keeps more of them than somebody reads.

mod caller;
mod proxy;

use std::collections::BTreeSet;

use mesh_bundle::decide::Admission;
use mesh_bundle::resource::{Rate, TlsMode};
use mesh_bundle::{Duration, Kri, Origin, Sourced};

use crate::flow::{Arrival, Entrance, Flows, NoFlow, Reach};
use crate::kinds::mesh_test::Access;

use super::Failure;
use super::plan::{Client, Planned, Touched};

/// More failures of one test tell nothing new.
const MOST_FAILURES: usize = 20;

/// A test that is being asked.
pub(super) struct Judge<'a, 'b> {
    test: &'a Planned,
    flows: &'a Flows<'b>,
    failures: Vec<Failure>,
    more: usize,
    touched: Option<Touched>,
}

impl<'a, 'b> Judge<'a, 'b> {
    pub(super) fn new(test: &'a Planned, flows: &'a Flows<'b>, recorded: bool) -> Self {
        Self {
            test,
            flows,
            failures: Vec::new(),
            more: 0,
            touched: recorded.then(Touched::default),
        }
    }

    /// Asks about one client and one port.
    pub(super) fn ask(&mut self, client: &Client, port: &Kri) {
        match client {
            Client::Proxy(proxy) => self.ask_proxy(proxy, port),
            Client::Caller(caller) => self.ask_servers(caller, port),
        }
    }

    pub(super) fn finish(mut self) -> (Vec<Failure>, Option<Touched>) {
        if self.more > 0 {
            self.failures.push(Failure {
                message: format!("and {} more", self.more),
                because: Vec::new(),
            });
        }
        (self.failures, self.touched)
    }

    pub(super) fn fail(&mut self, message: String, because: Vec<Origin>) {
        match self.failures.len() < MOST_FAILURES {
            true => self.failures.push(Failure { message, because }),
            false => self.more = self.more.saturating_add(1),
        }
    }

    fn decided<'o>(&mut self, origins: impl IntoIterator<Item = &'o Origin>) {
        if let Some(touched) = &mut self.touched {
            touched.decided.extend(origins.into_iter().cloned());
        }
    }

    /// What an inbound says, noted.
    fn note(&mut self, arrival: &Arrival<'_>) {
        let Some(touched) = &mut self.touched else {
            return;
        };
        touched.decided.extend(origin(arrival).cloned());
        let rules = arrival.rules.iter();
        touched
            .concerned
            .extend(rules.map(|listed| listed.rule.origin.clone()));
    }

    /// Do these say what was expected of all of them? `who` is the client in words.
    fn access(&mut self, who: &str, port: &Kri, arrivals: &[Arrival<'_>]) {
        let Some(access) = self.test.wanted.access else {
            return;
        };
        for arrival in arrivals {
            self.note(arrival);
        }
        if arrivals.is_empty() {
            let message = format!("nobody of the mesh is behind {}", named(port));
            return self.fail(message, Vec::new());
        }
        let wrong = arrivals
            .iter()
            .filter(|arrival| !fits(access, arrival.server.endpoint.healthy, arrival.reach()));
        let wrong: Vec<&Arrival<'_>> = wrong.collect();
        let mut told = BTreeSet::new();
        for arrival in wrong {
            // Instances of one service mostly say the same, for the same reason.
            let reason = reason(arrival);
            if !told.insert((reason.clone(), origin(arrival))) {
                continue;
            }
            let word = match access {
                Access::Allow => "may not reach",
                Access::Deny => "may reach",
            };
            let server = &arrival.server.node.kri.name();
            let message = format!("{who} {word} {} at `{server}`: {reason}", named(port));
            self.fail(message, origin(arrival).cloned().into_iter().collect());
        }
    }

    fn rate(&mut self, who: &str, port: &Kri, arrivals: &[Arrival<'_>]) {
        let Some(wanted) = self.test.wanted.rate else {
            return;
        };
        for arrival in arrivals {
            let requests = arrival.server.inbound.protocol.is_http();
            let rate: Option<&Rate> = match requests {
                true => arrival.request_limit.as_ref().map(|limited| limited.rate),
                false => arrival
                    .connection_limit
                    .as_ref()
                    .map(|limited| limited.rate),
            };
            let origins = rate
                .into_iter()
                .flat_map(|rate| [rate.num.origin.as_ref(), rate.interval.origin.as_ref()]);
            let origins: Vec<Origin> = origins.flatten().cloned().collect();
            self.decided(&origins);
            let found = rate.map(|rate| (rate.num.value, rate.interval.value));
            if found == wanted {
                continue;
            }
            let words = |rate: Option<(u32, Duration)>| match rate {
                Some((num, interval)) => format!("{num} in {interval}"),
                None => "as many as come".to_owned(),
            };
            let server = &arrival.server.node.kri.name();
            let message = format!(
                "`{server}` takes {} from {who} at {}, not {}",
                words(found),
                named(port),
                words(wanted)
            );
            return self.fail(message, origins);
        }
    }

    /// One limit of time.
    fn limit(
        &mut self,
        who: &str,
        name: &str,
        wanted: Option<Duration>,
        found: &Sourced<Duration>,
    ) {
        let Some(wanted) = wanted else {
            return;
        };
        self.decided(&found.origin);
        if found.value != wanted {
            let message = format!("`{name}` of {who} is {}, not {wanted}", found.value);
            self.fail(message, found.origin.clone().into_iter().collect());
        }
    }
}

/// Is that what was expected? Who is not healthy serves nobody, and may be healthy tomorrow.
fn fits(access: Access, healthy: bool, reach: Reach) -> bool {
    match access {
        Access::Allow => !healthy || reach == Reach::Yes,
        Access::Deny => reach == Reach::No,
    }
}

/// A service port in a few words.
fn named(port: &Kri) -> String {
    format!("`{}:{}`", port.name(), port.section())
}

/// What decided it.
fn origin<'b>(arrival: &Arrival<'b>) -> Option<&'b Origin> {
    match &arrival.entrance {
        Entrance::Asked(admission) => admission.origin(),
        Entrance::ClientUnknown | Entrance::ServerUnknown => None,
    }
}

/// Why it was decided so.
fn reason(arrival: &Arrival<'_>) -> String {
    let text = match &arrival.entrance {
        Entrance::ClientUnknown => "no authority that the server trusts vouches for the client",
        Entrance::ServerUnknown => "no authority that the client trusts vouches for the server",
        Entrance::Asked(Admission::NeedsTls { .. }) => "it comes without mesh TLS",
        Entrance::Asked(Admission::Plain { .. }) => match arrival.server.policy.tls.value {
            TlsMode::Disabled => "the server has no identity, and takes everybody",
            TlsMode::Permissive | TlsMode::Strict => "whoever comes without mesh TLS is not asked",
        },
        Entrance::Asked(Admission::Asked(verdict)) => {
            let listed = arrival
                .rules
                .iter()
                .any(|listed| Some(&listed.rule.origin) == origin(arrival));
            match (verdict.permits(), listed) {
                (true, true) => "a rule allows it",
                (true, false) => "the server has no identity, and takes everybody",
                (false, true) => "a rule denies it",
                (false, false) => "no rule allows it",
            }
        }
    };
    text.to_owned()
}

/// Why there is nothing to ask about.
fn nothing(why: &NoFlow) -> String {
    why.to_string()
}
