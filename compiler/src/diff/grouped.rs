//! What many have in common, said once: a change of the whole mesh is a few lines.
//!
//! Never leaves anybody out without saying how many: lists that are too long are counted.

use std::collections::{BTreeMap, BTreeSet};

use mesh_bundle::{Kri, Origin};

use super::{Difference, Edge, Setting, Subject, words};
use crate::flow::Reach;

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

pub(super) fn edges(difference: &Difference) -> Vec<Line> {
    let mut groups: BTreeMap<(String, char, String, String), BTreeSet<String>> = BTreeMap::new();
    for edge in &difference.edges {
        for (sign, what) in said(edge) {
            let key = (
                words::port(&edge.port),
                sign,
                what,
                place(edge.cause.as_ref()),
            );
            groups
                .entry(key)
                .or_default()
                .insert(words::caller(&edge.caller));
        }
    }
    let line = |((port, sign, what, place), callers): ((String, char, String, String), _)| Line {
        sign,
        text: format!("{} -> {port}: {what}", words::listed(&callers)),
        place,
    };
    groups.into_iter().map(line).collect()
}

pub(super) fn arrows(difference: &Difference) -> BTreeSet<Arrow> {
    let arrow = |edge: &Edge| {
        let signs: BTreeSet<char> = said(edge).into_iter().map(|(sign, _)| sign).collect();
        Arrow {
            from: words::caller(&edge.caller),
            to: words::port(&edge.port),
            sign: match signs.len() {
                1 => signs.first().copied().unwrap_or('~'),
                _ => '~',
            },
        }
    };
    difference.edges.iter().map(arrow).collect()
}

/// What one edge has to say.
fn said(edge: &Edge) -> Vec<(char, String)> {
    let (was, is) = edge.access;
    let mut said = Vec::new();
    let guess = if edge.is_exact {
        ""
    } else {
        " (of some requests that were looked at)"
    };
    match edge.traffic.first() {
        Some(first) if edge.is_whole => {
            let what = change("all requests", first.before, first.after);
            said.push((sign(first.before, first.after), format!("{what}{guess}")));
        }
        Some(_) => said.extend(edge.traffic.iter().map(|traffic| {
            let what = change(&traffic.requests, traffic.before, traffic.after);
            (
                sign(traffic.before, traffic.after),
                format!("{what}{guess}"),
            )
        })),
        None => {}
    }
    if was != is && said.is_empty() {
        let what = change("may call", was, is);
        said.push((
            sign(was, is),
            format!("{what}, though it sends nothing there"),
        ));
    } else if was != is && sign(was, is) != said.first().map_or('~', |(sign, _)| *sign) {
        said.push((sign(was, is), change("may call", was, is)));
    }
    said
}

fn change(what: &str, before: Reach, after: Reach) -> String {
    format!("{what} {} -> {}", words::reach(before), words::reach(after))
}

fn sign(before: Reach, after: Reach) -> char {
    if after > before { '+' } else { '-' }
}

pub(super) fn outside(difference: &Difference) -> Vec<Line> {
    let mut lines = Vec::new();
    for outside in &difference.outside {
        for (sign, whose) in [('+', &outside.opened), ('-', &outside.closed)] {
            if !whose.is_empty() {
                lines.push(Line {
                    sign,
                    text: format!("{}: {}", outside.destination, proxies(whose)),
                    place: place(outside.cause.as_ref()),
                });
            }
        }
    }
    lines
}

/// Equal changes of many subjects are one line.
pub(super) fn settings(difference: &Difference) -> Vec<Line> {
    type Group<'d> = (u8, &'d str, &'d Option<String>, &'d Option<String>);
    let mut groups: BTreeMap<Group<'_>, Vec<&Setting>> = BTreeMap::new();
    for setting in &difference.settings {
        let key = (
            side(&setting.subject),
            setting.path.as_str(),
            &setting.before,
            &setting.after,
        );
        groups.entry(key).or_default().push(setting);
    }
    let line = |((_, path, before, after), settings): (Group<'_>, Vec<&Setting>)| {
        let subjects: BTreeSet<String> = settings.iter().map(|s| subject(&s.subject)).collect();
        let whose: BTreeSet<Kri> = settings.iter().flat_map(|s| s.proxies.clone()).collect();
        let what = match (before, after) {
            (Some(before), Some(after)) => format!("{path} {before} -> {after}"),
            (None, Some(after)) => format!("{path} {after}"),
            (Some(before), None) => format!("{path} {before}"),
            (None, None) => path.to_owned(),
        };
        let whose = match whose.is_empty() {
            true => words::listed(&subjects),
            false => format!("{} {}", proxies(&whose), words::listed(&subjects)),
        };
        let places: BTreeSet<String> = settings
            .iter()
            .map(|s| place(s.after_origin.as_ref().or(s.before_origin.as_ref())))
            .collect();
        Line {
            sign: match (before, after) {
                (None, _) => '+',
                (_, None) => '-',
                _ => '~',
            },
            text: format!("{}: {whose}", what.trim_start()),
            place: words::listed(&places),
        }
    };
    groups.into_iter().map(line).collect()
}

fn side(subject: &Subject) -> u8 {
    match subject {
        Subject::At(_) => 0,
        Subject::To(_) => 1,
        Subject::Listener(_) => 2,
        Subject::Proxy => 3,
        Subject::Trust => 4,
        Subject::Issuer(_) => 5,
    }
}

pub(super) fn subject(subject: &Subject) -> String {
    match subject {
        Subject::To(port) => format!("to {}", words::port(port)),
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
        let names = proxies(&changed);
        parts.push(format!(
            "{names} changed ({growth:+} bytes, {sent} to be sent)"
        ));
    }
    for (list, word) in [(&whose.added, "added"), (&whose.removed, "removed")] {
        if !list.is_empty() {
            parts.push(format!(
                "{} {word}",
                proxies(&list.iter().cloned().collect())
            ));
        }
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// `web-1`, or `412 proxies`.
fn proxies(whose: &BTreeSet<Kri>) -> String {
    match whose.len() {
        0..=words::LISTED => {
            words::listed(&whose.iter().map(|kri| kri.name().to_owned()).collect())
        }
        many => format!("{many} proxies"),
    }
}

pub(super) fn place(origin: Option<&Origin>) -> String {
    origin.map_or_else(String::new, ToString::to_string)
}
