//! Who leads a rollout, how far it is, and whether git is followed: one word each, which all meshds agree on.
//!
//! Never writes over a word that it has not heard.

use super::{Session, Share, Voucher};
use crate::etcd::{Change, EtcdFailure};
use crate::rollout::{Course, Ordered};

/// The name of the meshd that leads; gone with its lease.
const LEADER: &str = "rollout/leader";
/// See [`Course`].
const COURSE: &str = "rollout/course";
/// See [`Ordered`].
const ORDERED: &str = "rollout/ordered";

impl Share {
    /// Takes everything that was read at once.
    pub(super) fn begin_to_steer(&self, found: &[Change]) {
        let rollout = &self.gate.rollout;
        for key in [COURSE, ORDERED] {
            let stands = found.iter().find(|change| change.key == key);
            let none = Change {
                key: key.to_owned(),
                value: None,
            };
            self.steered(stands.unwrap_or(&none));
        }
        rollout.connected(true);
        if !found.iter().any(|change| change.key == ORDERED) {
            rollout.nothing_ordered();
        }
    }

    /// One word, if it is one of these.
    pub(super) fn steered(&self, change: &Change) {
        match change.key.as_str() {
            COURSE => self.gate.rollout.hears(course(&self.voucher, change)),
            ORDERED => {
                let value = change.value.as_ref();
                let body = value.and_then(|value| self.voucher.heard(ORDERED, value));
                if let Some(ordered) = body.and_then(Ordered::read) {
                    self.inbox.ordered(ordered);
                }
            }
            // Somebody has to lead.
            LEADER => self.gate.registry.tell_others(),
            _ => {}
        }
    }

    /// Leads where nobody does, and says what this meshd wants.
    pub(super) async fn steer(&self, session: &mut Session<'_>) -> Result<(), EtcdFailure> {
        let rollout = &self.gate.rollout;
        match (rollout.wants_lead(), rollout.leads()) {
            (true, false) => {
                let own = Change::put(LEADER.to_owned(), self.name.clone());
                let lease = Some(session.lease.id);
                if session.etcd.write_unchanged(&own, 0, lease).await? {
                    tracing::info!(name = self.name, "this meshd leads the rollout");
                    rollout.lead(true);
                }
            }
            (false, true) => {
                rollout.lead(false);
                let gone = Change {
                    key: LEADER.to_owned(),
                    value: None,
                };
                session.etcd.write(&[gone], None).await?;
            }
            _ => {}
        }
        if let Some(wished) = rollout.wished() {
            let (value, changed) = session.etcd.get(COURSE).await?;
            let key = COURSE.to_owned();
            let stands = course(&self.voucher, &Change { key, value });
            // Something else will be heard, and what is wished then follows from that.
            if stands == rollout.course() {
                let value = self.voucher.say(COURSE, &wished.write());
                let change = Change::put(COURSE.to_owned(), value);
                session.etcd.write_unchanged(&change, changed, None).await?;
            }
        }
        if let Some(ordered) = rollout.ordered() {
            let value = self.voucher.say(ORDERED, &ordered.write());
            let change = Change::put(ORDERED.to_owned(), value);
            session.etcd.write(&[change], None).await?;
            rollout.order_is_told(&ordered);
        }
        Ok(())
    }
}

fn course(voucher: &Voucher, change: &Change) -> Option<Course> {
    Course::read(voucher.heard(COURSE, change.value.as_ref()?)?)
}
