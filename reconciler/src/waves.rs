//! A rollout as a state machine: what is seen of the proxies goes in, what is to be served comes out.
//!
//! Never does anything itself, and never reads a clock: the desk serves, keeps and tells.

mod plan;
pub(crate) mod traffic;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mesh_bundle::Kri;
use mesh_compiler::config::rollout::{Rollout as Gates, Traffic};
use tokio::time::Instant;

pub(crate) use plan::Plan;
#[cfg(test)]
use plan::Wave;
use traffic::Figures;

/// For so long proxies are asked for their traffic before any of them is given a commit: as long as they take to tell it twice.
const MEASURED: Duration = Duration::from_secs(20);
/// Names in a message; more would be read by nobody.
const NAMED: usize = 5;

/// How the proxies stand.
#[derive(Debug, Clone, Default)]
pub(crate) struct Observation {
    /// Connected, or away for a moment only.
    pub(crate) present: BTreeSet<Kri>,
    /// They hold what is wanted of them.
    pub(crate) holding: BTreeSet<Kri>,
    /// They refused what is wanted of them, and why.
    pub(crate) refusing: BTreeMap<Kri, String>,
    /// What the traffic of those who have the commit shows; `None`: nobody looks at it.
    pub(crate) traffic: Option<Figures>,
    /// For how long everybody has been asked for it.
    pub(crate) asked: Duration,
}

/// What follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// Nothing yet.
    Wait,
    /// The next wave is to be given the new commit: everybody in [`Machine::moved`].
    Serve,
    /// The same, once the other meshds know: this wave, or, without one, that everybody has it.
    Propose(Option<String>),
    /// Everybody has it.
    Finish,
    /// Nobody is to have it any more.
    Return(Breach),
}

/// Who says when the next wave begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// There is no other meshd.
    #[default]
    Alone,
    /// This one, for all.
    Leads,
    /// Another one; or nobody, while etcd is away.
    Follows,
}

/// Why a rollout did not go on.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Breach {
    /// The gate, for programs.
    pub(crate) gate: String,
    /// With numbers and names, for people.
    pub(crate) message: String,
}

/// Where a rollout is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Phase {
    /// Nobody has it yet.
    Waiting,
    /// A wave has been given the commit.
    Acknowledging,
    /// It has it, and is watched.
    Baking,
}

/// One rollout.
#[derive(Debug)]
pub(crate) struct Machine {
    gates: Gates,
    plan: Plan,
    /// `None`: nobody has it yet.
    wave: Option<usize>,
    phase: Phase,
    since: Instant,
    /// Of the wave, those who were there when it began.
    expected: BTreeSet<Kri>,
    moved: BTreeSet<Kri>,
    pub(crate) paused: bool,
    /// Nothing is to change while git is not followed.
    pub(crate) held: bool,
    role: Role,
}

impl Machine {
    /// From the beginning.
    pub(crate) fn new(gates: Gates, plan: Plan, now: Instant) -> Self {
        Self {
            gates,
            plan,
            wave: None,
            phase: Phase::Waiting,
            since: now,
            expected: BTreeSet::new(),
            moved: BTreeSet::new(),
            paused: false,
            held: false,
            role: Role::Alone,
        }
    }

    /// As it was when meshd ended: the wave that was reached begins again. A wave that is not there any more: all does.
    pub(crate) fn resumed(mut self, wave: Option<&str>, paused: bool) -> Self {
        let known = wave.and_then(|name| self.plan.waves.iter().position(|w| w.name == name));
        if let Some(index) = known {
            self.enter(index, self.since, &BTreeSet::new());
        }
        self.paused = paused;
        self
    }

    /// Whoever begins to lead watches the wave that was reached from its beginning.
    pub(crate) fn plays(&mut self, role: Role, now: Instant) {
        if role == Role::Leads && self.role != role {
            self.since = now;
            if self.wave.is_some() {
                self.phase = Phase::Acknowledging;
            }
        }
        self.role = role;
    }

    /// Another wave was agreed on; tells whether there is such a one that has not begun here.
    pub(crate) fn agreed(&mut self, wave: &str, now: Instant, present: &BTreeSet<Kri>) -> bool {
        let known = self.plan.waves.iter().position(|it| it.name == wave);
        let later = known.filter(|index| self.wave.is_none_or(|reached| reached < *index));
        if let Some(index) = later {
            self.enter(index, now, present);
        }
        later.is_some()
    }

    /// These are there, where it was not known when the wave began.
    pub(crate) fn expect(&mut self, present: &BTreeSet<Kri>) {
        self.expected = self.moved.intersection(present).cloned().collect();
    }

    /// Who is to have the new commit.
    pub(crate) fn moved(&self) -> &BTreeSet<Kri> {
        &self.moved
    }

    /// What traffic may show, where it is looked at.
    pub(crate) fn looks_at_traffic(&self) -> Option<&Traffic> {
        self.gates.traffic.as_ref()
    }

