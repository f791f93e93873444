//! How far a rollout is, as several meshds agree on it.
//!
//! Never a wave that another meshd could not know of: it stands in etcd before anybody is given it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::measured::Measured;
use super::ordered::Ordered;
use crate::waves::{Breach, Role};

const FORMAT: u32 = 1;

/// What stands in etcd: one rollout, the last one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Course {
    format: u32,
    pub(super) revision: String,
    /// Grows when an operator wants the same commit to be tried again.
    pub(super) attempt: u32,
    /// The wave that may have it.
    pub(super) wave: Option<String>,
    pub(super) paused: bool,
    pub(super) end: Option<End>,
}

/// How a rollout ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) enum End {
    Everywhere,
    Returned(Breach),
    /// Another commit took its place.
    Superseded,
}

/// What this meshd wants it to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wish {
    /// The next wave, or, without one, that everybody has it. Only whoever leads may say so.
    Step(Option<String>),
    Paused(bool),
    End(End),
    /// From the beginning.
    Again,
}

/// A rollout among several meshds.
#[derive(Debug, Default)]
pub(super) struct Several {
    /// etcd answers.
    connected: bool,
    /// It has given this meshd the lead.
    pub(super) leads: bool,
    /// As it was heard last.
    pub(super) course: Option<Course>,
    wish: Option<((String, u32), Wish)>,
    /// Whether git is followed, as was said here and the others do not know yet.
    pub(super) order: Option<Ordered>,
    /// What git has, and was taken back while this one was not there.
    pub(super) behind: Option<String>,
    /// What the proxies of this one show of the commit that is on its way.
    pub(super) own: Option<Measured>,
    /// The same of the others, by name.
    pub(super) measured: BTreeMap<String, Measured>,
}

impl Course {
    /// `None`: of another version.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let course: Self = serde_json::from_slice(bytes).ok()?;
        (course.format == FORMAT).then_some(course)
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        // Texts and flags: this cannot fail.
        serde_json::to_vec(self).unwrap_or_default()
    }

    fn begin((revision, attempt): (String, u32)) -> Self {
        Self {
            format: FORMAT,
            revision,
            attempt,
            wave: None,
            paused: false,
            end: None,
        }
    }
}

impl Several {
    pub(super) fn role(&self) -> Role {
        match self.connected && self.leads {
            true => Role::Leads,
            false => Role::Follows,
        }
    }

    /// The course of this commit, if it is the one that was heard of.
    pub(super) fn of(&self, revision: &str) -> Option<&Course> {
        let course = self.course.as_ref();
        course.filter(|course| course.revision == revision)
    }

    /// Why a commit was taken back, unless it is to be tried again.
    pub(super) fn returned(&self, revision: &str) -> Option<&Breach> {
        let course = self.of(revision)?;
        let is_last = course.attempt >= self.attempt(revision);
        match &course.end {
            Some(End::Returned(breach)) if is_last => Some(breach),
            _ => None,
        }
    }

    /// Which attempt at a commit is the newest that anybody wants.
    pub(super) fn attempt(&self, revision: &str) -> u32 {
        let heard = self.of(revision).map_or(0, |course| course.attempt);
        let wished = self.wish.as_ref().filter(|((it, _), _)| it == revision);
        wished.map_or(heard, |((_, attempt), _)| heard.max(*attempt))
    }

    /// Wants something, unless that stands there already. An order of a person is not forgotten for a step.
    pub(super) fn wants(&mut self, revision: &str, wish: Wish) {
        let mut attempt = self.attempt(revision);
        if matches!(wish, Wish::Step(_)) && self.wish.is_some() {
            return;
        }
        if wish == Wish::Again {
            attempt += 1;
        }
        self.wish = Some(((revision.to_owned(), attempt), wish));
    }

    /// A pause that an operator has asked for here, and the others do not know of.
    pub(super) fn pausing(&self) -> bool {
        matches!(self.wish, Some((_, Wish::Paused(_))))
    }

    /// What is to be written; a wish that has come true, or cannot any more, is gone.
    pub(super) fn next(&mut self) -> Option<Course> {
        let next = self.wished();
        if next.is_none() {
            self.wish = None;
        }
        next
    }

    fn wished(&self) -> Option<Course> {
        let (key, wish) = self.wish.as_ref()?;
        let heard = self.course.as_ref();
        let known = heard.filter(|it| (&it.revision, it.attempt) == (&key.0, key.1));
        // An older attempt at the same commit.
        if heard.is_some_and(|it| it.revision == key.0 && it.attempt > key.1) {
            return None;
        }
        let mut course = known.cloned().unwrap_or_else(|| Course::begin(key.clone()));
        match wish {
            Wish::Step(wave) if self.leads && course.end.is_none() => match wave {
                Some(wave) => course.wave = Some(wave.clone()),
                None => course.end = Some(End::Everywhere),
            },
            Wish::Paused(paused) if course.end.is_none() => course.paused = *paused,
            // What one has taken back is taken back by all, unless they all have it for good.
            Wish::End(end) if course.end.is_none() => course.end = Some(end.clone()),
            Wish::Again => {}
            _ => return None,
        }
        (known != Some(&course)).then_some(course)
    }

