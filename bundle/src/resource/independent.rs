//! Rules that act beside each other: every one that matches, and none instead of another (language 4.10).
//!
//! Never merged: a rule is as one document wrote it.

use serde::{Deserialize, Serialize};

use super::PeerMatch;
use crate::origin::Origin;

/// One match of one rule, in the place where it is tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IndependentRule<T> {
    /// Tells the rules of one inbound apart. A rule with several matches is there several times under one number, and
    /// acts once: where the first of them holds.
    pub number: u32,
    /// Whom it is about. `None`: everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<PeerMatch>,
    /// What it does, in this order.
    pub acts: Vec<T>,
    /// The `default` of the rule.
    pub origin: Origin,
}
