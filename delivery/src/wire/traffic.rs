//! What a proxy measures, to the wire and back.
//!
//! Never takes a number that no proxy could have counted: sums of them must stay numbers.

use bytes::Bytes;

use super::check::{self, Malformed, Problem, malformed};
use crate::bounds;
use crate::generated as wire;
use crate::traffic::{Both, CLASSES, Flow, Traffic};

impl From<Traffic> for wire::Traffic {
    fn from(traffic: Traffic) -> Self {
        let Both { inbound, outbound } = &traffic.both;
        Self {
            root: Bytes::copy_from_slice(traffic.root.as_bytes()),
            inbound: Some(inbound.into()),
            outbound: Some(outbound.into()),
        }
    }
}

impl TryFrom<wire::Traffic> for Traffic {
    type Error = Malformed;

    fn try_from(traffic: wire::Traffic) -> Result<Self, Malformed> {
        let flow = |flow: Option<wire::Flow>| flow.map(Flow::try_from).transpose();
        Ok(Self {
            root: check::digest("root", &traffic.root)?,
            both: Both {
                inbound: flow(traffic.inbound)?.unwrap_or_default(),
                outbound: flow(traffic.outbound)?.unwrap_or_default(),
            },
        })
    }
}

impl From<&Flow> for wire::Flow {
    fn from(flow: &Flow) -> Self {
        let sent = |count: u32| u64::from(count).min(bounds::COUNT);
        let used = flow.latency.iter().rposition(|count| *count > 0);
        let latency = flow.latency.iter().take(used.map_or(0, |last| last + 1));
        Self {
            connections: sent(flow.connections),
            failures: sent(flow.failures),
            denials: sent(flow.denials),
            latency: latency.copied().map(sent).collect(),
        }
    }
}

impl TryFrom<wire::Flow> for Flow {
    type Error = Malformed;

    fn try_from(flow: wire::Flow) -> Result<Self, Malformed> {
        check::bounded("latency", flow.latency.len(), CLASSES)?;
        let mut latency = [0; CLASSES];
        for (place, count) in latency.iter_mut().zip(flow.latency) {
            *place = counted("latency", count)?;
        }
        Ok(Self {
            connections: counted("connections", flow.connections)?,
            failures: counted("failures", flow.failures)?,
            denials: counted("denials", flow.denials)?,
            latency,
        })
    }
}

fn counted(field: &'static str, count: u64) -> Result<u32, Malformed> {
    let counted = u32::try_from(count).ok().filter(|_| count <= bounds::COUNT);
    counted.ok_or_else(|| malformed(field, Problem::Not("a number of requests")))
}
