//! Every request there is, in so many classes that routes tell apart, each with an example.
//!
//! Never leaves a request out: a class that is missing has no request. Never works without bound: routes that tell too many
//! classes apart are refused, and the caller has to say so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use mesh_bundle::decide::{CompiledRoute, RouteTable, normalise};
use mesh_bundle::resource::{PathMatch, TextMatch};

use super::Asked;
use super::witness::{Domain, witnesses};

pub use super::witness::TooMany;

/// Parts that the space of requests is cut into. Some hundred routes with a few conditions each need some thousand.
const PART_LIMIT: usize = 20_000;
/// One character of a path in normal form, but for the dot: what clients need not escape, and escapes that are kept.
const LETTER: &str = r"(?:[!$&'()*+,:=@A-Za-z0-9_~-]|%(?:0[1-9A-F]|1[0-9A-F]|2[0-9A-C]|3[A-F]|40|5[BDE]|60|7[B-DF]|[89A-F][0-9A-F]))";
static PATHS: LazyLock<Domain> = LazyLock::new(|| Domain::of(&normal_paths()));
/// Values of a header as a server sees them.
static VALUES: LazyLock<Domain> = LazyLock::new(|| {
    Domain::of(r"(?:[!-~\u{80}-\u{10FFFF}](?:[ -~\u{80}-\u{10FFFF}]*[!-~\u{80}-\u{10FFFF}])?)?")
});
/// Names of hosts, with or without a port.
static AUTHORITIES: LazyLock<Domain> =
    LazyLock::new(|| Domain::of(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?"));
/// Anything can be escaped.
static PARAMETERS: LazyLock<Domain> = LazyLock::new(|| Domain::of(r"(?s:.*)"));

/// Requests that the same routes take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestClass {
    /// One of them.
    pub example: Asked,
    /// The place of the route that each of the tables has for them; `None` where it has none.
    pub routes: Vec<Option<usize>>,
}

/// The classes that these tables tell apart together.
///
/// # Errors
/// There are too many.
pub fn classes(tables: &[&RouteTable]) -> Result<Vec<RequestClass>, TooMany> {
    let space = Space::of(tables.iter().flat_map(|table| table.routes()))?;
    let mut parts = vec![(Vec::new(), space.all())];
    for table in tables {
        let rules: Vec<Part> = table
            .routes()
            .iter()
            .map(|route| space.rule(route))
            .collect();
        let mut cut = Vec::new();
        for (taken, part) in parts {
            for (route, part) in divide(part, &rules)? {
                let mut taken: Vec<Option<usize>> = Vec::clone(&taken);
                taken.push(route);
                cut.push((taken, part));
            }
            if cut.len() > PART_LIMIT {
                return Err(TooMany);
            }
        }
        parts = cut;
    }
    let mut classes: BTreeMap<Vec<Option<usize>>, Asked> = BTreeMap::new();
    for (routes, part) in parts {
        classes
            .entry(routes)
            .or_insert_with(|| space.example(&part));
    }
    let class = |(routes, example)| RequestClass { example, routes };
    Ok(classes.into_iter().map(class).collect())
}

/// Some of the classes, where there are too many: for each route a request that is as it says itself.
pub fn samples(tables: &[&RouteTable]) -> Vec<RequestClass> {
    let routes = tables.iter().flat_map(|table| table.routes());
    let asked = routes.filter_map(|route| {
        let space = Space::of([route]).ok()?;
        let part = space.rule(route);
        let any = !part.iter().any(BTreeSet::is_empty);
        any.then(|| space.example(&part))
    });
    let mut samples: BTreeMap<Vec<Option<usize>>, Asked> = BTreeMap::new();
    for example in asked.chain([Asked::new("GET", "/")]) {
        let routes = tables.iter().map(|table| example.position(table)).collect();
        samples.entry(routes).or_insert(example);
    }
    let class = |(routes, example)| RequestClass { example, routes };
    samples.into_iter().map(class).collect()
}

/// Of every dimension some of its values: a box.
type Part = Vec<BTreeSet<usize>>;

/// What requests can differ in.
#[derive(Debug)]
struct Space {
    paths: Vec<String>,
    methods: Vec<String>,
    /// By name; `None` is a request without it.
    headers: BTreeMap<String, Vec<Option<String>>>,
    parameters: BTreeMap<String, Vec<Option<String>>>,
}

/// Cuts a part into what each rule takes of it, in their order, and what none takes.
fn divide(part: Part, rules: &[Part]) -> Result<Vec<(Option<usize>, Part)>, TooMany> {
    let mut divided = Vec::new();
    let mut rest = vec![part];
    for (place, rule) in rules.iter().enumerate() {
        let mut left = Vec::new();
        for part in rest {
            let common = meet(&part, rule);
            if common.iter().any(BTreeSet::is_empty) {
                left.push(part);
                continue;
            }
            left.extend(without(part, rule));
            divided.push((Some(place), common));
        }
        if left.len() + divided.len() > PART_LIMIT {
            return Err(TooMany);
        }
        rest = left;
    }
    divided.extend(rest.into_iter().map(|part| (None, part)));
    Ok(divided)
}

fn meet(part: &Part, rule: &Part) -> Part {
    let pairs = part.iter().zip(rule);
    pairs.map(|(own, others)| own & others).collect()
}

/// What of a part is outside of a rule, as parts that have nothing in common.
fn without(mut part: Part, rule: &Part) -> Vec<Part> {
    let mut outside = Vec::new();
    for dimension in 0..part.len() {
        let Some((own, others)) = part.get(dimension).zip(rule.get(dimension)) else {
            continue;
        };
        let (inside, beyond) = (own & others, own - others);
        if !beyond.is_empty() {
            let mut piece = part.clone();
            set(&mut piece, dimension, beyond);
            outside.push(piece);
        }
        set(&mut part, dimension, inside);
    }
    outside
}

fn set(part: &mut Part, dimension: usize, values: BTreeSet<usize>) {
    if let Some(place) = part.get_mut(dimension) {
        *place = values;
    }
}

impl Space {
    fn of<'r>(routes: impl IntoIterator<Item = &'r CompiledRoute>) -> Result<Self, TooMany> {
        let mut paths = BTreeSet::new();
        let mut methods: BTreeSet<String> = BTreeSet::new();
        let mut headers: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut parameters: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for CompiledRoute { route, .. } in routes {
            let matches = &route.matches;
            paths.extend(matches.path.as_ref().map(path_pattern));
            methods.extend(matches.method.clone());
            for header in &matches.headers {
                let known = headers.entry(header.name.clone()).or_default();
                known.extend(text_pattern(&header.value));
            }
            for parameter in &matches.query {
                let known = parameters.entry(parameter.name.clone()).or_default();
                known.extend(text_pattern(&parameter.value));
            }
        }
        let values = |name: &str, domain, patterns: &BTreeSet<String>| {
            // Every request has a host.
            let absent = (name != "host").then_some(None);
            let texts = witnesses(domain, patterns)?.into_iter().map(Some);
            Ok(absent.into_iter().chain(texts).collect())
        };
        let header = |(name, patterns): (String, BTreeSet<String>)| {
            let domain = if name == "host" {
                &AUTHORITIES
            } else {
                &VALUES
            };
            let values = values(&name, domain, &patterns)?;
            Ok((name, values))
        };
        let parameter = |(name, patterns)| Ok((name, values("", &PARAMETERS, &patterns)?));
        methods.insert(other_method(&methods));
        Ok(Self {
            paths: witnesses(&PATHS, &paths)?,
            methods: methods.into_iter().collect(),
            headers: headers.into_iter().map(header).collect::<Result<_, _>>()?,
            parameters: parameters
                .into_iter()
                .map(parameter)
                .collect::<Result<_, _>>()?,
        })
    }

    fn all(&self) -> Part {
        let rest = self.headers.values().chain(self.parameters.values());
        let sizes = [self.paths.len(), self.methods.len()];
        let sizes = sizes.into_iter().chain(rest.map(Vec::len));
        sizes.map(|size| (0..size).collect()).collect()
    }

    /// The requests that a route is about.
    fn rule(&self, route: &CompiledRoute) -> Part {
        let matches = &route.route.matches;
        let paths = places(&self.paths, |path| route.holds_for_path(path));
        let methods = places(&self.methods, |method| route.holds_for_method(method));
        let headers = self.headers.iter().map(|(name, values)| {
            places(values, |value| {
                let own = matches.headers.iter().enumerate();
                let mut own = own.filter(|(_, rule)| rule.name == *name);
                own.all(|(place, _)| route.holds_for_header(place, bytes(value)))
            })
        });
        let parameters = self.parameters.iter().map(|(name, values)| {
            places(values, |value| {
                let own = matches.query.iter().enumerate();
                let mut own = own.filter(|(_, rule)| rule.name == *name);
                own.all(|(place, _)| route.holds_for_parameter(place, bytes(value)))
            })
        });
        [paths, methods]
            .into_iter()
            .chain(headers)
            .chain(parameters)
            .collect()
    }

    fn example(&self, part: &Part) -> Asked {
        let mut chosen = part
            .iter()
            .map(|values| values.first().copied().unwrap_or_default());
        let mut next = || chosen.next().unwrap_or_default();
        let path = self.paths.get(next()).cloned().unwrap_or_default();
        let method = self.methods.get(next()).cloned().unwrap_or_default();
        let mut asked = Asked {
            method,
            path,
            query: None,
            headers: BTreeMap::new(),
        };
        for (name, values) in &self.headers {
            if let Some(Some(value)) = values.get(next()) {
                asked.headers.insert(name.clone(), value.clone());
            }
        }
        let mut pairs = Vec::new();
        for (name, values) in &self.parameters {
            if let Some(Some(value)) = values.get(next()) {
                pairs.push(format!("{}={}", escaped(name), escaped(value)));
            }
        }
        asked.query = (!pairs.is_empty()).then(|| pairs.join("&"));
        asked
    }
}

