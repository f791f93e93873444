//! `outbound-sort`: the order of items.
//!
//! Never merges.

use std::path::Path;

use serde_json::Value;

use super::corpus::{Given, golden, normal, table, text, world};
use super::same;

pub(super) fn of_items(case: &Path) -> Result<(), String> {
    let world = world(case, "input.yaml", &[]);
    let policies: Vec<&Given> = world.iter().collect();
    let table = table(&world, &policies);
    let outbound = table.every_item();
    let items = outbound.items();
    let found = items.iter().map(|item| {
        let kri = &table.policies[item.policy].meta.kri;
        (kri.name().to_owned(), normal(&item.conf.to_value()))
    });
    let golden = golden(case);
    let expected = golden.as_array().into_iter().flatten().map(|entry| {
        let conf = normal(&entry["Entry"]["default"]);
        (text(&entry["Meta"], "name"), conf)
    });
    let (found, expected): (Vec<(String, Value)>, Vec<_>) = (found.collect(), expected.collect());
    same(&found, &expected)
}
