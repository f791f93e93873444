//! Who a policy, a route or a rule refers to: `targetRef` (language 4.2) and `backendRef` (language 4.6).
//!
//! Never resolves a reference: whether anything carries the labels is a question to the whole repository.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use crate::diag::{Code, Pointer};

use super::{Check, SERVICES};

/// Whose proxy a policy configures, or which destinations an item is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct TargetRef {
    /// What is referred to. At the top of a policy: `Mesh` (every proxy) or `Dataplane` (proxies by their labels). In
    /// `to`: `Mesh` (every destination), `MeshService`, `MeshExternalService`, `MeshMultiZoneService` or
    /// `MeshHTTPRoute`, as far as the policy supports it. Required.
    pub(crate) kind: Option<TargetKind>,
    /// Every resource of the kind that carries all of these labels. Required, except for `Dataplane`, where none means
    /// all; not allowed for `Mesh`. `kuma.io/display-name` selects by name.
    #[serde(default)]
    pub(crate) labels: BTreeMap<String, String>,
    /// One port of what is selected: the name of a port or an inbound, or its number where it has no name.
    pub(crate) section_name: Option<String>,
}

/// Where a route sends traffic, or where a copy of it goes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct BackendRef {
    /// `MeshService`, `MeshExternalService` or `MeshMultiZoneService`. Required.
    pub(crate) kind: Option<TargetKind>,
    /// The one resource of the kind that carries all of these labels. Required. `kuma.io/display-name` selects by name.
    #[serde(default)]
    pub(crate) labels: BTreeMap<String, String>,
    /// The port of the service, by name or number. Not needed where the service has one port.
    pub(crate) section_name: Option<String>,
    /// The port of the service, by number. Required for `MeshMultiZoneService`.
    pub(crate) port: Option<u32>,
    /// The share of the traffic, relative to the sum of all weights. Default: 1. 0 sends nothing.
    #[schemars(extend("default" = 1))]
    pub(crate) weight: Option<u32>,
}

/// A kind that can be referred to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(crate) enum TargetKind {
    /// Everything of the mesh.
    Mesh,
    /// Proxies.
    Dataplane,
    /// Services of the mesh.
    MeshService,
    /// Services outside of the mesh.
    MeshExternalService,
    /// Services of several zones.
    MeshMultiZoneService,
    /// Traffic that a route matched.
    #[serde(rename = "MeshHTTPRoute")]
    MeshHttpRoute,
    /// Anything else: the check refuses it, so that later stages never see it.
    #[serde(untagged)]
    Other(String),
}

impl TargetRef {
    /// Checks the `targetRef` at the top of a policy. `inbound`: the document has `rules`, so one inbound may be meant.
    pub(crate) fn check_top(target: Option<&Self>, inbound: bool, check: &mut Check<'_>) {
        let Some(target) = target else {
            return;
        };
        let at = Pointer::default().field("targetRef");
        let kinds = [TargetKind::Mesh, TargetKind::Dataplane];
        if !check_kind(target.kind.as_ref(), &at, &kinds, Position::Top, check) {
            return;
        }
        let section = target.section_name.is_some();
        match target.kind {
            Some(TargetKind::Mesh) => target.check_is_bare(&at, check),
            _ if section && !inbound => {
                let at = at.field("sectionName");
                let message = "`sectionName` can only be used with policies about received traffic";
                check.invalid(&at, message).help(
                    "remove it: `to` and `default` configure the whole proxy, `rules` one inbound",
                );
            }
            _ => {}
        }
    }

    /// Checks the `targetRef` of an item of `to`.
    pub(crate) fn check_item(
        target: Option<&Self>,
        at: &Pointer,
        kinds: &[TargetKind],
        check: &mut Check<'_>,
    ) {
        let Some(target) = target else {
            check.missing(at);
            return;
        };
        if !check_kind(target.kind.as_ref(), at, kinds, Position::To, check) {
            return;
        }
        match &target.kind {
            Some(TargetKind::Mesh) => target.check_is_bare(at, check),
            Some(kind) => {
                check_labels(&target.labels, kind, at, check);
                check_section(target.section_name.as_ref(), kind, at, check);
            }
            None => {}
        }
    }

    /// `Mesh` is all of it.
    fn check_is_bare(&self, at: &Pointer, check: &mut Check<'_>) {
        let set = [
            ("labels", !self.labels.is_empty()),
            ("sectionName", self.section_name.is_some()),
        ];
        for (field, _) in set.into_iter().filter(|(_, set)| *set) {
            let message = format!("`{field}` must not be set with the kind `Mesh`");
            check.invalid(&at.field(field), message).help(format!(
                "remove `{field}`, or refer to a kind that can be narrowed down"
            ));
        }
    }
}

