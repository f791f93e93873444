//! What many proxies tell, in so few numbers that meshds can tell them each other.
//!
//! Never less than what decides: of who tells most it is known how much that is, so that he can be kept from outweighing all
//! others, wherever they are connected.

use mesh_delivery::traffic::{Both, Flow};

use super::Compared;

/// The traffic of many proxies: to their workloads and from them, before a commit and after.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) before: [Part; 2],
    pub(crate) after: [Part; 2],
}

/// One direction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Part {
    /// Of the proxy that tells most.
    pub(crate) most: Flow,
    /// Of all the others.
    pub(crate) rest: Flow,
    /// How many requests the others tell, each for itself.
    pub(crate) requests: u64,
}

/// Somebody who tells something, or several.
#[derive(Debug, Clone, Copy)]
pub(super) struct Teller<'p> {
    pub(super) flow: &'p Flow,
    pub(super) requests: u64,
    pub(super) is_one: bool,
}

impl Parts {
    pub(crate) fn of(proxies: &[Compared]) -> Self {
        let both = |of: fn(&Compared) -> &Both| {
            let both = proxies.iter().map(of);
            [
                Part::of(both.clone().map(|both| &both.inbound)),
                Part::of(both.map(|both| &both.outbound)),
            ]
        };
        Self {
            before: both(|it| &it.before),
            after: both(|it| &it.after),
        }
    }
}

impl Part {
    fn of<'p>(flows: impl Iterator<Item = &'p Flow>) -> Self {
        let mut part = Self::default();
        for flow in flows {
            let less = match flow.requests() > part.most.requests() {
                true => std::mem::replace(&mut part.most, flow.clone()),
                false => flow.clone(),
            };
            part.rest.add(&less);
            part.requests = part.requests.saturating_add(less.requests());
        }
        part
    }

    pub(super) fn tellers(&self) -> [Teller<'_>; 2] {
        [
            Teller {
                flow: &self.most,
                requests: self.most.requests(),
                is_one: true,
            },
            Teller {
                flow: &self.rest,
                requests: self.requests,
                is_one: false,
            },
        ]
    }
}
