//! A commit on its way: wave after wave, until everybody has it or nobody.
//!
//! Never decides: the state machine does; here it is done, the disk before the proxies.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::baseline;
use super::course::{End, Wish};
use super::kept::Kept;
use super::{Desk, Good, Rollout, Stage};
use crate::event::{self, News};
use crate::history::About;
use crate::reconcile::Trouble;
use crate::registry::Now;
use crate::snapshot::NEXT;
use crate::waves::traffic::{Figures, Parts};
use crate::waves::{Action, Breach, Machine, Observation, Plan};

/// Time passes without anybody saying so.
const TICK: Duration = Duration::from_secs(1);
/// A thousand acknowledgements are looked at a few times, not a thousand.
const BREATH: Duration = Duration::from_millis(50);
/// The reconciler is woken when a rollout ends; this is for whoever reads the schedule.
const LOOK_AGAIN: Duration = Duration::from_mins(5);

/// A commit that some have.
#[derive(Debug)]
pub(super) struct Rolling {
    pub(super) next: Good,
    pub(super) machine: Machine,
}

impl Rollout {
    /// A commit begins its way.
    pub(super) fn begin(
        &self,
        desk: &mut Desk,
        next: Good,
        (plan, about): (Plan, About),
    ) -> Trouble {
        let (revision, digest) = (next.revision.clone(), next.digest);
        let Some(gates) = next.rollout.clone() else {
            return Trouble::stalled("Undeliverable", "a commit without waves").about(&revision);
        };
        let machine = Machine::new(gates, plan, Now::read().instant);
        let rolling = Rolling { next, machine };
        if let Err(trouble) = self.stage(desk, &rolling) {
            return trouble;
        }
        let begins = News::info(
            "Rollout",
            self.place.name(),
            "RolloutStarted",
            "a rollout begins",
        );
        event::record(&self.events, &begins.of(Some(&revision)));
        self.history.begins((&revision, digest), about);
        if let Some(earlier) = desk.rolling.replace(rolling) {
            // Whoever had that has what was before it again.
            self.registry.compared(self.place.name(), false);
            self.wants_end(&earlier.next.revision, End::Superseded);
        }
        desk.returned = None;
        self.follow_course(desk, Now::read().instant);
        self.show(desk);
        self.begun.notify_one();
        on_its_way(&revision)
    }

    /// On the disk, and then to whom it is for.
    fn stage(&self, desk: &Desk, rolling: &Rolling) -> Result<(), Trouble> {
        let Some(good) = &desk.good else {
            return Ok(());
        };
        let next = &rolling.next;
        let stage = Stage {
            good,
            next: Some((next, rolling.machine.moved())),
        };
        self.claim(&stage.meshes())
            .map_err(|trouble| trouble.about(&next.revision))?;
        let authorities = self.usable(&stage, &next.revision)?;
        if rolling.machine.wave().is_none()
            && let Err(failure) = next.snapshot().write(&self.own, NEXT)
        {
            unkept(&failure);
        }
        self.keep_rollout(rolling);
        if rolling.machine.looks_at_traffic().is_some() {
            self.registry.compare(rolling.machine.moved());
            let before = self.registry.baselines(self.place.name());
            if let Err(failure) = baseline::write(&self.own, &next.revision, &before) {
                unkept(&failure);
            }
        }
        let secrets = self.told_secrets(&stage);
        let served = self.serve(&stage, (authorities, secrets));
        served
            .map(drop)
            .map_err(|trouble| trouble.about(&next.revision))
    }

    pub(super) fn keep_rollout(&self, rolling: &Rolling) {
        let mut kept = Kept::new(&rolling.next.revision, rolling.next.digest);
        kept.wave = rolling.machine.wave().map(str::to_owned);
        kept.paused = rolling.machine.paused;
        if let Err(failure) = kept.write(&self.own) {
            unkept(&failure);
        }
    }

    /// What the reconciler is to know of a commit that it need not judge: it is on its way, or was taken back.
    pub(crate) fn progress(&self, desk: &Desk, revision: &str) -> Option<Trouble> {
        // Said since git was asked.
        if let Some(suspended) = self.suspended() {
            return Some(suspended);
        }
        let rolling = desk.rolling.as_ref();
        if rolling.is_some_and(|rolling| rolling.next.revision == revision) {
            return Some(on_its_way(revision));
        }
        let returned = desk.returned.as_ref();
        let returned = returned.filter(|it| it.revision == revision);
        let breach = returned.and_then(|kept| kept.returned.clone());
        let Breach { gate, message } = breach.or_else(|| self.returned_elsewhere(revision))?;
        let help = "commit a mend, or try it again with `meshd rollout resume`";
        let why = format!("{gate}: {message}; everybody has the commit before it again; {help}");
        Some(Trouble::stalled("RolloutFailed", why).about(revision))
    }

