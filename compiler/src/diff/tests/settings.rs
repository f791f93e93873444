//! How what is sent fares: routes, shares, limits, encryption and identities of every proxy.
//!
//! Never believes a word: what is told is looked for on both sides, and what is different is looked for in what is told.

use std::collections::{BTreeMap, BTreeSet};

use mesh_bundle::resource::{Filter, HttpRoute};
use proptest::prelude::*;

use super::super::grouped::settings::{Group, groups};
use super::super::{Setting, Subject, words};
use super::*;
use crate::flow::{End, Fate, Flow, Node, Route};

/// A change that is told: the whole path, whose, about what, from what, to what.
type Told<'d> = (
    String,
    Option<Kri>,
    &'d Subject,
    &'d Option<String>,
    &'d Option<String>,
);

pub(super) fn judge(
    difference: &Difference,
    both: &[&Flows<'_>; 2],
    questions: &[Asked],
) -> Result<(), TestCaseError> {
    lines(difference, both)?;
    for setting in &difference.settings {
        truth::is_true(setting, difference, both)?;
    }
    let page = human(difference, None);
    let [old, new] = both;
    for after in new.nodes() {
        let Some(before) = old.node(after.kri) else {
            prop_assert!(difference.proxies.added.contains(after.kri), "{page}");
            continue;
        };
        let heard = Heard {
            difference,
            proxy: after.kri,
        };
        let id = |node: Node<'_>| node.identity().map(|own| own.spiffe_id.clone());
        if id(before) != id(after) {
            let told = heard.says(&Subject::Proxy, |path| path.starts_with("identity"));
            prop_assert!(told, "identity of {}\n{page}", after.kri);
        }
        modes(before, after, &heard, &page)?;
        for port in ports(both) {
            let sends = [before, after].map(|node| node.outbound(&port).is_some());
            if sends[0] != sends[1] {
                let told = heard.says_listener();
                prop_assert!(told, "listener of {} to {port}\n{page}", after.kri);
            }
            if sends != [true, true] {
                continue;
            }
            for asked in questions {
                let flows = [(old, before), (new, after)]
                    .map(|(side, node)| side.follow(node.kri, &port, asked).unwrap());
                let to = Subject::To(port.clone());
                fares(&flows, &heard, &to).map_err(|what| {
                    TestCaseError::fail(format!(
                        "{what} of {asked} from {} to {port}\n{page}",
                        after.kri
                    ))
                })?;
            }
        }
    }
    Ok(())
}

/// What is told of one proxy.
struct Heard<'d> {
    difference: &'d Difference,
    proxy: &'d Kri,
}

impl Heard<'_> {
    fn says(&self, subject: &Subject, path: impl Fn(&str) -> bool) -> bool {
        let mut own = self.own();
        own.any(|own| own.subject == *subject && path(&own.path))
    }

    fn says_listener(&self) -> bool {
        let mut own = self.own();
        own.any(|own| matches!(own.subject, Subject::Listener(_)) && own.path == "listener")
    }

    fn own(&self) -> impl Iterator<Item = &Setting> {
        let settings = self.difference.settings.iter();
        settings.filter(|own| own.proxies.contains(self.proxy))
    }
}

