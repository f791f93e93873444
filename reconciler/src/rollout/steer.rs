//! What an operator tells a rollout: wait, go on, come back.
//!
//! Never another commit than the one that is on its way.

use super::Rollout;
use super::View;
use super::course::Wish;
use super::kept::Kept;
use super::staged::unkept;
use crate::event::{self, News};
use crate::waves::Breach;

impl Rollout {
    /// Stays at the wave that it has reached; what breaks a gate is taken back all the same.
    ///
    /// # Errors
    /// In words: there is none.
    pub(crate) async fn pause(&self) -> Result<View, String> {
        self.paused(true).await
    }

    /// Goes on, or tries again what was taken back.
    ///
    /// # Errors
    /// In words: there is none.
    pub(crate) async fn resume_rollout(&self) -> Result<View, String> {
        let mut desk = self.desk().await;
        let returned = match desk.rolling {
            None => desk.returned.take(),
            Some(_) => None,
        };
        let returned = match (returned, &desk.rolling) {
            (Some(kept), _) => {
                if let Err(failure) = Kept::remove(&self.own) {
                    unkept(&failure);
                }
                kept.returned.map(|breach| (kept.revision, breach))
            }
            // Others took it back, and this meshd was not there, or behind.
            (None, None) => self.returned_before(),
            (None, Some(_)) => None,
        };
        let Some((revision, breach)) = returned else {
            drop(desk);
            return self.paused(false).await;
        };
        let again = "what was taken back is tried again: an operator said so";
        let again = News::info("Rollout", self.place.name(), "RolloutRetried", again);
        event::record(&self.events, &again.of(Some(&revision)));
        self.wants(&revision, Wish::Again);
        let before = self.view();
        self.show(&desk);
        self.ended.notify_one();
        Ok(before.unwrap_or_else(|| View::returned(revision, self.role(), breach)))
    }

    async fn paused(&self, paused: bool) -> Result<View, String> {
        let mut desk = self.desk().await;
        let rolling = desk.rolling.as_mut().ok_or_else(nothing)?;
        rolling.machine.paused = paused;
        let (reason, told) = match paused {
            true => ("RolloutPaused", "it stays at the wave that it has reached"),
            false => ("RolloutResumed", "it goes on"),
        };
        let told = News::info("Rollout", self.place.name(), reason, told);
        event::record(&self.events, &told.of(Some(&rolling.next.revision)));
        self.wants(&rolling.next.revision, Wish::Paused(paused));
        if let Some(rolling) = &desk.rolling {
            self.keep_rollout(rolling);
        }
        self.show(&desk);
        self.view().ok_or_else(nothing)
    }

    /// Takes it back from everybody.
    ///
    /// # Errors
    /// In words: there is none.
    pub(crate) async fn abort(&self) -> Result<View, String> {
        let mut desk = self.desk().await;
        if desk.rolling.is_none() {
            return Err(nothing());
        }
        let breach = Breach {
            gate: "Aborted".to_owned(),
            message: "an operator said so".to_owned(),
        };
        self.take_back(&mut desk, breach);
        self.show(&desk);
        self.view().ok_or_else(nothing)
    }
}

fn nothing() -> String {
    "no rollout is under way".to_owned()
}
