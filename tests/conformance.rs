//! The corpus of documents that nobody here wrote, judged as single files and compared with what is known of them.
//!
//! Never part of the repository: it lies at `../shared/corpus`, or where `MESH_CORPUS` says. Without it these tests skip
//! loudly.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};

use mesh_compiler::model::Settings;
use mesh_compiler::{Diagnostic, MemoryWorld, Severity, compile};
use serde_json::Value;

const PLACEHOLDER: &str = "`x1` stands for a value that the corpus does not have";
const SELF_SIGNED: &str = "self-signed CAs have to be allowed when compiling (language 3.8)";
const EXTENSION: &str = "extensions are refused (language 3.4, 3.8)";
const LABELS: &str = "a reference without labels, which language 4.2 requires";
const ADDRESS: &str = "a fragment without the address that language 3.2.1 requires";
const LOST: &str = "the name that is too long is not in the corpus";
const STATUS: &str = "the status of a refusal is 400 to 599 (language 5.8)";
const RULES: &str = "`rules` are allowed for the whole mesh (language 10, Q-18)";
const FOLLOWING: &str = "what follows from a `targetRef` that is refused is not told as well";
const PRIME: &str = "the size of a table is a prime number (language 5.10)";
const TEMPLATE: &str = "the corpus has the template of the text, with `%%` for each `%`";
const ZONE: &str = "written for another zone than the one that is compiled for (language 2.5)";

/// Where this language is stricter than the corpus on purpose, or the corpus is wrong.
const WAIVED: [(&str, &str); 45] = [
    (
        "docs/Dataplane/production-dp-config-dpp-on-universal-3",
        ADDRESS,
    ),
    ("docs/MeshTimeout/policies-introduction-new-8-k8s", LABELS),
    ("docs/MeshTrust/policies-meshtrust-2-k8s", ZONE),
    ("docs/MeshTrust/resources-meshtrust-2-k8s", ZONE),
    ("docs/MeshTrust/resources-meshtrust-3", ZONE),
    (
        "e2e/MeshIdentity/e2e-env-kubernetes-meshfaultinjection-meshfaultijnection-23",
        PLACEHOLDER,
    ),
    (
        "e2e/MeshIdentity/e2e-env-kubernetes-meshtimeout-zone-proxy-21",
        PLACEHOLDER,
    ),
    (
        "e2e/MeshIdentity/e2e-env-universal-mtls-mtls-50",
        PLACEHOLDER,
    ),
    (
        "e2e/MeshIdentity/e2e-env-universal-workload-workload-122",
        SELF_SIGNED,
    ),
    (
        "e2e/MeshIdentity/e2e-env-universal-workload-workload-161",
        SELF_SIGNED,
    ),
    ("e2e/MeshIdentity/framework-meshidentity-102", PLACEHOLDER),
    (
        "e2e/MeshTimeout/e2e-env-multizone-validation-validation-84",
        PLACEHOLDER,
    ),
    (
        "e2e/MeshTrafficPermission/e2e-env-kubernetes-meshtrafficpermission-meshtrafficpermission-51",
        PLACEHOLDER,
    ),
    (
        "e2e/MeshTrafficPermission/e2e-env-kubernetes-meshtrafficpermission-meshtrafficpermission-72",
        PLACEHOLDER,
    ),
    (
        "e2e/MeshTrafficPermission/e2e-env-universal-meshtrafficpermission-meshtrafficpermission-167",
        PLACEHOLDER,
    ),
    (
        "e2e/MeshTrafficPermission/e2e-env-universal-meshtrafficpermission-meshtrafficpermission-196",
        PLACEHOLDER,
    ),
    (
        "e2e/MeshTrafficPermission/e2e-env-universal-meshtrafficpermission-meshtrafficpermission-227",
        PLACEHOLDER,
    ),
    (
        "validators/MeshIdentity/valid-extension-with-config",
        EXTENSION,
    ),
    (
        "e2e/MeshExternalService/e2e-env-kubernetes-gateway-delegated-meshtcproute-51",
        PLACEHOLDER,
    ),
    (
        "e2e/MeshExternalService/e2e-env-kubernetes-gateway-delegated-meshtcproute-71",
        PLACEHOLDER,
    ),
    (
        "e2e/MeshExternalService/e2e-env-kubernetes-meshexternalservice-meshexternalservice-243",
        PLACEHOLDER,
    ),
    (
        "e2e/MeshExternalService/e2e-env-kubernetes-meshexternalservice-meshexternalservice-307",
        PLACEHOLDER,
    ),
    (
        "e2e/MeshExternalService/e2e-env-kubernetes-meshexternalservice-meshexternalservice-513",
        PLACEHOLDER,
    ),
    (
        "e2e/MeshExternalService/e2e-env-kubernetes-meshexternalservice-meshexternalservice-532",
        PLACEHOLDER,
    ),
    (
        "e2e/MeshExternalService/e2e-env-kubernetes-meshtcproute-test-217",
        PLACEHOLDER,
    ),
    (
        "e2e/MeshExternalService/e2e-env-multizone-meshproxy-connectivity-122",
        PLACEHOLDER,
    ),
    (
        "e2e/MeshHealthCheck/e2e-env-universal-meshhealthcheck-policy-229",
        PLACEHOLDER,
    ),
    (
        "e2e/MeshZoneAddress/framework-deployments-zoneproxy-universal-130",
        PLACEHOLDER,
    ),
    (
        "validators/MeshExternalService/extension-with-incomplete-datasource-invalid",
        EXTENSION,
    ),
    (
        "validators/MeshExternalService/extension-with-local-datasource-invalid",
        EXTENSION,
    ),
    ("validators/Workload/name-too-long", LOST),
    ("validators/MeshRateLimit/full-example", STATUS),
    ("validators/MeshRateLimit/mixing-to-with-rules", RULES),
    (
        "validators/MeshRetry/top-level-targetref-meshhttproute",
        FOLLOWING,
    ),
    (
        "e2e/MeshLoadBalancingStrategy/e2e-env-universal-envoyconfig-testdata-sidecars-meshloadbalancingstrat-1-4",
        PRIME,
    ),
    (
        "e2e/MeshTrace/e2e-env-kubernetes-gateway-delegated-meshtrace-23",
        PLACEHOLDER,
    ),
    (
        "e2e/MeshPassthrough/e2e-env-kubernetes-meshpassthrough-meshpassthrough-153",
        PLACEHOLDER,
    ),
    (
        "e2e/MeshTrace/e2e-env-kubernetes-observability-meshtrace-18",
        PLACEHOLDER,
    ),
    (
        "e2e/MeshTrace/e2e-env-kubernetes-observability-meshtrace-zone-proxy-90",
        PLACEHOLDER,
    ),
    (
        "e2e/MeshAccessLog/e2e-env-universal-envoyconfig-testdata-sidecars-meshaccesslog-outbound-1-4",
        TEMPLATE,
    ),
    (
        "e2e/MeshAccessLog/e2e-env-universal-envoyconfig-testdata-sidecars-meshaccesslog-outbound-1-5",
        TEMPLATE,
    ),
    (
        "e2e/MeshAccessLog/e2e-env-universal-meshaccesslog-matches-116",
        PLACEHOLDER,
    ),
    (
        "e2e/MeshAccessLog/e2e-env-universal-meshaccesslog-matches-159",
        PLACEHOLDER,
    ),
    (
        "e2e/MeshAccessLog/e2e-env-universal-meshaccesslog-meshaccesslog-363",
        TEMPLATE,
    ),
    (
        "e2e/MeshTrace/e2e-env-universal-observability-meshtrace-16",
        PLACEHOLDER,
    ),
];

