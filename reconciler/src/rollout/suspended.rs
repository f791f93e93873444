//! Following git is suspended, everybody is held at an earlier bundle, git is followed again.
//!
//! Never serves an earlier bundle before it is on the disk that git is not followed: after a kill nobody is given again what
//! an operator went back from.

use std::sync::PoisonError;

use super::{Desk, Good, Rollout};
use crate::candidate::Candidate;
use crate::event::{self, News};
use crate::git::Source;
use crate::history::{About, Entry, State, differs, gone};
use crate::reconcile::Trouble;
use crate::registry::Now;
use crate::suspension::{Order, Pin, Suspension, Withheld};
use crate::waves::Breach;

impl Rollout {
    /// What is in force; `None`: git is followed.
    pub(crate) fn suspension(&self) -> Option<Suspension> {
        let place = self
            .suspension
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        place.clone()
    }

    /// What the reconciler is to know instead of looking at git.
    pub(crate) fn suspended(&self) -> Option<Trouble> {
        self.suspension().map(|suspension| suspension.trouble())
    }

    pub(super) fn suspends(&self, suspension: Option<Suspension>) {
        *self
            .suspension
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = suspension;
    }

    /// Follows git no more; a rollout stays at its wave.
    ///
    /// # Errors
    /// In words: it cannot be kept, so that a restart would follow git.
    pub(crate) async fn suspend(&self, order: Order) -> Result<Suspension, String> {
        let _desk = self.desk().await;
        let earlier = self.suspension();
        // Who is held at a bundle stays there.
        let pin = earlier.and_then(|earlier| earlier.pin);
        let suspension = Suspension::new(order, pin, Now::read().unix);
        suspension
            .write(&self.own)
            .map_err(|failure| failure.to_string())?;
        self.suspends(Some(suspension.clone()));
        self.orders(Some(&suspension));
        self.tell_suspended(&suspension);
        self.ended.notify_one();
        Ok(suspension)
    }

    /// Follows git again.
    ///
    /// # Errors
    /// In words: it is followed, or that cannot be kept.
    pub(crate) async fn follow(&self, by: &str) -> Result<Suspension, String> {
        let _desk = self.desk().await;
        let Some(suspension) = self.suspension() else {
            return Err("git is followed: nothing is suspended".to_owned());
        };
        Suspension::remove(&self.own).map_err(|failure| failure.to_string())?;
        self.suspends(None);
        self.orders(None);
        let told = format!("git is followed again: {by}");
        event::record(
            &self.events,
            &News::info("Source", self.place.name(), "Resumed", &told),
        );
        self.ended.notify_one();
        Ok(suspension)
    }

    /// Gives everybody an earlier bundle, and follows git no more.
    ///
    /// # Errors
    /// In words: it is no bundle to go back to, git does not have it any more, it compiles to something else (unless that
    /// is `accepted`), or it cannot be served.
    pub(crate) async fn rollback(
        &self,
        (entry, accepted): (Entry, bool),
        order: Order,
    ) -> Result<Suspension, String> {
        let revision = entry.revision.clone();
        if !entry.arrived || entry.state == State::Returned {
            return Err(format!(
                "`{revision}` was never given to everybody: go back to one that was"
            ));
        }
        let mut desk = self.desk().await;
        let candidate = self.earlier(&desk, &revision).await?;
        let different = differs(&entry, candidate.digest);
        if let Some(different) = different.filter(|_| !accepted) {
            return Err(format!(
                "{different}; if that is what you want, say `--recompiled`"
            ));
        }
        let withheld = match &desk.good {
            None => Withheld::default(),
            Some(good) => {
                let stage = desk.stage();
                let revoked = stage.map_or_else(Default::default, |stage| stage.revoked_tokens());
                Withheld::between(&good.bundle, &candidate.bundle, &revoked)
            }
        };
        let pin = Pin {
            revision,
            digest: candidate.digest,
            withheld,
        };
        let suspension = Suspension::new(order, Some(pin), Now::read().unix);
        let earlier = self.suspension();
        suspension
            .write(&self.own)
            .map_err(|failure| failure.to_string())?;
        self.suspends(Some(suspension.clone()));
        self.end_rolling(&mut desk, &suspension);
        if let Err(trouble) = self.pinned(&mut desk, candidate, entry.again()) {
            self.undo(earlier);
            return Err(trouble.message);
        }
        self.orders(Some(&suspension));
        self.tell_suspended(&suspension);
        self.ended.notify_one();
        Ok(suspension)
    }