    /// Who is to have another configuration at all.
    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The name of the wave that was reached.
    pub(crate) fn wave(&self) -> Option<&str> {
        let wave = self.plan.waves.get(self.wave?);
        wave.map(|wave| wave.name.as_str())
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    /// How many of those who were there when the wave began hold it, and how many were there.
    pub(crate) fn acknowledged(&self, seen: &Observation) -> (usize, usize) {
        let holding = self.expected.intersection(&seen.holding).count();
        (holding, self.expected.len())
    }

    /// Another plan for the same commit: a Dataplane has come.
    pub(crate) fn replan(&mut self, plan: Plan) {
        self.plan = plan;
        let reached = self.wave.map_or(0, |wave| wave + 1);
        let waves = self.plan.waves.iter().take(reached);
        self.moved = waves.flat_map(|wave| wave.joins.iter().cloned()).collect();
    }

    /// What follows from what is seen now.
    pub(crate) fn look(&mut self, now: Instant, seen: &Observation) -> Action {
        let past = now.saturating_duration_since(self.since);
        if let Some(breach) = self.breach(seen) {
            return Action::Return(breach);
        }
        if self.role == Role::Follows {
            return Action::Wait;
        }
        match self.phase {
            // Nobody was asked before, so there is nothing to compare with yet.
            Phase::Waiting if self.gates.traffic.is_some() && seen.asked < MEASURED => Action::Wait,
            Phase::Waiting => self.next(now, seen),
            Phase::Acknowledging if self.has_acknowledged(seen) => {
                self.phase = Phase::Baking;
                self.since = now;
                // Nobody was there: nothing is to be seen of it.
                if self.expected.is_empty() || self.gates.bake.is_zero() {
                    return self.next(now, seen);
                }
                Action::Wait
            }
            Phase::Acknowledging if past >= self.gates.deadline => {
                Action::Return(self.unacknowledged(seen, self.gates.deadline))
            }
            Phase::Baking if past >= self.gates.bake && self.has_acknowledged(seen) => {
                self.next(now, seen)
            }
            // They had it, and went away.
            Phase::Baking if past >= self.gates.bake + self.gates.deadline => {
                Action::Return(self.unacknowledged(seen, past))
            }
            Phase::Acknowledging | Phase::Baking => Action::Wait,
        }
    }

    fn next(&mut self, now: Instant, seen: &Observation) -> Action {
        if self.paused || self.held {
            return Action::Wait;
        }
        let reached = self.wave.map_or(0, |wave| wave + 1);
        let mut coming = self.plan.waves.iter().enumerate().skip(reached);
        let coming = coming.find(|(_, wave)| !wave.joins.is_empty());
        let coming = coming.map(|(index, wave)| (index, wave.name.clone()));
        match (self.role, coming) {
            (Role::Leads, coming) => Action::Propose(coming.map(|(_, name)| name)),
            (_, Some((index, _))) => {
                self.enter(index, now, &seen.present);
                Action::Serve
            }
            (_, None) => Action::Finish,
        }
    }

    fn enter(&mut self, index: usize, now: Instant, present: &BTreeSet<Kri>) {
        let waves = self.plan.waves.iter().take(index + 1);
        self.moved = waves.flat_map(|wave| wave.joins.iter().cloned()).collect();
        self.expected = self.moved.intersection(present).cloned().collect();
        self.wave = Some(index);
        self.phase = Phase::Acknowledging;
        self.since = now;
    }

    fn has_acknowledged(&self, seen: &Observation) -> bool {
        let (holding, expected) = self.acknowledged(seen);
        let percent = usize::try_from(self.gates.acknowledged_percent).unwrap_or(100);
        holding * 100 >= expected * percent
    }

    fn breach(&self, seen: &Observation) -> Option<Breach> {
        self.wave?;
        let refusing = seen.refusing.iter();
        let refusing: Vec<_> = refusing
            .filter(|(kri, _)| self.moved.contains(kri))
            .collect();
        let most = usize::try_from(self.gates.max_rejects).unwrap_or(usize::MAX);
        if refusing.len() > most {
            let first = refusing.first().map_or("", |(_, why)| why.as_str());
            let names = named(refusing.iter().map(|(kri, _)| *kri));
            let count = refusing.len();
            return Some(self.broken(
                "Rejected",
                &format!("{count} proxies refused it, at most {most} may: {names}: {first}"),
            ));
        }
        let (gates, figures) = (self.gates.traffic.as_ref()?, seen.traffic.as_ref()?);
        let (gate, why) = figures.broken(gates)?;
        Some(self.broken(gate, &why))
    }

    fn unacknowledged(&self, seen: &Observation, past: Duration) -> Breach {
        let (holding, expected) = self.acknowledged(seen);
        let names = named(self.expected.difference(&seen.holding));
        let percent = self.gates.acknowledged_percent;
        let past = mesh_bundle::Duration::from(Duration::from_secs(past.as_secs()));
        self.broken(
            "NotAcknowledged",
            &format!(
                "{holding} of {expected} proxies hold it after {past}, {percent} % must: {names}"
            ),
        )
    }

    fn broken(&self, gate: &str, message: &str) -> Breach {
        let wave = self.wave().unwrap_or_default();
        Breach {
            gate: gate.to_owned(),
            message: format!("wave `{wave}`: {message}"),
        }
    }
}

/// The first names, and how many more there are.
fn named<'a>(names: impl Iterator<Item = &'a Kri>) -> String {
    let mut all: Vec<&str> = names.map(Kri::name).collect();
    let more = all.len().saturating_sub(NAMED);
    all.truncate(NAMED);
    let mut text = all.join(", ");
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

#[cfg(test)]
mod tests;