/// Lines say all that is told, or an edge does, and nothing else.
fn lines(difference: &Difference, both: &[&Flows<'_>; 2]) -> Result<(), TestCaseError> {
    let whole = |own: &Setting| -> Vec<Told<'_>> {
        let told = |whose: Option<&Kri>| {
            let setting = difference
                .settings
                .iter()
                .find(|each| *each == own)
                .unwrap();
            (
                own.path.clone(),
                whose.cloned(),
                &setting.subject,
                &setting.before,
                &setting.after,
            )
        };
        match own.proxies.is_empty() {
            true => vec![told(None)],
            false => own.proxies.iter().map(|kri| told(Some(kri))).collect(),
        }
    };
    let mut missing: BTreeSet<Told<'_>> = difference.settings.iter().flat_map(whole).collect();
    let all = missing.clone();
    for group in groups(difference) {
        let claims = claims(&group);
        match group.only {
            None => {
                for claim in claims {
                    prop_assert!(
                        all.contains(&claim),
                        "said: {claim:?}\n{}",
                        human(difference, None)
                    );
                    missing.remove(&claim);
                }
            }
            Some(only) => {
                let meant: Vec<_> = claims.into_iter().filter(|own| all.contains(own)).collect();
                prop_assert_eq!(meant.len(), only);
                meant.iter().for_each(|claim| {
                    missing.remove(claim);
                });
            }
        }
    }
    for (path, whose, ..) in missing {
        let told = permission(&path).is_some_and(|peer| {
            let whose = whose.as_ref().unwrap();
            difference.edges.iter().any(|edge| {
                let is_about = match peer.strip_suffix('*') {
                    Some(prefix) => edge
                        .caller
                        .identity()
                        .is_some_and(|id| id.as_str().starts_with(prefix)),
                    None => difference.names.caller(&edge.caller) == peer,
                };
                let servers = both.iter().flat_map(|side| side.servers(&edge.port));
                is_about
                    && edge.access.0 != edge.access.1
                    && servers.into_iter().any(|own| own.node.kri == whose)
            })
        });
        prop_assert!(
            told,
            "no line: {path} of {whose:?}\n{}",
            human(difference, None)
        );
    }
    Ok(())
}

/// `permissions.allow[web]`: whom it is about.
pub(super) fn permission(path: &str) -> Option<&str> {
    let rest = path.strip_prefix("permissions.")?;
    rest.split_once('[')?.1.strip_suffix(']')
}

/// Everything that a line says.
fn claims<'d>(group: &Group<'d>) -> Vec<Told<'d>> {
    let names: Vec<String> = match group.names.is_empty() {
        true => vec![group.path.clone()],
        false => {
            let names = group.names.iter();
            names
                .map(|name| group.path.replacen("[]", &format!("[{name}]"), 1))
                .collect()
        }
    };
    let whose: Vec<Option<Kri>> = match group.proxies.is_empty() {
        true => vec![None],
        false => group
            .proxies
            .iter()
            .map(|kri| Some(Kri::clone(kri)))
            .collect(),
    };
    let mut claims = Vec::new();
    for name in names {
        for whose in &whose {
            for subject in &group.subjects {
                claims.push((
                    name.clone(),
                    whose.clone(),
                    *subject,
                    group.before,
                    group.after,
                ));
            }
        }
    }
    claims
}

