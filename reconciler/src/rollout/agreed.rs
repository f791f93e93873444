//! A rollout of several meshds: one leads, what was agreed on is done by all, and an order at one of them is one to all.
//!
//! Never begins a wave while etcd is away; what breaks a gate is taken back all the same.

use std::sync::{MutexGuard, PoisonError};

use tokio::time::Instant;

use super::course::{Course, End, Several, Wish};
use super::kept::Kept;
use super::staged::unkept;
use super::{Desk, Rollout};
use crate::waves::{Breach, Role};

impl Rollout {
    pub(super) fn several(&self) -> MutexGuard<'_, Option<Several>> {
        // It is never left half changed.
        self.several.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// There are other meshds: from now on nothing begins that they do not know of.
    pub(crate) fn among_others(&self) {
        self.several().get_or_insert_default();
    }

    /// etcd answers, or does not any more.
    pub(crate) fn connected(&self, connected: bool) {
        if let Some(several) = &mut *self.several() {
            several.connects(connected);
        }
        self.begun.notify_one();
    }

    /// What stands in etcd now; `None`: nothing.
    pub(crate) fn hears(&self, course: Option<Course>) {
        let is_news = self
            .several()
            .as_mut()
            .is_some_and(|several| several.hears(course));
        if is_news {
            // It may be about a commit that git has and that was not seen here yet.
            self.ended.notify_one();
        }
        self.begun.notify_one();
    }

    /// As it was heard last.
    pub(crate) fn course(&self) -> Option<Course> {
        self.several().as_ref()?.course.clone()
    }

    /// What should stand there instead.
    pub(crate) fn wished(&self) -> Option<Course> {
        self.several().as_mut()?.next()
    }

    /// Is a commit on its way here, so that somebody has to lead? One that another took the place of goes no further: a
    /// meshd that cannot see what came after it must not keep the lead from those who do.
    pub(crate) fn wants_lead(&self) -> bool {
        let Some(view) = self.view().filter(|view| view.returned.is_none()) else {
            return false;
        };
        let several = self.several();
        let course = several.as_ref().and_then(|it| it.of(&view.revision));
        course.is_none_or(|course| course.end != Some(End::Superseded))
    }

    pub(crate) fn leads(&self) -> bool {
        self.several().as_ref().is_some_and(|it| it.leads)
    }

    /// It has been given the lead, or has given it back.
    pub(crate) fn lead(&self, leads: bool) {
        if let Some(several) = &mut *self.several() {
            several.leads = leads;
        }
        self.begun.notify_one();
    }

    pub(super) fn role(&self) -> Role {
        let several = self.several();
        several.as_ref().map_or(Role::Alone, Several::role)
    }

    pub(super) fn attempt(&self, revision: &str) -> u32 {
        let several = self.several();
        several.as_ref().map_or(0, |it| it.attempt(revision))
    }

    pub(super) fn wants(&self, revision: &str, wish: Wish) {
        if let Some(several) = &mut *self.several() {
            several.wants(revision, wish);
        }
        self.registry.tell_others();
    }

    /// Whoever leads says that it ended.
    pub(super) fn wants_end(&self, revision: &str, end: End) {
        if self.leads() {
            self.wants(revision, Wish::End(end));
        }
    }

    /// Why the commit that git has was taken back by another meshd, unless it is to be tried again.
    pub(super) fn returned_elsewhere(&self, revision: &str) -> Option<Breach> {
        let mut several = self.several();
        let several = several.as_mut()?;
        let breach = several.returned(revision).cloned();
        several.behind = breach.is_some().then(|| revision.to_owned());
        breach
    }

    /// The commit that git has, where others took it back without this meshd.
    pub(super) fn returned_before(&self) -> Option<(String, Breach)> {
        let several = self.several();
        let several = several.as_ref()?;
        let revision = several.behind.clone()?;
        let breach = several.returned(&revision)?.clone();
        Some((revision, breach))
    }

    /// Has a commit passed every gate elsewhere, while this meshd was behind?
    pub(super) fn is_everywhere(&self, revision: &str) -> bool {
        let several = self.several();
        let course = several.as_ref().and_then(|it| it.of(revision));
        course.is_some_and(|course| course.end == Some(End::Everywhere))
    }

    /// Does what was agreed on.
    pub(super) fn follow_course(&self, desk: &mut Desk, now: Instant) {
        let (Some(course), pausing) = ({
            let several = self.several();
            let several = several.as_ref();
            let course = several.and_then(|it| it.course.clone());
            (course, several.is_some_and(Several::pausing))
        }) else {
            return;
        };
        self.try_again_too(desk, &course);
        let attempt = self.attempt(&course.revision);
        let Some(rolling) = &mut desk.rolling else {
            return;
        };
        if rolling.next.revision != course.revision || course.attempt < attempt {
            return;
        }
        match course.end {
            Some(End::Returned(breach)) => self.take_back(desk, breach),
            Some(End::Everywhere) => self.finish(desk, ""),
            // What took its place comes from git.
            Some(End::Superseded) => {}
            None => {
                if !pausing {
                    rolling.machine.paused = course.paused;
                }
                let Some(wave) = course.wave else {
                    return;
                };
                let seen = self.registry.observe(self.place.name(), now);
                if rolling.machine.agreed(&wave, now, &seen.present) {
                    self.advance(desk, "");
                }
            }
        }
    }

    /// An operator has asked another meshd to try again what was taken back.
    fn try_again_too(&self, desk: &mut Desk, course: &Course) {
        let again =
            |kept: &mut Kept| kept.revision == course.revision && kept.attempt < course.attempt;
        if desk.rolling.is_some() || desk.returned.take_if(again).is_none() {
            return;
        }
        if let Err(failure) = Kept::remove(&self.own) {
            unkept(&failure);
        }
        self.ended.notify_one();
    }
}
