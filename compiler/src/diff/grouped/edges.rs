//! Edges as lines: what is really sent before what only may be.
//!
//! Never says twice what many callers and ports have in common.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::super::{Difference, Edge, words};
use super::{Line, place};
use crate::flow::Reach;

/// One thing that an edge has to say.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::diff) struct Said {
    /// It is about what may be sent, whether or not it is.
    pub(in crate::diff) is_access: bool,
    pub(in crate::diff) sign: char,
    pub(in crate::diff) what: String,
}

/// What is true of each of these callers and each of these ports.
#[derive(Debug)]
pub(in crate::diff) struct Group {
    pub(in crate::diff) callers: BTreeSet<String>,
    pub(in crate::diff) ports: BTreeSet<String>,
    pub(in crate::diff) said: Said,
    place: String,
}

pub(in crate::diff) fn edges(difference: &Difference) -> Vec<Line> {
    let line = |group: Group| Line {
        sign: group.said.sign,
        text: format!(
            "{} -> {}: {}",
            words::listed(&group.callers),
            words::listed(&group.ports),
            group.said.what
        ),
        place: group.place,
    };
    groups(difference).into_iter().map(line).collect()
}

pub(in crate::diff) fn groups(difference: &Difference) -> Vec<Group> {
    let mut callers: BTreeMap<(Said, String, String), BTreeSet<String>> = BTreeMap::new();
    for edge in &difference.edges {
        for said in said(edge) {
            let key = (
                said,
                place(edge.cause.as_ref()),
                difference.names.port(&edge.port),
            );
            let known = callers.entry(key).or_default();
            known.insert(difference.names.caller(&edge.caller));
        }
    }
    let mut ports: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    for ((said, place, port), callers) in callers {
        let known = ports.entry((said, place, callers)).or_default();
        known.insert(port);
    }
    let group = |((said, place, callers), ports)| Group {
        callers,
        ports,
        said,
        place,
    };
    let mut groups: Vec<Group> = ports.into_iter().map(group).collect();
    // What concerns the most first.
    groups.sort_by_key(|group| {
        let concerned = group.callers.len() * group.ports.len();
        (group.said.is_access, Reverse(concerned))
    });
    groups
}

/// What one edge has to say.
pub(in crate::diff) fn said(edge: &Edge) -> Vec<Said> {
    let guess = match edge.is_exact {
        true => "",
        false => " (of some requests that were looked at)",
    };
    let sent = |what: &str, before, after| Said {
        is_access: false,
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
    if was != is && said.iter().all(|said| said.sign != sign(was, is)) {
        let what = match (is > was, edge.is_idle) {
            (true, true) => "may call, though nothing is sent",
            (true, false) => "may call",
            (false, true) => "may no longer call; nothing was sent",
            (false, false) => "may no longer call",
        };
        said.push(Said {
            is_access: true,
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
