//! Who leads a rollout, how far it is, and whether git is followed: one word each for each source, which all meshds agree on.
//!
//! Never writes over a word that it has not heard.

use super::{Session, Share, Voucher};
use crate::etcd::{Change, EtcdFailure};
use crate::rollout::{Course, Ordered};
use crate::sources::{Place, Source};

/// Where the words of one source stand.
struct Words {
    /// The name of the meshd that leads; gone with its lease.
    leader: String,
    /// See [`Course`].
    course: String,
    /// See [`Ordered`].
    ordered: String,
}

/// What stands before the words of one source: of one that is alone, as it was before there could be others.
pub(super) fn below(place: &Place) -> String {
    match place.alone() {
        true => "rollout".to_owned(),
        false => format!("rollout/{}", place.name()),
    }
}

impl Words {
    fn of(place: &Place) -> Self {
        let below = below(place);
        let word = |name: &str| format!("{below}/{name}");
        Self {
            leader: word("leader"),
            course: word("course"),
            ordered: word("ordered"),
        }
    }
}

impl Share {
    /// Takes everything that was read at once.
    pub(super) fn begin_to_steer(&self, found: &[Change]) {
        for source in self.gate.sources.each() {
            let rollout = &source.rollout;
            let words = Words::of(rollout.place());
            for key in [&words.course, &words.ordered] {
                let stands = found.iter().find(|change| change.key == *key);
                let none = Change {
                    key: key.clone(),
                    value: None,
                };
                self.steered_one(source, stands.unwrap_or(&none));
            }
            rollout.connected(true);
            if !found.iter().any(|change| change.key == words.ordered) {
                rollout.nothing_ordered();
            }
        }
    }

    /// One word, if it is one of these.
    pub(super) fn steered(&self, change: &Change) {
        for source in self.gate.sources.each() {
            self.steered_one(source, change);
        }
    }

    fn steered_one(&self, source: &Source, change: &Change) {
        let (rollout, key) = (&source.rollout, &change.key);
        let words = Words::of(rollout.place());
        if *key == words.course {
            rollout.hears(course(&self.voucher, change));
        } else if *key == words.ordered {
            let value = change.value.as_ref();
            let body = value.and_then(|value| self.voucher.heard(key, value));
            if let Some(ordered) = body.and_then(Ordered::read) {
                self.inbox.ordered(rollout.place().name(), ordered);
            }
        } else if *key == words.leader {
            // Somebody has to lead.
            self.gate.registry.tell_others();
        }
    }

    /// Leads where nobody does, and says what this meshd wants.
    pub(super) async fn steer(&self, session: &mut Session<'_>) -> Result<(), EtcdFailure> {
        for source in self.gate.sources.each() {
            self.steer_one(session, source).await?;
        }
        Ok(())
    }

    async fn steer_one(
        &self,
        session: &mut Session<'_>,
        source: &Source,
    ) -> Result<(), EtcdFailure> {
        let rollout = &source.rollout;
        let words = Words::of(rollout.place());
        match (rollout.wants_lead(), rollout.leads()) {
            (true, false) => {
                let own = Change::put(words.leader, self.name.clone());
                let lease = Some(session.lease.id);
                if session.etcd.write_unchanged(&own, 0, lease).await? {
                    let (name, source) = (&self.name, rollout.place().name());
                    tracing::info!(name, source, "this meshd leads the rollout");
                    rollout.lead(true);
                }
            }
            (false, true) => {
                rollout.lead(false);
                let gone = Change {
                    key: words.leader,
                    value: None,
                };
                session.etcd.write(&[gone], None).await?;
            }
            _ => {}
        }
        if let Some(wished) = rollout.wished() {
            let key = words.course;
            let (value, changed) = session.etcd.get(&key).await?;
            let stands = Change { key, value };
            // Something else will be heard, and what is wished then follows from that.
            if course(&self.voucher, &stands) == rollout.course() {
                let value = self.voucher.say(&stands.key, &wished.write());
                let change = Change::put(stands.key, value);
                session.etcd.write_unchanged(&change, changed, None).await?;
            }
        }
        if let Some(ordered) = rollout.ordered() {
            let value = self.voucher.say(&words.ordered, &ordered.write());
            let change = Change::put(words.ordered, value);
            session.etcd.write(&[change], None).await?;
            rollout.order_is_told(&ordered);
        }
        Ok(())
    }
}

fn course(voucher: &Voucher, change: &Change) -> Option<Course> {
    Course::read(voucher.heard(&change.key, change.value.as_ref()?)?)
}
