//! What a proxy exports: its own metrics, as far as a policy wants them, and those of its workload.
//!
//! Never lets a workload cost more than its bounds: it answers in time, with so many bytes and samples, or it is left out, and
//! that is a metric of its own.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use mesh_bundle::decide::Selection;
use mesh_bundle::resource::Application;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::exposition::{Exposition, Family, Kind, Sample, escaped, pairs, write};
use crate::http_client::{Place, get};
use crate::metrics::{BASIC, Metrics};

/// What one application may answer, and all of them together.
const MOST_BYTES: usize = 8 << 20;
const MOST_BYTES_OF_ALL: usize = 32 << 20;
/// Of one workload, and of the proxy itself.
const MOST_SAMPLES: usize = 50_000;
/// The label that an application's name becomes.
const LABEL: &str = "application";

/// What is gathered, and from whom.
#[derive(Debug)]
pub(crate) struct Sources {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) selection: Selection,
    pub(crate) unused: bool,
    pub(crate) applications: Vec<Application>,
}

/// The texts that were gathered; [`Gathered::merge`] reads them.
#[derive(Debug)]
pub(crate) struct Gathered<'s> {
    sources: &'s Sources,
    own: String,
    answers: Vec<Answer>,
}

#[derive(Debug)]
struct Answer {
    /// Escaped.
    label: Option<String>,
    text: String,
}

/// Metrics by their names, each with the label of whoever shows it.
#[derive(Debug, Default)]
pub(crate) struct Merged<'t> {
    families: BTreeMap<&'t str, (Family<'t>, Vec<Labelled<'t>>)>,
}

/// A sample, and the value of the label that it gets.
pub(super) type Labelled<'t> = (Sample<'t>, Option<&'t str>);

impl Sources {
    /// Asks everybody at once. Who has not answered at `end` is left out.
    pub(crate) async fn gather(&self, end: Instant) -> Gathered<'_> {
        let mut asked = JoinSet::new();
        let fair = MOST_BYTES_OF_ALL / self.applications.len().max(1);
        for (number, application) in self.applications.iter().enumerate() {
            let place = Place::plain(&application.address, application.port);
            let path = application.path.clone();
            asked.spawn(async move {
                let asking = get(&place, &path, fair.min(MOST_BYTES));
                let answer = timeout_at(end, asking).await.ok()?;
                Some((number, answer))
            });
        }
        let mut answers = BTreeMap::new();
        while let Some(joined) = asked.join_next().await {
            if let Ok(Some((number, answer))) = joined {
                answers.insert(number, answer);
            }
        }
        let applications = self.applications.iter().enumerate();
        let answer = |(number, application): (usize, &Application)| {
            let label = application.name.as_deref().map(escaped);
            let name = application.name.as_deref();
            let place = Place::plain(&application.address, application.port).to_string();
            let late = || Err("it did not answer in time".to_owned());
            let text = text(answers.remove(&number).unwrap_or_else(late));
            let scraped = self.metrics.telemetry.application(name.unwrap_or(&place));
            match &text {
                Ok(_) => scraped.answered(),
                Err(why) if scraped.failed() => {
                    tracing::warn!(
                        application = name,
                        place,
                        why,
                        "no metrics of an application"
                    );
                }
                Err(_) => {}
            }
            let text = text.unwrap_or_default();
            Answer { label, text }
        };
        let answers = applications.map(answer).collect();
        let own = self.metrics.encode().unwrap_or_default();
        Gathered {
            sources: self,
            own,
            answers,
        }
    }
}

fn text(answer: Result<Bytes, String>) -> Result<String, String> {
    let text = String::from_utf8(answer?.into());
    text.map_err(|_| "its metrics are not UTF-8".to_owned())
}

impl Gathered<'_> {
    /// Reads what was gathered. What is no metric, what another source calls by the same name and means otherwise, and what
    /// is there twice, is left out and counted.
    pub(crate) fn merge(&self) -> Merged<'_> {
        let mut merged = Merged::default();
        let selection = &self.sources.selection;
        for mut family in Exposition::read(&self.own, MOST_SAMPLES).families {
            let bare = family.name.strip_suffix("_total").unwrap_or(family.name);
            if !selection.takes(&[family.name, bare], BASIC.contains(&bare)) {
                continue;
            }
            if !self.sources.unused {
                leave_unused(&mut family);
                if family.samples.is_empty() {
                    continue;
                }
            }
            merged.add(family, None);
        }
        let applications = self.sources.applications.iter().zip(&self.answers);
        for (application, answer) in applications {
            let read = Exposition::read(&answer.text, MOST_SAMPLES);
            let mut left_out = read.left_out;
            for family in read.families {
                left_out += merged.add(family, answer.label.as_deref());
            }
            let place = Place::plain(&application.address, application.port).to_string();
            let name = application.name.as_deref().unwrap_or(&place);
            let metrics = &self.sources.metrics.telemetry;
            metrics.application(name).left_out(left_out);
        }
        merged
    }
}

impl<'t> Merged<'t> {
    /// Adds what fits, and counts what does not.
    fn add(&mut self, mut family: Family<'t>, label: Option<&'t str>) -> u64 {
        let samples = std::mem::take(&mut family.samples);
        let (name, kind) = (family.name, family.kind);
        let (known, labelled) = self
            .families
            .entry(name)
            .or_insert_with(|| (family, Vec::new()));
        if known.kind != kind {
            return u64::try_from(samples.len()).unwrap_or(u64::MAX);
        }
        let key = |(sample, label): &Labelled<'t>| (sample.name, sample.labels, *label);
        let mut seen: HashSet<_> = labelled.iter().map(key).collect();
        let mut twice = 0;
        for sample in samples {
            let labelled_sample = (sample, label);
            match seen.insert(key(&labelled_sample)) {
                true => labelled.push(labelled_sample),
                false => twice += 1,
            }
        }
        twice
    }

    /// As Prometheus reads it, text format 0.0.4.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for (family, samples) in self.families.values() {
            let samples = samples.iter();
            let samples = samples.map(|(sample, name)| (*sample, name.map(|name| (LABEL, name))));
            write(&mut text, family, samples);
        }
        text
    }

    /// Each metric with its samples, and for each of these the label that it gets.
    pub(crate) fn families(
        &self,
    ) -> impl Iterator<Item = (&Family<'t>, impl Iterator<Item = Labelled<'t>> + '_)> {
        let families = self.families.values();
        families.map(|(family, samples)| (family, samples.iter().copied()))
    }

    pub(crate) const LABEL: &'static str = LABEL;
}

/// Takes away what nothing was ever counted in. A gauge says something with 0 too.
fn leave_unused(family: &mut Family<'_>) {
    match family.kind {
        Kind::Counter => family.samples.retain(|sample| sample.number() > 0.0),
        Kind::Histogram => {
            let count = |sample: &&Sample<'_>| sample.name.ends_with("_count");
            let counts = family.samples.iter().filter(count);
            let empty: HashSet<Vec<_>> = counts
                .filter(|sample| sample.number() == 0.0)
                .map(|sample| series(sample, "le"))
                .collect();
            if !empty.is_empty() {
                family
                    .samples
                    .retain(|sample| !empty.contains(&series(sample, "le")));
            }
        }
        Kind::Gauge | Kind::Summary | Kind::Unknown => {}
    }
}

/// What tells the histograms of a metric apart: every label but that of their parts.
pub(super) fn series<'t>(sample: &Sample<'t>, part: &str) -> Vec<(&'t str, &'t str)> {
    let labels = pairs(sample.labels);
    labels.filter(|(name, _)| *name != part).collect()
}
