//! What two proxies with mutual TLS between them cost for each request, side by side with their peers, in one run.
//!
//! Never tells wall time as a figure of merit: machines are busy. Processor time and ratios within one run are told.
//!
//! load -> client proxy == mutual TLS 1.3 == server proxy -> application. The load and the application are threads of this
//! process and are not counted; each proxy is a process with one worker thread.

mod app;
mod certificates;
mod cost;
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
    let outcome = Options::read(std::env::args().skip(1)).and_then(|options| run(&options));
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
    let directory = tempfile::Builder::new().prefix("mesh-load-").tempdir()?;
    let (mut pairs, mut missing) = peer::start(options, directory.path())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    pairs.retain(|pair| {
        let awake = match pair.address(Service::Http) {
            Some(address) => runtime.block_on(work::awake(address, PATIENCE)),
            None => Ok(()),
        };
        let why = awake.err().map(|why| format!("{}: {why:#}", pair.name));
        missing.extend(why.clone());
        why.is_none()
    });
    for lack in missing {
        tell(&format!("not compared: {lack}\n"));
    }
    for row in &options.rows {
        let able: Vec<&Pair> = pairs.iter().filter(|pair| row.suits(pair)).collect();
        let mut report = Report::new(*row, &able);
        for _ in 0..options.repeat {
            for (index, pair) in able.iter().enumerate() {
                let sample = runtime.block_on(row.measure(pair, options.time));
                let sample = sample.with_context(|| format!("{} with {row}", pair.name))?;
                report.add(index, sample);
            }
        }
        tell(&report.to_string());
    }
    drop(app);
    Ok(())
}

fn tell(text: &str) {
    // Nobody is left to tell when stdout is closed.
    let _ = std::io::stdout().write_all(text.as_bytes());
}
