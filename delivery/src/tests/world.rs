//! Small worlds to deliver, written as pairs of texts.
//!
//! Never a real resource: delivery does not look inside.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use mesh_bundle::{Digest, Key, Kri, Manifest};

use crate::message::{ClusterEndpoints, Endpoint, Received};
use crate::publisher::Wanted;

pub(crate) fn service(name: &str) -> Kri {
    format!("kri_msvc_default___{name}_http").parse().unwrap()
}

pub(crate) fn instance(name: &str) -> Kri {
    format!("kri_dp_default___{name}_main").parse().unwrap()
}

/// `"web-1 web-2"` are two endpoints, on ports of their own.
pub(crate) fn endpoints(names: &str) -> Arc<ClusterEndpoints> {
    let endpoint = |name: &str| Endpoint {
        id: instance(name),
        address: "127.0.0.1".to_owned(),
        port: 1000 + u16::try_from(name.len()).unwrap(),
        zone: String::new(),
        labels: BTreeMap::new(),
    };
    let set = names.split_whitespace().map(endpoint);
    Arc::new(ClusterEndpoints {
        endpoints: set.map(|each| (each.id.clone(), each)).collect(),
        tls_ready: names.contains("tls"),
    })
}

pub(crate) type Sets = BTreeMap<Kri, Arc<ClusterEndpoints>>;

pub(crate) fn sets(clusters: &[(&str, &str)]) -> Sets {
    let set = |(name, names): &(&str, &str)| (service(name), endpoints(names));
    clusters.iter().map(set).collect()
}

/// Keys and contents, and for each cluster its endpoints.
pub(crate) fn wanted(
    revision: &str,
    resources: &[(&str, &str)],
    clusters: &[(&str, &str)],
) -> Arc<Wanted> {
    let mut manifest = Manifest::default();
    let mut bytes = BTreeMap::new();
    for (key, content) in resources {
        let content = Bytes::copy_from_slice(content.as_bytes());
        let digest = Digest::of(&content);
        manifest.entries.insert(key.parse().unwrap(), digest);
        bytes.insert(digest, content);
    }
    let wanted = Wanted::new(
        revision,
        Arc::new(manifest),
        Arc::new(bytes),
        sets(clusters),
    );
    Arc::new(wanted.unwrap())
}

pub(crate) fn received(wanted: &Wanted) -> Received {
    let resource = |(key, digest): (&Key, &Digest)| (key.clone(), (*digest, wanted.bytes(digest)));
    Received {
        revision: wanted.revision().to_owned(),
        root: wanted.root(),
        resources: wanted.manifest().entries.iter().map(resource).collect(),
    }
}