    /// Something else stands there now, or the same again.
    /// Tells whether it is about something else than before.
    pub(super) fn hears(&mut self, course: Option<Course>) -> bool {
        let about = |course: &Option<Course>| {
            let course = course.as_ref()?;
            Some((
                course.revision.clone(),
                course.attempt,
                course.end.is_some(),
            ))
        };
        let is_news = about(&course) != about(&self.course);
        self.course = course;
        // What is to come next follows from what was.
        if matches!(self.wish, Some((_, Wish::Step(_)))) {
            self.wish = None;
        }
        self.next();
        is_news
    }

    pub(super) fn connects(&mut self, connected: bool) {
        self.connected = connected;
        self.leads = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn returned() -> End {
        End::Returned(Breach {
            gate: "Rejected".to_owned(),
            message: "no".to_owned(),
        })
    }

    fn step(wave: &str) -> Wish {
        Wish::Step(Some(wave.to_owned()))
    }

    /// Both write; the one that is later reads what the first has written.
    fn agree(meshds: &mut [Several]) {
        for index in 0..meshds.len() {
            if let Some(course) = meshds[index].next() {
                assert_eq!(Course::read(&course.write()).as_ref(), Some(&course));
                for meshd in &mut *meshds {
                    meshd.hears(Some(course.clone()));
                }
            }
        }
    }

    fn two() -> [Several; 2] {
        let mut meshds = [Several::default(), Several::default()];
        for meshd in &mut meshds {
            meshd.connects(true);
        }
        meshds[0].leads = true;
        meshds
    }

    #[test]
    fn whoever_leads_steps_and_anybody_pauses_or_takes_back() {
        let mut meshds = two();
        assert_eq!(
            (meshds[0].role(), meshds[1].role()),
            (Role::Leads, Role::Follows)
        );
        meshds[1].wants("c2", step("fleet"));
        agree(&mut meshds);
        assert_eq!(meshds[0].course, None);
        meshds[0].wants("c2", step("canary"));
        meshds[1].wants("c2", Wish::Paused(true));
        agree(&mut meshds);
        let course = meshds[0].of("c2").unwrap();
        assert_eq!(
            (course.wave.as_deref(), course.paused),
            (Some("canary"), true)
        );
        // At the same moment one takes it back and the other goes on.
        meshds[0].wants("c2", step("fleet"));
        meshds[1].wants("c2", Wish::End(returned()));
        agree(&mut meshds);
        assert_eq!(meshds[0].of("c2").unwrap().end, Some(returned()));
        meshds[0].wants("c2", Wish::Step(None));
        agree(&mut meshds);
        assert_eq!(meshds[1].of("c2").unwrap().end, Some(returned()));
    }

    #[test]
    fn another_attempt_begins_anew_and_what_everybody_has_stays() {
        let mut meshds = two();
        meshds[1].wants("c2", Wish::End(returned()));
        agree(&mut meshds);
        meshds[1].wants("c2", Wish::Again);
        assert_eq!(meshds[1].attempt("c2"), 1);
        agree(&mut meshds);
        let course = meshds[0].of("c2").unwrap();
        assert_eq!((course.attempt, course.end.as_ref()), (1, None));
        meshds[0].wants("c2", Wish::Step(None));
        agree(&mut meshds);
        meshds[1].wants("c2", Wish::End(returned()));
        agree(&mut meshds);
        assert_eq!(meshds[1].of("c2").unwrap().end, Some(End::Everywhere));
        // The next commit.
        meshds[0].wants("c3", step("canary"));
        agree(&mut meshds);
        assert_eq!(meshds[1].of("c2"), None);
        assert_eq!(meshds[1].attempt("c3"), 0);
    }

    #[test]
    fn without_etcd_nobody_leads_and_orders_wait() {
        let mut meshd = Several::default();
        meshd.connects(true);
        meshd.leads = true;
        meshd.connects(false);
        assert_eq!(meshd.role(), Role::Follows);
        meshd.wants("c2", Wish::Paused(true));
        meshd.wants("c2", step("canary"));
        assert!(meshd.pausing());
        meshd.connects(true);
        meshd.hears(None);
        assert!(meshd.next().unwrap().paused);
        assert_eq!(Course::read(b"{\"format\":2}"), None);
    }
}
