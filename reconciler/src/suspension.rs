//! Whether git is followed: an operator may suspend that, and hold everybody at an earlier bundle meanwhile.
//!
//! Never forgotten by a restart, and never lifted by a damaged file: what cannot be read is as suspended as what can.

mod withheld;

use mesh_bundle::Digest;
use serde::{Deserialize, Serialize};

use crate::event::rfc3339;
use crate::reconcile::Trouble;
use crate::state::{StateDir, StateFailure};

pub(crate) use withheld::Withheld;

const FILE: &str = "suspended.json";
const FORMAT: u32 = 1;
/// Characters of a reason, and of a name.
const REASON_LIMIT: usize = 500;
const NAME_LIMIT: usize = 100;

/// Who suspends, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Order {
    /// As whoever asked calls himself.
    pub(crate) by: String,
    pub(crate) reason: String,
}

/// git is not followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Suspension {
    format: u32,
    #[serde(flatten)]
    pub(crate) order: Order,
    /// RFC 3339.
    pub(crate) since: String,
    /// Everybody is held at this bundle; `None`: at what was served.
    pub(crate) pin: Option<Pin>,
}

/// A bundle that an operator went back to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pin {
    pub(crate) revision: String,
    /// Of what the commit compiled to when it was pinned.
    pub(crate) digest: Digest,
    /// What it must not bring back.
    pub(crate) withheld: Withheld,
}

impl Order {
    /// One line each, not too long.
    ///
    /// # Errors
    /// In words: one of them is missing.
    pub(crate) fn checked(self) -> Result<Self, String> {
        let line = |text: &str, limit: usize| -> String {
            let text = text.trim().chars().take(limit);
            text.map(|c| if c.is_control() { ' ' } else { c }).collect()
        };
        let order = Self {
            by: line(&self.by, NAME_LIMIT),
            reason: line(&self.reason, REASON_LIMIT),
        };
        match order.by.is_empty() || order.reason.is_empty() {
            true => Err("say who does it (`by`) and why (`reason`)".to_owned()),
            false => Ok(order),
        }
    }
}

impl Suspension {
    pub(crate) fn new(order: Order, pin: Option<Pin>, now: u64) -> Self {
        Self {
            format: FORMAT,
            order,
            since: rfc3339(now),
            pin,
        }
    }

    /// What was in force when meshd ended.
    pub(crate) fn read(state: &StateDir) -> Option<Self> {
        let damaged = |why: String| {
            tracing::error!(%why, "`{FILE}` cannot be read: git is not followed until an operator says `meshd resume`");
            let order = Order {
                by: "meshd".to_owned(),
                reason: format!(
                    "`{FILE}` is damaged, and may have held everybody at a bundle: {why}"
                ),
            };
            Some(Self::new(order, None, crate::registry::Now::read().unix))
        };
        let bytes = match state.read(FILE) {
            Ok(None) => return None,
            Ok(Some(bytes)) => bytes,
            Err(error) => return damaged(error.to_string()),
        };
        match serde_json::from_slice::<Self>(&bytes) {
            Ok(kept) if kept.format == FORMAT => Some(kept),
            Ok(kept) => damaged(format!("it has format {}", kept.format)),
            Err(error) => damaged(error.to_string()),
        }
    }

    pub(crate) fn write(&self, state: &StateDir) -> Result<(), StateFailure> {
        // Texts and digests: this cannot fail.
        state.write(FILE, &serde_json::to_vec(self).unwrap_or_default())
    }

    /// git is followed again.
    pub(crate) fn remove(state: &StateDir) -> Result<(), StateFailure> {
        state.remove(FILE)
    }

    /// What the reconciler, conditions and metrics say.
    pub(crate) fn trouble(&self) -> Trouble {
        let Order { by, reason } = &self.order;
        let since = &self.since;
        let (name, what) = match &self.pin {
            None => ("Suspended", "git is not followed".to_owned()),
            Some(pin) => (
                "RolledBack",
                format!("git is not followed, everybody is held at {}", pin.revision),
            ),
        };
        let message = format!("{what}: {by}, {since}: {reason}; `meshd resume` follows git again");
        Trouble::suspended(name, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(by: &str, reason: &str) -> Order {
        Order {
            by: by.to_owned(),
            reason: reason.to_owned(),
        }
    }

    #[test]
    fn who_and_why_are_one_line_each_and_must_be_said() {
        for (by, reason, expected) in [
            (
                "ada",
                "payments fail\nsince noon",
                Some("payments fail since noon"),
            ),
            ("ada", " ", None),
            ("", "because", None),
        ] {
            let checked = order(by, reason).checked().ok();
            assert_eq!(checked.as_ref().map(|it| it.reason.as_str()), expected);
        }
        let long = order("ada", &"x".repeat(9_000)).checked().unwrap();
        assert_eq!(long.reason.len(), REASON_LIMIT);
    }

    #[test]
    fn what_was_in_force_stays_so_whatever_becomes_of_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDir::open(directory.path()).unwrap();
        assert_eq!(Suspension::read(&state), None);
        let pin = Pin {
            revision: "c3d1".to_owned(),
            digest: Digest::of(b"bundle"),
            withheld: Withheld::default(),
        };
        for (pin, reason) in [(None, "Suspended"), (Some(pin), "RolledBack")] {
            let kept = Suspension::new(order("ada", "noon"), pin, 0);
            kept.write(&state).unwrap();
            assert_eq!(Suspension::read(&state), Some(kept.clone()));
            let trouble = kept.trouble();
            assert_eq!(trouble.reason, reason);
            assert!(trouble.message.contains("ada, 1970-01-01T00:00:00Z: noon"));
        }
        let good = state.read(FILE).unwrap().unwrap();
        let good = String::from_utf8(good.to_vec()).unwrap();
        for damage in [
            String::new(),
            "{".to_owned(),
            good.replace("\"format\":1", "\"format\":2"),
            good.replace("\"pin\"", "\"pan\""),
        ] {
            state.write(FILE, damage.as_bytes()).unwrap();
            let kept = Suspension::read(&state).unwrap();
            assert!(kept.order.reason.contains("is damaged"), "{damage}");
        }
        Suspension::remove(&state).unwrap();
        assert_eq!(Suspension::read(&state), None);
    }
}
