//! JSON that is kept: the bodies of policies, and the confs in them.
//!
//! Never changed after it was made, so parts are shared: a copy costs a pointer. A mapping is a sorted list; as a tree node
//! it would take half a KiB, of which one or two entries are all that most ever hold.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::{Number, Value};

/// A value.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) enum Json {
    #[default]
    Null,
    Bool(bool),
    Number(Number),
    Text(Box<str>),
    List(Arc<[Self]>),
    /// In the order of their names, none of them twice.
    Fields(Arc<[(Box<str>, Self)]>),
}

impl Json {
    /// A mapping with one entry.
    pub(crate) fn field(name: &str, value: Self) -> Self {
        Self::Fields([(name.into(), value)].into())
    }

    /// The value under a name, where this is a mapping that has it.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        let fields = self.fields();
        let place = fields.binary_search_by(|(own, _)| (**own).cmp(name)).ok()?;
        fields.get(place).map(|(_, value)| value)
    }

    /// The entries, where this is a mapping.
    pub(crate) fn fields(&self) -> &[(Box<str>, Self)] {
        match self {
            Self::Fields(fields) => fields,
            _ => &[],
        }
    }

    /// The items, where this is a list.
    pub(crate) fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    /// The text, where this is one.
    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number, where this is a small one without a sign.
    pub(crate) fn as_u32(&self) -> Option<u32> {
        match self {
            Self::Number(number) => number.as_u64().and_then(|number| number.try_into().ok()),
            _ => None,
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        *self == Self::Null
    }

    /// A copy that can be changed.
    pub(crate) fn to_value(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Number(number) => Value::Number(number.clone()),
            Self::Text(text) => Value::String(text.to_string()),
            Self::List(items) => items.iter().map(Self::to_value).collect(),
            Self::Fields(fields) => {
                let fields = fields.iter();
                fields
                    .map(|(name, value)| (name.to_string(), value.to_value()))
                    .collect()
            }
        }
    }

    /// Read as something else; `None` where it is no such thing.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_value(self.to_value()).ok()
    }
}

impl From<Value> for Json {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::Number(number) => Self::Number(number),
            Value::String(text) => Self::Text(text.into()),
            Value::Array(items) => Self::List(items.into_iter().map(Self::from).collect()),
            Value::Object(fields) => {
                let fields = fields.into_iter();
                Self::Fields(
                    fields
                        .map(|(name, value)| (name.into(), value.into()))
                        .collect(),
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,4}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 5, |inner| {
            prop_oneof![
                prop::collection::btree_map(".{0,2}", inner.clone(), 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
                prop::collection::vec(inner, 0..4).prop_map(Value::Array),
            ]
        })
    }

    proptest! {
        /// Nothing is lost or turned around, and what a mapping holds is found.
        #[test]
        fn it_is_what_it_was_made_of(value in value()) {
            let json = Json::from(value.clone());
            prop_assert_eq!(&json.to_value(), &value);
            for (name, value) in value.as_object().into_iter().flatten() {
                prop_assert_eq!(json.get(name).map(Json::to_value), Some(value.clone()));
            }
            prop_assert_eq!(json.get("???"), None);
            prop_assert_eq!(json.as_str(), value.as_str());
            prop_assert_eq!(json.as_array().map(<[Json]>::len), value.as_array().map(Vec::len));
            prop_assert_eq!(json.is_null(), value.is_null());
        }
    }

    #[test]
    fn a_mapping_of_one_entry_is_like_any_other() {
        let one = Json::field("rules", json!([1]).into());
        assert_eq!(one, json!({"rules": [1]}).into());
    }
}
