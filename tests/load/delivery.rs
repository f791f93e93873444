//! What meshd costs and how soon a change is everywhere, measured with a fleet of simulated proxies.
//!
//! Never a shortcut on the wire: each proxy of the fleet has its own connection, mutual TLS 1.3 and the protocol's own client,
//! verifies every byte and acknowledges. It only has no data plane behind it. The fleet shares the processors with meshd.

mod bytes;
mod fleet;
mod proxy;
mod repository;
mod scenario;
mod server;
mod table;

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use repository::Shape;
use table::Table;

/// Fleets of the curve, where nobody asks for others.
const SIZES: [usize; 3] = [100, 1_000, 10_000];
/// What Kong's public benchmark of meshes has: two instances of each of its services.
const KONG: Shape = Shape {
    proxies: 2_000,
    services: 1_000,
};
const KONG_NAME: &str = "kong";

/// What the command line says behind `delivery`.
struct Options {
    meshd: PathBuf,
    sizes: Vec<usize>,
    kong: bool,
    repeat: usize,
}

impl Options {
    fn read(mut words: impl Iterator<Item = String>) -> Result<Self> {
        let (mut meshd, mut sizes, mut kong, mut repeat) = (None, Vec::new(), false, 5);
        while let Some(word) = words.next() {
            let mut value = || {
                words
                    .next()
                    .with_context(|| format!("{word} needs a value"))
            };
            match word.as_str() {
                "--meshd" => meshd = Some(value()?.into()),
                "--repeat" => repeat = value()?.parse().context("--repeat")?,
                KONG_NAME => kong = true,
                size => match size.parse() {
                    Ok(size) if size >= 20 => sizes.push(size),
                    _ => bail!(
                        "`{size}` is no size of a fleet, of which twenty is the least, nor `{KONG_NAME}`"
                    ),
                },
            }
        }
        if sizes.is_empty() && !kong {
            (sizes, kong) = (SIZES.to_vec(), true);
        }
        Ok(Self {
            meshd: meshd.context("--meshd is missing")?,
            sizes,
            kong,
            repeat: std::cmp::max(1, repeat),
        })
    }
}

/// Measures what the words ask for, and tells it as tables.
pub(crate) fn run(words: impl Iterator<Item = String>, tell: fn(&str)) -> Result<()> {
    let options = Options::read(words)?;
    let mut table = Table::default();
    for &proxies in &options.sizes {
        let services = proxies / 10;
        let shape = Shape { proxies, services };
        let figures = scenario::curve(&options.meshd, shape, options.repeat);
        table.add(
            proxies,
            figures.with_context(|| format!("{proxies} proxies"))?,
        );
        tell(&format!("{proxies} proxies: done\n"));
    }
    if !options.sizes.is_empty() {
        tell(&table.to_string());
    }
    if options.kong {
        let figures = scenario::kong(&options.meshd, KONG, options.repeat);
        let mut table = Table::default();
        table.add(KONG.proxies, figures.context("Kong's scenarios")?);
        tell(&format!(
            "\nKong's scenarios: {} services with two instances each\n{table}",
            KONG.services
        ));
    }
    Ok(())
}
