//! What the proxies of each meshd show of a commit that is on its way: one word of each, gone with its lease.
//!
//! Never a word of its own that it hears again, nor one that no meshd of this mesh has said.

use super::lead::below;
use super::{Session, Share};
use crate::etcd::{Change, EtcdFailure};
use crate::rollout::Measured;
use crate::sources::Source;

/// Where the words about the traffic of one source stand, each with the name of its meshd.
fn words(source: &Source) -> String {
    format!("{}/traffic/", below(source.rollout.place()))
}

impl Share {
    /// Takes everything that was read at once.
    pub(super) fn begin_to_measure(&self, found: &[Change]) {
        for source in self.gate.sources.each() {
            source.rollout.forget_measured();
        }
        for change in found {
            self.measured(change);
        }
    }

    /// One word, if it is one of these.
    pub(super) fn measured(&self, change: &Change) {
        for source in self.gate.sources.each() {
            let meshd = change.key.strip_prefix(&words(source));
            if let Some(meshd) = meshd.filter(|meshd| *meshd != self.name) {
                let value = change.value.as_ref();
                let body = value.and_then(|value| self.voucher.heard(&change.key, value));
                let measured = body.and_then(Measured::read);
                source.rollout.measured_elsewhere(meshd, measured);
            }
        }
    }

    /// What the others do not know yet.
    pub(super) async fn tell_measured(&self, session: &mut Session<'_>) -> Result<(), EtcdFailure> {
        for source in self.gate.sources.each() {
            let key = format!("{}{}", words(source), self.name);
            let measured = source.rollout.measured();
            if measured.as_ref() == session.measured.get(&key) {
                continue;
            }
            let value = measured.as_ref();
            let value = value.map(|measured| self.voucher.say(&key, &measured.write()));
            let change = Change {
                key: key.clone(),
                value,
            };
            session.write(&[change]).await?;
            match measured {
                Some(measured) => drop(session.measured.insert(key, measured)),
                None => drop(session.measured.remove(&key)),
            }
        }
        Ok(())
    }
}
