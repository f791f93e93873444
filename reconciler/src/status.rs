//! What meshd says about itself: which commit it serves, which it has seen, and what is in the way.
//!
//! Never written by a step of a pass: the loop records the outcome of each pass here, and nobody else does.

use std::sync::{Mutex, MutexGuard, PoisonError};

use mesh_bundle::Digest;
use serde::Serialize;
use tokio::sync::watch;

use crate::reconcile::{Kind, Outcome, Trouble};

/// One condition, with the names that operators know from other controllers of git.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Condition {
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    pub(crate) status: &'static str,
    pub(crate) reason: &'static str,
    pub(crate) message: String,
}

impl Condition {
    fn new(kind: &'static str, holds: bool, reason: &'static str, message: &str) -> Self {
        Self {
            kind,
            status: if holds { "True" } else { "False" },
            reason,
            message: message.to_owned(),
        }
    }
}

/// The part of the status that comes from reconciling.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// What is served.
    pub(crate) revision: Option<String>,
    pub(crate) digest: Option<Digest>,
    /// The newest commit that was looked at.
    pub(crate) seen: Option<String>,
    pub(crate) conditions: Vec<Condition>,
    /// Of the newest commit, as `meshc check` prints them.
    pub(crate) diagnostics: Option<String>,
}

/// The report, and who waits for it to change.
#[derive(Debug)]
pub(crate) struct Status {
    report: Mutex<Report>,
    /// Why git is not followed, while it is not.
    suspended: Mutex<Option<Trouble>>,
    /// Why not everything is shared with other meshds, while it is not.
    unshared: Mutex<Option<String>>,
    changed: watch::Sender<u64>,
}

