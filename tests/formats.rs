//! Findings in the formats of other programs, judged by what those programs say of them: every case of `tests/cases` in each.
//!
//! Never looks at the words of a finding; that is for the cases.

use std::collections::BTreeSet;
use std::path::Path;

use mesh_compiler::Compiled;
use mesh_compiler::Severity;
use mesh_compiler::diag::{Format, Paths, Report, codes};
use serde_json::Value;

use crate::cases;

fn rendered(compiled: &Compiled, format: Format) -> String {
    let report = Report {
        diagnostics: &compiled.diagnostics,
        sources: &compiled.sources,
        paths: &Paths::under("mesh of ours"),
        fail_on: Severity::Error,
    };
    report.render(format)
}

fn json(compiled: &Compiled, format: Format) -> Value {
    serde_json::from_str(&rendered(compiled, format)).expect("JSON")
}

/// Where a finding is, as a path of a URI or of a file.
fn is_under(path: &Value, prefix: &str) -> bool {
    path.as_str().is_some_and(|path| path.starts_with(prefix))
}

#[test]
fn sarif_is_what_its_schema_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("formats/sarif-2.1.0.schema.json");
    let schema = std::fs::read_to_string(path).expect("the schema");
    // The patterns of languages have a bracket that only some engines take as it stands; nothing that we write has one.
    let schema = schema.replace("{2}]?$", r"{2}\\]?$");
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let (mut results, mut fixes, mut related) = (0, 0, 0);
    for (name, compiled) in cases::compiled() {
        let log = json(&compiled, Format::Sarif);
        let wrong: Vec<String> = validator
            .iter_errors(&log)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(wrong.is_empty(), "{name}: {wrong:#?}");
        let run = &log["runs"][0];
        let list = run["results"].as_array().expect("results");
        assert_eq!(list.len(), compiled.diagnostics.list.len(), "{name}");
        let mut prints = BTreeSet::new();
        for result in list {
            let index = result["ruleIndex"].as_u64().expect("an index");
            let rule = &run["tool"]["driver"]["rules"][index as usize];
            assert_eq!(rule["id"], result["ruleId"], "{name}");
            let uri = &result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
            assert!(is_under(uri, "mesh%20of%20ours/"), "{name}: {uri}");
            let print = result["partialFingerprints"]["meshc/v1"].to_string();
            assert!(prints.insert(print), "{name}: one fingerprint twice");
            fixes += usize::from(!result["fixes"].is_null());
            related += usize::from(!result["relatedLocations"].is_null());
        }
        results += list.len();
    }
    // That each kind of thing was judged at all.
    assert!(
        results > 100 && fixes > 5 && related > 5,
        "{results} {fixes} {related}"
    );
    let broken = serde_json::json!({ "version": "2.1.0", "runs": [{ "results": [{}] }] });
    assert!(!validator.is_valid(&broken));
}

#[test]
fn gitlab_gets_what_a_code_quality_report_must_have() {
    let severities = ["info", "minor", "major", "critical", "blocker"];
    for (name, compiled) in cases::compiled() {
        let report = json(&compiled, Format::Gitlab);
        let list = report.as_array().expect("an array");
        let mut prints = BTreeSet::new();
        for issue in list {
            let text = |key: &str| issue[key].as_str().expect("a text").to_owned();
            assert!(!text("description").is_empty() && !text("check_name").is_empty());
            assert!(severities.contains(&text("severity").as_str()), "{name}");
            assert!(prints.insert(text("fingerprint")), "{name}: {issue}");
            let location = &issue["location"];
            assert!(is_under(&location["path"], "mesh of ours/"), "{name}");
            assert!(location["lines"]["begin"].as_u64() >= Some(1), "{name}");
        }
        assert_eq!(list.len(), compiled.diagnostics.list.len(), "{name}");
    }
}

