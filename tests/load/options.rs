//! What the command line says.
//!
//! Never guesses: what it does not know is an error that lists what there is.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::growth;
use crate::row::Row;

/// Connections that do nothing, where nobody asks for more.
const RESTING: u32 = 1_000;

/// What to measure, and with what.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) meshd: PathBuf,
    pub(crate) proxy: PathBuf,
    /// Another build of the proxy, for before and after.
    pub(crate) against: Option<PathBuf>,
    /// `None`: only those of ours.
    pub(crate) envoy: Option<PathBuf>,
    pub(crate) peers: bool,
    pub(crate) rows: Vec<Row>,
    /// Large configurations beside small ones.
    pub(crate) growth: bool,
    /// Connections of the rows of idle ones.
    pub(crate) resting: u32,
    /// How often every peer has its turn.
    pub(crate) repeat: usize,
    /// How long each turn is.
    pub(crate) time: Duration,
}

impl Options {
    pub(crate) fn read(mut words: impl Iterator<Item = String>) -> Result<Self> {
        let (mut meshd, mut proxy, mut against, mut envoy) = (None, None, None, None);
        let mut rows = Vec::new();
        let (mut repeat, mut seconds, mut peers, mut growth) = (3, 3, true, false);
        let mut resting = RESTING;
        while let Some(word) = words.next() {
            let mut value = || {
                words
                    .next()
                    .with_context(|| format!("{word} needs a value"))
            };
            match word.as_str() {
                "--meshd" => meshd = Some(value()?.into()),
                "--proxy" => proxy = Some(value()?.into()),
                "--against" => against = Some(value()?.into()),
                "--envoy" => envoy = Some(value()?.into()),
                "--repeat" => repeat = value()?.parse().context("--repeat")?,
                "--resting" => resting = value()?.parse().context("--resting")?,
                "--seconds" => seconds = value()?.parse().context("--seconds")?,
                "--no-peers" => peers = false,
                growth::NAME => growth = true,
                name => match Row::ALL.iter().find(|row| row.name() == name) {
                    Some(row) => rows.push(*row),
                    None => bail!("no row `{name}`: {}, {}", Row::names(), growth::NAME),
                },
            }
        }
        if rows.is_empty() && !growth {
            (rows, growth) = (Row::ALL.to_vec(), true);
        }
        Ok(Self {
            meshd: meshd.context("--meshd is missing")?,
            proxy: proxy.context("--proxy is missing")?,
            against,
            envoy,
            peers,
            rows,
            growth,
            resting: std::cmp::max(1, resting),
            repeat: std::cmp::max(1, repeat),
            time: Duration::from_secs(std::cmp::max(1, seconds)),
        })
    }
}