/// One line of the index.
struct Case {
    id: String,
    kind: String,
    text: String,
    expected: Value,
    /// Places that the schema of others complains about: we may too.
    tolerated: BTreeSet<String>,
    /// Fields that others drop.
    dropped: BTreeSet<String>,
}

/// The cases of single documents; `None` where there is no corpus.
fn cases() -> Option<Vec<Case>> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus");
    let named = std::env::var_os("MESH_CORPUS").map(PathBuf::from);
    let mut places = named.into_iter().chain([beside]);
    let Some(corpus) = places.find(|place| place.join("index.jsonl").is_file()) else {
        // Past the capture of the test runner: a skipped test must be seen.
        let words =
            "SKIPPED: there is no corpus beside the repository, and MESH_CORPUS names none\n";
        std::io::stderr()
            .write_all(words.as_bytes())
            .expect("stderr");
        return None;
    };
    let read =
        |file: &str| std::fs::read_to_string(corpus.join(file)).expect("a file of the corpus");
    let mut cases = Vec::new();
    for line in read("index.jsonl").lines() {
        let entry: Value = serde_json::from_str(line).expect("a line of the index");
        let suite = entry["suite"].as_str().expect("a suite");
        let format = entry["format"].as_str().unwrap_or_default();
        if !["docs", "e2e", "validators"].contains(&suite)
            || ["meta", "targetRef"].contains(&format)
        {
            continue;
        }
        let errors = entry["schema_errors"].as_array();
        let fields = errors
            .into_iter()
            .flatten()
            .filter_map(|error| error["field"].as_str());
        let unknown = entry["unknown_fields"].as_array().into_iter().flatten();
        let unknown = unknown.filter_map(Value::as_str).map(str::to_owned);
        cases.push(Case {
            dropped: unknown.collect(),
            id: entry["id"].as_str().expect("an id").to_owned(),
            kind: entry["kind"].as_str().unwrap_or_default().to_owned(),
            text: read(entry["file"].as_str().expect("a file")),
            expected: entry["expected"].clone(),
            tolerated: fields.map(str::to_owned).collect(),
        });
    }
    Some(cases)
}

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

