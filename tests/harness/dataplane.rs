//! The Dataplanes of a repository: where the workloads listen and where they send to.
//!
//! Never a second compiler: it reads the few fields that a machine would be set up with, and ignores every other.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use serde::Deserialize;

/// One proxy and the workload beside it.
#[derive(Debug, Clone)]
pub struct Dataplane {
    /// Its name.
    pub name: String,
    /// For traffic to the workload.
    pub inbounds: Vec<Inbound>,
    /// For traffic from the workload.
    pub outbounds: Vec<Outbound>,
}

/// One listener for traffic to the workload.
#[derive(Debug, Clone)]
pub struct Inbound {
    /// Where the proxy listens.
    pub proxy: SocketAddr,
    /// Where the workload listens.
    pub workload: SocketAddr,
    /// `http`, `http2`, `grpc` or `tcp`.
    pub protocol: String,
}

/// One listener for traffic from the workload.
#[derive(Debug, Clone)]
pub struct Outbound {
    /// Where the workload connects to.
    pub address: SocketAddr,
    /// The name of the service.
    pub service: String,
}

#[derive(Deserialize)]
struct Document {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    name: String,
    networking: Option<Networking>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Networking {
    address: IpAddr,
    #[serde(default)]
    inbound: Vec<InboundFields>,
    #[serde(default)]
    outbound: Vec<OutboundFields>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InboundFields {
    port: u16,
    service_port: Option<u16>,
    service_address: Option<IpAddr>,
    address: Option<IpAddr>,
    #[serde(default)]
    protocol: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OutboundFields {
    port: u16,
    address: Option<IpAddr>,
    backend_ref: BackendRef,
}

#[derive(Deserialize)]
struct BackendRef {
    name: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

/// Every Dataplane of a YAML text.
///
/// # Panics
/// When the text is not YAML: an example is.
pub(crate) fn read(text: &str) -> Vec<Dataplane> {
    let mut found = Vec::new();
    for document in serde_yaml::Deserializer::from_str(text) {
        let value = serde_yaml::Value::deserialize(document).expect("YAML");
        let Ok(document) = serde_yaml::from_value::<Document>(value) else {
            continue;
        };
        if let (Some(networking), "Dataplane") = (document.networking, document.kind.as_str()) {
            found.push(dataplane(document.name, networking));
        }
    }
    found
}

fn dataplane(name: String, networking: Networking) -> Dataplane {
    let loopback = IpAddr::from([127, 0, 0, 1]);
    let inbound = |fields: InboundFields| {
        let address = fields.address.unwrap_or(networking.address);
        let workload = fields.service_address.unwrap_or(address);
        Inbound {
            proxy: (address, fields.port).into(),
            workload: (workload, fields.service_port.unwrap_or(fields.port)).into(),
            protocol: fields.protocol,
        }
    };
    let outbound = |fields: OutboundFields| {
        let labels = fields.backend_ref.labels;
        let by_label = labels.get("kuma.io/display-name").cloned();
        Outbound {
            address: (fields.address.unwrap_or(loopback), fields.port).into(),
            service: fields.backend_ref.name.or(by_label).unwrap_or_default(),
        }
    };
    Dataplane {
        name,
        inbounds: networking.inbound.into_iter().map(inbound).collect(),
        outbounds: networking.outbound.into_iter().map(outbound).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found() {
        let text = "type: Mesh\nname: default\n---\ntype: Dataplane\nname: a\nnetworking:\n  address: 127.0.0.3\n  inbound:\n    - {port: 9080, servicePort: 8080, protocol: http}\n  outbound:\n    - {port: 1, backendRef: {kind: MeshService, name: b, port: 80}}\n";
        let [dataplane] = read(text).try_into().unwrap();
        assert_eq!(dataplane.name, "a");
        assert_eq!(dataplane.inbounds[0].workload.to_string(), "127.0.0.3:8080");
        assert_eq!(dataplane.outbounds[0].address.to_string(), "127.0.0.1:1");
        assert_eq!(dataplane.outbounds[0].service, "b");
    }
}
