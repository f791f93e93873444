//! Every resource of a commit as the bytes that are sent.
//!
//! Never encodes again what was sent before.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use mesh_bundle::{Digest, Resource};

use super::Undeliverable;

/// The bytes of `resources`, those that were known before as they are, with those that are `added`.
pub(super) fn encoded(
    resources: &BTreeMap<Digest, Arc<Resource>>,
    added: BTreeMap<Digest, Bytes>,
    before: Option<&BTreeMap<Digest, Bytes>>,
) -> Result<BTreeMap<Digest, Bytes>, Undeliverable> {
    // Both are in the order of their digests: one pass, where a search for each would miss every cache.
    let mut before = before.into_iter().flatten().peekable();
    let mut encoded = Vec::with_capacity(resources.len() + added.len());
    for (digest, resource) in resources {
        while before.next_if(|(known, _)| *known < digest).is_some() {}
        let known = before.next_if(|(known, _)| *known == digest);
        let bytes = match known {
            Some((_, bytes)) => bytes.clone(),
            None => Bytes::from(resource.encode()?.1),
        };
        encoded.push((*digest, bytes));
    }
    let mut encoded: BTreeMap<_, _> = encoded.into_iter().collect();
    encoded.extend(added);
    Ok(encoded)
}
