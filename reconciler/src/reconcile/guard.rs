//! The guard against a commit that removes nearly everything: a wrong merge, a script that wrote nothing, a moved directory.
//!
//! Never argues with a commit that says it means it.

use std::collections::BTreeSet;

/// A trailer of the commit's message, with the value `true`.
pub(crate) const TRAILER: &str = "Mesh-Allow-Prune";

/// Why what is served should not be replaced by this; `None`: nothing speaks against it.
pub(super) fn objection<T: Ord>(served: &BTreeSet<T>, offered: &BTreeSet<T>) -> Option<String> {
    let removed = served.difference(offered).count();
    let total = served.len();
    let what = if total > 0 && offered.is_empty() {
        format!("the commit removes all {total} resources")
    } else if removed * 2 > total {
        format!("the commit removes {removed} of {total} resources, more than half")
    } else {
        return None;
    };
    let help = "if that is meant, commit with the trailer";
    Some(format!("{what}; {help} `{TRAILER}: true`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_half_is_too_much() {
        let set = |names: &str| names.chars().collect::<BTreeSet<_>>();
        for (served, offered, objects) in [
            ("", "", false),
            ("", "abc", false),
            ("abcd", "abcd", false),
            ("abcd", "ab", false),
            ("abcd", "abxyz", false),
            ("abcd", "a", true),
            ("abcd", "wxyz", true),
            ("abc", "", true),
            ("a", "", true),
            ("a", "b", true),
        ] {
            let objection = objection(&set(served), &set(offered));
            assert_eq!(objection.is_some(), objects, "{served} {offered}");
        }
        let text = objection(&set("abc"), &set("")).unwrap();
        assert!(text.contains("all 3 resources"), "{text}");
        assert!(text.ends_with("`Mesh-Allow-Prune: true`"), "{text}");
    }
}
