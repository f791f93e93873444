//! One proxy as meshd sees it: connected or not, ready or not, and what it holds.
//!
//! Never reads a clock, and never lets a short absence look like a failure: a proxy that was ready stays so for a grace time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mesh_bundle::{Digest, Kri};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::shared::Told;

/// How long the endpoints of a proxy stay when its stream breaks without a farewell. Longer than a proxy waits before it
/// connects again.
pub(super) const ABSENCE: Duration = Duration::from_secs(30);
/// The same, for the proxies that were ready when meshd itself ended.
pub(super) const RESTART: Duration = Duration::from_secs(60);

/// A configuration that a proxy did not take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rejection {
    pub(crate) root: Digest,
    pub(crate) reason: String,
}

/// How a proxy says that it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) ready: bool,
    pub(crate) draining: bool,
    /// Section names of inbounds whose workload does not answer.
    pub(crate) unhealthy: BTreeSet<String>,
}

/// What is known of one proxy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Live {
    /// The newest session, while it lasts.
    session: Option<u64>,
    ready: bool,
    draining: bool,
    /// See [`Said::unhealthy`]; as it was said last, whatever became of the session.
    pub(super) unhealthy: BTreeSet<String>,
    /// Until when it counts as ready without saying so.
    grace: Option<Instant>,
    /// What it said that it holds.
    pub(super) held: Option<Digest>,
    pub(super) rejected: Option<Rejection>,
    /// When the newest certificate of each issuer ends, in seconds since 1970.
    pub(super) certificates: BTreeMap<Kri, u64>,
    /// The other meshd that it is connected to, and what that says. Counts while there is no session here.
    elsewhere: Option<(String, Told)>,
}

impl Live {
    /// As it was left when meshd ended.
    pub(super) fn restored(ready: bool, certificates: BTreeMap<Kri, u64>, now: Instant) -> Self {
        Self {
            grace: ready.then_some(now + RESTART),
            certificates,
            ..Self::default()
        }
    }

    /// The inbounds whose workload did not answer when meshd ended: its proxy alone can say that they do.
    pub(super) fn restore_unhealthy(&mut self, unhealthy: BTreeSet<String>) {
        self.unhealthy = unhealthy;
    }

    pub(super) fn connect(&mut self, session: u64, held: Option<Digest>, now: Instant) {
        if self.session.is_some_and(|newer| newer > session) {
            return;
        }
        let until = now + ABSENCE;
        let grace = match self.is_ready(now) {
            true => Some(self.grace.map_or(until, |grace| grace.min(until))),
            false => None,
        };
        *self = Self {
            session: Some(session),
            grace,
            held,
            unhealthy: std::mem::take(&mut self.unhealthy),
            certificates: std::mem::take(&mut self.certificates),
            elsewhere: self.elsewhere.take(),
            ..Self::default()
        };
    }

    pub(super) fn status(&mut self, session: u64, said: Said) {
        if self.session == Some(session) {
            self.ready = said.ready && !said.draining;
            self.draining = said.draining;
            self.unhealthy = said.unhealthy;
            self.grace = None;
        }
    }

    pub(super) fn acknowledge(&mut self, session: u64, root: Digest) {
        if self.session == Some(session) {
            self.held = Some(root);
            self.rejected = None;
        }
    }

    /// Does this session hold this configuration?
    pub(super) fn holds(&self, session: u64, root: Digest) -> bool {
        self.session == Some(session) && self.held == Some(root)
    }

    pub(super) fn reject(&mut self, session: u64, rejection: Rejection) {
        if self.session == Some(session) {
            self.rejected = Some(rejection);
        }
    }

    pub(super) fn session(&self) -> Option<u64> {
        self.session
    }

    pub(super) fn disconnect(&mut self, session: u64, now: Instant) {
        if self.session != Some(session) {
            return;
        }
        self.session = None;
        if self.ready {
            self.grace = Some(now + ABSENCE);
        }
        self.ready = false;
        // It has moved, and was heard of there before it was missed here.
        self.adopt();
    }

    /// What the others are told: nothing, unless it is connected here.
    pub(super) fn told(&self) -> Option<Told> {
        self.session.map(|_| Told {
            ready: self.ready,
            draining: self.draining,
            unhealthy: self.unhealthy.clone(),
            held: self.held,
            rejected: self.rejected.clone(),
            certificates: self.certificates.clone(),
        })
    }

