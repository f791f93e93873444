//! What the answer must be, by the pure functions.
//!
//! Never more than one answer where shares do not leave a choice.

use std::borrow::Cow;

use http::HeaderMap;
use mesh_bundle::decide::{
    self, Admission, Choice, CompiledRetry, CompiledRoute, Outcome, Peer, RouteTable, Verdict,
    admit, choose, faults, is_retriable, location, normalise, retries_within, rewrite_path,
};
use mesh_bundle::resource::{Destination, Filter, HeaderModifier, InboundPolicy, RetryBudget};
use mesh_bundle::{Kri, Origin};

use super::super::site::{WEB, service};
use super::{Answer, Asked, EMPTY, MESHED, PLAIN, STATUS, shown, told};

/// What every workload puts into its answers.
pub(super) const OF_WORKLOADS: [(&str, &str); 3] =
    [("x-a", "workload"), ("x-b", "1"), ("x-b", "2")];

/// The request on its way: what filters have made of it.
struct OnItsWay {
    host: String,
    path: String,
    headers: HeaderMap,
}

impl decide::Request for Asked {
    fn method(&self) -> &str {
        self.method.as_str()
    }

    /// Asked only of paths that have a normal form.
    fn path(&self) -> &str {
        panic!("`At` has it")
    }

    fn query(&self) -> Option<&str> {
        self.query
    }

    fn header(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        if name == "host" {
            return Some(Cow::Borrowed(self.host.as_bytes()));
        }
        let values = self.headers.iter().filter(|(known, _)| *known == name);
        let values: Vec<&[u8]> = values.map(|(_, value)| *value).collect();
        (!values.is_empty()).then(|| Cow::Owned(values.join(&b','.to_owned())))
    }
}

/// A request, and the normal form of its path.
struct At<'a>(&'a Asked, &'a str);

impl decide::Request for At<'_> {
    fn method(&self) -> &str {
        self.0.method()
    }

    fn path(&self) -> &str {
        self.1
    }

    fn query(&self) -> Option<&str> {
        self.0.query()
    }

    fn header(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        self.0.header(name)
    }
}

/// Every answer that the request may get.
pub(super) fn answers(
    destination: &Destination,
    policy: &InboundPolicy,
    budget: &RetryBudget,
    asked: &Asked,
) -> Vec<Answer> {
    let most = u32::try_from(retries_within(budget, 0)).unwrap_or(u32::MAX);
    let Ok(normal) = normalise(&asked.path) else {
        return vec![refused(400, "bad-path", None)];
    };
    let table = RouteTable::compile(destination).unwrap();
    let Some(compiled) = table.select(&At(asked, &normal.matched)) else {
        return vec![refused(404, "no-route", None)];
    };
    let mut way = OnItsWay {
        host: asked.host.to_owned(),
        path: normal.forwarded.into_owned(),
        headers: HeaderMap::new(),
    };
    for (name, value) in &asked.headers {
        way.headers.append(*name, (*value).try_into().unwrap());
    }
    if let Some((status, location)) = outbound_filters(compiled, asked, &mut way) {
        return vec![Answer::Moved {
            status,
            location,
            headers: answer_headers(compiled, &[]),
        }];
    }
    let backends = &compiled.route.backends;
    let turn: u64 = backends.iter().map(|share| u64::from(share.weight)).sum();
    let choices = (0..turn.max(1)).map(|roll| choose(backends, roll));
    let mut answers = Vec::new();
    for choice in choices {
        let answer = match choice {
            Choice::Unresolved { origin } => {
                refused(500, "unresolved", origin.or(Some(&compiled.route.origin)))
            }
            Choice::Cluster { kri, origin } => reached(
                (destination, most),
                compiled,
                policy,
                asked,
                &way,
                (kri, origin),
            ),
        };
        if !answers.contains(&answer) {
            answers.push(answer);
        }
    }
    answers
}

fn refused(status: u16, code: &str, origin: Option<&Origin>) -> Answer {
    Answer::Refused {
        status,
        code: code.to_owned(),
        origin: origin.map(Origin::to_string),
        headers: Vec::new(),
    }
}

/// Changes the request; `Some` where it is sent elsewhere.
fn outbound_filters(
    compiled: &CompiledRoute,
    asked: &Asked,
    way: &mut OnItsWay,
) -> Option<(u16, String)> {
    let prefix = compiled.matched_prefix();
    for filter in &compiled.route.filters {
        match filter {
            Filter::RequestHeaders(change) => modify(change, &mut way.headers),
            Filter::Rewrite(rewrite) => {
                if let Some(host) = &rewrite.hostname {
                    way.host.clone_from(host);
                }
                if let Some(path) = &rewrite.path {
                    way.path = rewrite_path(path, &way.path, prefix);
                }
            }
            Filter::Redirect(redirect) => {
                let (host, path) = (&way.host, &way.path);
                let location = location(redirect, "http", host, path, asked.query, prefix);
                return Some((redirect.status, location));
            }
            Filter::ResponseHeaders(_) | Filter::Mirror(_) => {}
        }
    }
    None
}

