//! Equal files give equal bytes; the order of files and documents means nothing.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::inspect::{self, Form};
use crate::world::{Entry, World};

use std::borrow::Cow;

use super::*;

/// A world that lists its files in an order of its own.
#[derive(Debug)]
struct Shuffled {
    world: MemoryWorld,
    order: Vec<usize>,
}

impl World for Shuffled {
    fn entries(&self) -> Cow<'_, [Entry]> {
        let entries = self.world.entries();
        self.order
            .iter()
            .map(|index| entries[*index].clone())
            .collect()
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        self.world.read(path)
    }
}

fn documents() -> Vec<String> {
    let added = "type: MeshTimeout\nname: a\nspec:\n  to: [{targetRef: {kind: Mesh}, default: {idleTimeout: 1m}}]\n---\ntype: MeshTimeout\nname: b\nspec:\n  to: [{targetRef: {kind: Mesh}, default: {idleTimeout: 2m, connectionTimeout: 1s}}]\n---\ntype: MeshTrafficPermission\nname: p\nspec:\n  rules: [{default: {allow: [{spiffeID: {type: Prefix, value: spiffe://td}}]}}]";
    let text = format!("{CAST}---\n{added}");
    text.split("---\n").map(str::to_owned).collect()
}

fn files(documents: &[String]) -> BTreeMap<String, Vec<u8>> {
    let file =
        |(index, text): (usize, &String)| (format!("{index}.yaml"), text.clone().into_bytes());
    documents.iter().enumerate().map(file).collect()
}

/// What every proxy will do, without the lines that say so.
fn meaning(compiled: &Compiled) -> Vec<String> {
    let page = |kri: &Kri| inspect::proxy(compiled, &kri.to_string(), Form::Human).unwrap();
    let left = |line: &str| line.chars().take(72).collect::<String>();
    let pages = compiled.bundle.proxies.keys().map(page);
    pages
        .flat_map(|page| page.lines().map(left).collect::<Vec<_>>())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_order_of_files_means_nothing(order in Just((0..documents().len()).collect::<Vec<_>>()).prop_shuffle()) {
        let world = MemoryWorld { files: files(&documents()) };
        let plain = compile(&world, &Settings::default());
        let shuffled = compile(&Shuffled { world, order }, &Settings::default());
        prop_assert_eq!(plain.bundle.encode().unwrap(), shuffled.bundle.encode().unwrap());
        prop_assert_eq!(plain.diagnostics, shuffled.diagnostics);
    }

    #[test]
    fn the_order_of_documents_means_nothing(documents in Just(documents()).prop_shuffle()) {
        let plain = compile(&MemoryWorld { files: files(&self::documents()) }, &Settings::default());
        let shuffled = compile(&MemoryWorld { files: files(&documents) }, &Settings::default());
        prop_assert_eq!(meaning(&plain), meaning(&shuffled));
    }
}
