//! A report of tests in XML: a suite for each document, a case for each test.
//!
//! Never says how long a test took: reports of equal repositories are equal.

use std::collections::BTreeMap;

use mesh_bundle::Kri;

use super::human::words;
use crate::diag::{Paths, escaped, safe};
use crate::intent::{Report, TestResult};

pub(super) fn render(report: &Report, paths: &Paths) -> String {
    let mut suites: BTreeMap<&Kri, Vec<&TestResult>> = BTreeMap::new();
    for result in &report.results {
        suites.entry(&result.document).or_default().push(result);
    }
    let mut body = String::new();
    for (document, results) in suites {
        let failed = results.iter().filter(|result| !result.failures.is_empty());
        body.push_str(&format!(
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"0\">\n",
            escaped(document.name()),
            results.len(),
            failed.count()
        ));
        for result in results {
            body.push_str(&case(result, paths));
        }
        body.push_str("  </testsuite>\n");
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"meshc test\" tests=\"{}\" failures=\"{}\" errors=\"0\">\n{body}</testsuites>\n",
        report.results.len(),
        report.failed()
    )
}

fn case(result: &TestResult, paths: &Paths) -> String {
    let tag = format!(
        "testcase name=\"{}\" classname=\"{}\" file=\"{}\" line=\"{}\"",
        escaped(&safe(&result.name)),
        escaped(result.document.name()),
        escaped(&safe(&paths.of(&result.at.file))),
        result.at.line
    );
    let Some(first) = result.failures.first() else {
        return format!("    <{tag}/>\n");
    };
    let lines = result
        .failures
        .iter()
        .map(|failure| words(failure, paths) + "\n");
    let lines: String = lines.collect();
    format!(
        "    <{tag}>\n      <failure message=\"{}\">{}</failure>\n    </testcase>\n",
        escaped(&safe(&first.message)),
        escaped(&lines)
    )
}