fn ports(both: &[&Flows<'_>; 2]) -> BTreeSet<Kri> {
    let mut ports = BTreeSet::new();
    for side in both {
        for node in side.nodes() {
            ports.extend(node.outbounds().map(|(_, own)| own.destination.clone()));
        }
    }
    ports
}

fn modes(
    before: Node<'_>,
    after: Node<'_>,
    heard: &Heard<'_>,
    page: &str,
) -> Result<(), TestCaseError> {
    for (inbound, _, policy) in after.inbounds() {
        let mut old = before.inbounds();
        let Some((.., was)) = old.find(|(own, ..)| own.kri == inbound.kri) else {
            continue;
        };
        if was.tls.value != policy.tls.value {
            let section = inbound.kri.section();
            let at = Subject::At(section.to_owned());
            let told = heard.says(&at, |own| own == "tls");
            prop_assert!(told, "mode of {}\n{page}", inbound.kri);
        }
    }
    Ok(())
}

/// What becomes of one request of one proxy; the first difference that nobody tells.
fn fares(flows: &[Flow<'_>; 2], heard: &Heard<'_>, to: &Subject) -> Result<(), String> {
    let told = |path: &dyn Fn(&str) -> bool| heard.says(to, path);
    let [taken_before, taken_after] = flows.each_ref().map(taken);
    // The route that it takes is another one, or what it takes is one that has come, gone, or is tried at another time.
    let of_routes = |path: &str| {
        let names = [&taken_before, &taken_after];
        let mut names = names
            .into_iter()
            .map(|name| format!("traffic.routes[{name}]"));
        path == "traffic"
            || path == "traffic.routes.order"
            || path == "traffic.type"
            || names.any(|name| path == name)
    };
    let moved = taken_before != taken_after;
    if moved && !told(&of_routes) {
        return Err(format!("route {taken_before} -> {taken_after}"));
    }
    let within = |path: &str, what: &str| {
        let of_route = format!("traffic.routes[{taken_after}].{what}");
        path == of_route
            || path.starts_with(&format!("{of_route}."))
            || path.starts_with(&format!("{of_route}["))
    };
    let [was, is] = flows.each_ref().map(split);
    if was != is && !moved {
        let told = told(&|path: &str| {
            within(path, "backends") || path == "traffic.route.backends" || of_routes(path)
        });
        if !told {
            return Err(format!("split {was:?} -> {is:?}"));
        }
    }
    let [was, is] = flows.each_ref().map(filters);
    if was != is && !moved && !told(&|path: &str| within(path, "filters") || of_routes(path)) {
        return Err(format!("filters {was:?} -> {is:?}"));
    }
    let [was, is] = flows
        .each_ref()
        .map(|flow| flow.timeouts().request.value.to_string());
    // What moves to another route takes its limits; those of a new one are told beside it.
    let is_new = told(&|path: &str| path == format!("traffic.routes[{taken_after}]"));
    let has_own = matches!(flows[1].route, Route::Http { taken, .. } if taken.timeouts.is_some());
    let is_due = !moved || (is_new && has_own);
    let limits = |path: &str| path == "timeouts.request" || within(path, "timeouts");
    if was != is && is_due && !told(&limits) {
        return Err(format!("timeout {was} -> {is}"));
    }
    let [was, is] = flows
        .each_ref()
        .map(|flow| flow.retry().map(|own| own.num_retries.value));
    if was != is
        && !told(&|path: &str| {
            path.starts_with("retry")
                || path.contains("].retry")
                || path == "traffic.type"
                || path == "traffic"
        })
    {
        return Err(format!("retries {was:?} -> {is:?}"));
    }
    encrypted(flows, heard.difference)
}

/// Servers that are reached with mTLS before, and in plaintext after, or the other way round.
fn encrypted(flows: &[Flow<'_>; 2], difference: &Difference) -> Result<(), String> {
    let spoken = |flow: &Flow<'_>| -> BTreeMap<Kri, bool> {
        let Fate::Split(shares) = &flow.fate else {
            return BTreeMap::new();
        };
        let ends = shares.iter().filter_map(|share| match &share.end {
            End::Mesh { cluster, tls, .. } => Some((cluster.kri.clone(), *tls)),
            _ => None,
        });
        ends.collect()
    };
    let [was, is] = flows.each_ref().map(spoken);
    for (port, was) in was {
        let Some(is) = is.get(&port).filter(|is| **is != was) else {
            continue;
        };
        let client = flows[0].client.kri;
        let told = difference.settings.iter().any(|own| {
            (own.subject == Subject::To(port.clone()) && own.path == "transport")
                || (own.proxies.contains(client) && own.path.starts_with("identity"))
        });
        if !told {
            return Err(format!("encryption {was} -> {is} towards {port}"));
        }
    }
    Ok(())
}

fn taken(flow: &Flow<'_>) -> String {
    match flow.route {
        Route::Http { taken, .. } => route_words(taken),
        Route::Tcp { .. } => "connections".to_owned(),
    }
}

pub(super) fn route_words(route: &HttpRoute) -> String {
    words::request(&serde_json::to_value(&route.matches).unwrap())
}

/// `2/3 api`.
fn split(flow: &Flow<'_>) -> Vec<String> {
    match &flow.fate {
        Fate::Redirected { status, location } => vec![format!("{status} {location}")],
        Fate::Split(shares) => {
            let taking = shares.iter().filter(|share| share.backend.weight > 0);
            let said = |share: &crate::flow::Share<'_>| {
                let cluster = share.backend.cluster.as_ref().map_or("nobody", Kri::as_str);
                format!("{}/{} {cluster}", share.backend.weight, share.of)
            };
            taking.map(said).collect()
        }
    }
}

fn filters<'b>(flow: &Flow<'b>) -> &'b [Filter] {
    match flow.route {
        Route::Http { taken, .. } => &taken.filters,
        Route::Tcp { .. } => &[],
    }
}
