//! What holds for every input: `compile` answers, and the answer does not depend on the order of anything.
//!
//! Never looks at what the answer says.

use std::borrow::Cow;

use proptest::prelude::*;

use crate::diag::{Format, render, summary};
use crate::model::Settings;
use crate::source::Sources;
use crate::world::{Entry, MemoryWorld, World};
use crate::{Compiled, compile};

const SEEDS: [&str; 6] = [
    "type: Mesh\nname: default\n---\ntype: Dataplane\nname: web-1\nlabels: {app: web, kuma.io/workload: web}\nnetworking:\n  address: 10.0.0.11\n  inbound: [{port: 8080, name: http, protocol: http, servicePort: 80}]\n",
    "type: MeshService\nname: web\nspec:\n  selector: {dataplaneLabels: {matchLabels: {app: web}}}\n  ports: [{port: 80, name: http, targetPort: 8080, appProtocol: http}]\n",
    "type: MeshTimeout\nname: t\nspec:\n  targetRef: {kind: Dataplane, labels: {app: web}}\n  to:\n    - targetRef: {kind: MeshService, labels: {kuma.io/display-name: web}}\n      default: {connectionTimeout: 1s, http: {requestTimeout: 2s}}\n",
    "apiVersion: kuma.io/v1alpha1\nkind: MeshTrafficPermission\nmetadata: {name: p, namespace: shop, labels: {kuma.io/mesh: default}}\nspec:\n  rules:\n    - default:\n        allow: [{spiffeID: {type: Prefix, value: \"spiffe://default.default.mesh.local/\"}}]\n",
    "a: &a [1, 'two', \"th\\x72ee\"]\nb: *a\nc: |\n  text\n  more\nd: >-\n  folded\n? complex\n: {x: [y, ~], <<: {z: 0o17}}\n",
    "\u{feff}type: MeshHTTPRoute\nname: \u{e9}\u{4e2d}\nspec:\n  to: # comment\n  - rules:\n    - matches: [{path: {type: PathPrefix, value: /}}]\n      default: {}\n...\n%YAML 1.2\n---\n",
];

fn world(files: impl IntoIterator<Item = (String, Vec<u8>)>) -> MemoryWorld {
    MemoryWorld {
        files: files.into_iter().collect(),
    }
}

/// Everything that somebody could see of a run.
fn seen(compiled: &Compiled) -> String {
    let mut text = compiled.bundle.digest.to_string();
    for format in [
        Format::Human { color: false },
        Format::Concise,
        Format::Json,
    ] {
        text.push_str(&render(format, &compiled.diagnostics, &compiled.sources));
    }
    text + &summary(&compiled.diagnostics, &compiled.sources)
}

/// Where a seed is changed, and how.
fn edits() -> impl Strategy<Value = Vec<(usize, u8, Vec<u8>)>> {
    let piece = prop_oneof![
        any::<u8>().prop_map(|byte| vec![byte]),
        prop::sample::select(vec![
            "\n",
            "\n  ",
            ": ",
            "- ",
            "{",
            "}",
            "[",
            "]",
            "'",
            "\"",
            "&a ",
            "*a",
            "!x ",
            "---\n",
            "? ",
            "| ",
            "\t",
            "\u{fe0f}",
            "~",
            "0x",
            "1e9",
            ".inf",
            "yes",
            "kuma.io/zone: x\n",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
    ];
    prop::collection::vec((0_usize..400, 0_u8..3, piece), 0..6)
}

fn edited(seed: &str, edits: &[(usize, u8, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = seed.as_bytes().to_vec();
    for (at, how, piece) in edits {
        let at = (*at).min(bytes.len());
        match how {
            0 => bytes.truncate(at),
            1 => drop(bytes.splice(at..at, piece.iter().copied())),
            _ => {
                let end = (at + piece.len()).min(bytes.len());
                drop(bytes.splice(at..end, piece.iter().copied()));
            }
        }
    }
    bytes
}

/// Lists the same files the other way round.
struct Backwards<'a>(&'a MemoryWorld);

impl World for Backwards<'_> {
    fn entries(&self) -> Cow<'_, [Entry]> {
        self.0.entries().iter().rev().cloned().collect()
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        self.0.read(path)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_text_is_answered(seed in 0..SEEDS.len(), edits in edits(), partial in any::<bool>()) {
        let files = SEEDS.iter().enumerate().map(|(number, text)| {
            let bytes = if number == seed { edited(text, &edits) } else { text.as_bytes().to_vec() };
            (format!("{number}.yaml"), bytes)
        });
        let world = world(files);
        let settings = Settings { partial, ..Settings::default() };
        let compiled = compile(&world, &settings);
        let text = seen(&compiled);
        prop_assert!(text.len() < 3 * 70_000);
        // The order in which a world lists its files has no influence.
        prop_assert_eq!(text, seen(&compile(&Backwards(&world), &settings)));
    }

    #[test]
    fn every_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let compiled = compile(&world([("a.yaml".to_owned(), bytes)]), &Settings::default());
        seen(&compiled);
    }
}

#[test]
fn every_cut_of_every_seed_is_answered() {
    for seed in SEEDS {
        for end in 0..seed.len() {
            let bytes = seed.as_bytes()[..end].to_vec();
            let world = world([("a.yaml".to_owned(), bytes)]);
            seen(&compile(&world, &Settings::default()));
        }
    }
}

/// Of documents without mistakes, names of files have no influence on the bundle.
#[test]
fn names_of_files_have_no_influence() {
    let digest = |names: [&str; 3]| {
        let files = names.into_iter().zip(SEEDS);
        let files = files.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()));
        let compiled = compile(&world(files), &Settings::default());
        let errors = compiled.diagnostics.count().0;
        assert_eq!(errors, 0, "{}", seen(&compiled));
        let sources: &Sources = &compiled.sources;
        assert_eq!(sources.documents(), 4);
        compiled.bundle.proxies.keys().cloned().collect::<Vec<_>>()
    };
    let first = digest(["a.yaml", "b.yaml", "c.yaml"]);
    assert_eq!(first, digest(["z.yaml", "b/b.yaml", "a.json"]));
}
