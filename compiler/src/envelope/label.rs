//! Labels: what users write, and what is computed for them (language 2.5).
//!
//! Never lets a document claim a mesh, zone or role that it does not have: selectors trust the computed labels.

mod written;

use std::collections::BTreeMap;

use super::name::{is_dns_label, is_label};
use super::reader::{Reader, quoted};
use crate::diag::{Change, Code, Pointer, Severity};
use crate::kinds::{KindInfo, Scope};
use crate::model::{Compat, Format, Mode};
use crate::similar::with_stranger;
use crate::source::{Node, NodeKind};

/// What the envelope says, for labels to be computed from.
pub(super) struct Computed<'a> {
    pub(super) kind: &'a KindInfo,
    pub(super) format: Format,
    pub(super) name: &'a str,
    pub(super) mesh: &'a str,
    pub(super) namespace: &'a str,
    pub(super) role: Option<&'static str>,
}

/// All labels, and what follows from them.
pub(super) struct Labelled {
    /// The display name.
    pub(super) name: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) zone: String,
    pub(super) namespace: String,
}

const NAME: &str = "kuma.io/display-name";
const MESH: &str = "kuma.io/mesh";
const ORIGIN: &str = "kuma.io/origin";
const ZONE: &str = "kuma.io/zone";
const ENV: &str = "kuma.io/env";
const NAMESPACE: &str = "k8s.kuma.io/namespace";
const ROLE: &str = "kuma.io/policy-role";
const EFFECT: &str = "kuma.io/effect";
const WORKLOAD: &str = "kuma.io/workload";

/// Reserved labels that a document may carry though nobody computes them here: made from Pods and Services, or left
/// behind by tools.
const TOLERATED: [&str; 13] = [
    WORKLOAD,
    EFFECT,
    "k8s.kuma.io/service-account",
    "k8s.kuma.io/service-name",
    "k8s.kuma.io/is-headless-service",
    "kuma.io/service-name",
    "kuma.io/service",
    "kuma.io/instance",
    "kuma.io/listener-zoneingress",
    "kuma.io/listener-zoneegress",
    "kuma.io/managed-by",
    "kuma.io/deletion-grace-period-started-at",
    "kuma.io/kds-sync",
];

/// Where labels stand in the Kubernetes format.
pub(super) fn at_kubernetes() -> Pointer {
    Pointer::default().field("metadata").field("labels")
}

pub(super) fn read(reader: &mut Reader<'_>, computed: &Computed<'_>, at: &Pointer) -> Labelled {
    let mut labels = BTreeMap::new();
    if let Some(node) = reader.mapping(at) {
        for entry in node.entries() {
            if let Some(value) = one(reader, &entry.key, &entry.value, at) {
                labels.insert(entry.key.clone(), value.to_owned());
            }
        }
    }
    if reader.settings.compat == Compat::Kuma {
        return written::labelled(computed, labels);
    }
    users_own(reader, computed, &labels, at);
    let namespace = match computed.format {
        Format::Kubernetes => computed.namespace.to_owned(),
        // The only way for a universal document to have one.
        Format::Universal => labels.get(NAMESPACE).cloned().unwrap_or_default(),
    };
    let zone = zone(reader, computed, &labels);
    let origin = match (reader.settings.mode, zone.is_empty()) {
        (Mode::Zone, _) | (Mode::Global, false) => "zone",
        (Mode::Global, true) => "global",
    };
    let env = match computed.format {
        Format::Universal => "universal",
        Format::Kubernetes => "kubernetes",
    };
    let mut rows = vec![(NAME, computed.name, false), (ORIGIN, origin, true)];
    if computed.kind.scope == Scope::Mesh {
        rows.push((MESH, computed.mesh, true));
    }
    if !zone.is_empty() {
        rows.push((ZONE, &zone, reader.settings.knows_zone()));
        rows.push((ENV, env, false));
    }
    if !namespace.is_empty() {
        rows.push((NAMESPACE, &namespace, false));
    }
    if let Some(role) = computed.role {
        rows.push((ROLE, role, true));
    }
    for (key, value, binding) in rows {
        let given = labels.insert(key.to_owned(), value.to_owned());
        if let Some(given) = given.filter(|given| given != value) {
            conflict(reader, &at.field(key), &given, value, binding);
        }
    }
    Labelled {
        name: computed.name.to_owned(),
        labels,
        zone,
        namespace,
    }
}

/// The zone of origin; empty for what no zone originates.
fn zone(reader: &Reader<'_>, computed: &Computed<'_>, labels: &BTreeMap<String, String>) -> String {
    match reader.settings.mode {
        _ if computed.kind.name == "Mesh" => String::new(),
        Mode::Zone => reader.settings.zone.clone(),
        Mode::Global => labels.get(ZONE).cloned().unwrap_or_default(),
    }
}

