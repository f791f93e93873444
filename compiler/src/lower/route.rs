//! HTTP routes in the order in which they are tried (language 5.1.4 to 5.1.6).
//!
//! Never hides a service behind its routes: what no route matches goes to the service itself.

mod filter;
mod matches;

use std::cmp::Reverse;

use mesh_bundle::resource::{HttpRoute, PathMatch, RequestMatch};
use serde_json::Value;

use crate::diag::{Location, Pointer};
use crate::json::Json;
use crate::policy::Source;
use crate::policy::merge::Merged;
use crate::policy::outbound::{Item, Outbound};
use crate::provenance::Notes;

use super::access_log;
use super::leaf::Leaves;
use super::load_balancing::hash_policies;
use super::outbound::{Addressed, Sending, itself};
use super::retry::retry;
use super::timeouts::timeouts;

pub(super) use filter::pairs as header_pairs;
pub(super) use matches::header as read_header;
pub(crate) use matches::read as read_matches;

/// A rule made of all rules with the same matches.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) matches: Vec<RequestMatch>,
    /// The matches, as the strongest document writes them.
    pub(crate) written: Value,
    pub(crate) conf: Merged,
    /// The strongest document that has it, and where.
    pub(crate) by: Source,
    /// Its place among the rules of that document.
    index: usize,
}

/// The routes of one destination.
pub(super) fn routes<'a>(
    sending: &Sending<'a>,
    addressed: Addressed<'a>,
    items: &[&Item],
    notes: &mut Notes,
) -> Vec<HttpRoute> {
    let rules = rules(&sending.http, items);
    let entry = |rule| move |matches| (matches, rule);
    let entries = rules
        .iter()
        .flat_map(|rule: &Rule| rule.matches.iter().map(entry(rule)));
    let mut entries: Vec<(&RequestMatch, &Rule)> = entries.collect();
    entries.sort_by_key(|(matches, _)| rank(matches));
    // Thousands of destinations have one or two: a list that grows by itself has room for four.
    let mut routes = Vec::with_capacity(entries.len() + 1);
    for (matches, rule) in entries {
        let last = is_everything(matches);
        routes.push(route(
            sending,
            addressed,
            matches.clone(),
            rule,
            routes.len(),
            notes,
        ));
        if last {
            // What follows is never tried.
            return routes;
        }
    }
    routes.push(HttpRoute {
        matches: everything(),
        ..HttpRoute::new(
            addressed.kri(),
            vec![itself(addressed)],
            addressed.service.origin.clone(),
        )
    });
    routes
}

/// The rules of all documents, the strongest first.
pub(crate) fn rules(http: &Outbound<'_>, items: &[&Item]) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    for item in items {
        let list = item.conf.get("rules").and_then(Json::as_array);
        let list = list.unwrap_or_default();
        for (index, written) in list.iter().enumerate().rev() {
            let at = Pointer::default().field("rules").index(index);
            let Some(by) = http.source(item, &at) else {
                continue;
            };
            let matches = read_matches(written.get("matches"));
            let same = rules.iter().position(|rule| rule.matches == matches);
            let mut conf = same.map(|same| rules.remove(same).conf).unwrap_or_default();
            let default = at.field("default");
            conf.layer(written.get("default").unwrap_or(&Json::Null), &|relative| {
                let mut at = default.clone();
                at.steps.extend(relative.steps.iter().cloned());
                http.source(item, &at)
            });
            rules.push(Rule {
                matches,
                written: written.get("matches").map_or(Value::Null, Json::to_value),
                conf,
                by,
                index,
            });
        }
    }
    rules.reverse();
    rules
}

