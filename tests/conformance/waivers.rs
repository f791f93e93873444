//! Reads `waivers.md`: where we do not agree with the corpus, and why.
//!
//! Never excuses a case that agrees: a waiver that is not needed fails its test.

use std::collections::{BTreeMap, BTreeSet};

/// The cases of the corpus that are excused, each with the heading it stands under.
pub(super) struct Waivers {
    cases: BTreeMap<&'static str, &'static str>,
}

impl Waivers {
    pub(super) fn read() -> Self {
        let mut cases = BTreeMap::new();
        let mut heading = "";
        for line in include_str!("waivers.md").lines() {
            if let Some(text) = line.strip_prefix("## ") {
                heading = text;
            } else if let Some(case) = line.strip_prefix("- ") {
                let case = case.trim_matches('`');
                assert!(!heading.is_empty(), "{case} stands under no heading");
                let before = cases.insert(case, heading);
                assert!(before.is_none(), "{case} is listed twice");
            }
        }
        Self { cases }
    }

    pub(super) fn excuse(&self, case: &str) -> bool {
        self.cases.contains_key(case)
    }

    /// Waivers of these suites that excused nothing.
    pub(super) fn idle(&self, suites: &[&str], used: &BTreeSet<String>) -> Vec<String> {
        let of_suites = |case: &&&str| {
            let suite = case.split('/').next().unwrap_or_default();
            suites.contains(&suite)
        };
        let idle = self.cases.keys().filter(of_suites);
        let idle = idle.filter(|case| !used.contains(**case));
        idle.map(|case| format!("{case} needs no waiver")).collect()
    }
}

#[test]
fn each_waiver_has_a_quirk_or_a_reason() {
    let numbered = |heading: &str| {
        heading
            .strip_prefix("Q-")
            .is_some_and(|rest| rest.get(..2).is_some_and(|n| n.parse::<u8>().is_ok()))
    };
    for (case, heading) in Waivers::read().cases {
        let sorted = ["Ours: ", "Corpus: "]
            .iter()
            .any(|w| heading.starts_with(w));
        assert!(numbered(heading) || sorted, "{case}: {heading}");
    }
}
