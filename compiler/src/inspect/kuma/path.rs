//! Paths of Kuma's API: what they ask.
//!
//! Never accepts a path in part: what is not understood of it would be answered wrongly.

use mesh_bundle::Kri;

use crate::kinds::KindInfo;
use crate::similar::nearest;

use super::{NotAnswered, Refusal, policy_kind};

/// A path, understood.
#[derive(Debug)]
pub(super) struct Path {
    pub(super) mesh: String,
    /// What is asked about.
    pub(super) name: String,
    pub(super) question: Question,
}

/// What is asked.
#[derive(Debug)]
pub(super) enum Question {
    Layout,
    Rules,
    ProxyPolicies,
    /// Of an inbound, by its KRI.
    InboundPolicies(String),
    /// Of an outbound, by its KRI.
    OutboundPolicies(String),
    /// Of an outbound, by its KRI.
    Routes(String),
    /// Of an outbound and a route, by their KRIs.
    RoutePolicies(String, String),
    /// Of a service, of the kind that is named.
    Hostnames(String),
    /// The proxies behind a `MeshService`.
    Members(Page),
    /// The proxies that a policy selects.
    Selected(&'static KindInfo, Page),
    /// Nothing that Kuma understands: a query parameter has a value that it does not know.
    Unsupported(&'static str),
}

/// Which part of a list is asked for.
#[derive(Debug)]
pub(super) struct Page {
    path: String,
    /// A part of names.
    pub(super) name: Option<String>,
    pub(super) offset: usize,
    pub(super) size: usize,
}

/// As many as Kuma sends where nobody says how many.
const SIZE: usize = 100;

/// What paths end with.
const ENDS: [&str; 8] = [
    "_layout",
    "_rules",
    "_policies",
    "_routes",
    "_hostnames",
    "_dataplanes",
    "_resources",
    "_config",
];

impl Path {
    pub(super) fn parse(text: &str) -> Result<Self, NotAnswered> {
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        let steps: Vec<String> = path.trim_matches('/').split('/').map(decoded).collect();
        let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
        let own = |text: &&str| (*text).to_owned();
        let page = || Page::parse(path, query);
        let (mesh, name, question) = match steps.as_slice() {
            ["meshes", mesh, "dataplanes", name, rest @ ..] => (
                mesh,
                name,
                of_proxy(rest, query).ok_or_else(|| unknown(path, rest))??,
            ),
            ["meshes", mesh, kind, name, "_hostnames"] => {
                (mesh, name, Question::Hostnames(own(kind)))
            }
            ["meshes", mesh, "meshservices", name, "_dataplanes"]
            | [
                "meshes",
                mesh,
                "meshservices",
                name,
                "_resources",
                "dataplanes",
            ] => (mesh, name, Question::Members(page())),
            ["meshes", mesh, policies, name, "_resources", "dataplanes"] => (
                mesh,
                name,
                Question::Selected(policy_kind(policies)?, page()),
            ),
            ["meshes", _, _, _, rest @ ..] => return Err(unknown(path, rest)),
            _ => return Err(unknown(path, &[])),
        };
        Ok(Self {
            mesh: own(mesh),
            name: own(name),
            question,
        })
    }
}

fn of_proxy(steps: &[&str], query: &str) -> Option<Result<Question, NotAnswered>> {
    let own = |text: &str| text.to_owned();
    Some(Ok(match steps {
        ["_layout"] => Question::Layout,
        ["_rules"] => Question::Rules,
        ["_policies"] => Question::ProxyPolicies,
        ["_inbounds", inbound, "_policies"] => Question::InboundPolicies(own(inbound)),
        ["_outbounds", outbound, "_policies"] => Question::OutboundPolicies(own(outbound)),
        ["_outbounds", outbound, "_routes"] => Question::Routes(own(outbound)),
        ["_outbounds", outbound, "_routes", route, "_policies"] => {
            Question::RoutePolicies(own(outbound), own(route))
        }
        ["_config"] => match parameters(query).iter().any(is_unknown_include) {
            true => Question::Unsupported("include"),
            false => return Some(Err(NotAnswered::Envoy)),
        },
        _ => return None,
    }))
}

/// `_config` can be told to include one thing only.
fn is_unknown_include((name, value): &(String, String)) -> bool {
    name == "include" && value.split(',').any(|what| what != "diff")
}

fn unknown(path: &str, steps: &[&str]) -> NotAnswered {
    let near = steps.last().and_then(|last| nearest(last, ENDS));
    let near = near.filter(|near| !steps.contains(near));
    NotAnswered::NoPath {
        path: path.to_owned(),
        near: near.map(str::to_owned),
    }
}

/// A KRI, as Kuma reads it.
pub(super) fn kri(text: &str) -> Result<Kri, Refusal> {
    let malformed = || Refusal::bad_request(&format!("invalid identifier string: {text:?}"));
    text.parse().map_err(|_| malformed())
}

impl Page {
    fn parse(path: &str, query: &str) -> Self {
        let pairs = parameters(query);
        let value = |name: &str| {
            pairs
                .iter()
                .find(|(known, _)| known == name)
                .map(|(_, value)| value.as_str())
        };
        let number = |name: &str| value(name).and_then(|value| value.parse().ok());
        Self {
            path: path.to_owned(),
            name: value("name")
                .filter(|name| !name.is_empty())
                .map(str::to_owned),
            offset: number("offset").unwrap_or(0),
            size: number("size").unwrap_or(SIZE),
        }
    }

    /// Is something of this name asked for?
    pub(super) fn wants(&self, name: &str) -> bool {
        self.name
            .as_ref()
            .is_none_or(|part| name.contains(part.as_str()))
    }

    /// Where the rest is.
    pub(super) fn next(&self, offset: usize) -> String {
        let name = self
            .name
            .as_ref()
            .map(|name| format!("name={name}&"))
            .unwrap_or_default();
        format!("{}?{name}offset={offset}&size={}", self.path, self.size)
    }
}

/// The parameters of a query.
fn parameters(query: &str) -> Vec<(String, String)> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let pairs = pairs.map(|(name, value)| (decoded(name), decoded(&value.replace('+', " "))));
    pairs.collect()
}

/// A part of a path or query without its escapes (RFC 3986 2.1).
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match byte.filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_taken_out() {
        for (text, expected) in [
            ("a%2Fb", "a/b"),
            ("%", "%"),
            ("%zz%41", "%zzA"),
            ("%C3%A9", "é"),
        ] {
            assert_eq!(decoded(text), expected);
        }
    }