fn route<'a>(
    sending: &Sending<'a>,
    addressed: Addressed<'a>,
    matches: RequestMatch,
    rule: &Rule,
    place: usize,
    notes: &mut Notes,
) -> HttpRoute {
    let leaf = |name: &str| {
        let path = [name];
        rule.conf.leaf(&path).zip(rule.conf.setting(&path))
    };
    let filters = leaf("filters").map_or_else(Vec::new, |(list, setting)| {
        filter::read(list, |backend| {
            sending.resolve(backend, &setting.by.resource, true)
        })
    });
    let redirects = filters
        .iter()
        .any(|filter| matches!(filter, mesh_bundle::resource::Filter::Redirect(_)));
    let (port, by) = (addressed.kri(), &rule.by.resource);
    let balancing = sending.load_balancing.lookup_route(&port, by);
    let lines = sending.of.lines;
    HttpRoute {
        kri: rule
            .by
            .resource
            .with_section(format!("rule_{}", rule.index)),
        matches,
        backends: match redirects {
            true => Vec::new(),
            false => sending.backends(addressed, leaf("backendRefs"), true),
        },
        filters,
        hash_policies: balancing.and_then(|merged| {
            hash_policies(Leaves {
                merged: &merged,
                lines,
                notes,
                place: &format!("traffic/routes/{place}"),
            })
        }),
        timeouts: sending.timeout.lookup_route(&port, by).map(|merged| {
            Box::new(timeouts(Leaves {
                merged: &merged,
                lines,
                notes,
                place: &format!("traffic/routes/{place}/timeouts"),
            }))
        }),
        access_log: access_log::route(
            sending.of,
            &sending.access_log,
            (&addressed.kri(), &rule.by.resource),
            notes,
            &format!("traffic/routes/{place}/accessLog"),
        ),
        retry: sending.retry.lookup_route(&port, by).and_then(|merged| {
            let leaves = Leaves {
                merged: &merged,
                lines,
                notes,
                place: &format!("traffic/routes/{place}/retry"),
            };
            retry(leaves, addressed.port.protocol)
        }),
        origin: lines.source(&rule.by),
    }
}

/// The order of trying, by what a match looks like; of equal ones the stronger rule comes first.
pub(crate) type Rank = (
    bool,
    u8,
    Reverse<usize>,
    bool,
    Reverse<usize>,
    Reverse<usize>,
);

/// Language 5.1.5.
pub(crate) fn rank(matches: &RequestMatch) -> Rank {
    let RequestMatch {
        path,
        method,
        headers,
        query,
    } = matches;
    let (kind, length) = match path {
        None | Some(PathMatch::Exact(_)) => (0, 0),
        Some(PathMatch::Prefix(text)) => (1, text.len()),
        Some(PathMatch::Regex(text)) => (2, text.len()),
    };
    (
        path.is_none(),
        kind,
        Reverse(length),
        method.is_none(),
        Reverse(headers.len()),
        Reverse(query.len()),
    )
}

/// `{path: PathPrefix /}` and nothing else.
fn everything() -> RequestMatch {
    RequestMatch {
        path: Some(PathMatch::Prefix("/".to_owned())),
        ..RequestMatch::default()
    }
}

/// Does a match hold for every request?
pub(crate) fn is_everything(matches: &RequestMatch) -> bool {
    *matches == everything() || *matches == RequestMatch::default()
}

/// The entries that are never tried, because one before them matches everything: place of the rule, and of what hides it.
pub(crate) fn hidden(matches: &[(Location, RequestMatch)]) -> Vec<(Location, Location)> {
    let mut entries: Vec<&(Location, RequestMatch)> = matches.iter().collect();
    entries.sort_by_key(|(_, matches)| rank(matches));
    let mut hidden = Vec::new();
    for (index, (at, matches)) in entries.iter().enumerate() {
        let hides = |earlier: &RequestMatch| is_everything(earlier) || earlier == matches;
        let hider = entries
            .iter()
            .take(index)
            .find(|(_, earlier)| hides(earlier));
        hidden.extend(hider.map(|(hider, _)| (at.clone(), hider.clone())));
    }
    hidden
}
