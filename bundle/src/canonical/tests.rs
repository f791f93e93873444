use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn detour<T: Serialize>(value: &T) -> String {
    serde_json::to_value(value).unwrap().to_string()
}

fn direct<T: Serialize>(value: &T) -> String {
    let mut bytes = b"before".to_vec();
    write(value, &mut bytes).unwrap();
    String::from_utf8(bytes.split_off(6)).unwrap()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Shape {
    Unit,
    New(u8),
    Tuple(i64, char),
    Struct { z: bool, a: Option<f64> },
}

#[derive(Serialize)]
#[serde(tag = "type")]
enum Tagged {
    Zero,
    New(Plain),
}

#[derive(Serialize)]
struct Plain {
    zone: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    left_out: Option<u8>,
    #[serde(flatten)]
    more: BTreeMap<&'static str, Shape>,
    a: ((), [u8; 0], (u64, i8)),
}

#[test]
fn every_shape_is_what_the_detour_writes() {
    let plain = || Plain {
        zone: "\u{7f}z \"ü\"\n",
        left_out: None,
        more: BTreeMap::from([
            ("zz", Shape::Unit),
            ("m", Shape::New(1)),
            ("type", Shape::Tuple(-1, '"')),
            (
                "b",
                Shape::Struct {
                    z: true,
                    a: Some(0.5),
                },
            ),
        ]),
        a: ((), [], (1, -1)),
    };
    assert_eq!(direct(&plain()), detour(&plain()));
    let tagged = [Tagged::New(plain()), Tagged::Zero];
    assert_eq!(direct(&tagged), detour(&tagged));
    let key = BTreeMap::from([((), 1)]);
    assert!(write(&key, &mut Vec::new()).is_err());
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// A map that gives its entries in the order in which it was made.
struct Unsorted(Vec<(String, Value)>);

impl Serialize for Unsorted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

proptest! {
    #[test]
    fn any_value_is_what_the_detour_writes(value in value()) {
        prop_assert_eq!(direct(&value), detour(&value));
        let size = crate::digest::size(&value).unwrap();
        prop_assert_eq!(size, direct(&value).len() as u64);
    }

    #[test]
    fn any_order_of_keys_is_put_in_order(
        entries in prop::collection::vec(("[a-c\"]{0,2}", value()), 0..8),
    ) {
        let map = Unsorted(entries);
        prop_assert_eq!(direct(&map), detour(&map));
    }
}

#[test]
fn keys_are_sorted_by_what_they_say_not_by_how_they_are_written() {
    let value = json!({"\"": 1, "!": 2, "#": 3});
    assert_eq!(direct(&value), r##"{"!":2,"\"":1,"#":3}"##);
}
