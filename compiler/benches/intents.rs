//! What a thousand tests of a repository cost after it has been compiled: `cargo xtask bench compile` runs it and prints the
//! line.
//!
//! Never measures tests that do not hold: a failure is told in words, which takes longer than asking.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a benchmark reads files and the clock, and prints what it measured"
)]

use std::borrow::Cow;
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use mesh_compiler::model::Settings;
use mesh_compiler::world::{DirWorld, Entry};
use mesh_compiler::{World, analyse, intent};

const TESTS: usize = 1_000;
/// Runs: enough for a median on a noisy machine.
const RUNS: usize = 11;
/// Where the tests stand.
const FILE: &str = "intents.yaml";

/// The repository and a file of tests.
struct Tested {
    repository: DirWorld,
    tests: String,
}

impl World for Tested {
    fn entries(&self) -> Cow<'_, [Entry]> {
        let mut entries = self.repository.entries().into_owned();
        entries.push(Entry::file(FILE, self.tests.len()));
        entries.into()
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        match path {
            FILE => Ok(self.tests.clone().into_bytes()),
            path => self.repository.read(path),
        }
    }
}

/// Tests that hold, of each sort, in documents of ten: what `cargo xtask bench compile` generates permits the services that
/// are 11, 22, 33 and 44 further, and the same by steps of 22.
fn tests(services: usize) -> String {
    let mut text = String::new();
    for number in 0..TESTS {
        if number % 10 == 0 {
            let _ = write!(
                text,
                "---\ntype: MeshTest\nmesh: default\nname: intents-{}\nspec:\n  tests:\n",
                number / 10
            );
        }
        let service = number % services;
        let identity = |step: usize| {
            format!(
                "{{type: Exact, value: spiffe://default.default.mesh.local/workload/svc-{}}}",
                (service + step) % services
            )
        };
        let callers = [11, 22, 33, 44, 66, 88].map(identity).join(", ");
        let to = format!("{{kind: MeshService, labels: {{kuma.io/display-name: svc-{service}}}}}");
        let called = service % services.min(20);
        let (from, to, expect) = match number % 5 {
            0 => (
                format!("{{kind: SpiffeID, spiffeID: {}}}", identity(11)),
                to,
                "{access: Allow}".to_owned(),
            ),
            1 => (
                format!("{{kind: SpiffeID, spiffeID: {}}}", identity(5)),
                to,
                "{access: Deny}".to_owned(),
            ),
            2 => (
                format!("{{kind: Anybody, except: [{callers}]}}"),
                to,
                "{access: Deny}".to_owned(),
            ),
            3 => (
                "{kind: Plaintext}".to_owned(),
                to,
                "{access: Deny}".to_owned(),
            ),
            _ => (
                format!("{{kind: Dataplane, labels: {{app: svc-{service}}}}}"),
                format!("{{kind: MeshService, labels: {{kuma.io/display-name: svc-{called}}}}}"),
                "{timeout: {connectionTimeout: 2s}}".to_owned(),
            ),
        };
        let _ = writeln!(text, "    - {{from: {from}, to: {to}, expect: {expect}}}");
    }
    text
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Cargo adds arguments of its own.
    let mut arguments = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"));
    let root = arguments.next().ok_or("say which repository")?;
    let services: usize = arguments.next().ok_or("say how many services")?.parse()?;
    let world = Tested {
        repository: DirWorld::open(Path::new(&root))?,
        tests: tests(services),
    };
    let analysis = analyse(&world, &Settings::default());
    let mut spans: Vec<Duration> = Vec::new();
    let mut questions = 0;
    for _ in 0..RUNS {
        let started = Instant::now();
        let report = intent::run(&analysis, &intent::Options::default());
        spans.push(started.elapsed());
        assert_eq!((report.results.len(), report.failed()), (TESTS, 0));
        questions = report.results.iter().map(|result| result.questions).sum();
    }
    spans.sort();
    let ms = |at: usize| {
        spans
            .get(at)
            .map_or(0.0, |span| span.as_secs_f64() * 1_000.0)
    };
    let (least, median, most) = (ms(0), ms(RUNS / 2), ms(RUNS - 1));
    println!("{TESTS}\t{questions}\t{least:.1}\t{median:.1}\t{most:.1}");
    Ok(())
}
