//! `HostnameGenerator`: DNS names for services (language 3.6).
//!
//! Never renders a name for a real service: whether one is missing a label is known when the mesh is put together.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Body, KindInfo, Scope, Spec, read, schema};

/// What the registry knows.
pub(crate) const KIND: KindInfo = KindInfo {
    name: "HostnameGenerator",
    short: "hg",
    scope: Scope::Global,
    body: Body::Spec,
    system_only: true,
    name_is_label: false,
    policy: None,
    schema: schema::of::<HostnameGenerator>,
    parse: |body, check| {
        let spec: HostnameGenerator = read::typed(body, check)?;
        Some(Spec::HostnameGenerator(spec))
    },
};

/// Gives DNS names to services of every mesh. Each service gets one name of each generator that selects it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct HostnameGenerator {
    /// Which services get a name. Required.
    pub(crate) selector: Option<GeneratorSelector>,
    /// The name: text and `{{ .DisplayName }}`, `{{ .Name }}`, `{{ .Namespace }}`, `{{ .Mesh }}`, `{{ .Zone }}` or
    /// `{{ label "key" }}`. What comes out must be a DNS name in lower case. Required.
    pub(crate) template: Option<String>,
    /// Not supported.
    pub(crate) extension: Option<GeneratorExtension>,
}

/// Which services get a name: exactly one of the three.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct GeneratorSelector {
    /// `MeshService` resources.
    pub(crate) mesh_service: Option<MatchLabels>,
    /// `MeshExternalService` resources.
    pub(crate) mesh_external_service: Option<MatchLabels>,
    /// `MeshMultiZoneService` resources.
    pub(crate) mesh_multi_zone_service: Option<MatchLabels>,
}

/// Resources by their labels.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct MatchLabels {
    /// All pairs must be among the labels. Without pairs all are selected.
    #[serde(default)]
    pub(crate) match_labels: BTreeMap<String, String>,
}

/// A hook of another product.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct GeneratorExtension {
    /// Which.
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    /// Its configuration.
    pub(crate) config: Option<Value>,
}