    /// Drives rollouts until `stop`.
    pub(crate) async fn drive(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut registry = self.registry.watch();
        loop {
            let rolling = self.view().is_some_and(|view| view.returned.is_none());
            let news = async {
                match rolling {
                    true => {
                        tokio::select! {
                            _ = tokio::time::timeout(TICK, registry.changed()) => {}
                            () = self.begun.notified() => {}
                        }
                        tokio::time::sleep(BREATH).await;
                    }
                    false => self.begun.notified().await,
                }
            };
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return,
                () = news => {}
            }
            let mut desk = self.desk().await;
            self.look(&mut desk);
        }
    }

    fn look(&self, desk: &mut Desk) {
        let now = Now::read().instant;
        self.follow_course(desk, now);
        let Some(rolling) = &mut desk.rolling else {
            self.show(desk);
            return;
        };
        rolling.machine.plays(self.role(), now);
        rolling.machine.held = self.suspended().is_some();
        let seen = self.observed(rolling, now);
        match rolling.machine.look(now, &seen) {
            Action::Wait => {}
            Action::Serve => self.advance(desk, &traffic_words(&seen)),
            Action::Propose(wave) => self.wants(&rolling.next.revision.clone(), Wish::Step(wave)),
            Action::Finish => self.finish(desk, &traffic_words(&seen)),
            Action::Return(breach) => self.take_back(desk, breach),
        }
        self.show(desk);
    }

    /// How the proxies stand, and what their traffic shows, wherever they are connected.
    pub(super) fn observed(&self, rolling: &Rolling, now: Instant) -> Observation {
        let source = self.place.name();
        let mut seen = self.registry.observe(source, now);
        let machine = &rolling.machine;
        if let Some(gates) = machine.looks_at_traffic() {
            let (compared, asked) = self.registry.traffic((source, machine.moved()), now);
            let own = (Parts::of(&compared), asked);
            let (parts, asked) = self.with_others(&rolling.next.revision, own);
            seen.traffic = Some(Figures::of(&parts, gates.min_requests));
            seen.asked = asked;
        }
        seen
    }

    pub(super) fn advance(&self, desk: &mut Desk, shown: &str) {
        let Some(rolling) = desk.rolling.take() else {
            return;
        };
        let (revision, wave) = (&rolling.next.revision, rolling.machine.wave());
        let proxies = rolling.machine.moved().len();
        let wave = wave.unwrap_or_default();
        let told = format!("the wave `{wave}` is given it: {proxies} proxies in all{shown}");
        let told = News::info("Rollout", self.place.name(), "RolloutProgressing", &told);
        event::record(&self.events, &told.of(Some(revision)));
        let staged = self.stage(desk, &rolling);
        desk.rolling = Some(rolling);
        if let Err(trouble) = staged {
            let Trouble {
                reason, message, ..
            } = trouble;
            let gate = reason.to_owned();
            self.take_back(desk, Breach { gate, message });
        }
    }

    /// Everybody has it.
    pub(super) fn finish(&self, desk: &mut Desk, shown: &str) {
        let Some(rolling) = desk.rolling.take() else {
            return;
        };
        let next = rolling.next;
        let done = format!("every wave has it{shown}");
        let done = News::info("Rollout", self.place.name(), "RolledOut", &done);
        event::record(&self.events, &done.of(Some(&next.revision)));
        // First what is good, then that nothing is on its way: between the two both say the same.
        let written = desk.journal.write(&self.own, next.snapshot());
        if let Err(failure) = written.and_then(|()| Kept::remove(&self.own)) {
            unkept(&failure);
        }
        let (revision, digest) = (next.revision.clone(), next.digest);
        desk.good = Some(next);
        self.registry.compared(self.place.name(), true);
        self.serve_again(desk);
        self.history.arrived(&revision, digest);
        self.ended.notify_one();
    }

    /// Nobody is to have it.
    pub(super) fn take_back(&self, desk: &mut Desk, breach: Breach) {
        let Some(rolling) = desk.rolling.take() else {
            return;
        };
        let revision = &rolling.next.revision;
        let Breach { gate, message } = breach.clone();
        let why = format!("everybody has the commit before it again, {gate}: {message}");
        let why = News::error("Rollout", self.place.name(), "RolloutFailed", &why);
        event::record(&self.events, &why.of(Some(revision)));
        let mut kept = Kept::new(revision, rolling.next.digest);
        kept.wave = rolling.machine.wave().map(str::to_owned);
        let why = format!("{gate}: {message}");
        kept.attempt = self.attempt(revision);
        kept.returned = Some(breach.clone());
        self.wants(revision, Wish::End(End::Returned(breach)));
        kept.traffic = self.observed(&rolling, Now::read().instant).traffic;
        let written = kept.write(&self.own);
        if let Err(failure) = written.and_then(|()| self.own.remove(NEXT)) {
            unkept(&failure);
        }
        desk.returned = Some(kept);
        self.registry.compared(self.place.name(), false);
        self.serve_again(desk);
        self.history.returned(&rolling.next.revision, &why);
        self.ended.notify_one();
    }

    /// What is on the desk, to all.
    fn serve_again(&self, desk: &Desk) {
        let Some(stage) = desk.stage() else {
            return;
        };
        let served = self.load(&stage).map_err(|failure| failure.to_string());
        let secrets = self.told_secrets(&stage);
        let served = served.and_then(|authorities| {
            let served = self.serve(&stage, (authorities, secrets));
            served.map_err(|trouble| trouble.message)
        });
        if let Err(error) = served {
            let revision = &stage.good.revision;
            tracing::error!(
                revision,
                error,
                "a commit that was served cannot be any more"
            );
        }
        self.keep_meshes(desk);
    }

    /// Waits until a rollout has ended, or is to be tried again.
    pub(crate) async fn ended(&self) {
        self.ended.notified().await;
    }
}

/// What the wave before has shown, as it is told in events.
fn traffic_words(seen: &Observation) -> String {
    let traffic = seen.traffic.as_ref();
    traffic.map_or_else(String::new, Figures::words)
}

fn on_its_way(revision: &str) -> Trouble {
    let message = "it is given to the proxies in waves; `meshd status` shows how far it is";
    Trouble::waiting(LOOK_AGAIN, "RollingOut", message).about(revision)
}

pub(super) fn unkept(failure: &crate::state::StateFailure) {
    tracing::error!(error = %failure, "a rollout cannot be kept: a restart would begin it anew");
}
