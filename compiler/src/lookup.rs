//! A map for finding, not for walking: names are long and begin alike, so a tree that is ordered by them spends its time on
//! comparing.
//!
//! Never gives an order: what is found does not depend on one.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

/// Values by keys.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Lookup<K, V>(BTreeMap<u64, Vec<(K, V)>>);

impl<K, V> Default for Lookup<K, V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Hash + Eq, V> Lookup<K, V> {
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        let alike = self.0.get(&hash(key))?;
        alike
            .iter()
            .find_map(|(own, value)| (own == key).then_some(value))
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let alike = self.0.get_mut(&hash(key))?;
        let mut alike = alike.iter_mut();
        alike.find_map(|(own, value)| (own == key).then_some(value))
    }

    /// Where a key belongs. Hardly any two have one hash, and a list that grows by itself has room for four.
    fn alike(&mut self, key: &K) -> &mut Vec<(K, V)> {
        let place = self.0.entry(hash(key));
        place.or_insert_with(|| Vec::with_capacity(1))
    }

    /// Keeps the value that was there, if any.
    pub(crate) fn insert_new(&mut self, key: K, value: V) {
        let alike = self.alike(&key);
        if !alike.iter().any(|(own, _)| *own == key) {
            alike.push((key, value));
        }
    }

    /// Replaces the value that was there, if any.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        let alike = self.alike(&key);
        match alike.iter_mut().find(|(own, _)| *own == key) {
            Some((_, known)) => *known = value,
            None => alike.push((key, value)),
        }
    }
}

impl<K: Hash + Eq, V> Extend<(K, V)> for Lookup<K, V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        for (key, value) in entries {
            self.insert(key, value);
        }
    }
}

impl<K: Hash + Eq, V> FromIterator<(K, V)> for Lookup<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut lookup = Self::default();
        lookup.extend(entries);
        lookup
    }
}

/// The same in every process: the keys of this hasher are fixed.
fn hash<K: Hash>(key: &K) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every key has the same hash.
    #[derive(Debug, PartialEq, Eq)]
    struct Alike(u8);

    impl Hash for Alike {
        fn hash<H: Hasher>(&self, _: &mut H) {}
    }

    #[test]
    fn keys_of_one_hash_are_told_apart() {
        let mut lookup: Lookup<Alike, &str> = (0..3).map(|n| (Alike(n), "first")).collect();
        lookup.insert(Alike(1), "second");
        lookup.insert_new(Alike(2), "second");
        let found: Vec<_> = (0..4).map(|n| lookup.get(&Alike(n)).copied()).collect();
        assert_eq!(found, [Some("first"), Some("second"), Some("first"), None]);
    }
}
