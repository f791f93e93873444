//! What is told of a rollout, to whoever asks.
//!
//! Never waits for the desk: what was so when it was looked at last is told.

use std::sync::PoisonError;

use mesh_bundle::Digest;
use serde::Serialize;

use super::staged::Rolling;
use super::{Desk, Rollout};
use crate::registry::Now;
use crate::waves::traffic::Figures;
use crate::waves::{Breach, Phase, Role};

/// What is told of a rollout.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct View {
    pub(crate) revision: String,
    /// `None`: it was taken back before this meshd compiled it.
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<Digest>,
    /// The wave that was reached.
    wave: Option<String>,
    /// `None`: it was taken back.
    phase: Option<Phase>,
    pub(crate) paused: bool,
    /// Who says when the next wave begins: this meshd alone, this one for all, or another one.
    role: Role,
    /// Of the proxies that were there when the wave began.
    acknowledged: usize,
    expected: usize,
    waves: Vec<Share>,
    /// What traffic shows; `None`: nobody looks at it.
    traffic: Option<Figures>,
    /// Why it was taken back.
    pub(crate) returned: Option<Breach>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Share {
    name: String,
    /// Whose configuration changes with it.
    proxies: usize,
}

impl View {
    /// Of what others took back while this meshd was not there, or behind.
    pub(super) fn returned(revision: String, role: Role, breach: Breach) -> Self {
        Self {
            revision,
            digest: None,
            wave: None,
            phase: None,
            paused: false,
            role,
            acknowledged: 0,
            expected: 0,
            waves: Vec::new(),
            traffic: None,
            returned: Some(breach),
        }
    }
}

impl Rollout {
    /// What is told of a rollout that is under way or was taken back.
    pub(crate) fn view(&self) -> Option<View> {
        let view = self.view.lock().unwrap_or_else(PoisonError::into_inner);
        view.clone()
    }

    /// What everybody was given last, whatever git says.
    pub(crate) fn served(&self) -> Option<(String, Digest)> {
        let served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        served.clone()
    }

    pub(super) fn show(&self, desk: &Desk) {
        let served = desk.good.as_ref();
        let served = served.map(|good| (good.revision.clone(), good.digest));
        *self.served.lock().unwrap_or_else(PoisonError::into_inner) = served;
        let view = match (&desk.rolling, &desk.returned) {
            (Some(rolling), _) => Some(self.seen(rolling)),
            (None, Some(kept)) => Some(View {
                revision: kept.revision.clone(),
                digest: Some(kept.digest),
                wave: kept.wave.clone(),
                phase: None,
                paused: false,
                role: self.role(),
                acknowledged: 0,
                expected: 0,
                waves: Vec::new(),
                traffic: kept.traffic.clone(),
                returned: kept.returned.clone(),
            }),
            (None, None) => None,
        };
        let mut place = self.view.lock().unwrap_or_else(PoisonError::into_inner);
        *place = view;
    }

    fn seen(&self, rolling: &Rolling) -> View {
        let machine = &rolling.machine;
        let seen = self.observed(rolling, Now::read().instant);
        let (acknowledged, expected) = machine.acknowledged(&seen);
        let waves = machine.plan().waves.iter().map(|wave| Share {
            name: wave.name.clone(),
            proxies: wave.joins.len(),
        });
        View {
            revision: rolling.next.revision.clone(),
            digest: Some(rolling.next.digest),
            wave: machine.wave().map(str::to_owned),
            phase: Some(machine.phase()),
            paused: machine.paused,
            role: self.role(),
            acknowledged,
            expected,
            waves: waves.collect(),
            traffic: seen.traffic,
            returned: None,
        }
    }
}
