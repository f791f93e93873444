//! Diagnostics, told as documents: every `tests/cases/*.md` is compiled and compared with its own annotations.
//!
//! Never passes over anything: each finding needs an annotation, each annotation a finding.
//!
//! A file holds cases, each under a heading. A case is a repository: fences of `yaml` with `file=…`. An annotation stands in
//! a comment at the end of its line, or alone on the lines after it:
//!
//! ```yaml
//! to: [{targetRef: {kind: Mehs}}]   # error: [invalid-value] "cannot be `Mehs`"
//!                                   # help: did you mean `Mesh`?
//! ```
//!
//! A fence `yaml fixed file=…` holds a file as `meshc check --fix=unsafe` leaves it, `yaml fixed safe file=…` as `--fix` does;
//! and mending it again changes nothing.
//!
//! A fence `yaml before file=…` holds a file as it was: the case is then a change, and what is found are the gates of its
//! `toml file=meshc.toml` that the change breaks.
//!
//! A fence `text file=fleet.snapshot` holds what live proxies need, as `meshd fleet` prints it.
//!
//! Where no comment can stand, a fence `expect` holds lines such as `a.yaml:1:4: error[yaml-syntax] never closed`. A fence
//! `settings` holds lines such as `mode: global`. What a fence is beside a text file: `size=N`, `symlink`, `pipe`,
//! `unreadable`, and `escaped`, where `\x00` is a byte.

mod expect;
mod fence;
mod world;

use std::path::{Path, PathBuf};

use mesh_compiler::config::settle;
use mesh_compiler::diag::{Code, codes};
use mesh_compiler::diff::gates::{self, Change, Side};
use mesh_compiler::fix::{Level, fix};
use mesh_compiler::fleet::Fleet;
use mesh_compiler::{
    Compiled, Compiler, Diagnostic, MemoryWorld, Severity, World as _, analyse, diff, intent,
};

use expect::{Expectation, expectations};
use fence::{Case, cases};

/// Compiles one case; of a change, with what its gates say in the place of the findings.
fn made(case: &Case) -> Compiled {
    let mut compiler = Compiler::default();
    let compiled = compiler.compile(&case.world, &case.settings);
    if case.before.files.is_empty() {
        return asked(case, among(case, compiled));
    }
    let was = compiler.compile(&case.before, &case.settings);
    for side in [&was, &compiled] {
        let errors = &side.diagnostics;
        assert!(!errors.has_errors(), "{}: {errors:#?}", case.title);
    }
    let difference = diff::diff(&was.bundle, &compiled.bundle);
    let side = |world, compiled| Side {
        world,
        settings: &case.settings,
        compiled,
    };
    let change = Change {
        before: side(&case.before, &was),
        after: side(&case.world, &compiled),
        difference: &difference,
        commits: &[],
        directory: "",
    };
    let settings = case.world.config().expect("settings").expect("gates");
    let settled = settle(&case.world, []).expect("settings");
    let verdict = gates::judge(&settled.gates.expect("gates"), &change, &mut compiler);
    let (diagnostics, sources) = gates::findings(&verdict, &settings, &compiled.sources);
    Compiled {
        diagnostics,
        sources,
        ..compiled
    }
}

/// With what live proxies need and would not have.
fn among(case: &Case, mut compiled: Compiled) -> Compiled {
    if case.world.files.contains_key("fleet.snapshot") {
        let text = case.world.read("fleet.snapshot").expect("a snapshot");
        let fleet = Fleet::read(&text).unwrap_or_else(|why| panic!("{}: {why}", case.title));
        let found = fleet.findings(&compiled.bundle, &compiled.sources, None);
        for finding in found.list {
            compiled.diagnostics.push(finding);
        }
    }
    compiled
}

/// With the tests of the documents that do not hold.
fn asked(case: &Case, mut compiled: Compiled) -> Compiled {
    if !compiled.diagnostics.has_errors() {
        let analysis = analyse(&case.world, &case.settings);
        // Few cases are about what no test asks.
        let expected = expectations(case);
        let is_about = |code: Code| expected.iter().any(|one| one.code == code.0);
        let options = intent::Options {
            filter: None,
            coverage: is_about(Code::UNTESTED_RULE),
            mutate: is_about(Code::UNNOTICED_CHANGE),
        };
        let report = intent::run(&analysis, &options);
        for finding in intent::findings(&report, &compiled.sources).list {
            compiled.diagnostics.push(finding);
        }
    }
    compiled
}

/// Compiles one case and says where findings and annotations differ.
fn complaints(case: &Case) -> Vec<String> {
    let compiled = made(case);
    let mut expected: Vec<(Expectation, bool)> = expectations(case)
        .into_iter()
        .map(|expectation| (expectation, false))
        .collect();
    let mut complaints = Vec::new();
    for finding in &compiled.diagnostics.list {
        let shown = shown(finding, &compiled);
        let fits = |(expectation, hit): &&mut (Expectation, bool)| {
            !*hit && expectation.fits(finding, &compiled)
        };
        let Some((expectation, hit)) = expected.iter_mut().find(fits) else {
            complaints.push(format!("{}: not annotated: {shown}", case.title));
            continue;
        };
        *hit = true;
        if let Some(help) = &expectation.help {
            let found = finding.help.as_deref().unwrap_or("none");
            if !found.contains(help.as_str()) {
                complaints.push(format!("{}: help is `{found}`: {shown}", case.title));
            }
        }
    }
    complaints.extend(unlike_fixed(case));
    let missed = expected.iter().filter(|(_, hit)| !hit);
    complaints.extend(missed.map(|(e, _)| format!("{}: not found: {e}", case.title)));
    complaints
}

