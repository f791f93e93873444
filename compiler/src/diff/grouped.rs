//! What many have in common, said once: a change of the whole mesh is a few lines.
//!
//! Never leaves anybody out without saying how many: lists that are too long are counted.

pub(super) mod edges;
pub(super) mod settings;

use std::collections::BTreeSet;

use mesh_bundle::{Kri, Origin};

use super::names::Names;
use super::{Difference, Edge, Subject, words};
pub(super) use edges::edges;
use edges::said;
pub(super) use settings::settings;

/// One line.
pub(super) struct Line {
    /// `+` for what is opened or new, `-` for what is closed or gone, `~` for the rest.
    pub(super) sign: char,
    pub(super) text: String,
    /// Where it is written.
    pub(super) place: String,
}

/// An arrow of a graph.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Arrow {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) sign: char,
}

pub(super) fn arrows(difference: &Difference) -> BTreeSet<Arrow> {
    let arrow = |edge: &Edge| {
        let signs: BTreeSet<char> = said(edge).into_iter().map(|said| said.sign).collect();
        Arrow {
            from: difference.names.caller(&edge.caller),
            to: difference.names.port(&edge.port),
            sign: match signs.len() {
                1 => signs.first().copied().unwrap_or('~'),
                _ => '~',
            },
        }
    };
    difference.edges.iter().map(arrow).collect()
}

pub(super) fn outside(difference: &Difference) -> Vec<Line> {
    let mut lines = Vec::new();
    for outside in &difference.outside {
        for (sign, whose) in [('+', &outside.opened), ('-', &outside.closed)] {
            if !whose.is_empty() {
                lines.push(Line {
                    sign,
                    text: format!(
                        "{}: {}",
                        outside.destination,
                        proxies(&difference.names, whose)
                    ),
                    place: place(outside.cause.as_ref()),
                });
            }
        }
    }
    lines
}

/// How much there is of what, in one line; `None` where there is nothing.
pub(super) fn summary(difference: &Difference) -> Option<String> {
    let signs = |wanted: char| {
        let edges = difference.edges.iter();
        edges
            .filter(|edge| said(edge).iter().any(|said| said.sign == wanted))
            .count()
    };
    let whose = &difference.proxies;
    let touched = whose.added.len() + whose.removed.len() + whose.changed.len();
    let parts = [
        (signs('+'), "edge opened", "edges opened"),
        (signs('-'), "edge closed", "edges closed"),
        (
            difference.outside.len(),
            "destination outside",
            "destinations outside",
        ),
        (settings(difference).len(), "setting", "settings"),
        (touched, "proxy", "proxies"),
    ];
    let parts = parts.into_iter().filter(|(count, ..)| *count > 0);
    let said: Vec<String> = parts
        .map(|(count, one, many)| format!("{count} {}", if count == 1 { one } else { many }))
        .collect();
    (!said.is_empty()).then(|| said.join(", "))
}

pub(super) fn subject(names: &Names, subject: &Subject) -> String {
    match subject {
        Subject::To(port) => format!("to {}", names.port(port)),
        Subject::At(section) => format!("at inbound {section}"),
        Subject::Listener(address) => format!("at listener {address}"),
        Subject::Proxy => "as a whole".to_owned(),
        Subject::Trust => "in whom they trust".to_owned(),
        Subject::Issuer(kri) => format!("of issuer {}", kri.name()),
    }
}

/// One line about proxies; `None` where none is told anything else.
pub(super) fn configurations(difference: &Difference) -> Option<String> {
    let whose = &difference.proxies;
    let growth: i64 = whose.changed.iter().map(|proxy| proxy.growth).sum();
    let sent: u64 = whose.changed.iter().map(|proxy| proxy.sent).sum();
    let mut parts = Vec::new();
    if !whose.changed.is_empty() {
        let changed: BTreeSet<Kri> = whose.changed.iter().map(|p| p.kri.clone()).collect();
        let names = proxies(&difference.names, &changed);
        parts.push(format!(
            "{names} changed ({growth:+} bytes, {sent} to be sent)"
        ));
    }
    for (list, word) in [(&whose.added, "added"), (&whose.removed, "removed")] {
        if !list.is_empty() {
            parts.push(format!(
                "{} {word}",
                proxies(&difference.names, &list.iter().cloned().collect())
            ));
        }
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// `web-1`, or `412 proxies`.
fn proxies(names: &Names, whose: &BTreeSet<Kri>) -> String {
    match whose.len() {
        0..=words::LISTED => words::listed(&whose.iter().map(|kri| names.proxy(kri)).collect()),
        many => format!("{many} proxies"),
    }
}

pub(super) fn place(origin: Option<&Origin>) -> String {
    origin.map_or_else(String::new, ToString::to_string)
}
