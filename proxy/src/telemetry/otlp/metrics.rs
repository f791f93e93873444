//! Metrics that were gathered, as OTLP has them: cumulative, as Prometheus counts.
//!
//! Never makes a request that a collector would find too long: a long export is several requests.

use std::collections::BTreeMap;
use std::time::SystemTime;

use bytes::Bytes;

use super::{attribute, request};
use crate::telemetry::exposition::{Family, Kind, Sample, pairs, unescaped};
use crate::telemetry::gather::{Labelled, Merged, series};
use crate::telemetry::nanos;
use crate::telemetry::wire::Wire;

/// Of one request: collectors take four megabytes over gRPC where nobody tells them otherwise.
const MOST_BYTES: usize = 1 << 20;
const CUMULATIVE: u64 = 2;

/// What a histogram or a summary holds besides its sum and count: a bound and a count, or a quantile and a value.
type Parts = Vec<(f64, f64)>;

/// One histogram or summary, its lines put together.
#[derive(Default)]
struct Spread {
    count: f64,
    sum: f64,
    parts: Parts,
}

/// The requests of an export, as far as they are written.
struct Requests<'r> {
    resource: &'r [u8],
    times: (u64, u64),
    wire: Wire,
    full: Vec<Bytes>,
}

/// The requests of an export.
pub(crate) fn requests(
    merged: &Merged<'_>,
    resource: &[u8],
    (began, now): (SystemTime, SystemTime),
) -> Vec<Bytes> {
    let mut requests = Requests {
        resource,
        times: (nanos(began), nanos(now)),
        wire: Wire::default(),
        full: Vec::new(),
    };
    for (family, mut samples) in merged.families() {
        let part = match family.kind {
            Kind::Histogram => "le",
            Kind::Summary => "quantile",
            Kind::Counter | Kind::Gauge | Kind::Unknown => {
                let mut samples = samples.peekable();
                while samples.peek().is_some() {
                    requests.numbers(family, &mut samples);
                }
                continue;
            }
        };
        let mut spreads = spreads(&mut samples, part).into_iter().peekable();
        while spreads.peek().is_some() {
            requests.spreads(family, &mut spreads);
        }
    }
    requests.cut(0);
    requests.full
}

impl Requests<'_> {
    /// Begins another request where this one is longer than that.
    fn cut(&mut self, most: usize) {
        if self.wire.len() > most {
            let records = std::mem::take(&mut self.wire).into_bytes();
            self.full.push(request(self.resource, &records));
        }
    }

    /// As many samples as there is room for, at least one of them.
    fn numbers<'t>(
        &mut self,
        family: &Family<'t>,
        samples: &mut impl Iterator<Item = Labelled<'t>>,
    ) {
        let (began, now) = self.times;
        self.wire.message(2, |metric| {
            name(metric, family);
            match family.kind {
                Kind::Counter => metric.message(7, |sum| {
                    points(sum, samples, (began, now));
                    sum.uint(2, CUMULATIVE);
                    sum.flag(3, true);
                }),
                _ => metric.message(5, |gauge| points(gauge, samples, (0, now))),
            }
        });
        self.cut(MOST_BYTES);
    }

    /// The same of histograms or summaries.
    fn spreads<'t>(
        &mut self,
        family: &Family<'t>,
        spreads: &mut impl Iterator<Item = (Series<'t>, Spread)>,
    ) {
        let times = self.times;
        let histogram = family.kind == Kind::Histogram;
        let (of_metric, of_labels) = if histogram { (9, 9) } else { (11, 7) };
        self.wire.message(2, |metric| {
            name(metric, family);
            metric.message(of_metric, |of| {
                while of.len() <= MOST_BYTES
                    && let Some(((labels, more), spread)) = spreads.next()
                {
                    of.message(1, |point| {
                        fill(point, times, &spread);
                        match histogram {
                            true => buckets(point, spread),
                            false => quantiles(point, &spread),
                        }
                        attributes(point, of_labels, &labels, more);
                    });
                }
                if histogram {
                    of.uint(2, CUMULATIVE);
                }
            });
        });
        self.cut(MOST_BYTES);
    }
}

