//! How confs merge, and who set every leaf of the result (language 4.7, RFC 7396).
//!
//! `null` is absent everywhere: nothing can unset a value. Lists are leaves, except `append…`, which grow.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::diag::Pointer;
use crate::json::Json;

use super::Source;

/// A conf made of several, weakest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Merged {
    /// The effective conf.
    pub(crate) value: Map<String, Value>,
    /// Who set each leaf, by its place in `value`.
    pub(crate) settings: BTreeMap<Pointer, Setting>,
}

/// Who set a leaf, and whom that overrode.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Setting {
    pub(crate) by: Source,
    /// The strongest first.
    pub(crate) beat: Vec<Beaten>,
}

/// A value that did not become effective.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Beaten {
    pub(crate) by: Source,
    pub(crate) value: Value,
}

impl Merged {
    /// Puts a stronger conf on top. `source` tells who wrote the value at a place of `conf`.
    pub(crate) fn layer(&mut self, conf: &Json, source: &dyn Fn(&Pointer) -> Option<Source>) {
        if let Json::Fields(high) = conf {
            let mut layer = Layer {
                settings: &mut self.settings,
                source,
            };
            layer.object(&mut self.value, high, &Pointer::default());
        }
    }

    /// Who set the leaf at this path.
    pub(crate) fn setting(&self, path: &[&str]) -> Option<&Setting> {
        self.settings.get(&pointer(path))
    }

    /// The leaf at this path.
    pub(crate) fn leaf(&self, path: &[&str]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        rest.iter()
            .try_fold(self.value.get(*first)?, |value, name| value.get(name))
    }

    /// The elements of a list that grows, each with who added it, the weakest first.
    pub(crate) fn appended(&self, path: &[&str]) -> Vec<(&Value, &Setting)> {
        let elements = self.leaf(path).and_then(Value::as_array);
        let at = pointer(path);
        let setting = |index: usize| self.settings.get(&at.index(index));
        elements
            .into_iter()
            .flatten()
            .enumerate()
            .filter_map(|(index, value)| Some((value, setting(index)?)))
            .collect()
    }

    /// The whole as one value.
    pub(crate) fn to_value(&self) -> Value {
        Value::Object(self.value.clone())
    }
}

/// Field names as a place.
pub(crate) fn pointer(path: &[&str]) -> Pointer {
    path.iter()
        .fold(Pointer::default(), |at, name| at.field(*name))
}

struct Layer<'a> {
    settings: &'a mut BTreeMap<Pointer, Setting>,
    source: &'a dyn Fn(&Pointer) -> Option<Source>,
}

impl Layer<'_> {
    fn object(&mut self, low: &mut Map<String, Value>, high: &[(Box<str>, Json)], at: &Pointer) {
        for (name, value) in high {
            let name = &**name;
            let at = at.field(name);
            match value {
                Json::Null => {}
                Json::Fields(high) => {
                    if !low.get(name).is_some_and(Value::is_object) {
                        self.forget(&at);
                        low.insert(name.to_owned(), Value::Object(Map::new()));
                    }
                    if let Some(Value::Object(low)) = low.get_mut(name) {
                        self.object(low, high, &at);
                    }
                }
                Json::List(more) if name.starts_with("append") => {
                    if !low.get(name).is_some_and(Value::is_array) {
                        self.forget(&at);
                        low.insert(name.to_owned(), Value::Array(Vec::new()));
                    }
                    if let Some(Value::Array(kept)) = low.get_mut(name) {
                        self.append(kept, more, &at);
                    }
                }
                leaf => self.replace(low, name, leaf, &at),
            }
        }
    }

    fn replace(&mut self, low: &mut Map<String, Value>, name: &str, leaf: &Json, at: &Pointer) {
        let before = low.insert(name.to_owned(), leaf.to_value());
        let Some(by) = (self.source)(at) else { return };
        let mut beat = Vec::new();
        let previous = self.settings.remove(at);
        self.forget(at);
        if let Some((value, previous)) = before.zip(previous) {
            beat.push(Beaten {
                by: previous.by,
                value,
            });
            beat.extend(previous.beat);
        }
        self.settings.insert(at.clone(), Setting { by, beat });
    }

    fn append(&mut self, kept: &mut Vec<Value>, more: &[Json], at: &Pointer) {
        for (index, value) in more.iter().enumerate() {
            if let Some(by) = (self.source)(&at.index(index)) {
                let beat = Vec::new();
                self.settings
                    .insert(at.index(kept.len()), Setting { by, beat });
            }
            kept.push(value.to_value());
        }
    }

    /// What was set at or below a place that becomes something else.
    fn forget(&mut self, at: &Pointer) {
        self.settings
            .retain(|place, _| !place.steps.starts_with(&at.steps));
    }
}

