//! `MeshService`: a named group of proxies with ports (language 3.3).
//!
//! Never looks for the proxies that it selects.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::diag::{Change, Code, Pointer};

use super::scalar::PortRef;
use super::{Body, Check, KindInfo, Scope, Spec, grammar, read, schema};

/// What the registry knows.
pub(crate) const KIND: KindInfo = KindInfo {
    name: "MeshService",
    short: "msvc",
    to: &[],
    example: include_str!("mesh_service/example.yaml"),
    scope: Scope::Mesh,
    body: Body::Spec,
    system_only: false,
    name_is_label: true,
    is_policy: false,
    schema: schema::of::<MeshService>,
    parse: |body, check| {
        let spec: MeshService = read::typed(body, check)?;
        spec.check(check);
        Some(Spec::MeshService(spec))
    },
};

/// A named group of proxies with ports: a destination of the mesh, with a hostname and a virtual IP.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct MeshService {
    /// Which proxies belong to the service. Without it none does.
    pub(crate) selector: Option<ServiceSelector>,
    /// The ports that clients address. Each is a destination of its own.
    #[serde(default)]
    pub(crate) ports: Vec<ServicePort>,
    /// Read-only: whether there is a healthy endpoint.
    pub(crate) state: Option<ServiceState>,
    /// Read-only: the SPIFFE IDs of the proxies that belong to the service.
    #[serde(default)]
    pub(crate) identities: Vec<ServiceIdentity>,
}

/// Which proxies belong to a service. At most one of the two.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct ServiceSelector {
    /// All proxies of the mesh and zone that carry these labels.
    pub(crate) dataplane_labels: Option<DataplaneLabels>,
    /// One proxy, by the name of its Dataplane.
    pub(crate) dataplane_ref: Option<DataplaneRef>,
}

/// Proxies by their labels.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct DataplaneLabels {
    /// All pairs must be among the labels of the Dataplane. Without pairs every proxy with an inbound belongs to it.
    #[serde(default)]
    pub(crate) match_labels: BTreeMap<String, String>,
}

/// One proxy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct DataplaneRef {
    /// The name of its Dataplane.
    pub(crate) name: Option<String>,
}

/// A port of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct ServicePort {
    /// The port that clients address, 1 to 65535, once per service. Required.
    pub(crate) port: Option<u32>,
    /// The inbound of the proxies that serves it: its port as a number, or its name. Default: the inbound with the
    /// number in `port`.
    pub(crate) target_port: Option<PortRef>,
    /// What `sectionName` calls this port. Default: the number as text. Once per service.
    pub(crate) name: Option<String>,
    /// What clients speak: `tcp`, `http`, `http2` or `grpc`. Default: `tcp`.
    pub(crate) app_protocol: Option<String>,
}

/// Whether a service has healthy endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum ServiceState {
    /// At least one.
    Available,
    /// None.
    Unavailable,
}

/// An identity of the proxies of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct ServiceIdentity {
    /// `SpiffeID`.
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    /// The identity.
    pub(crate) value: Option<String>,
}

/// What a port may speak (language 4.14).
pub(crate) const PROTOCOLS: [&str; 4] = ["grpc", "http", "http2", "tcp"];

impl MeshService {
    fn check(&self, check: &mut Check<'_>) {
        let spec = Pointer::default();
        if let Some(selector) = &self.selector {
            selector.check(&spec.field("selector"), check);
        }
        if self.ports.is_empty() {
            let message = "a service without `ports` cannot be reached";
            check.warn(Code::NO_EFFECT, &spec, message);
        }
        let mut numbers = BTreeSet::new();
        let mut sections = BTreeSet::new();
        for (index, port) in self.ports.iter().enumerate() {
            let at = spec.field("ports").index(index);
            port.check(&at, check);
            let Some(number) = port.port else {
                continue;
            };
            if !numbers.insert(number) {
                let message = format!("the port `{number}` is there twice");
                check.invalid(&at.field("port"), message);
            } else if !sections.insert(port.section()) {
                let message = format!("the name `{}` is there twice", port.section());
                check.invalid(&at.field("name"), message);
            }
        }
        let read_only = [
            ("state", self.state.is_some()),
            ("identities", !self.identities.is_empty()),
        ];
        for (field, _) in read_only.into_iter().filter(|(_, set)| *set) {
            let message = format!("`{field}` is computed: what stands here is ignored");
            check
                .warn(Code::READ_ONLY_FIELD, &spec.field(field), message)
                .help("remove it")
                .safe_fix("remove it", |at| vec![Change::Remove(at.clone())]);
        }
    }
}

impl ServiceSelector {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        match (&self.dataplane_labels, &self.dataplane_ref) {
            (Some(_), Some(_)) => {
                let message = "only one of `dataplaneRef` and `dataplaneLabels` may be set";
                check.invalid(at, message);
            }
            (Some(labels), None) if labels.match_labels.is_empty() => {
                let message = "a selector without labels selects every proxy that has an inbound";
                check
                    .warn(
                        Code::SELECTS_EVERYTHING,
                        &at.field("dataplaneLabels"),
                        message,
                    )
                    .help("name the labels of the proxies under `matchLabels`");
            }
            (None, Some(one)) => {
                let at = at.field("dataplaneRef").field("name");
                check.required(one.name.as_ref(), &at);
            }
            // That nothing is selected is seen where the mesh is put together.
            (Some(_) | None, None) => {}
        }
    }
}

impl ServicePort {
    /// The name of the port as a section: its name, else its number.
    pub(crate) fn section(&self) -> String {
        let number = || self.port.unwrap_or_default().to_string();
        self.name.clone().unwrap_or_else(number)
    }

    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        check.required_port(self.port, &at.field("port"));
        match &self.target_port {
            Some(PortRef::Number(number)) => check.port(Some(*number), &at.field("targetPort")),
            Some(PortRef::Name(name)) if name.is_empty() => {
                check.missing(&at.field("targetPort"));
            }
            Some(PortRef::Name(_)) | None => {}
        }
        if let Some(name) = self.name.as_ref().filter(|name| !grammar::is_label(name)) {
            let message = format!("`{name}` is not a DNS label in lower case");
            check.invalid(&at.field("name"), message);
        }
        check_protocol(self.app_protocol.as_ref(), &at.field("appProtocol"), check);
    }
}

/// Checks what a port of a service speaks; case does not count.
pub(super) fn check_protocol(protocol: Option<&String>, at: &Pointer, check: &mut Check<'_>) {
    let known = |text: &&String| PROTOCOLS.contains(&text.to_ascii_lowercase().as_str());
    if let Some(protocol) = protocol.filter(|text| !known(text)) {
        check
            .invalid(at, format!("`{protocol}` is not a protocol"))
            .help("one of `grpc`, `http`, `http2`, `tcp`");
    }
}