fn modify(change: &HeaderModifier, headers: &mut HeaderMap) {
    let name = |text: &str| http::HeaderName::try_from(text).unwrap();
    for pair in &change.set {
        headers.insert(name(&pair.name), pair.value.parse().unwrap());
    }
    for pair in &change.add {
        headers.append(name(&pair.name), pair.value.parse().unwrap());
    }
    for gone in &change.remove {
        headers.remove(gone);
    }
}

fn answer_headers(compiled: &CompiledRoute, own: &[(&'static str, &str)]) -> Vec<String> {
    let mut headers = HeaderMap::new();
    for (name, value) in own {
        headers.append(*name, value.parse().unwrap());
    }
    for filter in &compiled.route.filters {
        if let Filter::ResponseHeaders(change) = filter {
            modify(change, &mut headers);
        }
    }
    shown(&headers)
}

/// What whoever was chosen answers.
fn reached(
    (destination, most): (&Destination, u32),
    compiled: &CompiledRoute,
    policy: &InboundPolicy,
    asked: &Asked,
    way: &OnItsWay,
    (chosen, line): (&Kri, &Origin),
) -> Answer {
    if *chosen == service(EMPTY) {
        return refused(503, "no-endpoint", Some(line));
    }
    let mut way = OnItsWay {
        host: way.host.clone(),
        path: way.path.clone(),
        headers: way.headers.clone(),
    };
    let by = match *chosen == service(PLAIN) {
        true => PLAIN,
        false => MESHED,
    };
    if by == MESHED {
        if let Err(mut answer) = admitted(policy, &mut way) {
            if let Answer::Refused { headers, .. } = &mut answer {
                *headers = answer_headers(compiled, &[]);
            }
            return answer;
        }
        let client = format!("URI={WEB}").parse().unwrap();
        way.headers.insert("x-forwarded-client-cert", client);
    }
    let told = told(
        by,
        tries(destination, compiled, asked, &way).min(most.saturating_add(1)),
        &sent(asked, &way),
        asked.body.as_bytes(),
    );
    Answer::Served {
        status: asked.status,
        told,
        headers: answer_headers(compiled, &OF_WORKLOADS),
    }
}

/// Asks the inbound; `Err` is what it answers itself.
fn admitted(policy: &InboundPolicy, way: &mut OnItsWay) -> Result<(), Answer> {
    let id = WEB.parse().unwrap();
    let peer = Peer {
        identity: Some(&id),
        sni: None,
    };
    if let Admission::Asked(Verdict::Deny { origin }) = admit(policy, Some(&peer)) {
        return Err(refused(403, "permission", Some(origin)));
    }
    match normalise(&way.path) {
        Ok(normal) => way.path = normal.forwarded.into_owned(),
        Err(_) => return Err(refused(400, "bad-path", None)),
    }
    // Shares are none or all, so any number will do.
    match faults(&policy.faults, &peer, || 0).abort {
        Some(abort) => Err(refused(abort.status, "fault", Some(abort.origin))),
        None => Ok(()),
    }
}

/// How often the workload is asked, when it answers the same each time.
fn tries(
    destination: &Destination,
    compiled: &CompiledRoute,
    asked: &Asked,
    way: &OnItsWay,
) -> u32 {
    let Some(retry) = compiled.route.retry(destination) else {
        return 1;
    };
    let outcome = Outcome::Response {
        status: asked.status,
        grpc: None,
        rate_limited: false,
    };
    let header = |headers: &HeaderMap, name: &str| {
        let values: Vec<&[u8]> = headers
            .get_all(name)
            .iter()
            .map(http::HeaderValue::as_bytes)
            .collect();
        (!values.is_empty()).then(|| Cow::Owned(values.join(&b',')))
    };
    let of_workload: HeaderMap = {
        let mut headers = HeaderMap::new();
        for (name, value) in OF_WORKLOADS {
            headers.append(name, value.parse().unwrap());
        }
        headers
    };
    let policy = CompiledRetry::compile(retry).unwrap();
    let method = asked.method.as_str();
    let again = policy.is_about(method, |name| header(&way.headers, name))
        && (is_retriable(retry, method, outcome)
            || policy.asks_for_more(|name| header(&of_workload, name)));
    1 + retry.num_retries.value * u32::from(again)
}

/// The request as the workload reads it.
fn sent(asked: &Asked, way: &OnItsWay) -> http::request::Parts {
    let target = match asked.query {
        Some(query) => format!("{}?{query}", way.path),
        None => way.path.clone(),
    };
    let request = http::Request::builder().method(asked.method.clone());
    let request = request.uri(target).body(()).unwrap();
    let (mut parts, ()) = request.into_parts();
    parts.headers = way.headers.clone();
    parts.headers.insert("host", way.host.parse().unwrap());
    parts.headers.insert(STATUS, asked.status.into());
    parts
}