/// `binding`: the value certainly decides something, so another one is an error; else it is overwritten.
fn conflict(reader: &mut Reader<'_>, at: &Pointer, given: &str, value: &str, binding: bool) {
    let message = match binding {
        true => format!("this label is computed as `{value}`, it cannot be `{given}`"),
        false => format!("this label is computed as `{value}`, `{given}` has no effect"),
    };
    let finding = reader.error(Code::RESERVED_LABEL, at, message);
    finding.help("remove the label");
    if !binding {
        finding.severity = Severity::Warning;
    }
}

/// The labels that users may set, and those that exist at all.
fn users_own(
    reader: &mut Reader<'_>,
    computed: &Computed<'_>,
    labels: &BTreeMap<String, String>,
    at: &Pointer,
) {
    if let Some(effect) = labels.get(EFFECT).filter(|effect| *effect != "shadow") {
        let message = format!("`{effect}` is not an effect that a policy can have");
        reader
            .error(Code::INVALID_LABEL, &at.field(EFFECT), message)
            .help("the only one is `shadow`: the policy is checked and listed, and has no effect");
    }
    let workload = labels.get(WORKLOAD).filter(|name| !is_dns_label(name));
    if let (Some(workload), "Dataplane") = (workload, computed.kind.name) {
        let message = format!("`{workload}` is not the name of a workload");
        reader
            .error(Code::INVALID_LABEL, &at.field(WORKLOAD), message)
            .help("it becomes part of DNS names and SPIFFE IDs: use lower case letters, digits and `-`, begin with a letter");
    }
    let parts = [
        (ZONE, reader.settings.mode == Mode::Global),
        (NAMESPACE, computed.format == Format::Universal),
    ];
    for (key, given) in parts {
        let part = labels.get(key).filter(|part| given && !is_label(part));
        if let Some(part) = part {
            let message = format!("`{part}` is not a name");
            reader
                .error(Code::INVALID_LABEL, &at.field(key), message)
                .help("use lower case letters, digits and `-`");
        }
    }
    let known = [NAME, MESH, ORIGIN, ZONE, ENV, NAMESPACE, ROLE];
    for key in labels.keys() {
        let reserved = key.starts_with("kuma.io/") || key.starts_with("k8s.kuma.io/");
        let words = || known.iter().chain(&TOLERATED).copied();
        if !reserved || words().any(|word| word == key) {
            continue;
        }
        let message = format!("`{key}` is not a label of the mesh, and has no effect");
        let finding = reader.error_key(Code::RESERVED_LABEL, &at.field(key), message);
        finding.severity = Severity::Warning;
        // The prefix alone makes no likeness.
        let (prefix, name) = key.split_once('/').unwrap_or_default();
        let names = words().filter_map(|word| word.strip_prefix(prefix)?.strip_prefix('/'));
        match crate::similar::nearest(name, names) {
            Some(near) => finding.help(format!("did you mean `{prefix}/{near}`?")),
            None => finding.help("take another prefix for labels of your own"),
        };
    }
}

/// The value of one label, where key and value are such. Reports why not.
fn one<'n>(reader: &mut Reader<'_>, key: &str, value: &'n Node, at: &Pointer) -> Option<&'n str> {
    let pointer = at.field(key);
    if let Some(message) = key_flaw(key) {
        reader
            .error_key(Code::INVALID_LABEL, &pointer, message)
            .help(with_stranger(
                "a key is a name such as `team`, or a DNS name, `/` and a name: `example.com/team`",
                key,
            ));
        return None;
    }
    let text = match &value.kind {
        NodeKind::Text(text, _) => text,
        NodeKind::Null => return None,
        _ => {
            let message = format!("label values must be strings, found {}", value.noun());
            let finding = reader.error(Code::WRONG_TYPE, &pointer, message);
            if let Some(quoted) = quoted(value) {
                finding
                    .help(format!("put it into quotes: `{quoted}`"))
                    .safe_fix("put it into quotes", |at| vec![Change::Quote(at.clone())]);
            }
            return None;
        }
    };
    if !(text.is_empty() || is_qualified(text)) {
        reader
            .error(
                Code::INVALID_LABEL,
                &pointer,
                "this is not the value of a label",
            )
            .help(with_stranger(
                "at most 63 letters, digits, `-`, `_` and `.`, beginning and ending with a letter or digit",
                text,
            ));
        return None;
    }
    Some(text)
}

/// Can a document carry this label, as far as its text goes?
pub(crate) fn is_label_text(key: &str, value: &str) -> bool {
    let named = key != WORKLOAD || is_dns_label(value);
    key_flaw(key).is_none() && named && (value.is_empty() || is_qualified(value))
}

fn key_flaw(key: &str) -> Option<String> {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    let prefixed = prefix.is_none_or(|prefix| {
        let part = |part: &str| {
            !part.is_empty()
                && !part.starts_with('-')
                && !part.ends_with('-')
                && part
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        prefix.len() <= 253 && prefix.split('.').all(part)
    });
    (!prefixed || !is_qualified(name)).then(|| "this is not the key of a label".to_owned())
}

/// `[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?`, at most 63.
fn is_qualified(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let inside = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    let mut chars = text.chars();
    let last = text.chars().next_back();
    text.len() <= 63 && edge(chars.next()) && edge(last) && text.bytes().all(inside)
}