fn places<T>(values: &[T], holds: impl Fn(&T) -> bool) -> BTreeSet<usize> {
    let values = values.iter().enumerate();
    values
        .filter_map(|(place, value)| holds(value).then_some(place))
        .collect()
}

fn bytes(value: &Option<String>) -> Option<&[u8]> {
    value.as_ref().map(String::as_bytes)
}

/// Paths in normal form: no segment is empty but the last, and none consists of one or two dots.
fn normal_paths() -> String {
    let any = format!(r"(?:{LETTER}|\.)");
    let segment = format!(r"(?:{LETTER}{any}*|\.{LETTER}{any}*|\.\.{any}+)");
    format!("/|(?:/{segment})+/?")
}

/// A method that no route names; one that people know, while there is one.
fn other_method(named: &BTreeSet<String>) -> String {
    let known = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"];
    let mut known = known.into_iter().filter(|method| !named.contains(*method));
    known.next().unwrap_or("OTHER").to_owned()
}

/// As `decide` compares it.
fn path_pattern(path: &PathMatch) -> String {
    let normal = |text: &str| match normalise(text) {
        Ok(normal) => normal.matched.into_owned(),
        Err(_) => text.to_owned(),
    };
    match path {
        PathMatch::Exact(text) => regex::escape(&normal(text)),
        PathMatch::Prefix(text) => {
            let prefix = normal(text);
            format!("{}(?s:/.*)?", regex::escape(prefix.trim_end_matches('/')))
        }
        PathMatch::Regex(pattern) => pattern.clone(),
    }
}

fn text_pattern(text: &TextMatch) -> Option<String> {
    match text {
        TextMatch::Exact(text) => Some(regex::escape(text)),
        TextMatch::Prefix(text) => Some(format!("{}(?s:.*)", regex::escape(text))),
        TextMatch::Regex(pattern) => Some(pattern.clone()),
        TextMatch::Present | TextMatch::Absent => None,
    }
}

/// As it stands in a query.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(char::from(byte));
            }
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests;