#[test]
fn reviewdog_gets_suggestions_by_bytes() {
    let mut suggestions = 0;
    for (name, compiled) in cases::compiled() {
        let report = json(&compiled, Format::Rdjson);
        assert_eq!(report["source"]["name"], "meshc");
        for one in report["diagnostics"].as_array().expect("an array") {
            assert!(matches!(
                one["severity"].as_str(),
                Some("ERROR" | "WARNING")
            ));
            let path = one["location"]["path"].as_str().expect("a path");
            let file = path.strip_prefix("mesh of ours/").expect("a path");
            let text = compiled.sources.text(file).unwrap_or_default();
            let range = &one["location"]["range"];
            let (start, end) = (offset(text, &range["start"]), offset(text, &range["end"]));
            assert!(start <= end, "{name}: {one}");
            let list = one["suggestions"].as_array();
            for suggestion in list.into_iter().flatten() {
                offset(text, &suggestion["range"]["start"]);
                assert!(suggestion["text"].is_string());
                suggestions += 1;
            }
        }
    }
    assert!(suggestions > 5, "{suggestions}");
}

/// The byte that a position means; it must be one of the text.
fn offset(text: &str, position: &Value) -> usize {
    let number = |key: &str| position[key].as_u64().expect("a number") as usize;
    let before: usize = text
        .split_inclusive('\n')
        .take(number("line") - 1)
        .map(str::len)
        .sum();
    let at = before + number("column") - 1;
    assert!(text.is_char_boundary(at), "{position} in {text:?}");
    at
}

#[test]
fn junit_is_xml_that_counts_right() {
    for (name, compiled) in cases::compiled() {
        let text = rendered(&compiled, Format::Junit);
        let document = roxmltree::Document::parse(&text);
        let document = document.unwrap_or_else(|error| panic!("{name}: {error}\n{text}"));
        let root = document.root_element();
        let number = |node: roxmltree::Node<'_, '_>, key: &str| -> usize {
            node.attribute(key)
                .expect("a number")
                .parse()
                .expect("a number")
        };
        let under = |node: roxmltree::Node<'_, '_>, tag: &str| {
            node.descendants()
                .filter(|one| one.has_tag_name(tag))
                .count()
        };
        assert_eq!(number(root, "tests"), under(root, "testcase"), "{name}");
        assert_eq!(number(root, "failures"), under(root, "failure"), "{name}");
        for suite in root.children().filter(|one| one.has_tag_name("testsuite")) {
            assert_eq!(number(suite, "tests"), under(suite, "testcase"), "{name}");
            assert_eq!(number(suite, "failures"), under(suite, "failure"));
        }
        let failed = under(root, "failure") > 0;
        assert_eq!(failed, compiled.diagnostics.has_errors(), "{name}");
    }
}

#[test]
fn commands_of_pipelines_are_one_line_each() {
    for (name, compiled) in cases::compiled() {
        let count = compiled.diagnostics.list.len();
        for (format, prefixes) in [
            (Format::Github, ["::error ", "::warning "]),
            (
                Format::Azure,
                [
                    "##vso[task.logissue type=error;",
                    "##vso[task.logissue type=warning;",
                ],
            ),
        ] {
            let text = rendered(&compiled, format);
            assert_eq!(text.lines().count(), count, "{name}: {text}");
            let errors = text
                .lines()
                .take_while(|line| line.starts_with(prefixes[0]));
            assert_eq!(
                errors.count(),
                compiled.diagnostics.count().0,
                "{name}: {text}"
            );
            let known = |line: &str| prefixes.iter().any(|prefix| line.starts_with(prefix));
            assert!(text.lines().all(known), "{name}: {text}");
        }
        let lines = rendered(&compiled, Format::JsonLines);
        let lines: Vec<Value> = lines
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        assert_eq!(Value::Array(lines), json(&compiled, Format::Json), "{name}");
    }
}

#[test]
fn what_is_said_to_be_mended_is_and_nothing_else() {
    let all = cases::compiled();
    let findings = all
        .iter()
        .flat_map(|(_, compiled)| &compiled.diagnostics.list);
    let mended = findings.filter(|finding| finding.fix.is_some());
    let mended: BTreeSet<_> = mended.map(|finding| finding.code.0).collect();
    let said = codes().iter().filter(|info| info.is_fixable());
    let said: BTreeSet<_> = said.map(|info| info.code.0).collect();
    assert_eq!(mended, said);
}
