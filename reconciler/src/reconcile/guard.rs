//! The guard against a commit that removes nearly everything: a wrong merge, a script that wrote nothing, a moved directory.
//!
//! Never argues with a commit that says it means it.

use std::collections::HashSet;
use std::hash::Hash;

use super::Trouble;
use crate::candidate::Candidate;
use crate::git::Commit;
use crate::registry::Now;
use crate::rollout::Rollout;

/// A trailer of the commit's message, with the value `true`.
pub(crate) const TRAILER: &str = "Mesh-Allow-Prune";

/// A trailer of a commit that takes trust away from authorities which live proxies need, with the value `true`.
const DISTRUST: &str = "Mesh-Allow-Distrust";

/// Why what is served should not be replaced by this; `None`: nothing speaks against it. `most` is the share, in percent, that
/// a commit may remove without saying so.
pub(super) fn objection<T: Eq + Hash>(
    served: &HashSet<T>,
    offered: &HashSet<T>,
    most: u8,
) -> Option<String> {
    let removed = served.difference(offered).count();
    let total = served.len();
    let what = if total > 0 && offered.is_empty() {
        format!("the commit removes all {total} resources")
    } else if removed * 100 > total * usize::from(most) {
        format!("the commit removes {removed} of {total} resources, more than {most} %")
    } else {
        return None;
    };
    let help = "if that is meant, commit with the trailer";
    Some(format!("{what}; {help} `{TRAILER}: true`"))
}

/// Nobody is to lose the trust that live proxies need, unless the commit says that this is meant.
pub(super) fn trusted(
    commit: &Commit,
    candidate: &Candidate,
    rollout: &Rollout,
) -> Result<(), Trouble> {
    let now = Now::read().unix;
    let fleet = rollout.fleet(now);
    match fleet.lacking(&candidate.bundle).next() {
        Some(needed) if !commit.says(DISTRUST) => {
            let told = needed.told(i64::try_from(now).ok());
            let help = "let it be trusted until `meshd fleet` does not name it any more; if this is meant, commit with the trailer";
            let why = format!("{told}; {help} `{DISTRUST}: true`");
            Err(Trouble::stalled("AnchorNeeded", why).about(&commit.id))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_a_share_is_too_much() {
        let set = |names: &str| names.chars().collect::<HashSet<_>>();
        for (served, offered, most, objects) in [
            ("", "", 50, false),
            ("", "abc", 50, false),
            ("abcd", "abcd", 50, false),
            ("abcd", "ab", 50, false),
            ("abcd", "abxyz", 50, false),
            ("abcd", "a", 50, true),
            ("abcd", "wxyz", 50, true),
            ("abc", "", 50, true),
            ("a", "", 50, true),
            ("a", "b", 50, true),
            ("abcd", "abc", 24, true),
            ("abcd", "abc", 25, false),
            ("abcd", "abc", 0, true),
            ("abcd", "abcde", 0, false),
            ("abcd", "a", 100, false),
            // Nothing is left: whatever the share is.
            ("abcd", "", 100, true),
        ] {
            let objection = objection(&set(served), &set(offered), most);
            assert_eq!(objection.is_some(), objects, "{served} {offered}");
        }
        let text = objection(&set("abc"), &set(""), 50).unwrap();
        assert!(text.contains("all 3 resources"), "{text}");
        assert!(text.ends_with("`Mesh-Allow-Prune: true`"), "{text}");
    }
}
