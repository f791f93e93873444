//! Faults that an inbound makes on purpose, in the order in which they are tried (language 4.10, 5.14).
//!
//! Never makes one out of nothing: an element that its own checks have reported is left out.

use mesh_bundle::Origin;
use mesh_bundle::resource::{Abort, Bandwidth, Delay, Fault, IndependentRule};
use serde_json::Value;

use crate::kinds::mesh_fault_injection as written;

use super::{Lowering, independent};

/// The faults of one inbound that speaks HTTP.
pub(super) fn faults(of: Lowering<'_>, section: &str) -> Vec<IndependentRule<Fault>> {
    let applied = of
        .mesh
        .policies
        .fault_injection
        .inbound(&of.subject, section);
    independent::rules(&applied, of.lines, "http", fault)
}

fn fault(value: &Value, origin: Origin) -> Option<Fault> {
    let fault: written::Fault = serde_json::from_value(value.clone()).ok()?;
    let fault = Fault {
        delay: fault.delay.as_ref().and_then(delay),
        abort: fault.abort.as_ref().and_then(abort),
        response_bandwidth: fault.response_bandwidth.as_ref().and_then(bandwidth),
        origin,
    };
    let acts = fault.delay.is_some() || fault.abort.is_some();
    (acts || fault.response_bandwidth.is_some()).then_some(fault)
}

fn delay(delay: &written::Delay) -> Option<Delay> {
    Some(Delay {
        value: delay.value?.0,
        parts_per_million: delay.percentage.as_ref()?.parts_per_million()?,
    })
}

fn abort(abort: &written::Abort) -> Option<Abort> {
    Some(Abort {
        status: u16::try_from(abort.http_status?).ok()?,
        parts_per_million: abort.percentage.as_ref()?.parts_per_million()?,
    })
}

fn bandwidth(bandwidth: &written::Bandwidth) -> Option<Bandwidth> {
    Some(Bandwidth {
        bits_per_second: written::bits_per_second(bandwidth.limit.as_deref()?)?,
        parts_per_million: bandwidth.percentage.as_ref()?.parts_per_million()?,
    })
}
