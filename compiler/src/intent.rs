//! Tests of what a mesh is meant to do: `MeshTest` documents, asked of the compiled bundle.
//!
//! Never decides: every answer is one of [`Flows`], which asks the same functions as the proxies. Never changes what is
//! compiled: a bundle is the same with and without tests.

mod coverage;
mod findings;
mod judge;
mod mutation;
mod plan;
mod report;
mod rule;

use mesh_bundle::{Kri, Origin};

use crate::diag::Diagnostics;
use crate::flow::Flows;
use crate::model::Settings;
use crate::source::Sources;
use crate::{Analysis, Compiler, World};

use plan::Plan;

pub use coverage::{Coverage, Untouched};
pub use findings::findings;
pub use mutation::{Mutations, Unnoticed};
pub use report::{Form, render};

/// What came of all tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// In the order of documents and of what stands in them.
    pub results: Vec<TestResult>,
    /// Which rules no test touches, where somebody asked.
    pub coverage: Option<Coverage>,
    /// Which changes no test notices, where somebody asked.
    pub mutations: Option<Mutations>,
}

/// What came of one test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestResult {
    /// The document.
    pub document: Kri,
    /// What it is called there.
    pub name: String,
    /// Where it stands.
    pub at: Origin,
    /// How many clients and ports were asked about.
    pub questions: usize,
    /// What does not hold; none where the test passes.
    pub failures: Vec<Failure>,
}

/// Something that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// In words.
    pub message: String,
    /// The lines that cause it, as far as a line does.
    pub because: Vec<Origin>,
}

/// What to do beside asking.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Only tests of which the name, or that of the document, holds this.
    pub filter: Option<String>,
    /// Tell which rules no test touches.
    pub coverage: bool,
    /// Change rules one by one, and tell which change no test notices.
    pub mutate: bool,
}

impl Report {
    /// Tests that do not hold.
    #[must_use]
    pub fn failed(&self) -> usize {
        let failed = |result: &&TestResult| !result.failures.is_empty();
        self.results.iter().filter(failed).count()
    }
}

/// Asks the tests of a repository.
#[must_use]
pub fn run(analysis: &Analysis, options: &Options) -> Report {
    let bundle = &analysis.compiled.bundle;
    let flows = Flows::new(bundle);
    let mut plan = Plan::of(analysis, &flows);
    if let Some(text) = &options.filter {
        plan.keep(text);
    }
    let recorded = options.coverage || options.mutate;
    let (results, touched) = plan.ask(&flows, recorded);
    let rules = match recorded {
        true => rule::rules(bundle),
        false => Vec::new(),
    };
    let mut coverage = options.coverage.then(|| Coverage::of(&rules, &touched));
    let mut mutations = options
        .mutate
        .then(|| Mutations::of(bundle, &plan, &rules, (&results, &touched)));
    findings::suppress(&mut coverage, &mut mutations, &analysis.compiled.sources);
    Report {
        results,
        coverage,
        mutations,
    }
}

/// Asks the tests of a repository with a compiler that may know most of it; what does not hold, as findings.
#[must_use]
pub fn failing(
    compiler: &mut Compiler,
    world: &dyn World,
    settings: &Settings,
) -> (Diagnostics, Sources) {
    let analysis = compiler.analyse(world, settings);
    let report = run(&analysis, &Options::default());
    let found = findings(&report, &analysis.compiled.sources);
    (found, analysis.compiled.sources)
}

#[cfg(test)]
mod tests;
