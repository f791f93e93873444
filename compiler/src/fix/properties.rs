//! What holds for every document: mending it breaks nothing, touches nothing else, and is done once.
//!
//! Never looks at what is found.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{Level, applied, fix};
use crate::check;
use crate::edit::Editor;
use crate::model::Settings;
use crate::source::broken;
use crate::world::MemoryWorld;

/// Documents with something to mend, in blocks, in brackets and in JSON.
const SEEDS: [&str; 8] = [
    "type: MeshHTTPRoute\nname: r\nlabels: {v: 1, w: true}\nstatus: {}\nspec:\n  # top\n  targetRef: {kind: Dataplane, name: web-1, namespace: shop}\n  to:\n    - targetRef:\n        kind: MeshService # which\n        name: api_shop_svc_80\n      rules:\n        - matches: [{headers: [{name: X-A, value: \"1\"}]}]\n          default:\n            backendRefs:\n              - kind: MeshService\n                name: b\n                weight: 2\n",
    "type: MeshTimeout\nname: t\nlables: {a: b}\nspec:\n  targetRef:\n    kind: MeshSubset\n    tags:\n      app: web\n      kuma.io/protocol: http\n  from:\n    - targetRef: {kind: Mesh}\n      default: {idleTimeout: 1h}\n    - default:\n        idleTimeout: 2h\n      targetRef:\n        kind: Mesh\n",
    "{\"type\": \"MeshTimeout\", \"name\": \"j\", \"spec\": {\"targetRef\": {\"kind\": \"Mesh\", \"proxyTypes\": [\"Sidecar\"], \"name\": \"x\"}, \"from\": [{\"targetRef\": {\"kind\": \"Mesh\"}, \"default\": {\"idleTimeut\": \"1h\"}}]}}\n",
    "apiVersion: kuma.io/v1alpha1\nkind: MeshMetric\nmetadata:\n  name: m\n  annotations:\n    kuma.io/mesh: default\nspec:\n  default:\n    sidecar:\n      regex: http2_.*\n      usedOnly: false\n    backends:\n      - &b {type: Prometheus, prometheus: {}, openTelemetry: {}}\n      - *b\n",
    "# meshc: file-ignore[no-effect] why\ntype: MeshLoadBalancingStrategy\nname: l\nspec:\n  to:\n    # meshc: ignore[no-effect, header-case] why\n    - targetRef: {kind: MeshService, labels: {a: b}}\n      default:\n        loadBalancer:\n          type: RingHash\n          ringHash:\n            hashPolicies:\n              - type: Header\n                header: {name: x}\n",
    "type: Mesh\nname: m\nmtls:\n  enabledBackend: a\n  backends:\n    - {name: a, type: builtin}\nlogging:\n  backends: [{name: l, type: file, conf: {path: /a}}]\nrouting: {localityAwareLoadBalancing: false}\n---\ntype: MeshTrace\nname: t\nspec:\n  default:\n    backends:\n      - type: OpenTelemetry\n        openTelemetry: {endpoint: \"otel:4317\"}\n# at the end\n",
    "type: Dataplane\nname: d\nnetworking:\n  address: 10.0.0.1\n  inbound:\n    - port: 80\n      tags:\n        kuma.io/service: web\n        version: v1\n    - port: 81\n      tags: {kuma.io/service: api, kuma.io/protocol: http}\n  outbound:\n    - {port: 9000, tags: {kuma.io/service: db_shop_svc_80}}\n---\n",
    "apiVersion: kuma.io/v1alpha1\nkind: MeshAccessLog\nmetadata: {name: l, namespace: kuma-system}\nspec:\n  to:\n    - targetRef: {kind: Mesh}\n      default:\n        backends:\n          - openTelemetry:\n              endpoint: otel:4317\n              body: |+\n                x\n\n",
];

/// Lines taken out, written twice, or put in at some column.
fn changes() -> impl Strategy<Value = Vec<(usize, u8, &'static str)>> {
    let pieces = prop::sample::select(vec![
        "# a comment",
        "name: x",
        "- ",
        "~",
        "&a ",
        "*a",
        "|",
        "{}",
        "labels: {}",
        "kind:",
        "? x",
        "'",
        ", ",
        "é",
    ]);
    prop::collection::vec((0_usize..400, 0_u8..4, pieces), 0..4)
}

fn changed(seed: &str, changes: &[(usize, u8, &str)]) -> String {
    let mut text = seed.to_owned();
    for (at, how, piece) in changes {
        let mut lines: Vec<&str> = text.lines().collect();
        let line = at % lines.len().max(1);
        match how {
            0 if lines.len() > 1 => drop(lines.remove(line)),
            1 if !lines.is_empty() => lines.insert(line, lines[line]),
            2 => {
                let mut at = at % (text.len() + 1);
                while !text.is_char_boundary(at) {
                    at -= 1;
                }
                text.insert_str(at, piece);
                continue;
            }
            _ => {
                let written = format!("{}  # {piece}", lines.get(line).unwrap_or(&""));
                let end = if lines.is_empty() { 0 } else { line + 1 };
                lines.splice(line.min(end)..end, [written.as_str()]);
                text = lines.join("\n");
                continue;
            }
        }
        text = lines.join("\n") + "\n";
    }
    text
}

fn world(text: &str) -> MemoryWorld {
    MemoryWorld {
        files: BTreeMap::from([("a.yaml".to_owned(), text.as_bytes().to_vec())]),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mending_breaks_nothing(seed in 0..SEEDS.len(), changes in changes(), all in any::<bool>()) {
        let text = changed(SEEDS[seed], &changes);
        let settings = Settings { partial: true, ..Settings::default() };
        let level = if all { Level::Unsafe } else { Level::Safe };
        let checked = check(&world(&text), &settings);
        let mut editor = Editor::new(&checked.sources);
        for finding in &checked.diagnostics.list {
            let offered = finding.fix.as_ref();
            let Some(edits) = offered.and_then(|fix| editor.edits(fix, &finding.at)) else {
                continue;
            };
            let (Some(first), Some(last)) = (edits.first(), edits.last()) else {
                continue;
            };
            let before = text.get(..first.span.start).unwrap();
            let after = text.get(last.span.end..).unwrap();
            let mended = applied(&text, std::slice::from_ref(&edits));
            prop_assert!(mended.starts_with(before) && mended.ends_with(after), "{edits:?}");
        }
        let fixed = fix(&world(&text), &settings, level);
        let mended = fixed.files.get("a.yaml").unwrap_or(&text);
        prop_assert!(broken(mended) <= broken(&text), "{mended}");
        let again = fix(&world(mended), &settings, level);
        prop_assert_eq!(again.applied, 0, "{} to {:?}", mended, again.files);
    }
}

#[test]
fn every_seed_has_something_to_mend() {
    for seed in SEEDS {
        let settings = Settings {
            partial: true,
            ..Settings::default()
        };
        let fixed = fix(&world(seed), &settings, Level::Unsafe);
        assert!(
            fixed.applied > 0,
            "{seed}: {:?}",
            fixed.checked.diagnostics.list
        );
    }
}