impl Status {
    pub(crate) fn new() -> Self {
        let starting = Condition::new("Ready", false, "Starting", "nothing is published yet");
        let report = Report {
            conditions: vec![starting],
            ..Report::default()
        };
        Self {
            report: Mutex::new(report),
            suspended: Mutex::default(),
            unshared: Mutex::default(),
            changed: watch::Sender::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn report(&self) -> Report {
        let mut report = self.lock().clone();
        let suspended = self
            .suspended
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(trouble) = suspended.as_ref() {
            report
                .conditions
                .retain(|condition| condition.kind == "Degraded");
            report.conditions.splice(0..0, conditions(trouble));
        }
        drop(suspended);
        let unshared = self.unshared.lock().unwrap_or_else(PoisonError::into_inner);
        let degraded = unshared
            .as_deref()
            .map(|why| Condition::new("Degraded", true, "NotShared", why));
        report.conditions.extend(degraded);
        report
    }

    /// Records whether git is followed; what was seen of it before says nothing about what comes when it is followed again.
    pub(crate) fn suspend(&self, trouble: Option<Trouble>) {
        let mut suspended = self
            .suspended
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if *suspended == trouble {
            return;
        }
        if trouble.is_none() {
            let mut report = self.lock();
            report.seen = None;
            report.diagnostics = None;
            let message = "git is looked at again";
            report.conditions = vec![Condition::new("Ready", false, "Resuming", message)];
        }
        *suspended = trouble;
        drop(suspended);
        self.changed.send_modify(|count| *count += 1);
    }

    /// Records whether everything is shared with other meshds. Returns whether that is new.
    pub(crate) fn shared(&self, trouble: Option<String>) -> bool {
        let mut unshared = self.unshared.lock().unwrap_or_else(PoisonError::into_inner);
        let news = unshared.is_some() != trouble.is_some();
        *unshared = trouble;
        drop(unshared);
        if news {
            self.changed.send_modify(|count| *count += 1);
        }
        news
    }

    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// The last good commit was restored; git has not been asked yet.
    pub(crate) fn restored(&self, revision: &str, digest: Digest) {
        let message = format!("serving {revision} from the state directory");
        let mut report = self.lock();
        report.revision = Some(revision.to_owned());
        report.digest = Some(digest);
        report.conditions = vec![Condition::new("Ready", true, "Restored", &message)];
        drop(report);
        self.changed.send_modify(|count| *count += 1);
    }

    /// What everybody was given last.
    pub(crate) fn serves(&self, revision: &str, digest: Digest) {
        let mut report = self.lock();
        if report.digest == Some(digest) && report.revision.as_deref() == Some(revision) {
            return;
        }
        report.revision = Some(revision.to_owned());
        report.digest = Some(digest);
        drop(report);
        self.changed.send_modify(|count| *count += 1);
    }

    /// Records the outcome of a pass. Returns whether it says something new; that is told before anybody can see it.
    pub(crate) fn record(&self, outcome: &Result<Outcome, Trouble>, tell: impl FnOnce()) -> bool {
        let mut report = self.lock();
        let before = report.clone();
        match outcome {
            Ok(outcome) => {
                report.revision = Some(outcome.revision.clone());
                report.digest = Some(outcome.digest);
                report.seen = Some(outcome.revision.clone());
                report.diagnostics.clone_from(&outcome.warnings);
                let message = format!("serving {}", outcome.revision);
                report.conditions = vec![Condition::new("Ready", true, "Published", &message)];
                if let Some(who) = &outcome.verified {
                    let verified = Condition::new("SourceVerified", true, "Succeeded", who);
                    report.conditions.push(verified);
                }
                for (reason, message) in &outcome.degraded {
                    let degraded = Condition::new("Degraded", true, reason, message);
                    report.conditions.push(degraded);
                }
            }
            // It is told beside the report, from the moment it is said.
            Err(trouble) if trouble.kind == Kind::Suspended => {}
            Err(trouble) => {
                if trouble.revision.is_some() {
                    report.seen.clone_from(&trouble.revision);
                    report.diagnostics.clone_from(&trouble.diagnostics);
                }
                report.conditions = conditions(trouble);
            }
        }
        let changed = *report != before;
        if changed {
            tell();
        }
        drop(report);
        if changed {
            self.changed.send_modify(|count| *count += 1);
        }
        changed
    }
}

fn conditions(trouble: &Trouble) -> Vec<Condition> {
    let Trouble {
        reason, message, ..
    } = trouble;
    let mut conditions = vec![Condition::new("Ready", false, reason, message)];
    conditions.push(match trouble.kind {
        Kind::Stalled => Condition::new("Stalled", true, reason, message),
        Kind::Suspended => Condition::new("Suspended", true, reason, message),
        Kind::Waiting(_) | Kind::Busy(_) | Kind::Transient => {
            let retrying = "ProgressingWithRetry";
            Condition::new("Reconciling", true, retrying, message)
        }
    });
    let stage = match *reason {
        "GitOperationFailed" | "GitNotReadable" | "AuthenticationFailed" => Some("FetchFailed"),
        "CompileFailed" => Some("CompileFailed"),
        _ => None,
    };
    conditions.extend(stage.map(|stage| Condition::new(stage, true, reason, message)));
    if crate::reconcile::UNVERIFIED.contains(reason) {
        conditions.push(Condition::new("SourceVerified", false, reason, message));
    }
    conditions
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether it is new, which is told before it can be seen.
    fn record(status: &Status, outcome: &Result<Outcome, Trouble>) -> bool {
        let mut told = false;
        let news = status.record(outcome, || told = true);
        assert_eq!(news, told);
        news
    }

    fn outcome(revision: &str) -> Outcome {
        Outcome {
            revision: revision.to_owned(),
            digest: Digest::of(revision.as_bytes()),
            proxies: 1,
            warnings: None,
            degraded: Vec::new(),
            verified: None,
        }
    }

    #[test]
    fn what_is_served_stays_when_a_commit_is_bad() {
        let status = Status::new();
        assert!(record(&status, &Ok(outcome("good"))));
        assert!(!record(&status, &Ok(outcome("good"))));
        let trouble = Trouble::stalled("CompileFailed", "2 errors")
            .about("bad")
            .with_diagnostics("a.yaml:1: no".to_owned());
        assert!(record(&status, &Err(trouble)));
        let report = status.report();
        assert_eq!(report.revision.as_deref(), Some("good"));
        assert_eq!(report.seen.as_deref(), Some("bad"));
        assert_eq!(report.diagnostics.as_deref(), Some("a.yaml:1: no"));
        let kinds: Vec<_> = report
            .conditions
            .iter()
            .map(|c| (c.kind, c.status))
            .collect();
        assert_eq!(
            kinds,
            [
                ("Ready", "False"),
                ("Stalled", "True"),
                ("CompileFailed", "True")
            ]
        );
        // Git goes away: what was said of the commit stays.
        assert!(record(
            &status,
            &Err(Trouble::transient("GitOperationFailed", "no route"))
        ));
        let report = status.report();
        assert_eq!(report.seen.as_deref(), Some("bad"));
        assert!(report.diagnostics.is_some());
        assert!(record(&status, &Ok(outcome("mended"))));
        assert_eq!(status.report().diagnostics, None);
    }
}