    #[test]
    fn paths_are_understood_as_a_whole() {
        let asked = |text: &str| Path::parse(text).map(|path| (path.mesh, path.name));
        let known = Ok(("m".to_owned(), "n".to_owned()));
        for end in [
            "dataplanes/n/_layout",
            "dataplanes/n/_rules",
            "dataplanes/n/_policies",
            "dataplanes/n/_inbounds/k/_policies",
            "dataplanes/n/_outbounds/k/_policies",
            "dataplanes/n/_outbounds/k/_routes",
            "dataplanes/n/_outbounds/k/_routes/r/_policies",
            "meshservices/n/_hostnames",
            "meshservices/n/_dataplanes",
            "meshservices/n/_resources/dataplanes",
            "meshretries/n/_resources/dataplanes?size=1",
            "meshtlses/n/_resources/dataplanes",
            "meshloadbalancingstrategies/n/_resources/dataplanes",
        ] {
            assert_eq!(asked(&format!("/meshes/m/{end}")), known, "{end}");
        }
        assert_eq!(
            asked("/meshes/m/dataplanes/n/_config"),
            Err(NotAnswered::Envoy)
        );
        assert!(asked("/meshes/m/dataplanes/n/_config?include=all").is_ok());
        for (end, hint) in [
            ("dataplanes/n/_layouts", Some("_layout")),
            ("dataplanes/n", None),
            ("dataplanes/n/_policies/x", None),
            ("meshtimeout/n/_resources/dataplanes", Some("meshtimeouts")),
        ] {
            match asked(&format!("/meshes/m/{end}")) {
                Err(NotAnswered::NoPath { near, .. }) => assert_eq!(near.as_deref(), hint, "{end}"),
                other => panic!("{end}: {other:?}"),
            }
        }
    }
}