    /// The bundle that everybody is to be held at, where a kill came before it was served.
    pub(crate) async fn pin_again(&self) -> Result<(), Trouble> {
        let mut desk = self.desk().await;
        // Read at the desk: another rollback may have been waited for.
        let Some(pin) = self.suspension().and_then(|suspension| suspension.pin) else {
            return Ok(());
        };
        if desk
            .good
            .as_ref()
            .is_some_and(|good| good.revision == pin.revision)
        {
            return Ok(());
        }
        let failed = |why: String| Trouble::stalled("RollbackFailed", why).about(&pin.revision);
        let candidate = self.earlier(&desk, &pin.revision).await;
        let candidate = candidate.map_err(failed)?;
        let entry = self.history.find(&pin.revision);
        let about = entry.map_or_else(|_| About::rollback(), |entry| entry.again());
        self.pinned(&mut desk, candidate, about)
    }

    /// A commit from what meshd has of the repository, compiled again.
    async fn earlier(&self, desk: &Desk, revision: &str) -> Result<Candidate, String> {
        let (config, commit) = (self.archive.config().clone(), revision.to_owned());
        let world = move || {
            let world = Source::kept(config).and_then(|source| source.world_of(&commit));
            world.map_err(|failure| {
                Trouble::stalled("GitNotReadable", gone(&commit, &failure.to_string()))
            })
        };
        // An operator has asked for it, and it was judged when it was new: no gate is asked.
        let before = desk.good.as_ref().map(|good| good.files.clone());
        let before = (before.unwrap_or_default(), None);
        let documents = vec![self.documents()];
        let compiled = self.compiled(world, revision.to_owned(), documents, before);
        compiled.await.map_err(|trouble| match trouble.diagnostics {
            Some(text) => format!("`{revision}` does not compile any more:\n{text}"),
            None => trouble.message,
        })
    }

    fn pinned(&self, desk: &mut Desk, candidate: Candidate, about: About) -> Result<(), Trouble> {
        let next = self.good(candidate)?;
        let (revision, digest) = (next.revision.clone(), next.digest);
        // What was taken back stays so when git is followed again.
        let returned = desk.returned.clone();
        let published = self.publish_whole(desk, next, Vec::new());
        self.keep_meshes(desk);
        published?;
        if let Some(kept) = returned {
            if let Err(failure) = kept.write(&self.own) {
                super::staged::unkept(&failure);
            }
            desk.returned = Some(kept);
            self.show(desk);
        }
        self.history.live((&revision, digest), about);
        Ok(())
    }

    /// What is on its way would come back with the next start.
    pub(super) fn end_rolling(&self, desk: &mut Desk, suspension: &Suspension) {
        if desk.rolling.is_some() {
            let breach = Breach {
                gate: "RolledBack".to_owned(),
                message: suspension.order.reason.clone(),
            };
            self.take_back(desk, breach);
        }
    }

    fn undo(&self, earlier: Option<Suspension>) {
        let undone = match &earlier {
            Some(earlier) => earlier.write(&self.own),
            None => Suspension::remove(&self.own),
        };
        if let Err(error) = undone {
            tracing::error!(%error, "a rollback that failed stays on the disk");
        }
        self.suspends(earlier);
    }

    /// What lies on the desk of a commit: without what a rollback must not bring back.
    pub(super) fn good(&self, candidate: Candidate) -> Result<Good, Trouble> {
        let mut good = Good::new(candidate);
        let pin = self.suspension().and_then(|suspension| suspension.pin);
        if let Some(pin) = pin.filter(|pin| pin.revision == good.revision) {
            good.withhold(&pin.withheld).map_err(|error| {
                Trouble::stalled("Undeliverable", error.to_string()).about(&pin.revision)
            })?;
        }
        Ok(good)
    }

    pub(super) fn tell_suspended(&self, suspension: &Suspension) {
        let Trouble {
            reason, message, ..
        } = suspension.trouble();
        let revision = suspension.pin.as_ref().map(|pin| pin.revision.as_str());
        let news = News::error("Source", self.place.name(), reason, &message);
        event::record(&self.events, &news.of(revision));
        let withheld = suspension.pin.iter().flat_map(|pin| pin.withheld.told());
        for what in withheld {
            let told = format!("{what}, and stays away: only a commit brings it back");
            let news = News::error("Source", self.place.name(), "NotBroughtBack", &told);
            event::record(&self.events, &news.of(revision));
        }
    }
}
