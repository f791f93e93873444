//! Whether git is followed, for all meshds: an order at one of them is one to all.
//!
//! Never follows git again because of a word that is older than the order not to.

use serde::{Deserialize, Serialize};

use super::Rollout;
use crate::event::{self, News, rfc3339};
use crate::registry::Now;
use crate::suspension::Suspension;

/// The last order, as it stands in etcd.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ordered {
    /// RFC 3339.
    at: String,
    /// `None`: git is followed.
    suspension: Option<Suspension>,
}

impl Ordered {
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        // Texts and digests: this cannot fail.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

impl Rollout {
    /// An operator has said so here.
    pub(super) fn orders(&self, suspension: Option<&Suspension>) {
        let at = rfc3339(Now::read().unix);
        if let Some(several) = &mut *self.several() {
            let suspension = suspension.cloned();
            several.order = Some(Ordered { at, suspension });
        }
        self.registry.tell_others();
    }

    /// What the others do not know yet.
    pub(crate) fn ordered(&self) -> Option<Ordered> {
        self.several().as_ref()?.order.clone()
    }

    /// They know it now.
    pub(crate) fn order_is_told(&self, told: &Ordered) {
        if let Some(several) = &mut *self.several() {
            several.order.take_if(|order| order == told);
        }
    }

    /// Nothing stands in etcd: what is in force here is an order to all.
    pub(crate) fn nothing_ordered(&self) {
        if let Some(suspension) = self.suspension()
            && self.ordered().is_none()
        {
            self.orders(Some(&suspension));
        }
    }

    /// Another meshd was told.
    pub(crate) async fn ordered_elsewhere(&self, told: Ordered) {
        let mut desk = self.desk().await;
        let own = self.suspension();
        // What was said here since is told to the others, and is the last word.
        if self.ordered().is_some() || told.suspension == own {
            return;
        }
        let kept = match &told.suspension {
            // Said here before a restart, while etcd was away.
            None if own.as_ref().is_some_and(|own| own.since > told.at) => {
                self.orders(own.as_ref());
                return;
            }
            None => Suspension::remove(&self.own),
            Some(suspension) => suspension.write(&self.own),
        };
        if let Err(failure) = kept {
            tracing::error!(error = %failure, "an order at another meshd cannot be kept: a restart without etcd would forget it");
        }
        self.suspends(told.suspension.clone());
        match &told.suspension {
            None => {
                let news = "git is followed again: another meshd was told";
                event::record(
                    &self.events,
                    &News::info("Source", self.place.name(), "Resumed", news),
                );
            }
            Some(suspension) => {
                if suspension.pin.is_some() {
                    self.end_rolling(&mut desk, suspension);
                }
                self.tell_suspended(suspension);
            }
        }
        self.show(&desk);
        // The bundle to go back to is served with the next pass.
        self.ended.notify_one();
    }
}