    /// Another meshd says how it is there, or that it is there no more.
    pub(super) fn hear(&mut self, meshd: &str, told: Option<Told>, now: Instant) {
        if let Some(told) = told {
            for (issuer, until) in &told.certificates {
                let known = self.certificates.entry(issuer.clone()).or_default();
                *known = (*until).max(*known);
            }
            self.elsewhere = Some((meshd.to_owned(), told));
            if self.session.is_none() {
                self.adopt();
            }
            return;
        }
        if self
            .elsewhere
            .as_ref()
            .is_none_or(|(other, _)| other != meshd)
        {
            return;
        }
        self.elsewhere = None;
        if self.session.is_none() {
            if self.ready {
                self.grace = Some(now + ABSENCE);
            }
            self.ready = false;
        }
    }

    /// Which other meshd it is connected to.
    pub(super) fn elsewhere(&self) -> Option<&str> {
        self.elsewhere.as_ref().map(|(meshd, _)| meshd.as_str())
    }

    fn adopt(&mut self) {
        let Some((_, told)) = &self.elsewhere else {
            return;
        };
        self.draining = told.draining;
        self.ready = told.ready && !told.draining;
        self.unhealthy.clone_from(&told.unhealthy);
        self.held = told.held;
        self.rejected.clone_from(&told.rejected);
        if told.ready || told.draining {
            self.grace = None;
        }
    }

    /// It is sent away: no grace.
    pub(super) fn leave(&mut self) {
        self.session = None;
        self.ready = false;
        self.grace = None;
    }

    /// Here or to another meshd.
    pub(super) fn is_connected(&self) -> bool {
        self.session.is_some() || self.elsewhere.is_some()
    }

    /// Has it taken or refused this configuration?
    pub(super) fn has_answered(&self, root: Digest) -> bool {
        let rejected = self.rejected.as_ref();
        self.held == Some(root) || rejected.is_some_and(|rejection| rejection.root == root)
    }

    /// May traffic be sent to it?
    pub(super) fn is_ready(&self, now: Instant) -> bool {
        !self.draining && (self.ready || self.grace.is_some_and(|grace| now < grace))
    }

    /// Does the workload behind this inbound answer, as far as its proxy knows?
    pub(super) fn is_answering(&self, section: &str) -> bool {
        !self.unhealthy.contains(section)
    }

    /// Connected, or away for a moment only.
    pub(super) fn is_present(&self, now: Instant) -> bool {
        self.is_connected() || self.is_ready(now)
    }

    /// Has it been given a certificate by this issuer that still holds?
    pub(super) fn is_certified(&self, issuer: &Kri, unix: u64) -> bool {
        self.certificates.get(issuer).is_some_and(|end| *end > unix)
    }

    /// When it may have to be looked at again.
    pub(super) fn deadline(&self, now: Instant) -> Option<Instant> {
        self.grace.filter(|grace| !self.ready && *grace > now)
    }

