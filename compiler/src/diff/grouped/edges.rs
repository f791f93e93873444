//! Edges as lines: what is really sent before what only may be.
//!
//! Never says twice what many callers and ports have in common.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::super::{Difference, Edge, words};
use super::{Line, place};
use crate::flow::Reach;

/// One thing that an edge has to say.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Said {
    /// It is about what may be sent and is not.
    is_idle: bool,
    pub(super) sign: char,
    what: String,
}

pub(in crate::diff) fn edges(difference: &Difference) -> Vec<Line> {
    let mut callers: BTreeMap<(Said, String, String), BTreeSet<String>> = BTreeMap::new();
    for edge in &difference.edges {
        for said in said(edge) {
            let key = (said, place(edge.cause.as_ref()), words::port(&edge.port));
            let known = callers.entry(key).or_default();
            known.insert(words::caller(&edge.caller));
        }
    }
    let mut ports: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    for ((said, place, port), callers) in callers {
        let known = ports.entry((said, place, callers)).or_default();
        known.insert(port);
    }
    let mut lines: Vec<_> = ports.into_iter().collect();
    // What concerns the most first.
    lines.sort_by_key(|((said, _, callers), ports)| {
        (said.is_idle, Reverse(callers.len() * ports.len()))
    });
    let line = |((said, place, callers), ports): ((Said, String, BTreeSet<String>), _)| Line {
        sign: said.sign,
        text: format!(
            "{} -> {}: {}",
            words::listed(&callers),
            words::listed(&ports),
            said.what
        ),
        place,
    };
    lines.into_iter().map(line).collect()
}

/// What one edge has to say.
pub(super) fn said(edge: &Edge) -> Vec<Said> {
    let guess = match edge.is_exact {
        true => "",
        false => " (of some requests that were looked at)",
    };
    let sent = |what: &str, before, after| Said {
        is_idle: false,
        sign: sign(before, after),
        what: format!("{}{guess}", share(what, before, after)),
    };
    let mut said: Vec<Said> = match edge.traffic.first() {
        Some(first) if edge.is_whole => vec![sent("all requests", first.before, first.after)],
        _ => {
            let each = edge.traffic.iter();
            each.map(|each| sent(&each.requests, each.before, each.after))
                .collect()
        }
    };
    let (was, is) = edge.access;
    let only = said.is_empty();
    if was != is && (only || said.iter().all(|said| said.sign != sign(was, is))) {
        let what = match (is > was, only) {
            (true, true) => "may call, though nothing is sent",
            (true, false) => "may call",
            (false, true) => "may no longer call; nothing was sent",
            (false, false) => "may no longer call",
        };
        said.push(Said {
            is_idle: true,
            sign: sign(was, is),
            what: share(what, was, is),
        });
    }
    said
}

/// The sign says whether it is more or less; what is left to say is where it is not all or nothing.
fn share(what: &str, before: Reach, after: Reach) -> String {
    match (before, after) {
        (_, Reach::Partly) => format!("{what}, in part now"),
        (Reach::Partly, _) => format!("{what}, in part before"),
        _ => what.to_owned(),
    }
}

fn sign(before: Reach, after: Reach) -> char {
    if after > before { '+' } else { '-' }
}
