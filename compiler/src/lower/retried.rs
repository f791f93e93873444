//! A destination of which only what is tried again is another than before: the rest of it stays.
//!
//! Never asked where anything else that it is made of may be another: whoever asks knows which policies changed.

use std::collections::BTreeMap;

use mesh_bundle::Resource;
use mesh_bundle::resource::{Destination, Protocol, Retry, Traffic};

use crate::policy::merge::Merged;
use crate::provenance::Notes;

use super::leaf::Leaves;
use super::outbound::{Addressed, Sending};
use super::retry::retry;
use super::shared::{Made, Shared};

/// The destination with what is tried again now; `None` where only making it anew tells what is noted about it.
pub(super) fn retried(
    sending: &Sending<'_>,
    addressed: Addressed<'_>,
    (before, noted): (&Destination, Option<&Notes>),
    shared: &Shared,
) -> Option<Made> {
    let mut notes = shared.notes();
    if let Some(noted) = noted {
        // Of which value a tie is, nobody wrote down.
        if !noted.ties.is_empty() {
            return None;
        }
        notes.overridden = others(noted);
    }
    let mut destination = before.clone();
    let port = &before.kri;
    let mut read = |merged: &Merged, protocol: Protocol, place: &str| -> Option<Retry> {
        let leaves = Leaves {
            merged,
            lines: sending.of.lines,
            notes: &mut notes,
            place,
        };
        retry(leaves, protocol)
    };
    if let Traffic::Http { routes } = &mut destination.traffic {
        for (place, route) in routes.iter_mut().enumerate() {
            let by = route.kri.without_section();
            let merged = sending.retry.lookup_route(port, &by);
            route.retry = merged.and_then(|merged| {
                let place = format!("traffic/routes/{place}/retry");
                read(&merged, addressed.port.protocol, &place)
            });
        }
    }
    let spoken = match destination.traffic {
        Traffic::Http { .. } => addressed.port.protocol,
        Traffic::Tcp { .. } => Protocol::Tcp,
    };
    destination.retry = read(&sending.retry.lookup(port), spoken, "retry");
    let reached = destination.clusters().cloned().collect();
    shared.make(Resource::Destination(destination), notes, reached)
}

/// What is noted about anything else.
fn others(noted: &Notes) -> BTreeMap<String, Vec<crate::provenance::Overridden>> {
    let is_retry = |place: &str| {
        place.starts_with("retry/")
            || place
                .strip_prefix("traffic/routes/")
                .and_then(|rest| rest.split_once('/'))
                .is_some_and(|(_, of_route)| of_route.starts_with("retry/"))
    };
    let others = noted
        .overridden
        .iter()
        .filter(|(place, _)| !is_retry(place));
    others
        .map(|(place, overridden)| (place.clone(), overridden.clone()))
        .collect()
}
