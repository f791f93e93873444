//! What a request costs, and what a proxy holds, where the configuration is large beside where it is small.
//!
//! Never beside other peers: what is asked is whether ours grows.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use tokio::runtime::Runtime;

use crate::PATIENCE;
use crate::app::Service;
use crate::options::Options;
use crate::peer::Pair;
use crate::peer::mesh::{Size, start_each};
use crate::report::{median, sorted};
use crate::work;

/// As the command line has it.
pub(crate) const NAME: &str = "growth";
/// What a request may cost more.
const GOAL: f64 = 1.10;
const CONNECTIONS: usize = 64;
const BYTES: usize = 128;

/// A small configuration, and a large one.
const STEPS: [[(&str, Size); 2]; 2] = [
    [
        ("10 services", services(10)),
        ("10,000 services", services(10_000)),
    ],
    [("1 route", routes(0)), ("1,000 routes", routes(999))],
];

const fn services(services: usize) -> Size {
    Size {
        services,
        routes: 0,
    }
}

const fn routes(routes: usize) -> Size {
    Size {
        services: 0,
        routes,
    }
}

/// All of them at once, each in its turn.
pub(crate) fn measure(options: &Options, runtime: &Runtime) -> Result<String> {
    let directory = tempfile::Builder::new().prefix("mesh-load-").tempdir()?;
    let of_build = |(name, size): (&'static str, Size)| (name, &options.proxy, size);
    let builds: Vec<_> = STEPS.into_iter().flatten().map(of_build).collect();
    let pairs = start_each(options, &builds, directory.path())?;
    let mut costs: Vec<Vec<f64>> = vec![Vec::new(); pairs.len()];
    for pair in &pairs {
        runtime.block_on(work::awake(address(pair)?, PATIENCE))?;
    }
    for _ in 0..options.repeat {
        for (pair, costs) in pairs.iter().zip(&mut costs) {
            let work = work::requests(
                address(pair)?,
                BYTES,
                CONNECTIONS,
                pair.pids(),
                options.time,
            );
            let sample = runtime.block_on(work);
            costs.push(sample.with_context(|| pair.name.clone())?.cost / 1_000.0);
        }
    }
    table(&pairs, &costs)
}

fn address(pair: &Pair) -> Result<std::net::SocketAddr> {
    pair.address(Service::Http)
        .context("it does not serve that")
}

fn table(pairs: &[Pair], costs: &[Vec<f64>]) -> Result<String> {
    let mut text = format!(
        "\n### growth: HTTP/1.1, {CONNECTIONS} connections, {BYTES} bytes\n\nGoal: at most {GOAL:.2} of the smaller configuration.\n\n"
    );
    text += "| configuration | us median | least to most | ratio to the smaller | MiB of both proxies, idle |\n|---|---|---|---|---|\n";
    for (step, costs) in pairs.chunks(2).zip(costs.chunks(2)) {
        let small = costs.first().map(Vec::as_slice).unwrap_or_default();
        for (pair, costs) in step.iter().zip(costs) {
            let ratios = sorted(small.iter().zip(costs).map(|(small, cost)| cost / small));
            let costs = sorted(costs.iter().copied());
            let (least, most) = (costs.first(), costs.last());
            let (least, most) = least.zip(most).context("nothing was measured")?;
            writeln!(
                text,
                "| {} | {:.2} | {least:.2} to {most:.2} | {:.2} | {:.1} |",
                pair.name,
                median(&costs),
                median(&ratios),
                pair.idle() / 1_024.0,
            )?;
        }
    }
    Ok(text)
}
