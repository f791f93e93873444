//! The figures of one row as a table in Markdown.
//!
//! Never an average: the median of all turns, and how far the others are from it.

use std::fmt;

use crate::peer::{Pair, REFERENCE};
use crate::row::Row;
use crate::work::Sample;

/// One row of the matrix, for every pair that took part.
#[derive(Debug)]
pub(crate) struct Report {
    row: Row,
    columns: Vec<(String, Vec<Sample>)>,
}

impl Report {
    pub(crate) fn new(row: Row, pairs: &[&Pair]) -> Self {
        let columns = pairs.iter().map(|pair| (pair.name.clone(), Vec::new()));
        let columns = columns.collect();
        Self { row, columns }
    }

    pub(crate) fn add(&mut self, pair: &str, sample: Sample) {
        let column = self.columns.iter_mut().find(|(name, _)| name == pair);
        if let Some((_, samples)) = column {
            samples.push(sample);
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { row, columns } = self;
        let (unit, goal) = (row.unit(), row.goal());
        writeln!(f, "\n### {row}\n\nGoal: {goal:.2} of Envoy.\n")?;
        writeln!(
            f,
            "| pair | {unit} median | least to most | ratio to Envoy | each turn's ratio | a second | ms p50; p99 |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|")?;
        let reference = columns.iter().find(|(name, _)| name == REFERENCE);
        let reference = reference.map(|(_, samples)| samples.as_slice());
        for (name, samples) in columns {
            let costs = sorted(samples.iter().map(|sample| sample.cost));
            // A turn of each pair is near one of every other in time, so their ratio is steadier than the figures.
            let ratios = reference.unwrap_or_default().iter().zip(samples);
            let ratios = sorted(ratios.map(|(one, other)| other.cost / one.cost));
            let of = |values: &[f64], digits| match values {
                [] => "-".to_owned(),
                values => format!("{:.digits$}", median(values)),
            };
            let span = |values: &[f64], digits| match values {
                [least, .., most] => format!("{least:.digits$} to {most:.digits$}"),
                _ => "-".to_owned(),
            };
            let rate = sorted(samples.iter().filter_map(|sample| sample.rate));
            let latency = |of: fn((f64, f64)) -> f64| {
                let figures = samples.iter().filter_map(|sample| sample.latency.map(of));
                sorted(figures)
            };
            let (half, most) = (latency(|latency| latency.0), latency(|latency| latency.1));
            writeln!(
                f,
                "| {name} | {} | {} | {} | {} | {} | {}; {} |",
                of(&costs, 2),
                span(&costs, 2),
                of(&ratios, 2),
                span(&ratios, 2),
                of(&rate, 1),
                of(&half, 2),
                of(&most, 2),
            )?;
        }
        Ok(())
    }
}

pub(crate) fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

pub(crate) fn median(values: &[f64]) -> f64 {
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
