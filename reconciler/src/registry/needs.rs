//! Which authorities live proxies need: those that have signed what they show their peers.
//!
//! Never less than they need: what is not known to be over counts.

use std::collections::BTreeMap;

use mesh_bundle::{Digest, Kri, TrustDomain};
use mesh_compiler::fleet::{FORMAT, Fleet, Needed};

use super::Registry;

impl Registry {
    /// As of that time, in seconds since 1970; of one source, or of all.
    pub(crate) fn fleet(&self, source: Option<&str>, revision: Option<String>, now: u64) -> Fleet {
        let inner = self.lock();
        let mut needed: BTreeMap<(String, TrustDomain, Digest), Needed> = BTreeMap::new();
        let published = inner.asked(source).into_iter().flat_map(|published| {
            let proxies = published.proxies.iter();
            proxies.map(move |(kri, proxy)| (published, kri, proxy))
        });
        let mut anchors: BTreeMap<&Kri, Vec<(TrustDomain, Digest)>> = BTreeMap::new();
        for (published, kri, proxy) in published {
            let Some(live) = inner.live.get(kri) else {
                continue;
            };
            let given = proxy.identity.as_ref().map(|identity| &identity.issuer);
            // Whoever holds what is wanted shows what that identity was given, and nothing older.
            let holds = live.is_connected() && live.held == Some(proxy.wanted.root());
            for (issuer, until) in &live.certificates {
                if *until <= now || (holds && given != Some(issuer)) {
                    continue;
                }
                let anchors = anchors
                    .entry(issuer)
                    .or_insert_with(|| published.authorities.of_issuer(issuer));
                for (domain, anchor) in anchors.iter() {
                    let key = (kri.mesh().to_owned(), domain.clone(), *anchor);
                    let one = needed.entry(key).or_insert_with(|| Needed {
                        mesh: kri.mesh().to_owned(),
                        trust_domain: domain.clone(),
                        anchor: *anchor,
                        proxies: 0,
                        example: kri.clone(),
                        until: 0,
                    });
                    one.proxies += 1;
                    one.until = one.until.max(*until);
                }
            }
        }
        Fleet {
            format: FORMAT,
            revision,
            anchors: needed.into_values().collect(),
        }
    }
}