/// Says where the documents are not mended as the case tells, or not once and for all.
fn unlike_fixed(case: &Case) -> Vec<String> {
    if case.fixed.is_empty() {
        return Vec::new();
    }
    let level = match case.only_safe {
        true => Level::Safe,
        false => Level::Unsafe,
    };
    let fixed = fix(&case.world, &case.settings, level);
    let mut complaints = Vec::new();
    for (name, expected) in &case.fixed {
        let unchanged = || case.world.files[name].text.clone();
        let found = fixed.files.get(name).cloned().unwrap_or_else(unchanged);
        if found != *expected {
            complaints.push(format!("{}: {name} is mended to\n{found}", case.title));
        }
    }
    let texts = case.world.files.iter().map(|(name, file)| {
        let text = fixed.files.get(name).unwrap_or(&file.text);
        (name.clone(), text.clone().into_bytes())
    });
    let world = MemoryWorld {
        files: texts.collect(),
    };
    let again = fix(&world, &case.settings, level);
    let errors = again.checked.diagnostics.list.iter();
    let told = expectations(case);
    // What is left to people stays; nothing comes to light that somebody would have to mend.
    let new = errors.filter(|finding| {
        let told = told.iter().any(|told| told.code == finding.code.0);
        finding.severity == Severity::Error && !told
    });
    complaints.extend(new.map(|finding| format!("{}: after mending: {finding:?}", case.title)));
    if again.applied > 0 {
        complaints.push(format!("{}: mended again: {:?}", case.title, again.files));
    }
    complaints
}

fn shown(finding: &Diagnostic, compiled: &Compiled) -> String {
    let place = compiled.sources.place(&finding.at);
    format!(
        "{}:{}:{}: {:?}[{}] {}; help: {:?}",
        finding.at.file,
        place.line,
        place.column,
        finding.severity,
        finding.code.0,
        finding.message,
        finding.help
    )
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cases")
}

/// Paths and texts, sorted.
fn files() -> Vec<(String, String)> {
    let listed = std::fs::read_dir(directory()).expect("tests/cases");
    let mut files: Vec<(String, String)> = listed
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "md"))
        .map(|path| {
            let name = path.file_stem().expect("a name").to_string_lossy();
            let text = std::fs::read_to_string(&path).expect("a text");
            (name.into_owned(), text)
        })
        .collect();
    files.sort();
    files
}

/// Every case as the compiler sees it, with its name.
pub(crate) fn compiled() -> Vec<(String, Compiled)> {
    let mut all = Vec::new();
    for (name, text) in files() {
        for case in cases(&text) {
            let compiled = made(&case);
            all.push((format!("{name}.md: {}", case.title), compiled));
        }
    }
    all
}

#[test]
fn findings_are_those_that_the_cases_tell() {
    let mut all = Vec::new();
    for (name, text) in files() {
        for case in cases(&text) {
            let found = complaints(&case);
            all.extend(found.into_iter().map(|found| format!("{name}.md: {found}")));
        }
    }
    assert!(
        all.is_empty(),
        "{} complaints\n{}",
        all.len(),
        all.join("\n")
    );
}

#[test]
fn every_code_has_a_case_that_shows_it() {
    let files = files();
    let mut silent = Vec::new();
    for info in codes() {
        let code = info.code.0;
        let told = files.iter().any(|(name, text)| {
            name == code
                && cases(text)
                    .iter()
                    .flat_map(expectations)
                    .any(|expectation| expectation.code == code)
        });
        if !told {
            silent.push(format!("tests/cases/{code}.md does not show `{code}`"));
        }
    }
    assert!(silent.is_empty(), "{}", silent.join("\n"));
}

#[test]
fn what_is_not_told_and_what_is_not_found_is_a_complaint() {
    let complain = |text: &str| cases(text).iter().flat_map(complaints).count();
    let fence = |line: &str| format!("# A case\n```yaml file=a.yaml\n{line}\n```\n");
    assert_eq!(
        complain(&fence("type: Mehs # error: [unknown-kind] \"no kind\"")),
        0
    );
    assert_eq!(complain(&fence("type: Mehs")), 1);
    assert_eq!(
        complain(&fence("type: Mehs # error: [unknown-kind] \"other\"")),
        2
    );
    assert_eq!(complain(&fence("type: Mehs # warning: [unknown-kind]")), 2);
    let help = "type: Mehs # error: [unknown-kind]\n# help: did you mean `Mesh`?";
    assert_eq!(complain(&fence(help)), 0);
    assert_eq!(complain(&fence(&help.replace("`Mesh`", "`Mush`"))), 1);
}
