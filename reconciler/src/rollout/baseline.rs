//! What the proxies of a wave served before they had its commit, on the disk: what is measured after a restart is set
//! against that, and not against what the commit itself did.
//!
//! Never the measure of another commit.

use std::collections::BTreeMap;

use mesh_bundle::Kri;
use mesh_delivery::traffic::{Both, Flow};
use serde::{Deserialize, Serialize};

use crate::state::{StateDir, StateFailure};

const FILE: &str = "rollout-traffic.json";
const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    format: u32,
    revision: String,
    /// To the workload, and from it.
    proxies: BTreeMap<Kri, [Sum; 2]>,
}

/// A [`Flow`], without the classes that nothing is in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sum {
    connections: u32,
    failures: u32,
    denials: u32,
    latency: Vec<(usize, u32)>,
}

impl From<&Flow> for Sum {
    fn from(flow: &Flow) -> Self {
        let classes = flow.latency.iter().copied().enumerate();
        Self {
            connections: flow.connections,
            failures: flow.failures,
            denials: flow.denials,
            latency: classes.filter(|(_, count)| *count > 0).collect(),
        }
    }
}

impl From<&Sum> for Flow {
    fn from(sum: &Sum) -> Self {
        let mut flow = Self {
            connections: sum.connections,
            failures: sum.failures,
            denials: sum.denials,
            ..Self::default()
        };
        for (class, count) in &sum.latency {
            if let Some(place) = flow.latency.get_mut(*class) {
                *place = *count;
            }
        }
        flow
    }
}

pub(super) fn write(
    state: &StateDir,
    revision: &str,
    before: &BTreeMap<Kri, Both>,
) -> Result<(), StateFailure> {
    let sums = |both: &Both| [&both.inbound, &both.outbound].map(Sum::from);
    let proxies = before.iter().map(|(kri, both)| (kri.clone(), sums(both)));
    let kept = Kept {
        format: FORMAT,
        revision: revision.to_owned(),
        proxies: proxies.collect(),
    };
    // Names and numbers: this cannot fail.
    state.write(FILE, &serde_json::to_vec(&kept).unwrap_or_default())
}

/// Of this commit. What cannot be read is as nothing, in the log: then nothing that its wave did is set against anything.
pub(super) fn read(state: &StateDir, revision: &str) -> BTreeMap<Kri, Both> {
    let none = |why: &dyn std::fmt::Display| {
        tracing::warn!(%why, "`{FILE}` cannot be used: the traffic of the wave that was reached is not judged");
        BTreeMap::new()
    };
    let bytes = match state.read(FILE) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return BTreeMap::new(),
        Err(error) => return none(&error),
    };
    let kept: Kept = match serde_json::from_slice(&bytes) {
        Ok(kept) => kept,
        Err(error) => return none(&error),
    };
    if kept.format != FORMAT || kept.revision != revision {
        return none(&"it is of another commit or version");
    }
    let proxies = kept.proxies.into_iter().map(|(kri, [inbound, outbound])| {
        let (inbound, outbound) = (Flow::from(&inbound), Flow::from(&outbound));
        (kri, Both { inbound, outbound })
    });
    proxies.collect()
}

pub(super) fn remove(state: &StateDir) -> Result<(), StateFailure> {
    state.remove(FILE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_measured_comes_back_for_the_same_commit_alone() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDir::open(directory.path()).unwrap();
        assert_eq!(read(&state, "c3d1"), BTreeMap::new());
        let mut both = Both::default();
        both.inbound.failures = 3;
        both.inbound.latency[7] = 1_000;
        both.outbound.connections = 5;
        both.outbound.denials = 1;
        let before = BTreeMap::from([("kri_dp_shop___web-1_".parse().unwrap(), both)]);
        write(&state, "c3d1", &before).unwrap();
        assert_eq!(read(&state, "c3d1"), before);
        assert_eq!(read(&state, "0ther"), BTreeMap::new());
        let good = state.read(FILE).unwrap().unwrap();
        let good = String::from_utf8(good.to_vec()).unwrap();
        for damage in ["", "{", &good.replace("\"format\":1", "\"format\":2")] {
            state.write(FILE, damage.as_bytes()).unwrap();
            assert_eq!(read(&state, "c3d1"), BTreeMap::new());
        }
        let foreign = good.replace("[7,1000]", "[4096,1000]");
        state.write(FILE, foreign.as_bytes()).unwrap();
        assert_eq!(read(&state, "c3d1").len(), 1);
        remove(&state).unwrap();
        assert_eq!(read(&state, "c3d1"), BTreeMap::new());
    }
}