#[cfg(test)]
mod oracle;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use crate::policy::tests::source;

    use super::*;

    fn fold(confs: &[Value]) -> Merged {
        let mut merged = Merged::default();
        for (index, conf) in confs.iter().enumerate() {
            let conf = conf.clone().into();
            merged.layer(&conf, &|at: &Pointer| Some(source(&index.to_string(), at)));
        }
        merged
    }

    #[test]
    fn objects_merge_scalars_and_lists_replace() {
        for (confs, expected) in [
            (
                vec![json!({"a": 1}), json!({"b": 2})],
                json!({"a": 1, "b": 2}),
            ),
            (vec![json!({"a": 1}), json!({"a": 2})], json!({"a": 2})),
            (vec![json!({"a": 1}), json!({"a": null})], json!({"a": 1})),
            (
                vec![json!({"a": "1s"}), json!({"a": "0s"})],
                json!({"a": "0s"}),
            ),
            (
                vec![json!({"h": {"a": 1, "b": 1}}), json!({"h": {"b": 2}})],
                json!({"h": {"a": 1, "b": 2}}),
            ),
            (
                vec![json!({"l": [1, 2]}), json!({"l": [3]})],
                json!({"l": [3]}),
            ),
            (
                vec![json!({"l": [1, 2]}), json!({"l": []})],
                json!({"l": []}),
            ),
            (
                vec![json!({"appendMatch": [1]}), json!({"appendMatch": [2, 3]})],
                json!({"appendMatch": [1, 2, 3]}),
            ),
            (
                vec![
                    json!({"type": "RingHash", "ringHash": {"min": 1}}),
                    json!({"type": "RoundRobin"}),
                ],
                json!({"type": "RoundRobin", "ringHash": {"min": 1}}),
            ),
            (
                vec![json!({"a": 1}), json!({"a": {"b": 1}})],
                json!({"a": {"b": 1}}),
            ),
            (
                vec![json!({"a": {"b": 1}}), json!({"a": 1})],
                json!({"a": 1}),
            ),
            (vec![json!(null), json!({"a": 1})], json!({"a": 1})),
        ] {
            assert_eq!(fold(&confs).to_value(), expected, "{confs:?}");
        }
    }

    #[test]
    fn every_leaf_knows_who_set_it_and_whom_that_beat() {
        let merged = fold(&[
            json!({"a": 1, "h": {"x": 1, "y": 1}}),
            json!({"a": 2, "h": {"x": 2}}),
            json!({"a": 3}),
        ]);
        let told = |path: &[&str]| {
            let setting = merged.setting(path).unwrap();
            let beat: Vec<_> = setting
                .beat
                .iter()
                .map(|beaten| (beaten.by.resource.name().to_owned(), beaten.value.clone()))
                .collect();
            (setting.by.resource.name().to_owned(), beat)
        };
        let beaten = |name: &str, value: i32| (name.to_owned(), json!(value));
        assert_eq!(
            told(&["a"]),
            ("2".to_owned(), vec![beaten("1", 2), beaten("0", 1)])
        );
        assert_eq!(told(&["h", "x"]), ("1".to_owned(), vec![beaten("0", 1)]));
        assert_eq!(told(&["h", "y"]), ("0".to_owned(), vec![]));
    }

    fn conf() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![Just(Value::Null), (0..3).prop_map(Value::from)];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                prop::collection::btree_map("[ab]", inner.clone(), 0..3)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
                prop::collection::vec(inner, 0..3).prop_map(Value::Array),
            ]
        })
    }

    /// A leaf: no object, or an empty one, which sets nothing.
    fn leaves(value: &Value, at: &Pointer, found: &mut Vec<Pointer>) {
        match value {
            Value::Object(map) => map
                .iter()
                .for_each(|(name, value)| leaves(value, &at.field(name), found)),
            _ => found.push(at.clone()),
        }
    }

    proptest! {
        /// The settings are exactly the leaves, whatever was merged.
        #[test]
        fn settings_are_the_leaves(confs in prop::collection::vec(conf(), 0..4)) {
            let merged = fold(&confs);
            let mut expected = Vec::new();
            leaves(&merged.to_value(), &Pointer::default(), &mut expected);
            expected.sort();
            prop_assert_eq!(merged.settings.keys().cloned().collect::<Vec<_>>(), expected);
        }

        /// Merging the same conf again changes nothing but who set it.
        #[test]
        fn merging_twice_is_merging_once(confs in prop::collection::vec(conf(), 1..4)) {
            let mut twice = confs.clone();
            twice.push(confs[confs.len() - 1].clone());
            prop_assert_eq!(fold(&confs).value, fold(&twice).value);
        }
    }
}
