//! `MeshMultiZoneService`: one service, made of those of several zones (language 3.5).
//!
//! Never lists its members: they follow from their labels.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::diag::{Code, Pointer};

use super::hostname_generator::MatchLabels;
use super::{Body, Check, KindInfo, Scope, Spec, mesh_service, read, schema};

/// What the registry knows.
pub(crate) const KIND: KindInfo = KindInfo {
    name: "MeshMultiZoneService",
    short: "mzsvc",
    to: &[],
    example: include_str!("mesh_multi_zone_service/example.yaml"),
    scope: Scope::Mesh,
    body: Body::Spec,
    system_only: false,
    name_is_label: true,
    is_policy: false,
    schema: schema::of::<MeshMultiZoneService>,
    parse: |body, check| {
        let spec: MeshMultiZoneService = read::typed(body, check)?;
        spec.check(check);
        Some(Spec::MeshMultiZoneService(spec))
    },
};

/// The services of all zones that carry the labels, as one: local endpoints first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct MeshMultiZoneService {
    /// Which services. Required.
    pub(crate) selector: Option<MultiZoneSelector>,
    /// Its ports. At least one.
    #[serde(default)]
    pub(crate) ports: Vec<MultiZonePort>,
}

/// Which services.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct MultiZoneSelector {
    /// `MeshService` resources by their labels, at least one. Required.
    pub(crate) mesh_service: Option<MatchLabels>,
}

/// A port, served by the port of a member that has the same name, else by the one of the same number.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct MultiZonePort {
    /// 1 to 65535. Required.
    pub(crate) port: Option<u32>,
    /// Its name. Default: its number.
    pub(crate) name: Option<String>,
    /// What is spoken: `tcp`, `http`, `http2` or `grpc`. Default: `tcp`.
    pub(crate) app_protocol: Option<String>,
}

impl MeshMultiZoneService {
    fn check(&self, check: &mut Check<'_>) {
        let spec = Pointer::default();
        let selector = self.selector.as_ref();
        let services = selector.and_then(|selector| selector.mesh_service.as_ref());
        if services.is_none_or(|services| services.match_labels.is_empty()) {
            let at = spec.field("selector").field("meshService");
            check
                .missing(&at.field("matchLabels"))
                .help("at least one label that the services of all zones carry");
        }
        let at = spec.field("ports");
        if self.ports.is_empty() {
            check.missing(&at).help("at least one port");
        }
        let mut sections = BTreeSet::new();
        for (index, port) in self.ports.iter().enumerate() {
            let at = at.index(index);
            port.check(&at, check);
            let number = || port.port.unwrap_or_default().to_string();
            let section = port.name.clone().unwrap_or_else(number);
            if !sections.insert(section.clone()) {
                check.invalid(&at, format!("there are two ports `{section}`"));
            }
        }
    }
}

impl MultiZonePort {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        check.required_port(self.port, &at.field("port"));
        if self.name.as_ref().is_some_and(String::is_empty) {
            let message = "a name, where there is one, must not be empty";
            check.error(Code::INVALID_VALUE, &at.field("name"), message);
        }
        mesh_service::check_protocol(self.app_protocol.as_ref(), &at.field("appProtocol"), check);
    }
}
