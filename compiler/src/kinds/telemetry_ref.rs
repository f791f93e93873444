//! A reference to where telemetry goes: `backendRef` of logs, metrics and traces (language 4.6).
//!
//! Never resolves it: which resource carries the labels is a question to the whole repository.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::diag::{Code, Pointer};

use super::Check;

/// A `MeshOpenTelemetryBackend`, by its labels.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct TelemetryRef {
    /// `MeshOpenTelemetryBackend`. Required.
    pub(crate) kind: Option<TelemetryKind>,
    /// The resource that carries all of these labels. Required. `kuma.io/display-name` selects by name.
    #[serde(default)]
    pub(crate) labels: BTreeMap<String, String>,
}

/// What a reference of telemetry can lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum TelemetryKind {
    /// A collector of OpenTelemetry.
    MeshOpenTelemetryBackend,
}

impl TelemetryRef {
    /// Checks a reference that has to be there.
    pub(crate) fn check(reference: Option<&Self>, at: &Pointer, check: &mut Check<'_>) {
        let Some(reference) = reference else {
            check.missing(at);
            return;
        };
        if reference.kind.is_none() {
            check
                .missing(&at.field("kind"))
                .help("`MeshOpenTelemetryBackend`");
        }
        if reference.labels.is_empty() {
            let message = "the reference must have `labels`";
            check
                .error(Code::MISSING_FIELD, at, message)
                .help("select by name with the label `kuma.io/display-name`");
        }
    }
}
