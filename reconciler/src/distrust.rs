//! Dataplanes whose certificates peers must not believe any more, although they have not ended: who was removed or revoked.
//!
//! Never grows without end: an entry goes when the last certificate that it is about has ended.

use std::collections::BTreeMap;
use std::time::Duration;

use mesh_bundle::{Instance, Revoked};
use serde::{Deserialize, Serialize};

use crate::state::{StateDir, StateFailure};

const FILE: &str = "distrusted.json";
/// What is issued while somebody is being revoked is revoked too. Longer than meshd takes to hear of it.
pub(crate) const SLACK: Duration = Duration::from_secs(30);
/// Proxies are not told at once that an entry is gone: it does no harm.
const LINGER: Duration = Duration::from_hours(1);
/// Every proxy of a mesh holds these.
const MOST: usize = 4_096;

/// The mesh and the name of a Dataplane.
pub(crate) type Name = (String, String);

/// Who is distrusted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Distrust {
    entries: BTreeMap<Name, Span>,
}

/// In seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Span {
    /// What was issued until then is not believed.
    until: u64,
    /// When the last of that has ended.
    end: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    mesh: String,
    dataplane: String,
    #[serde(flatten)]
    span: Span,
}

impl Distrust {
    /// # Errors
    /// What was kept cannot be read: without it, who was kept out might get in.
    pub(crate) fn read(state: &StateDir) -> Result<Self, String> {
        let bytes = state.read(FILE).map_err(|error| error.to_string())?;
        let Some(bytes) = bytes else {
            return Ok(Self::default());
        };
        let entries: Vec<Entry> = serde_json::from_slice(&bytes)
            .map_err(|error| format!("`{FILE}` is damaged: {error}"))?;
        let entries = entries.into_iter();
        let entries = entries.map(|it| ((it.mesh, it.dataplane), it.span));
        Ok(Self {
            entries: entries.collect(),
        })
    }

    pub(crate) fn write(&self, state: &StateDir) -> Result<(), StateFailure> {
        let entry = |((mesh, dataplane), span): (&Name, &Span)| Entry {
            mesh: mesh.clone(),
            dataplane: dataplane.clone(),
            span: *span,
        };
        let entries: Vec<Entry> = self.entries.iter().map(entry).collect();
        // Texts and numbers: this cannot fail.
        let json = serde_json::to_vec_pretty(&entries).unwrap_or_default();
        state.write(FILE, &json)
    }

    /// From now on nothing is believed that this Dataplane was given until then; the last of it ends at `end`.
    pub(crate) fn add(&mut self, name: Name, until: u64, end: u64) {
        let known = self.entries.entry(name);
        let span = known.or_insert(Span { until, end });
        span.until = span.until.max(until);
        span.end = span.end.max(end);
        while self.entries.len() > MOST {
            let first = self.entries.iter().min_by_key(|(_, span)| span.end);
            let Some((name, _)) = first.map(|(name, span)| (name.clone(), *span)) else {
                return;
            };
            tracing::warn!(
                mesh = name.0,
                dataplane = name.1,
                "too many Dataplanes are distrusted: the certificates of this one are believed again until they end"
            );
            self.entries.remove(&name);
        }
    }

    /// Everybody who is distrusted: until when, and when the last of it ends.
    pub(crate) fn spans(&self) -> BTreeMap<Name, (u64, u64)> {
        let entries = self.entries.iter();
        entries
            .map(|(name, span)| (name.clone(), (span.until, span.end)))
            .collect()
    }

    /// Is everything distrusted that was issued until then?
    pub(crate) fn covers(&self, name: &Name, until: u64) -> bool {
        self.entries
            .get(name)
            .is_some_and(|span| span.until >= until)
    }

    /// What a certificate says that is issued now: later than what is distrusted of the same Dataplane.
    pub(crate) fn issued(&self, name: &Name, now: u64) -> u64 {
        let span = self.entries.get(name);
        span.map_or(now, |span| now.max(span.until.saturating_add(1)))
    }

    /// Drops what has ended.
    pub(crate) fn prune(&mut self, now: u64) {
        self.entries.retain(|_, span| span.end > now);
    }

    /// Has something ended a while ago?
    pub(crate) fn is_stale(&self, now: u64) -> bool {
        let over = |span: &Span| span.end.saturating_add(LINGER.as_secs()) <= now;
        self.entries.values().any(over)
    }

    /// What the proxies of each mesh are told.
    pub(crate) fn lists(&self) -> BTreeMap<String, Vec<Revoked>> {
        let mut lists: BTreeMap<String, Vec<Revoked>> = BTreeMap::new();
        for ((mesh, dataplane), span) in &self.entries {
            lists.entry(mesh.clone()).or_default().push(Revoked {
                instance: Instance::of(mesh, dataplane),
                until: span.until,
            });
        }
        for list in lists.values_mut() {
            list.sort();
        }
        lists
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(dataplane: &str) -> Name {
        ("shop".to_owned(), dataplane.to_owned())
    }

    #[test]
    fn an_entry_lasts_as_long_as_what_it_is_about() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDir::open(directory.path()).unwrap();
        let mut distrust = Distrust::read(&state).unwrap();
        assert_eq!(distrust.issued(&name("web-1"), 900), 900);
        distrust.add(name("web-1"), 1_000, 5_000);
        distrust.add(name("web-1"), 1_500, 4_000);
        distrust.write(&state).unwrap();
        let mut distrust = Distrust::read(&state).unwrap();
        assert!(distrust.covers(&name("web-1"), 1_500));
        assert!(!distrust.covers(&name("web-1"), 1_501));
        assert!(!distrust.covers(&name("web-2"), 0));
        assert_eq!(distrust.issued(&name("web-1"), 1_200), 1_501);
        assert_eq!(distrust.issued(&name("web-1"), 2_000), 2_000);
        let lists = distrust.lists();
        let instance = Instance::of("shop", "web-1");
        assert_eq!(
            lists["shop"],
            [Revoked {
                instance,
                until: 1_500
            }]
        );
        distrust.prune(4_999);
        assert_eq!(distrust.lists(), lists);
        assert!(!distrust.is_stale(5_000 + LINGER.as_secs() - 1));
        assert!(distrust.is_stale(5_000 + LINGER.as_secs()));
        distrust.prune(5_000);
        assert_eq!(distrust, Distrust::default());
    }

    #[test]
    fn there_are_never_too_many_and_damage_is_told() {
        let mut distrust = Distrust::default();
        for number in 0..MOST + 2 {
            let end = 10_000 + u64::try_from(number).unwrap();
            distrust.add(name(&format!("web-{number}")), 1, end);
        }
        assert_eq!(distrust.lists()["shop"].len(), MOST);
        // Those that end first are the ones that are let go.
        assert!(!distrust.covers(&name("web-1"), 1));
        assert!(distrust.covers(&name("web-2"), 1));
        let directory = tempfile::tempdir().unwrap();
        let state = StateDir::open(directory.path()).unwrap();
        state.write(FILE, b"[{").unwrap();
        assert!(Distrust::read(&state).unwrap_err().contains(FILE));
    }
}