impl BackendRef {
    /// Checks a reference to one service.
    pub(crate) fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        if !check_kind(self.kind.as_ref(), at, SERVICES, Position::Backend, check) {
            return;
        }
        let Some(kind) = &self.kind else {
            return;
        };
        check_labels(&self.labels, kind, at, check);
        check_section(self.section_name.as_ref(), kind, at, check);
        check.port(self.port, &at.field("port"));
        if *kind == TargetKind::MeshMultiZoneService && self.port.is_none() {
            let message = "`port` must be set with the kind `MeshMultiZoneService`";
            check.error(Code::MISSING_FIELD, &at.field("port"), message);
        }
    }

    /// Checks a list of references that share traffic by weight.
    pub(crate) fn check_all(backends: &[Self], at: &Pointer, check: &mut Check<'_>) {
        for (index, backend) in backends.iter().enumerate() {
            backend.check(&at.index(index), check);
        }
        let weights = backends.iter().map(Self::effective_weight);
        let sum: u64 = weights.map(u64::from).sum();
        if sum > u64::from(u32::MAX) {
            let message = format!("the weights add up to `{sum}`, more than {}", u32::MAX);
            let help = "divide all weights by the same number: only their relation counts";
            check.error(Code::WEIGHT_SUM, at, message).help(help);
        } else if sum == 0 && !backends.is_empty() {
            let message = "all weights are 0, so no traffic goes anywhere";
            let help = "give at least one reference a weight above 0";
            check.warn(Code::NO_EFFECT, at, message).help(help);
        }
    }

    /// The share that this reference asks for.
    pub(crate) fn effective_weight(&self) -> u32 {
        self.weight.unwrap_or(1)
    }
}

impl TargetKind {
    /// As documents write it.
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Mesh => "Mesh",
            Self::Dataplane => "Dataplane",
            Self::MeshService => "MeshService",
            Self::MeshExternalService => "MeshExternalService",
            Self::MeshMultiZoneService => "MeshMultiZoneService",
            Self::MeshHttpRoute => "MeshHTTPRoute",
            Self::Other(text) => text,
        }
    }
}

/// Where a reference stands; the words of a refusal depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Position {
    /// At the top of a policy.
    Top,
    /// In an item of `to`.
    To,
    /// In a `backendRef`.
    Backend,
}

/// Is it one of the kinds that this place supports?
fn check_kind(
    kind: Option<&TargetKind>,
    at: &Pointer,
    kinds: &[TargetKind],
    position: Position,
    check: &mut Check<'_>,
) -> bool {
    let at = at.field("kind");
    let supported: Vec<String> = kinds.iter().map(|kind| format!("`{kind}`")).collect();
    let supported = supported.join(", ");
    match kind {
        Some(kind) if kinds.contains(kind) => true,
        Some(kind) => {
            let help = match (kind, position) {
                (TargetKind::Mesh, Position::To) => {
                    "a route is about one destination: refer to a MeshService by its labels"
                        .to_owned()
                }
                _ => format!("supported here: {supported}"),
            };
            let message = format!("the kind `{kind}` is not supported here");
            check.invalid(&at, message).help(help);
            false
        }
        None => {
            check.missing(&at).help(format!("one of {supported}"));
            false
        }
    }
}

fn check_labels(
    labels: &BTreeMap<String, String>,
    kind: &TargetKind,
    at: &Pointer,
    check: &mut Check<'_>,
) {
    if labels.is_empty() {
        let message = format!("`labels` must be set with the kind `{kind}`");
        check
            .error(Code::MISSING_FIELD, &at.field("labels"), message)
            .help("select by name with the label `kuma.io/display-name`");
    }
}

fn check_section(section: Option<&String>, kind: &TargetKind, at: &Pointer, check: &mut Check<'_>) {
    let whole = matches!(
        kind,
        TargetKind::MeshExternalService | TargetKind::MeshHttpRoute
    );
    if section.is_some() && whole {
        let message = format!("`sectionName` must not be set with the kind `{kind}`");
        check.invalid(&at.field("sectionName"), message);
    }
}

impl fmt::Display for TargetKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl JsonSchema for TargetKind {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "TargetKind".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // A text, not a list: which kinds a place supports depends on the place, and the check knows the words for it.
        json_schema!({ "type": "string" })
    }
}
