//! `HostnameGenerator`: DNS names for services (language 3.6).
//!
//! Never renders a name for a real service: whether one is missing a label is known when the mesh is put together.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::diag::{Code, Pointer};
use crate::template;

use super::{Body, Check, KindInfo, Scope, Spec, grammar, read, schema};

/// What the registry knows.
pub(crate) const KIND: KindInfo = KindInfo {
    name: "HostnameGenerator",
    short: "hg",
    to: &[],
    example: include_str!("hostname_generator/example.yaml"),
    scope: Scope::Global,
    body: Body::Spec,
    system_only: true,
    name_is_label: false,
    is_policy: false,
    schema: schema::of::<HostnameGenerator>,
    parse: |body, check| {
        let spec: HostnameGenerator = read::typed(body, check)?;
        spec.check(check);
        Some(Spec::HostnameGenerator(Box::new(spec)))
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

/// What a template may refer to, of the service that gets a name; besides its labels.
pub(crate) const VARIABLES: &[&str] = &["Name", "DisplayName", "Namespace", "Mesh", "Zone"];

impl HostnameGenerator {
    /// What services of a kind must carry to get a name; `None`: none of them gets one. The kind is that of KRIs.
    pub(crate) fn labels_for(&self, kind: &str) -> Option<&BTreeMap<String, String>> {
        let selector = self.selector.as_ref()?;
        let selected = match kind {
            "msvc" => &selector.mesh_service,
            "extsvc" => &selector.mesh_external_service,
            "mzsvc" => &selector.mesh_multi_zone_service,
            _ => &None,
        };
        selected.as_ref().map(|selected| &selected.match_labels)
    }

    fn check(&self, check: &mut Check<'_>) {
        let spec = Pointer::default();
        let selectors = self.selector.as_ref().map_or(0, GeneratorSelector::count);
        if selectors != 1 {
            let message = match selectors {
                0 => "nothing is selected",
                _ => "more than one kind is selected",
            };
            check.invalid(&spec.field("selector"), message).help(
                "exactly one of `meshService`, `meshExternalService`, `meshMultiZoneService`",
            );
        }
        self.check_template(&spec.field("template"), check);
        if let Some(extension) = &self.extension {
            let at = spec.field("extension");
            if check
                .required(extension.kind.as_ref(), &at.field("type"))
                .is_some()
            {
                let message = "extensions of a HostnameGenerator are not supported";
                check
                    .error(Code::UNSUPPORTED, &at, message)
                    .help("remove it");
            }
        }
    }

    fn check_template(&self, at: &Pointer, check: &mut Check<'_>) {
        let Some(text) = check.required(self.template.as_ref(), at) else {
            return;
        };
        let example = match template::example(text, VARIABLES) {
            Ok(example) => example,
            Err(error) => {
                check.error(Code::INVALID_TEMPLATE, at, error).help(
                    "`{{ .DisplayName }}`, `{{ .Name }}`, `{{ .Namespace }}`, `{{ .Mesh }}`, `{{ .Zone }}` or `{{ label \"key\" }}`",
                );
                return;
            }
        };
        if !grammar::is_subdomain(&example) {
            let message = format!(
                "the template makes names like `{example}`, which is no DNS name in lower case"
            );
            check.error(Code::INVALID_TEMPLATE, at, message);
        }
    }
}

impl GeneratorSelector {
    fn count(&self) -> usize {
        let kinds = [
            &self.mesh_service,
            &self.mesh_external_service,
            &self.mesh_multi_zone_service,
        ];
        kinds.into_iter().flatten().count()
    }
}
