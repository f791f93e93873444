//! What the proxies of all meshds tell of their traffic while a commit is on its way: each meshd tells the others the sums of
//! its own.
//!
//! Never a number of another commit, or of another attempt at it; never more than a few for each meshd.

use std::time::Duration;

use mesh_delivery::traffic::Flow;
use serde::{Deserialize, Serialize};

use super::Rollout;
use super::baseline::Sum;
use crate::waves::traffic::{Part, Parts};

const FORMAT: u32 = 1;

/// What one meshd tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Measured {
    format: u32,
    revision: String,
    attempt: u32,
    /// For how many seconds its proxies have been asked.
    asked: u64,
    /// To the workloads, and from them.
    before: [Told; 2],
    after: [Told; 2],
}

/// See [`Part`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    most: Sum,
    rest: Sum,
    requests: u64,
}

impl From<&Part> for Told {
    fn from(part: &Part) -> Self {
        Self {
            most: Sum::from(&part.most),
            rest: Sum::from(&part.rest),
            requests: part.requests,
        }
    }
}

impl From<&Told> for Part {
    fn from(told: &Told) -> Self {
        Self {
            most: Flow::from(&told.most),
            rest: Flow::from(&told.rest),
            requests: told.requests,
        }
    }
}

impl Measured {
    /// `None`: of another version.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let measured: Self = serde_json::from_slice(bytes).ok()?;
        (measured.format == FORMAT).then_some(measured)
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        // Texts and numbers: this cannot fail.
        serde_json::to_vec(self).unwrap_or_default()
    }

    fn parts(&self) -> Parts {
        Parts {
            before: self.before.each_ref().map(Part::from),
            after: self.after.each_ref().map(Part::from),
        }
    }
}

impl Rollout {
    /// What is told here with what the others told last, and for how long everybody has been asked.
    pub(super) fn with_others(
        &self,
        revision: &str,
        (own, asked): (Parts, Duration),
    ) -> (Vec<Parts>, Duration) {
        let mut several = self.several();
        let Some(several) = several.as_mut() else {
            return (vec![own], asked);
        };
        let attempt = several.attempt(revision);
        several.own = Some(Measured {
            format: FORMAT,
            revision: revision.to_owned(),
            attempt,
            asked: asked.as_secs(),
            before: own.before.each_ref().map(Told::from),
            after: own.after.each_ref().map(Told::from),
        });
        let others = several.measured.values();
        let others = others.filter(|it| (it.revision.as_str(), it.attempt) == (revision, attempt));
        let least = others.clone().map(|it| Duration::from_secs(it.asked)).min();
        let parts = others.map(Measured::parts).chain([own]).collect();
        (parts, least.map_or(asked, |least| least.min(asked)))
    }

    /// What the others are to know; `None`: nothing is on its way here whose traffic is looked at.
    pub(crate) fn measured(&self) -> Option<Measured> {
        let view = self.view().filter(|view| view.returned.is_none())?;
        let several = self.several();
        let own = several.as_ref()?.own.as_ref();
        own.filter(|own| own.revision == view.revision).cloned()
    }

    /// Another meshd tells this; `None`: it is gone, or has nothing to tell any more.
    pub(crate) fn measured_elsewhere(&self, meshd: &str, measured: Option<Measured>) {
        if let Some(several) = &mut *self.several() {
            match measured {
                Some(measured) => drop(several.measured.insert(meshd.to_owned(), measured)),
                None => drop(several.measured.remove(meshd)),
            }
        }
        self.begun.notify_one();
    }

    /// All of it is read again.
    pub(crate) fn forget_measured(&self) {
        if let Some(several) = &mut *self.several() {
            several.measured.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_what_is_heard() {
        let mut part = Part::default();
        part.most.failures = 3;
        part.most.latency[7] = 1_000;
        part.rest.connections = 5;
        part.requests = u64::from(u32::MAX) + 1;
        let parts = Parts {
            before: [Part::default(), part.clone()],
            after: [part, Part::default()],
        };
        let measured = Measured {
            format: FORMAT,
            revision: "c2".to_owned(),
            attempt: 1,
            asked: 7,
            before: parts.before.each_ref().map(Told::from),
            after: parts.after.each_ref().map(Told::from),
        };
        let heard = Measured::read(&measured.write()).unwrap();
        assert_eq!((heard.parts(), &heard), (parts, &measured));
        let other = Measured {
            format: 2,
            ..measured
        };
        assert_eq!(Measured::read(&other.write()), None);
    }
}
