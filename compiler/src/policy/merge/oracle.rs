//! Merging as RFC 7396 words it, written a second time and without a thought of who set what, against [`Merged`].
//!
//! Never shares a line with what it judges.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::diag::{Pointer, Step};
use crate::policy::tests::source;

use super::Merged;

/// `MergePatch(Target, Patch)` of RFC 7396, section 2, but for the two exceptions of language 4.7: a null sets nothing, and
/// lists of which the name begins with `append` grow.
fn merge_patch(target: Option<Value>, patch: &Value) -> Value {
    let Value::Object(patch) = patch else {
        return patch.clone();
    };
    let mut target = match target {
        Some(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    for (name, value) in patch.iter().filter(|(_, value)| !value.is_null()) {
        let before = target.remove(name);
        let after = match (before, value) {
            (Some(Value::Array(before)), Value::Array(more)) if name.starts_with("append") => {
                Value::Array([before, more.clone()].concat())
            }
            (before, value) => merge_patch(before, value),
        };
        target.insert(name.clone(), after);
    }
    Value::Object(target)
}

fn conf() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0..3).prop_map(Value::from),
        "[0-2]s".prop_map(Value::from),
    ];
    let nested = scalar.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            3 => fields(inner.clone()),
            1 => prop::collection::vec(inner, 0..3).prop_map(Value::Array),
        ]
    });
    fields(nested)
}

fn fields(inner: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    prop::collection::btree_map("[abc]|append[AB]", inner, 0..4)
        .prop_map(|map| Value::Object(map.into_iter().collect()))
}

/// What stands at a place.
fn at<'a>(value: &'a Value, place: &Pointer) -> Option<&'a Value> {
    place
        .steps
        .iter()
        .try_fold(value, |value, step| match step {
            Step::Field(name) => value.get(name),
            Step::Index(index) => value.get(index),
            Step::Again(_) | Step::Comment(_) => None,
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// The effective conf is the one of the RFC, and every leaf stands in the conf that is named for it, as do the values
    /// that it beat, each in a weaker conf than the one before.
    #[test]
    fn leaves_are_those_of_the_rfc_and_of_whom_they_name(confs in prop::collection::vec(conf(), 0..5)) {
        let mut merged = Merged::default();
        let mut expected = Value::Object(Map::new());
        for (index, conf) in confs.iter().enumerate() {
            let layer = conf.clone().into();
            merged.layer(&layer, &|at: &Pointer| Some(source(&index.to_string(), at)));
            expected = merge_patch(Some(expected), conf);
        }
        // As documents have them.
        let written: Vec<Value> = confs.into_iter().map(|conf| json!({"spec": conf})).collect();
        let found = merged.to_value();
        prop_assert_eq!(&found, &expected);
        for (place, setting) in &merged.settings {
            let by = |named: &str| named.parse::<usize>().expect("the number of a conf");
            let mut weakest = by(setting.by.resource.name());
            // An element of a list that grew stands at its own place in the conf that it came from.
            let own = at(&written[weakest], &setting.by.at.pointer);
            prop_assert_eq!(own, at(&found, place), "{}", place.dotted());
            for beaten in &setting.beat {
                let number = by(beaten.by.resource.name());
                prop_assert!(number < weakest, "{} beats {} at {}", weakest, number, place.dotted());
                let own = at(&written[number], &beaten.by.at.pointer);
                prop_assert_eq!(own, Some(&beaten.value), "{}", place.dotted());
                weakest = number;
            }
        }
    }
}
