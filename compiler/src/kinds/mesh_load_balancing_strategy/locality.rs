//! Which zones, and which instances of the own zone, come first (language 5.10).
//!
//! Never knows which zones there are.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::diag::{Code, Pointer};
use crate::kinds::Check;
use crate::kinds::scalar::Percentage;
use crate::kinds::target_ref::TargetKind;

/// Which zones come first. Without a policy the own zone, then all others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct LocalityAwareness {
    /// With `true` all zones are equal. Default: `false`.
    pub(crate) disabled: Option<bool>,
    /// Within the own zone.
    pub(crate) local_zone: Option<LocalZone>,
    /// Between zones.
    pub(crate) cross_zone: Option<CrossZone>,
}

/// Within the own zone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct LocalZone {
    /// Labels that are compared with the own ones; the first that is equal gives an instance its weight.
    pub(crate) affinity_tags: Option<Vec<AffinityTag>>,
}

/// A label that is compared.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct AffinityTag {
    /// Its key. Required.
    pub(crate) key: Option<String>,
    /// The weight of instances with an equal value, more than zero; all have one or none. Default: 9, 90, 900 … from the
    /// last to the first.
    pub(crate) weight: Option<u32>,
}

/// Between zones.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct CrossZone {
    /// Where to, in this order, when the own zone has too few healthy instances. Zones of no rule are not used.
    pub(crate) failover: Option<Vec<Failover>>,
    /// When the next ones are used.
    pub(crate) failover_threshold: Option<FailoverThreshold>,
}

/// Other zones.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct Failover {
    /// For which zones the rule is. Default: all.
    pub(crate) from: Option<FailoverFrom>,
    /// To which zones. Required.
    pub(crate) to: Option<FailoverTo>,
}

/// Zones by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct FailoverFrom {
    /// Their names, at least one.
    #[serde(default)]
    pub(crate) zones: Vec<String>,
}

/// Zones to use.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct FailoverTo {
    /// `None`, `Only`, `Any` or `AnyExcept`. Required.
    #[serde(rename = "type")]
    pub(crate) kind: Option<FailoverType>,
    /// The zones, with `Only` and `AnyExcept`.
    pub(crate) zones: Option<Vec<String>>,
}

/// Which zones are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum FailoverType {
    /// None.
    None,
    /// Those listed.
    Only,
    /// All.
    Any,
    /// All but those listed.
    AnyExcept,
}

/// When the next zones are used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct FailoverThreshold {
    /// Below this share of healthy instances, more than 0 and at most 100 percent. Required. Built in: 50.
    pub(crate) percentage: Option<Percentage>,
}

impl LocalityAwareness {
    pub(super) fn check(&self, target: Option<&TargetKind>, at: &Pointer, check: &mut Check<'_>) {
        let set = [
            ("localZone", self.local_zone.is_some()),
            ("crossZone", self.cross_zone.is_some()),
        ];
        for (name, _) in set
            .into_iter()
            .filter(|(_, set)| *set && self.disabled == Some(true))
        {
            let message =
                format!("`{name}` has no effect beside `disabled: true`: all zones are equal");
            check.warn(Code::NO_EFFECT, &at.field(name), message);
        }
        let tags = self.local_zone.as_ref();
        let tags = tags.and_then(|zone| zone.affinity_tags.as_deref());
        if let Some(tags) = tags {
            let at = at.field("localZone").field("affinityTags");
            AffinityTag::check_all(tags, &at, check);
        }
        let Some(cross) = &self.cross_zone else {
            return;
        };
        let at = at.field("crossZone");
        if target == Some(&TargetKind::MeshService) {
            let message = "the traffic of a MeshService stays in its zone";
            check
                .invalid(&at, message)
                .help("refer to a `MeshMultiZoneService`, or to the whole `Mesh`");
        }
        // The first rule that a zone fits decides about it.
        let mut is_left = true;
        for (index, failover) in cross.failover.iter().flatten().enumerate() {
            let at = at.field("failover").index(index);
            let before = check.errors();
            failover.check(&at, check);
            if !is_left && check.errors() == before {
                let message = "no zone is left for this rule: one before it takes all of them";
                check
                    .warn(Code::NO_EFFECT, &at, message)
                    .help("put it before that rule, or remove it");
            }
            let to = failover.to.as_ref().and_then(|to| to.kind);
            is_left &= failover.from.is_some() || to != Some(FailoverType::Any);
        }
        if let Some(threshold) = &cross.failover_threshold {
            let at = at.field("failoverThreshold").field("percentage");
            match &threshold.percentage {
                None => {
                    check.missing(&at);
                }
                Some(share) if share.parts_per_million() == Some(0) => {
                    check.invalid(&at, "it must be more than zero");
                }
                Some(share) => share.check(&at, check),
            }
        }
    }
}

impl AffinityTag {
    fn check_all(tags: &[Self], at: &Pointer, check: &mut Check<'_>) {
        let weighted = tags.iter().filter(|tag| tag.weight.is_some()).count();
        if weighted != 0 && weighted != tags.len() {
            let message = "either all of the tags have a weight, or none";
            check.invalid(at, message);
        }
        for (index, tag) in tags.iter().enumerate() {
            let at = at.index(index);
            if check.required(tag.key.as_ref(), &at.field("key")).is_some() {
                crate::kinds::conf::above_zero(tag.weight, &at.field("weight"), check);
            }
        }
    }
}

impl Failover {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        if let Some(from) = &self.from {
            let at = at.field("from").field("zones");
            if from.zones.is_empty() {
                check.missing(&at).help("at least one zone");
            }
            check_names(&from.zones, &at, check);
        }
        let at = at.field("to");
        let Some(to) = &self.to else {
            check.missing(&at);
            return;
        };
        let Some(kind) = to.kind else {
            check
                .missing(&at.field("type"))
                .help("one of `None`, `Only`, `Any`, `AnyExcept`");
            return;
        };
        let at = at.field("zones");
        let zones = to.zones.as_deref().unwrap_or_default();
        match kind {
            FailoverType::Only | FailoverType::AnyExcept if zones.is_empty() => {
                let message = format!("`zones` must be set with the type `{kind:?}`");
                check.error(Code::MISSING_FIELD, &at, message);
            }
            FailoverType::None | FailoverType::Any if to.zones.is_some() => {
                let message = format!("`zones` must not be set with the type `{kind:?}`");
                check.invalid(&at, message);
            }
            _ => check_names(zones, &at, check),
        }
    }
}

fn check_names(zones: &[String], at: &Pointer, check: &mut Check<'_>) {
    for (index, _) in zones.iter().enumerate().filter(|(_, zone)| zone.is_empty()) {
        check.invalid(&at.index(index), "the name of a zone is not empty");
    }
}