/// Of a kind that is read but not acted on: it is refused whatever its documents say.
fn is_refusal_of_kind(found: &Diagnostic) -> bool {
    found.code.0 == "unsupported" && ["type", "kind"].contains(&found.at.pointer.dotted().as_str())
}

fn errors(text: &str) -> Vec<Diagnostic> {
    let world = MemoryWorld {
        files: BTreeMap::from([("case.yaml".to_owned(), text.as_bytes().to_vec())]),
    };
    let settings = Settings {
        partial: true,
        ..Settings::default()
    };
    let mut found = compile(&world, &settings).diagnostics.list;
    found.retain(|found| found.severity == Severity::Error);
    found
}

impl Case {
    /// Do we say the same of it?
    fn agrees(&self, found: &[Diagnostic]) -> bool {
        if let Some(violations) = self.expected["violations"].as_array() {
            let expected = violations.iter().filter_map(|one| one["field"].as_str());
            let expected: BTreeSet<String> = expected.map(regular).collect();
            // Keys that others drop are unknown fields to us.
            let found = found.iter().filter(|found| found.code.0 != "unknown-field");
            let found = found.filter(|found| !is_refusal_of_kind(found));
            let found: BTreeSet<String> = found.map(|found| found.at.pointer.dotted()).collect();
            let tolerated =
                |field: &String| expected.contains(field) || self.tolerated.contains(field);
            return expected.is_subset(&found) && found.iter().all(tolerated);
        }
        match self.expected.as_str() {
            Some("valid") => found.iter().all(|found| {
                let at = found.at.pointer.dotted();
                let tolerated = self.tolerated.iter().any(|place| at.starts_with(place));
                let dropped = found.code.0 == "unknown-field" && self.dropped.contains(&at);
                is_refusal_of_kind(found) || tolerated || dropped
            }),
            Some("legacy") => found
                .iter()
                .any(|found| found.help.is_some() && !is_refusal_of_kind(found)),
            _ => true,
        }
    }
}

#[test]
fn documents_that_nobody_here_wrote() {
    let Some(cases) = cases() else {
        return;
    };
    let kinds = mesh_compiler::schemas();
    let waived: BTreeMap<&str, &str> = WAIVED.into_iter().collect();
    let mut counts: BTreeMap<String, (usize, usize, usize)> = BTreeMap::new();
    let mut failures = Vec::new();
    for case in cases
        .iter()
        .filter(|case| kinds.contains_key(case.kind.as_str()))
    {
        let found = errors(&case.text);
        let what = case.expected.as_str().unwrap_or("violations");
        let what = format!("{} {what}", case.kind);
        let (agreed, excused, all) = counts.entry(what).or_default();
        *all += 1;
        if case.agrees(&found) {
            *agreed += 1;
            if waived.contains_key(case.id.as_str()) {
                failures.push(format!("{} needs no waiver any more", case.id));
            }
        } else if waived.contains_key(case.id.as_str()) {
            *excused += 1;
        } else {
            let words = found
                .iter()
                .map(|found| format!("\n  {} {}", found.at.pointer.dotted(), found.message));
            failures.push(format!(
                "{} {}{}",
                case.id,
                case.expected,
                words.collect::<String>()
            ));
        }
    }
    for (what, (agreed, excused, all)) in &counts {
        println!("{what}: {agreed} of {all} agree, {excused} waived");
    }
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
        .filter(|case| !kinds.contains_key(case.kind.as_str()))
    {
        let found = errors(&case.text);
        let foreign = case.expected == "unknown";
        assert!(foreign || !found.is_empty(), "{} is accepted", case.id);
        assert!(
            found
                .iter()
                .all(|found| found.help.is_some() || found.code.0 != "unsupported"),
            "{}: {found:?}",
            case.id
        );
    }
}

/// A document that breaks off anywhere is a document like any other.
#[test]
fn no_beginning_of_a_document_is_too_much() {
    let Some(cases) = cases() else {
        return;
    };
    for (number, case) in cases.iter().enumerate() {
        // Another cut in each document, so that all together cut everywhere.
        let cut = case.text.len() * (number % 17) / 17;
        let beginning = String::from_utf8_lossy(case.text.as_bytes().get(..cut).expect("inside"));
        drop(errors(&beginning));
    }
}
