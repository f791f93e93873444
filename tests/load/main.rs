//! What two proxies with mutual TLS between them cost for each request, side by side with their peers, in one run.
//!
//! Never tells wall time as a figure of merit: machines are busy. Processor time and ratios within one run are told.
//!
//! load -> client proxy == mutual TLS 1.3 == server proxy -> application. The load and the application are threads of this
//! process and are not counted; each proxy is a process with one worker thread.

mod app;
mod certificates;
mod cost;
mod delivery;
mod growth;
mod options;
mod peer;
mod process;
mod report;
mod row;
mod work;

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};

use app::Service;
use options::Options;
use peer::Pair;
use report::Report;

/// For everything to find everything.
const PATIENCE: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1).peekable();
    let outcome = match words.next_if(|word| word == "delivery") {
        Some(_) => delivery::run(words, tell),
        None => Options::read(words).and_then(|options| run(&options)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell when stderr is closed.
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Starts every peer there is, and gives each of them the same work in turn.
fn run(options: &Options) -> Result<()> {
    let app = app::start().context("the application does not start")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut running: Option<Running> = None;
    let mut told = Vec::new();
    for row in &options.rows {
        let mut report = None;
        for _ in 0..options.repeat {
            // Those before must be gone first: the new ones have their addresses.
            let kept = running.take().filter(|_| !row.is_of_memory());
            let begun = match kept {
                Some(kept) => kept,
                None => Running::start(options, &runtime)?,
            };
            for lack in &begun.missing {
                if !told.contains(lack) {
                    tell(&format!("not compared: {lack}\n"));
                    told.push(lack.clone());
                }
            }
            let able: Vec<&Pair> = begun.pairs.iter().filter(|pair| row.suits(pair)).collect();
            let report = report.get_or_insert_with(|| Report::new(*row, &able));
            for pair in able {
                let sample = runtime.block_on(row.measure(pair, options));
                let sample = sample.with_context(|| format!("{} with {row}", pair.name))?;
                report.add(&pair.name, sample);
            }
            running = Some(begun);
        }
        tell(&report.map(|report| report.to_string()).unwrap_or_default());
    }
    drop(running);
    if options.growth {
        tell(&growth::measure(options, &runtime)?);
    }
    drop(app);
    Ok(())
}

/// Every pair that could be started and serves, and why others do not.
struct Running {
    pairs: Vec<Pair>,
    missing: Vec<String>,
    #[expect(dead_code, reason = "it is removed with them")]
    directory: tempfile::TempDir,
}

impl Running {
    fn start(options: &Options, runtime: &tokio::runtime::Runtime) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("mesh-load-").tempdir()?;
        let (mut pairs, mut missing) = peer::start(options, directory.path())?;
        pairs.retain(|pair| {
            let awake = match pair.address(Service::Http) {
                Some(address) => runtime.block_on(work::awake(address, PATIENCE)),
                None => Ok(()),
            };
            let why = awake.err().map(|why| format!("{}: {why:#}", pair.name));
            missing.extend(why.clone());
            why.is_none()
        });
        Ok(Self {
            pairs,
            missing,
            directory,
        })
    }
}

fn tell(text: &str) {
    // Nobody is left to tell when stdout is closed.
    let _ = std::io::stdout().write_all(text.as_bytes());
}
