//! A table of policies of which only what they say changed, not to whom or about what.
//!
//! Never guesses: where anything is another that a table is ordered or searched by, it has to be read again.

use super::{Policy, Table};

impl Table {
    /// Puts the policies of another table of the same kind in the places of those of the same names. `false`: they do not
    /// fit there, and nothing of this table is of use any more.
    pub(crate) fn renew(&mut self, new: Self) -> bool {
        // Where findings go depends on all policies.
        let plain = |table: &Self| table.findings.is_empty() && table.shadows.is_empty();
        if !plain(self) || !plain(&new) {
            return false;
        }
        let mut places = Vec::new();
        for policy in &new.policies {
            let same = |old: &Policy| old.meta.kri == policy.meta.kri;
            let Some(place) = self.policies.iter().position(same) else {
                return false;
            };
            places.push(place);
        }
        let Self {
            policies,
            to,
            rules,
            whole,
            ..
        } = new;
        for (number, policy) in policies.into_iter().enumerate() {
            let Some((place, old)) = places.get(number).and_then(|place| {
                let old = self.policies.get_mut(*place)?;
                Some((*place, old))
            }) else {
                return false;
            };
            let renewed = old.target == policy.target
                && renew(
                    self.to.iter_mut().filter(|item| item.policy == place),
                    to.iter().filter(|item| item.policy == number),
                    |old, new| {
                        old.conf.clone_from(&new.conf);
                        old.at.clone_from(&new.at);
                        old.strength == new.strength && old.towards == new.towards
                    },
                )
                && renew(
                    self.rules.iter_mut().filter(|rule| rule.policy == place),
                    rules.iter().filter(|rule| rule.policy == number),
                    |old, new| {
                        old.peer.clone_from(&new.peer);
                        old.conf.clone_from(&new.conf);
                        old.at.clone_from(&new.at);
                        old.strength == new.strength
                    },
                )
                && renew(
                    self.whole.iter_mut().filter(|whole| whole.policy == place),
                    whole.iter().filter(|whole| whole.policy == number),
                    |old, new| {
                        old.conf.clone_from(&new.conf);
                        old.at.clone_from(&new.at);
                        old.strength == new.strength
                    },
                );
            if !renewed {
                return false;
            }
            old.meta = policy.meta;
        }
        true
    }
}

/// Renews each by the one in the same place; `false` where they do not pair up.
fn renew<'a, T: 'a>(
    mut old: impl Iterator<Item = &'a mut T>,
    mut new: impl Iterator<Item = &'a T>,
    one: impl Fn(&mut T, &T) -> bool,
) -> bool {
    loop {
        match (old.next(), new.next()) {
            (None, None) => return true,
            (Some(old), Some(new)) => {
                if !one(old, new) {
                    return false;
                }
            }
            _ => return false,
        }
    }
}
