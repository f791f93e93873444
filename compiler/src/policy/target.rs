//! A target reference: whom a policy, an item or a backend is about (language 4.2).
//!
//! Never judges what a kind may refer to: the kind's own checks have.

use std::collections::BTreeMap;

use crate::json::Json;
use crate::model::Meta;

use super::order;

/// What a reference may name, from the least specific item to the most (language 4.8 key 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TargetKind {
    Mesh,
    Dataplane,
    MeshService,
    MeshExternalService,
    MeshMultiZoneService,
    MeshHttpRoute,
}

/// `{kind, labels, sectionName}`; without one, everything of the mesh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) kind: TargetKind,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) section: Option<String>,
    /// One port of the services by its number, whatever it is called. Documents of the mesh cannot say so, routes of the
    /// Gateway API can.
    pub(crate) port: Option<u32>,
}

impl TargetKind {
    /// As documents write it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Mesh => "Mesh",
            Self::Dataplane => "Dataplane",
            Self::MeshService => "MeshService",
            Self::MeshExternalService => "MeshExternalService",
            Self::MeshMultiZoneService => "MeshMultiZoneService",
            Self::MeshHttpRoute => "MeshHTTPRoute",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [
            Self::Mesh,
            Self::Dataplane,
            Self::MeshService,
            Self::MeshExternalService,
            Self::MeshMultiZoneService,
            Self::MeshHttpRoute,
        ]
        .into_iter()
        .find(|kind| kind.as_str() == text)
    }
}

pub(crate) const DISPLAY_NAME: &str = "kuma.io/display-name";
pub(crate) const NAMESPACE: &str = "k8s.kuma.io/namespace";

impl Target {
    /// Reads a reference that has passed its kind's checks; absent or `null` is the whole mesh.
    pub(crate) fn read(value: Option<&Json>) -> Self {
        let text = |value: &Json| value.as_str().map(str::to_owned);
        let field = |name: &str| value.and_then(|value| value.get(name));
        let labels = field("labels").map_or([].as_slice(), Json::fields);
        Self {
            kind: field("kind")
                .and_then(Json::as_str)
                .and_then(TargetKind::parse)
                .unwrap_or(TargetKind::Mesh),
            labels: labels
                .iter()
                .filter_map(|(key, value)| Some((key.to_string(), text(value)?)))
                .collect(),
            section: field("sectionName").and_then(text),
            port: field("port").and_then(Json::as_u32),
        }
    }

    /// An item of a producer policy is about its own namespace, also where it does not say so: else a policy of one
    /// namespace would configure the clients of equally named services of every other.
    pub(crate) fn confine(&mut self, policy: &Meta) {
        let producer = order::role(policy) == order::Role::Producer;
        if producer && !policy.kri.namespace().is_empty() && self.kind != TargetKind::Mesh {
            self.labels
                .entry(NAMESPACE.to_owned())
                .or_insert_with(|| policy.kri.namespace().to_owned());
        }
    }
}
