//! Probes of the own workload (language 3.2.1, `serviceProbe`): an inbound whose workload does not answer is no endpoint.
//!
//! Never refuses traffic by itself: peers stop sending when meshd tells them, and what comes until then is tried.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mesh_bundle::resource::{Inbound, WorkloadProbe};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use crate::control::view::View;

/// However often a document asks for it.
const SHORTEST: Duration = Duration::from_millis(100);

/// Every probe that runs, by the section name of its inbound.
#[derive(Debug)]
pub(crate) struct Probes {
    view: watch::Sender<View>,
    running: BTreeMap<String, Running>,
}

#[derive(Debug)]
struct Running {
    asked: Asked,
    task: JoinHandle<()>,
}

/// What is probed, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Asked {
    address: String,
    port: u16,
    probe: WorkloadProbe,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Probes {
    pub(crate) fn new(view: watch::Sender<View>) -> Self {
        Self {
            view,
            running: BTreeMap::new(),
        }
    }

    /// Probes what these inbounds ask for. A probe that is asked for as before goes on with what it knows; of a new one, the
    /// workload counts as unhealthy until it has answered once.
    pub(crate) fn renew<'a>(&mut self, inbounds: impl Iterator<Item = (&'a String, &'a Inbound)>) {
        let wanted = inbounds.filter_map(|(section, inbound)| {
            let asked = Asked {
                address: inbound.workload_address.clone(),
                port: inbound.workload_port,
                probe: inbound.probe?,
            };
            Some((section.clone(), asked))
        });
        let wanted: BTreeMap<String, Asked> = wanted.collect();
        self.running
            .retain(|section, running| wanted.get(section) == Some(&running.asked));
        let sections: BTreeSet<String> = wanted.keys().cloned().collect();
        let new = wanted
            .into_iter()
            .filter(|(section, _)| !self.running.contains_key(section));
        let new: Vec<(String, Asked)> = new.collect();
        // A change is told on, so what stays the same is none.
        self.view.send_if_modified(|view| {
            let before = view.unhealthy.len();
            view.unhealthy.retain(|section| sections.contains(section));
            view.unhealthy
                .extend(new.iter().map(|(section, _)| section.clone()));
            !new.is_empty() || view.unhealthy.len() != before
        });
        for (section, asked) in new {
            let watching = watch_over(section.clone(), asked.clone(), self.view.clone());
            let task = tokio::spawn(watching);
            self.running.insert(section, Running { asked, task });
        }
    }
}

async fn watch_over(section: String, asked: Asked, view: watch::Sender<View>) {
    let mut verdict = Verdict::default();
    loop {
        let begun = Instant::now();
        let answer = asked.answer().await;
        if let Some(well) = verdict.found(answer.is_ok(), &asked.probe) {
            let (address, port) = (&asked.address, asked.port);
            match &answer {
                Ok(()) => tracing::info!(inbound = section, address, port, "the workload answers"),
                Err(why) => {
                    tracing::warn!(
                        inbound = section,
                        address,
                        port,
                        why,
                        "the workload does not answer: this inbound is no endpoint"
                    );
                }
            }
            view.send_modify(|view| {
                match well {
                    true => view.unhealthy.remove(&section),
                    false => view.unhealthy.insert(section.clone()),
                };
            });
        }
        let interval = asked.probe.interval.as_std().max(SHORTEST);
        sleep_until(begun + interval).await;
    }
}

impl Asked {
    /// Why it does not take a connection, in words.
    async fn answer(&self) -> Result<(), String> {
        let connect = TcpStream::connect((self.address.as_str(), self.port));
        match timeout(self.probe.timeout.as_std(), connect).await {
            Ok(connected) => connected.map(drop).map_err(|error| error.to_string()),
            Err(_) => Err("there was no answer in time".to_owned()),
        }
    }
}

/// What is taken for true of a workload.
#[derive(Debug, Default)]
struct Verdict {
    /// `None`: nothing was found yet, and the first result decides.
    well: Option<bool>,
    /// The last results that contradict it.
    in_a_row: u32,
}

impl Verdict {
    /// A probe went well or not: what is taken for true now, where that changes.
    fn found(&mut self, well: bool, probe: &WorkloadProbe) -> Option<bool> {
        if self.well == Some(well) {
            self.in_a_row = 0;
            return None;
        }
        self.in_a_row = self.in_a_row.saturating_add(1);
        let enough = match well {
            true => probe.healthy_threshold,
            false => probe.unhealthy_threshold,
        };
        if self.well.is_some() && self.in_a_row < enough {
            return None;
        }
        self.in_a_row = 0;
        self.well = Some(well);
        self.well
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_result_decides_and_then_so_many_in_a_row() {
        let probe = WorkloadProbe {
            interval: mesh_bundle::Duration::from_secs(1),
            timeout: mesh_bundle::Duration::from_secs(1),
            unhealthy_threshold: 3,
            healthy_threshold: 2,
        };
        let results = |first: bool, rest: &str| -> Vec<Option<bool>> {
            let mut verdict = Verdict::default();
            assert_eq!(verdict.found(first, &probe), Some(first));
            let rest = rest.chars().map(|each| verdict.found(each == '+', &probe));
            rest.collect()
        };
        let (no, up, down) = (None, Some(true), Some(false));
        assert_eq!(results(true, "+--+---"), [no, no, no, no, no, no, down]);
        assert_eq!(results(false, "-+-++--+"), [no, no, no, no, up, no, no, no]);
    }
}
