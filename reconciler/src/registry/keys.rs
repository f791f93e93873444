//! Which key belongs to whom: a request that was overheard must not become a certificate of somebody else.
//!
//! Never grows without a bound: each proxy has as many keys as it has recently asked with.

use std::collections::{BTreeMap, VecDeque};

use mesh_bundle::{Digest, Kri};

/// Keys that are remembered for one proxy.
const EACH: usize = 4;

/// The keys that certificates were issued for since meshd began.
#[derive(Debug, Default)]
pub(super) struct Keys {
    owners: BTreeMap<Digest, Kri>,
    recent: BTreeMap<Kri, VecDeque<Digest>>,
}

impl Keys {
    /// Takes a key for a proxy; false when it is another one's.
    pub(super) fn claim(&mut self, proxy: &Kri, key: Digest) -> bool {
        if let Some(owner) = self.owners.get(&key) {
            return owner == proxy;
        }
        self.owners.insert(key, proxy.clone());
        let recent = self.recent.entry(proxy.clone()).or_default();
        recent.push_back(key);
        if recent.len() > EACH
            && let Some(oldest) = recent.pop_front()
        {
            self.owners.remove(&oldest);
        }
        true
    }

    /// Forgets the keys of proxies that are gone.
    pub(super) fn retain(&mut self, keep: impl Fn(&Kri) -> bool) {
        self.owners.retain(|_, owner| keep(owner));
        self.recent.retain(|owner, _| keep(owner));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_owner() {
        let proxy = |name: &str| -> Kri { format!("kri_dp_shop___{name}_").parse().unwrap() };
        let key = |number: u8| Digest::of(&[number]);
        let mut keys = Keys::default();
        assert!(keys.claim(&proxy("web"), key(0)));
        assert!(keys.claim(&proxy("web"), key(0)));
        assert!(!keys.claim(&proxy("api"), key(0)));
        for number in 1..100 {
            assert!(keys.claim(&proxy("web"), key(number)));
        }
        assert_eq!(keys.owners.len(), EACH);
        keys.retain(|kri| *kri != proxy("web"));
        assert!(keys.owners.is_empty() && keys.recent.is_empty());
    }
}