fn name(metric: &mut Wire, family: &Family<'_>) {
    metric.text(1, family.name);
    metric.text(2, family.help);
    let bare = family.name.strip_suffix("_total").unwrap_or(family.name);
    if bare.ends_with("_seconds") {
        metric.text(3, "s");
    }
}

fn points<'t>(
    of: &mut Wire,
    samples: &mut impl Iterator<Item = Labelled<'t>>,
    (began, now): (u64, u64),
) {
    while of.len() <= MOST_BYTES
        && let Some((sample, more)) = samples.next()
    {
        of.message(1, |point| {
            if began > 0 {
                point.fixed64(2, began);
            }
            point.fixed64(3, now);
            point.double(4, sample.number());
            let labels: Vec<_> = pairs(sample.labels).collect();
            attributes(point, 7, &labels, more);
        });
    }
}

fn attributes(point: &mut Wire, number: u32, labels: &[(&str, &str)], more: Option<&str>) {
    let given = more.map(|value| (Merged::LABEL, value));
    for (name, value) in labels {
        let name = match given.is_some() && *name == Merged::LABEL {
            true => "exported_application",
            false => name,
        };
        attribute(point, number, name, &unescaped(value));
    }
    if let Some((name, value)) = given {
        attribute(point, number, name, &unescaped(value));
    }
}

fn fill(point: &mut Wire, (began, now): (u64, u64), spread: &Spread) {
    point.fixed64(2, began);
    point.fixed64(3, now);
    point.fixed64(4, whole(spread.count));
    point.double(5, spread.sum);
}

fn quantiles(point: &mut Wire, spread: &Spread) {
    for (quantile, value) in &spread.parts {
        point.message(6, |at| {
            at.double(1, *quantile);
            at.double(2, *value);
        });
    }
}

/// Prometheus counts up to each bound, OTLP between two of them.
fn buckets(point: &mut Wire, spread: Spread) {
    let mut parts = spread.parts;
    parts.retain(|(bound, _)| bound.is_finite());
    parts.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    let mut before = 0;
    let mut counts: Vec<u64> = Vec::with_capacity(parts.len() + 1);
    for (_, up_to) in &parts {
        counts.push(whole(*up_to).saturating_sub(before));
        before = before.max(whole(*up_to));
    }
    counts.push(whole(spread.count).saturating_sub(before));
    point.packed(6, counts.into_iter());
    point.packed(7, parts.iter().map(|(bound, _)| bound.to_bits()));
}

type Series<'t> = (Vec<(&'t str, &'t str)>, Option<&'t str>);

/// Puts the lines of each histogram or summary together; `part` is the label that tells its parts apart.
fn spreads<'t>(
    samples: &mut impl Iterator<Item = Labelled<'t>>,
    part: &str,
) -> BTreeMap<Series<'t>, Spread> {
    let mut spreads: BTreeMap<Series<'t>, Spread> = BTreeMap::new();
    for (sample, more) in samples {
        let spread = spreads.entry((series(&sample, part), more)).or_default();
        let number = sample.number();
        match (sample.name, bound(&sample, part)) {
            (_, Some(bound)) => spread.parts.push((bound, number)),
            (name, None) if name.ends_with("_sum") => spread.sum = number,
            (_, None) => spread.count = number,
        }
    }
    spreads
}

fn bound(sample: &Sample<'_>, part: &str) -> Option<f64> {
    let (_, value) = pairs(sample.labels).find(|(name, _)| *name == part)?;
    value.parse().ok()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a conversion of floats saturates, and a count has no sign"
)]
fn whole(count: f64) -> u64 {
    count as u64
}
