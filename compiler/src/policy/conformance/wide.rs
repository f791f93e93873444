//! `proxyconf`: what all policies make together for a proxy as a whole.
//!
//! Never looks at whom the policies are about: the question was asked after that.

use std::path::Path;

use crate::kinds;
use crate::policy::applies::Subject;

use super::corpus::{Given, golden, normal, table, text, world};
use super::same;

pub(super) fn confs(case: &Path) -> Result<(), String> {
    let world = world(case, "input.yaml", &[]);
    let policies: Vec<&Given> = world.iter().collect();
    let table = table(&world, &policies);
    // Any proxy of the mesh.
    let subject = Subject {
        meta: &world[0].meta,
        sections: &[],
    };
    let numbers = table.whole_numbers(&subject);
    let mut conf = table.fold_wholes(&numbers).unwrap_or_default().to_value();
    kinds::filled_conf(table.kind, &["default"], &mut conf);
    let origins = table
        .numbered(&numbers)
        .map(|whole| table.policies[whole.policy].meta.kri.to_string());
    let golden = golden(case);
    let expected = golden["Origin"].as_array().into_iter().flatten();
    let expected: Vec<String> = expected.map(|origin| text(origin, "kri")).collect();
    same(
        &(normal(&conf), origins.collect()),
        &(normal(&golden["Conf"]), expected),
    )
}
