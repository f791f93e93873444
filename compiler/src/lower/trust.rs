//! Whom peers may be vouched for by: every `MeshTrust` of the mesh, per trust domain (language 3.9).
//!
//! Never holds what meshd generates: that is added when the configuration is delivered.

use std::collections::{BTreeMap, BTreeSet};

use mesh_bundle::TrustDomain;
use mesh_bundle::resource::Trust;

use crate::kinds::mesh_trust::MeshTrust;
use crate::model::Meta;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

pub(super) fn trust<'a>(documents: impl Iterator<Item = (&'a Meta, &'a MeshTrust)>) -> Trust {
    let mut anchors: BTreeMap<TrustDomain, BTreeSet<String>> = BTreeMap::new();
    for (_, spec) in documents {
        let domain = spec.trust_domain.as_deref().map(str::parse);
        let Some(Ok(domain)) = domain else {
            // Reported by its own checks.
            continue;
        };
        let bundles = spec.ca_bundles.iter();
        let texts = bundles.filter_map(|bundle| bundle.pem.as_ref()?.value.as_deref());
        anchors
            .entry(domain)
            .or_default()
            .extend(texts.flat_map(certificates));
    }
    let sorted = anchors
        .into_iter()
        .map(|(domain, blocks)| (domain, blocks.into_iter().collect()));
    Trust {
        anchors: sorted.collect(),
        // What was issued is known to meshd alone.
        revoked: Vec::new(),
    }
}

/// The certificates in a PEM text, each in one form: 64 characters a line, so that equal ones are equal.
fn certificates(text: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once(BEGIN) {
        let Some((body, after)) = after.split_once(END) else {
            break;
        };
        let body: Vec<char> = body.chars().filter(|c| !c.is_whitespace()).collect();
        let mut block = format!("{BEGIN}\n");
        for line in body.chunks(64) {
            block.extend(line);
            block.push('\n');
        }
        block.push_str(END);
        block.push('\n');
        blocks.push(block);
        rest = after;
    }
    blocks
}
