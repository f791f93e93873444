//! Which certificate authorities are vouched for, over time: a new one is trusted before it signs, an old one for as long as
//! what it signed may live.
//!
//! Never signs: it remembers certificates, which are public.

use std::collections::BTreeMap;
use std::time::Duration;

use mesh_bundle::{Issuer, Kri, TrustDomain};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde::{Deserialize, Serialize};

use super::{SKEW, pin_of};
use crate::state::{StateDir, StateFailure};

const FILE: &str = "anchors.json";
/// For the trust in a new authority to reach every proxy that can be reached.
pub(super) const SPREADING: Duration = Duration::from_secs(60);

/// One certificate that vouches for a trust domain of a mesh.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Anchor {
    mesh: String,
    trust_domain: TrustDomain,
    issuer: Kri,
    pem: String,
    /// Until then it may not sign, unless everybody has heard of it: another one was there before. Seconds since 1970.
    spreads_until: u64,
    /// When the last certificate that it signed has ended; absent while it signs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ends: Option<u64>,
}

/// All of them, as they are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Anchors {
    anchors: Vec<Anchor>,
}

/// Where a certificate that vouches for a trust domain stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Trusted, and not known to every proxy yet: it does not sign.
    Spreading,
    /// It signs, or may.
    Signing,
    /// It signs no more; what it signed may live until then, in seconds since 1970.
    Retiring {
        /// When it goes.
        until: u64,
    },
}

/// One certificate that vouches for a trust domain of a mesh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnchorStep {
    /// The mesh.
    pub mesh: String,
    /// The trust domain.
    pub trust_domain: String,
    /// SHA-256 of its key.
    pub pin: String,
    /// Where it stands.
    pub step: Step,
}

impl Anchors {
    /// Where each stands at that time.
    pub(super) fn steps(&self, now: u64) -> Vec<AnchorStep> {
        let step = |anchor: &Anchor| AnchorStep {
            mesh: anchor.mesh.clone(),
            trust_domain: anchor.trust_domain.to_string(),
            pin: CertificateDer::from_pem_slice(anchor.pem.as_bytes())
                .ok()
                .and_then(|certificate| pin_of(&certificate))
                .map_or_else(String::new, |pin| pin.to_string()),
            step: match anchor.ends {
                Some(until) => Step::Retiring { until },
                None if anchor.spreads_until > now => Step::Spreading,
                None => Step::Signing,
            },
        };
        self.anchors.iter().map(step).collect()
    }

    /// A damaged file is told and counts as none: those that sign now come back at once.
    pub(super) fn read(state: &StateDir) -> Result<Self, StateFailure> {
        let Some(bytes) = state.read(FILE)? else {
            return Ok(Self::default());
        };
        Ok(serde_json::from_slice(&bytes).unwrap_or_else(|error| {
            tracing::warn!(%error, file = FILE, "which authorities were trusted before is lost");
            Self::default()
        }))
    }

    pub(super) fn write(&self, state: &StateDir) -> Result<(), StateFailure> {
        // Texts and numbers: this cannot fail.
        state.write(FILE, &serde_json::to_vec_pretty(self).unwrap_or_default())
    }

    /// Brings them up to date. `current` are the anchors of the issuers that can sign; of the others nothing changes.
    pub(super) fn update(
        &mut self,
        issuers: &BTreeMap<Kri, Issuer>,
        current: &BTreeMap<Kri, String>,
        now: u64,
    ) {
        for (kri, pem) in current {
            let Some(issuer) = issuers.get(kri) else {
                continue;
            };
            let same_domain = |anchor: &Anchor| {
                anchor.mesh == issuer.mesh && anchor.trust_domain == issuer.trust_domain
            };
            let another = self.anchors.iter().any(same_domain);
            let known = self
                .anchors
                .iter_mut()
                .find(|anchor| same_domain(anchor) && anchor.pem == *pem);
            match known {
                Some(anchor) => {
                    anchor.issuer.clone_from(kri);
                    anchor.ends = None;
                }
                None => self.anchors.push(Anchor {
                    mesh: issuer.mesh.clone(),
                    trust_domain: issuer.trust_domain.clone(),
                    issuer: kri.clone(),
                    pem: pem.clone(),
                    spreads_until: if another {
                        now + SPREADING.as_secs()
                    } else {
                        0
                    },
                    ends: None,
                }),
            }
        }
        let longest = issuers
            .values()
            .map(|issuer| issuer.lifetime.as_std())
            .max();
        let longest = longest.unwrap_or(Duration::from_hours(24));
        // Clocks differ, and connections that were opened with the last of its certificates are to be over.
        let ends = now + (longest + SKEW.min(longest / 2)).as_secs();
        for anchor in &mut self.anchors {
            let signs = match current.get(&anchor.issuer) {
                Some(pem) => *pem == anchor.pem,
                // It cannot be read at this moment: that is no reason to forget it.
                None => issuers.contains_key(&anchor.issuer),
            };
            if !signs && anchor.ends.is_none() {
                anchor.ends = Some(ends);
            }
        }
        self.anchors
            .retain(|anchor| anchor.ends.is_none_or(|ends| ends > now));
    }