    /// Its grace time is over: it has become silent.
    pub(super) fn expire(&mut self, now: Instant) -> bool {
        let over = self.grace.take_if(|grace| *grace <= now);
        over.is_some() && !self.ready
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn said(ready: bool, draining: bool) -> Said {
        Said {
            ready,
            draining,
            ..Said::default()
        }
    }

    #[test]
    fn whose_workload_does_not_answer_stays_known_over_sessions() {
        let now = Instant::now();
        let mut live = Live::default();
        live.connect(1, None, now);
        let mut sick = said(true, false);
        sick.unhealthy.insert("http".to_owned());
        live.status(1, sick);
        live.disconnect(1, now);
        assert!(live.is_ready(now) && !live.is_answering("http") && live.is_answering("admin"));
        live.connect(2, None, now);
        assert!(!live.is_answering("http"));
        live.status(2, said(true, false));
        assert!(live.is_answering("http"));
    }

    #[test]
    fn readiness_over_time() {
        let start = Instant::now();
        let mut live = Live::default();
        live.connect(1, None, start);
        assert!(!live.is_ready(start) && live.is_present(start));
        live.status(1, said(true, false));
        assert!(live.is_ready(start + 900 * SECOND));
        // The stream breaks: the endpoints stay for a while.
        let broken = start + 1_000 * SECOND;
        live.disconnect(1, broken);
        assert!(live.is_ready(broken + 29 * SECOND));
        assert!(!live.is_ready(broken + ABSENCE));
        assert_eq!(live.deadline(broken), Some(broken + ABSENCE));
        // It comes back, and has the rest of the grace time to say that it is ready.
        live.connect(2, None, broken + 10 * SECOND);
        assert!(live.is_ready(broken + 29 * SECOND));
        assert!(!live.is_ready(broken + ABSENCE));
        live.status(2, said(true, false));
        assert!(live.is_ready(broken + 900 * SECOND));
        // The end of the old session says nothing about the new one.
        live.disconnect(1, broken);
        live.status(1, said(false, true));
        assert!(live.is_ready(broken) && live.is_connected());
    }

    #[test]
    fn who_drains_is_gone_at_once_and_stays_gone() {
        let now = Instant::now();
        let mut live = Live::default();
        live.connect(1, None, now);
        live.status(1, said(true, false));
        live.status(1, said(true, true));
        assert!(!live.is_ready(now));
        live.disconnect(1, now);
        assert!(!live.is_ready(now) && !live.is_present(now));
        live.connect(2, None, now);
        assert!(!live.is_ready(now));
        live.status(2, said(true, false));
        assert!(live.is_ready(now));
    }

    #[test]
    fn a_restart_of_meshd_is_an_absence_of_all() {
        let now = Instant::now();
        let mut live = Live::restored(true, BTreeMap::new(), now);
        assert!(live.is_ready(now + 59 * SECOND));
        assert!(!live.expire(now + 59 * SECOND));
        assert!(live.expire(now + RESTART));
        assert!(!live.is_ready(now + SECOND));
        let silent = Live::restored(false, BTreeMap::new(), now);
        assert!(!silent.is_ready(now));
    }

    #[test]
    fn what_it_holds_is_what_it_said_last() {
        let now = Instant::now();
        let (one, two) = (Digest::of(b"1"), Digest::of(b"2"));
        let mut live = Live::default();
        live.connect(1, Some(one), now);
        let rejection = Rejection {
            root: two,
            reason: "no".to_owned(),
        };
        live.reject(1, rejection.clone());
        assert_eq!(
            (live.held, live.rejected.clone()),
            (Some(one), Some(rejection))
        );
        live.acknowledge(0, two);
        assert_eq!(live.held, Some(one));
        live.acknowledge(1, two);
        assert_eq!((live.held, live.rejected), (Some(two), None));
    }

    #[test]
    fn a_proxy_that_moves_to_another_meshd_is_never_away() {
        let now = Instant::now();
        let told = Told {
            ready: true,
            held: Some(Digest::of(b"1")),
            ..Told::default()
        };
        let mut live = Live::default();
        live.connect(1, None, now);
        live.status(1, said(true, false));
        // Heard of there before it is missed here, and the other way around.
        live.hear("b", Some(told.clone()), now);
        live.disconnect(1, now);
        assert!(live.is_ready(now + 900 * SECOND) && live.is_connected());
        assert_eq!((live.held, live.told()), (told.held, None));
        live.connect(2, live.held, now);
        live.status(2, said(true, false));
        live.hear("b", None, now);
        assert!(live.is_ready(now + 900 * SECOND));
        live.disconnect(2, now);
        assert!(live.is_ready(now + 29 * SECOND) && !live.is_connected());
        live.hear("b", Some(told), now);
        assert!(live.is_ready(now + 900 * SECOND));
        // That one is gone: the endpoints stay for the time that a proxy needs to find another one.
        live.hear("c", None, now);
        assert!(live.is_connected());
        live.hear("b", None, now);
        assert!(live.is_ready(now + 29 * SECOND) && !live.is_ready(now + ABSENCE));
    }

    #[test]
    fn what_is_said_elsewhere_counts_while_it_is_not_here() {
        let now = Instant::now();
        let mut live = Live::default();
        let draining = Told {
            ready: true,
            draining: true,
            unhealthy: BTreeSet::from(["http".to_owned()]),
            ..Told::default()
        };
        live.hear("b", Some(draining.clone()), now);
        assert!(!live.is_ready(now) && !live.is_answering("http"));
        live.connect(1, None, now);
        live.status(1, said(true, false));
        live.hear("b", Some(draining), now);
        assert!(live.is_ready(now) && live.is_answering("http"));
    }
}
