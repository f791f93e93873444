//! Single documents: accepted where others accept them, refused at the same fields, legacy where they are legacy.
//!
//! Never compares wording: field paths and validity only.

use std::collections::{BTreeMap, BTreeSet};

use mesh_compiler::Diagnostic;
use mesh_compiler::model::Settings;

use super::cases::{Case, cases, errors, words};
use super::figures::{record, share};
use super::waivers::Waivers;

/// The places that others name in their own way (language 10, Q-01).
fn regular(field: &str) -> String {
    let mut field = field
        .replace(".default.conf", ".default")
        .replace("spec.from[", "spec.rules[")
        .replace("backends.backend[", "backends[")
        .replace("applications.application[", "applications[")
        .replace("transparentProxing", "transparentProxying");
    for fault in ["abort", "delay", "responseBandwidth"] {
        let irregular = format!(".http.{fault}[");
        if let Some((start, rest)) = field.split_once(&irregular)
            && let Some((index, rest)) = rest.split_once(']')
        {
            field = format!("{start}.http[{index}].{fault}{rest}");
        }
    }
    field
}

/// Where a `targetRef` of the corpus is put to be judged: the pointer of what holds it, and a document around it.
fn around(case: &Case) -> (&'static str, String) {
    let indented = |by: usize| -> String {
        let lines = case.text.trim().lines();
        let lines = lines.map(|line| format!("\n{}{line}", " ".repeat(by)));
        lines.collect()
    };
    let names = |kind: &str| {
        let kinds = case.entry["supported_kinds"].as_array();
        kinds.is_some_and(|kinds| kinds.iter().any(|supported| supported == kind))
    };
    let head = "mesh: default\nname: case\nspec:\n";
    if names("Dataplane") {
        let own = match case.entry["inbound_policy"] == true {
            true => "  rules: [{default: {mode: Strict}}]\n",
            false => "  to: []\n",
        };
        let kind = match case.entry["inbound_policy"] == true {
            true => "MeshTLS",
            false => "MeshRetry",
        };
        let top = indented(4);
        return (
            "spec.",
            format!("type: {kind}\n{head}{own}  targetRef:{top}\n"),
        );
    }
    let conf = "      default: {connectionTimeout: 1s}\n";
    let conf = match names("MeshHTTPRoute") {
        true => "      default: {http: {requestTimeout: 1s}}\n",
        false => conf,
    };
    let item = indented(8);
    let text = format!("type: MeshTimeout\n{head}  to:\n    - targetRef:{item}\n{conf}");
    ("spec.to[0].", text)
}

impl Case {
    /// What is judged.
    fn document(&self) -> String {
        match self.format.as_str() {
            "targetRef" => around(self).1,
            _ => self.text.clone(),
        }
    }

    /// Are the fields that we refuse those that others refuse?
    fn refused_alike(&self, found: &[Diagnostic]) -> bool {
        let prefix = match self.format.as_str() {
            "targetRef" => around(self).0,
            _ => "",
        };
        let violations = self.expected["violations"].as_array();
        let expected = violations.into_iter().flatten();
        let expected = expected.filter_map(|one| one["field"].as_str());
        let expected: BTreeSet<String> = expected
            .map(|field| format!("{prefix}{}", regular(field)))
            .collect();
        // Keys that others drop are unknown fields to us.
        let found = found.iter().filter(|found| found.code.0 != "unknown-field");
        let found: BTreeSet<String> = found.map(|found| found.at.pointer.dotted()).collect();
        let envelope_only = self.format == "meta";
        let tolerated = |field: &String| {
            expected.contains(field)
                || self.tolerated.contains(field)
                || (envelope_only && field.starts_with("spec"))
        };
        expected.is_subset(&found) && found.iter().all(tolerated)
    }

    fn accepted(&self, found: &[Diagnostic]) -> bool {
        found.iter().all(|found| {
            let at = found.at.pointer.dotted();
            let tolerated = self.tolerated.iter().any(|place| at.starts_with(place));
            let dropped = found.code.0 == "unknown-field" && self.dropped.contains(&at);
            let envelope_only = self.format == "meta" && at.starts_with("spec");
            tolerated || dropped || envelope_only
        })
    }

    fn legacy(found: &[Diagnostic]) -> bool {
        let mut legacy = found
            .iter()
            .filter(|found| found.code.0 == "legacy")
            .peekable();
        legacy.peek().is_some() && legacy.all(|found| found.help.is_some())
    }
}

impl Case {
    /// What is not ours to judge: documents for another proxy, which are refused as a kind, and kinds of `targetRef` that are
    /// gone, though others still test the part of their code that reads them.
    fn is_of_others(&self) -> bool {
        let gone = ["MeshServiceSubset", "MeshSubset"];
        let gone = gone.iter().any(|kind| self.text.contains(kind));
        self.kind == "MeshProxyPatch" || (self.format == "targetRef" && gone)
    }
}

#[test]
fn documents_that_nobody_here_wrote() {
    let Some(cases) = cases() else {
        return;
    };
    let waivers = Waivers::read();
    let mut used = BTreeSet::new();
    let mut counts: BTreeMap<&str, (usize, usize, usize)> = BTreeMap::new();
    let mut failures = Vec::new();
    let of_documents = cases.iter().filter(|case| case.suite != "labels-e2e");
    for case in of_documents.filter(|case| !case.is_of_others()) {
        let found = errors(&case.document(), &Settings::default());
        let (what, agrees) = match case.expected.as_str() {
            None => ("violations", case.refused_alike(&found)),
            Some("valid") => ("valid", case.accepted(&found)),
            Some("legacy") => ("legacy", Case::legacy(&found)),
            Some("unknown") => ("unknown", true),
            Some(_) => continue,
        };
        let (agreed, waived, all) = counts.entry(what).or_default();
        *all += 1;
        match (agrees, waivers.excuse(&case.id)) {
            (true, _) => *agreed += 1,
            (false, true) => {
                *waived += 1;
                used.insert(case.id.clone());
            }
            (false, false) => {
                failures.push(format!("{} {}{}", case.id, case.expected, words(&found)));
            }
        }
    }
    for (what, (agreed, waived, all)) in counts {
        record(what, &share(agreed, waived, all));
    }
    failures.extend(waivers.idle(&["docs", "e2e", "validators"], &used));
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn kinds_that_are_not_here_are_refused_with_a_way_out() {
    let Some(cases) = cases() else {
        return;
    };
    let kinds = mesh_compiler::schemas();
    for case in cases
        .iter()
        .filter(|case| case.format != "meta" && case.format != "targetRef")
    {
        if kinds.contains_key(case.kind.as_str()) {
            continue;
        }
        let found = errors(&case.text, &Settings::default());
        let foreign = case.expected == "unknown" || case.expected == "valid";
        assert!(foreign || !found.is_empty(), "{} is accepted", case.id);
        let legacy = case.expected != "legacy" || Case::legacy(&found);
        assert!(legacy, "{}: {found:?}", case.id);
        for found in found {
            let refused = ["unsupported", "legacy"].contains(&found.code.0);
            assert!(found.help.is_some() || !refused, "{}: {found:?}", case.id);
        }
    }
}
