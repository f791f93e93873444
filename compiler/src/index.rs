//! Labels the other way round: who carries a pair, and whom a selector could select.
//!
//! Never decides: it names candidates, in ascending order, and whoever asks looks at each with the rule that holds.

use std::collections::BTreeMap;

type Labels = BTreeMap<String, String>;

/// Things with labels, by each pair that they carry.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Carriers {
    all: Vec<usize>,
    by_pair: Pairs,
}

/// Selectors, each under the one pair of it that the fewest others want.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selectors {
    all: Vec<usize>,
    /// Those that want no pair.
    everybody: Vec<usize>,
    by_pair: Pairs,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Pairs(BTreeMap<String, BTreeMap<String, Vec<usize>>>);

impl Carriers {
    /// Of things in order.
    pub(crate) fn of<'a>(labels: impl Iterator<Item = &'a Labels>) -> Self {
        let mut carriers = Self::default();
        for (index, labels) in labels.enumerate() {
            carriers.all.push(index);
            for pair in labels {
                carriers.by_pair.entry(pair).push(index);
            }
        }
        carriers
    }

    /// Gives one thing other labels.
    pub(crate) fn exchange(&mut self, index: usize, before: &Labels, after: &Labels) {
        for pair in before {
            let carriers = self.by_pair.entry(pair);
            carriers.retain(|other| *other != index);
        }
        for pair in after {
            let carriers = self.by_pair.entry(pair);
            if let Err(place) = carriers.binary_search(&index) {
                carriers.insert(place, index);
            }
        }
    }

    /// Everything that could carry all of these pairs.
    pub(crate) fn candidates(&self, wanted: &Labels) -> &[usize] {
        let carriers = wanted.iter().map(|pair| self.by_pair.get(pair));
        carriers
            .min_by_key(|carriers| carriers.len())
            .unwrap_or(&self.all)
    }
}

impl Selectors {
    /// Of selectors with the numbers that they are known by, in ascending order.
    pub(crate) fn of(selectors: &[(usize, &Labels)]) -> Self {
        let mut wanting: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for (key, value) in selectors.iter().flat_map(|(_, labels)| labels.iter()) {
            *wanting.entry((key, value)).or_default() += 1;
        }
        let mut index = Self::default();
        for (number, labels) in selectors {
            index.all.push(*number);
            let count = |(key, value): &(&String, &String)| {
                wanting.get(&(key.as_str(), value.as_str())).copied()
            };
            match labels.iter().min_by_key(count) {
                None => index.everybody.push(*number),
                Some(pair) => index.by_pair.entry(pair).push(*number),
            }
        }
        index
    }

    /// Adds to `found`, in no order, every selector that could select what carries `labels`; of nobody, all.
    pub(crate) fn candidates(&self, labels: Option<&Labels>, found: &mut Vec<usize>) {
        let Some(labels) = labels else {
            found.extend(&self.all);
            return;
        };
        found.extend(&self.everybody);
        for pair in labels {
            found.extend(self.by_pair.get(pair));
        }
    }
}

impl Pairs {
    fn get(&self, (key, value): (&String, &String)) -> &[usize] {
        let values = self.0.get(key);
        values
            .and_then(|values| values.get(value))
            .map_or(&[], Vec::as_slice)
    }

    fn entry(&mut self, (key, value): (&String, &String)) -> &mut Vec<usize> {
        let values = self.0.entry(key.clone()).or_default();
        values.entry(value.clone()).or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::policy::carries;

    use super::*;

    fn labels() -> impl Strategy<Value = Labels> {
        prop::collection::btree_map("[abc]", "[xy]", 0..3)
    }

    proptest! {
        /// Nothing that carries the pairs is left out, and nothing is named twice.
        #[test]
        fn candidates_are_enough(
            things in prop::collection::vec(labels(), 0..8),
            selectors in prop::collection::vec(labels(), 0..8),
        ) {
            let carriers = Carriers::of(things.iter());
            // The same where each had other labels before.
            let mut exchanged = Carriers::of(things.iter().rev());
            for (index, (before, after)) in things.iter().rev().zip(&things).enumerate() {
                exchanged.exchange(index, before, after);
            }
            let numbered: Vec<(usize, &Labels)> = selectors.iter().enumerate().collect();
            let index = Selectors::of(&numbered);
            for (s, wanted) in selectors.iter().enumerate() {
                let found = carriers.candidates(wanted);
                prop_assert_eq!(found, exchanged.candidates(wanted));
                prop_assert!(found.is_sorted());
                for (t, thing) in things.iter().enumerate() {
                    let mut selecting = Vec::new();
                    index.candidates(Some(thing), &mut selecting);
                    prop_assert!(!carries(thing, wanted) || (found.contains(&t) && selecting.contains(&s)));
                    let count = selecting.len();
                    selecting.sort_unstable();
                    selecting.dedup();
                    prop_assert_eq!(count, selecting.len());
                }
            }
        }
    }
}