    /// With those of other meshes.
    pub(super) fn unite(&mut self, other: &Self) {
        self.anchors.extend(other.anchors.iter().cloned());
    }

    /// Without those of the meshes that others look after, which are given back.
    pub(super) fn take_others(&mut self, theirs: impl Fn(&str) -> bool) -> Self {
        let others = self.anchors.extract_if(.., |anchor| theirs(&anchor.mesh));
        Self {
            anchors: others.collect(),
        }
    }

    /// The certificates that vouch for a trust domain of a mesh.
    pub(super) fn of<'a>(
        &'a self,
        mesh: &'a str,
        trust_domain: &'a TrustDomain,
    ) -> impl Iterator<Item = &'a String> {
        self.anchors
            .iter()
            .filter(move |anchor| anchor.mesh == mesh && anchor.trust_domain == *trust_domain)
            .map(|anchor| &anchor.pem)
    }

    /// What an issuer signs with, or has signed with: trust domain and certificate.
    pub(super) fn of_issuer<'a>(
        &'a self,
        issuer: &'a Kri,
    ) -> impl Iterator<Item = (&'a TrustDomain, &'a str)> {
        self.anchors
            .iter()
            .filter(move |anchor| anchor.issuer == *issuer)
            .map(|anchor| (&anchor.trust_domain, anchor.pem.as_str()))
    }

    /// Until when a certificate may still be unknown to some, in seconds since 1970.
    pub(super) fn spreads_until(&self, issuer: &Kri, pem: &str) -> u64 {
        self.anchors
            .iter()
            .find(|anchor| anchor.issuer == *issuer && anchor.pem == pem)
            .map_or(0, |anchor| anchor.spreads_until)
    }
}

#[cfg(test)]
mod tests {
    use mesh_bundle::{CaSource, Origin};

    use super::*;

    const NOW: u64 = 1_000_000;

    fn identity(name: &str) -> Kri {
        format!("kri_mid_shop___{name}_").parse().unwrap()
    }

    fn issuers(names: &[&str]) -> BTreeMap<Kri, Issuer> {
        let issuer = |name: &&str| {
            let issuer = Issuer {
                mesh: "shop".to_owned(),
                trust_domain: "shop.example".parse().unwrap(),
                ca: CaSource::Autogenerated {},
                lifetime: mesh_bundle::Duration::from_secs(3_600),
                publish_trust: true,
                origin: Origin {
                    resource: identity(name),
                    file: "a.yaml".to_owned(),
                    line: 1,
                },
            };
            (identity(name), issuer)
        };
        names.iter().map(issuer).collect()
    }

    fn current(list: &[(&str, &str)]) -> BTreeMap<Kri, String> {
        let entry = |(name, pem): &(&str, &str)| (identity(name), (*pem).to_owned());
        list.iter().map(entry).collect()
    }

    #[test]
    fn a_change_of_authority_over_time() {
        let mut anchors = Anchors::default();
        let domain: TrustDomain = "shop.example".parse().unwrap();
        let step = |anchors: &mut Anchors, names: &[&str], list: &[(&str, &str)], now: u64| {
            anchors.update(&issuers(names), &current(list), now);
            anchors.of("shop", &domain).cloned().collect::<Vec<_>>()
        };
        assert_eq!(step(&mut anchors, &["a"], &[("a", "1")], NOW), ["1"]);
        // The first one has nobody to wait for.
        assert_eq!(anchors.spreads_until(&identity("a"), "1"), 0);
        // Another file: both are trusted, the new one waits before it signs.
        assert_eq!(step(&mut anchors, &["a"], &[("a", "2")], NOW), ["1", "2"]);
        assert_eq!(anchors.spreads_until(&identity("a"), "2"), NOW + 60);
        // It cannot be read for a while.
        let later = NOW + 3_000;
        assert_eq!(step(&mut anchors, &["a"], &[], later), ["1", "2"]);
        // The last certificate of the old one has ended.
        let later = NOW + 3_600;
        assert_eq!(step(&mut anchors, &["a"], &[("a", "2")], later), ["1", "2"]);
        // And the clocks of others, which may be behind, say so too.
        let later = later + 300;
        assert_eq!(step(&mut anchors, &["a"], &[("a", "2")], later), ["2"]);
        // Another document takes over the trust domain.
        let both = step(&mut anchors, &["b"], &[("b", "3")], later);
        assert_eq!(both, ["2", "3"]);
        let last = step(&mut anchors, &["b"], &[("b", "3")], later + 3_900);
        assert_eq!(last, ["3"]);
        // Back to an earlier one.
        let back = step(&mut anchors, &["b"], &[("b", "3")], later + 9_000);
        assert_eq!(back, ["3"]);
        assert_eq!(anchors.of("other", &domain).count(), 0);
    }
}
