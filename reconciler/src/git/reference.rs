//! Which commit a setting means, given the names that a repository has.
//!
//! Never guesses between a branch and a tag of one name, but where a command line asks for either.

use semver::{Version, VersionReq};

use super::Failure;
use crate::settings::Reference;

/// What is to be fetched and read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// A full reference name.
    Name(String),
    /// A commit, which no name may point to.
    Commit(String),
}

/// The names of a repository.
pub(super) trait Names {
    /// Is there a reference of this full name?
    fn has(&self, name: &str) -> bool;
    /// Of all tags, without `refs/tags/`.
    fn tags(&self) -> Vec<String>;
}

/// Finds it.
pub(super) fn choose(
    reference: &Reference,
    names: &dyn Names,
    repository: &str,
) -> Result<Target, Failure> {
    let missing = |what: String| Failure::Stalled(format!("`{repository}` has no {what}"));
    let one = |name: String, what: String| match names.has(&name) {
        true => Ok(Target::Name(name)),
        false => Err(missing(what)),
    };
    match reference {
        Reference::Named(name) => {
            let full = [
                format!("refs/heads/{name}"),
                format!("refs/tags/{name}"),
                name.clone(),
            ];
            let found = full.into_iter().find(|name| names.has(name));
            let found = found.map(Target::Name);
            found.ok_or_else(|| missing(format!("branch or tag `{name}`")))
        }
        Reference::Branch(name) => one(format!("refs/heads/{name}"), format!("branch `{name}`")),
        Reference::Tag(name) => one(format!("refs/tags/{name}"), format!("tag `{name}`")),
        Reference::Full(name) => one(name.clone(), format!("reference `{name}`")),
        Reference::Commit(id) => Ok(Target::Commit(id.clone())),
        Reference::Version { range, prefix } => {
            let tag = highest(&names.tags(), range, prefix);
            let tag = tag.ok_or_else(|| {
                let begin = match prefix.as_str() {
                    "" => String::new(),
                    prefix => format!(" that begins with `{prefix}` and"),
                };
                missing(format!("tag{begin} whose version is in `{range}`"))
            })?;
            Ok(Target::Name(format!("refs/tags/{tag}")))
        }
    }
}

/// The tag with the highest version; of two with the same version the one whose name comes last, so that it is always the same.
fn highest(tags: &[String], range: &str, prefix: &str) -> Option<String> {
    let range = VersionReq::parse(range).ok()?;
    let version = |tag: &String| {
        let rest = tag.strip_prefix(prefix)?;
        let version = Version::parse(rest.strip_prefix('v').unwrap_or(rest)).ok()?;
        range.matches(&version).then(|| (version, tag.clone()))
    };
    let found = tags.iter().filter_map(version).max();
    found.map(|(_, tag)| tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(&'static [&'static str]);

    impl Names for Fixed {
        fn has(&self, name: &str) -> bool {
            self.0.contains(&name)
        }

        fn tags(&self) -> Vec<String> {
            let tags = self.0.iter().filter_map(|n| n.strip_prefix("refs/tags/"));
            tags.map(str::to_owned).collect()
        }
    }

    const NAMES: Fixed = Fixed(&[
        "HEAD",
        "refs/heads/main",
        "refs/heads/both",
        "refs/tags/both",
        "refs/tags/v1.2.0",
        "refs/tags/v1.10.0",
        "refs/tags/v2.0.0-rc.1",
        "refs/tags/2.0.0",
        "refs/tags/mesh/v1.3.0",
        "refs/tags/latest",
        "refs/pull/42/head",
    ]);

    #[test]
    fn each_way_to_name_a_commit() {
        let version = |range: &str, prefix: &str| Reference::Version {
            range: range.to_owned(),
            prefix: prefix.to_owned(),
        };
        for (reference, expected) in [
            (Reference::Named("both".to_owned()), "refs/heads/both"),
            (Reference::Named("latest".to_owned()), "refs/tags/latest"),
            (Reference::Named("HEAD".to_owned()), "HEAD"),
            (Reference::Branch("both".to_owned()), "refs/heads/both"),
            (Reference::Tag("both".to_owned()), "refs/tags/both"),
            (
                Reference::Full("refs/pull/42/head".to_owned()),
                "refs/pull/42/head",
            ),
            (version("^1", ""), "refs/tags/v1.10.0"),
            (version("~1.2", ""), "refs/tags/v1.2.0"),
            (version(">=1.0, <3", ""), "refs/tags/2.0.0"),
            (version("^2.0.0-rc", ""), "refs/tags/2.0.0"),
            (version("=2.0.0-rc.1", ""), "refs/tags/v2.0.0-rc.1"),
            (version("*", "mesh/"), "refs/tags/mesh/v1.3.0"),
        ] {
            let chosen = choose(&reference, &NAMES, "r").unwrap();
            assert_eq!(chosen, Target::Name(expected.to_owned()), "{reference:?}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let version = Reference::Version {
            range: "^9".to_owned(),
            prefix: "mesh/".to_owned(),
        };
        for (reference, expected) in [
            (
                Reference::Named("mian".to_owned()),
                "no branch or tag `mian`",
            ),
            (Reference::Branch("v1.2.0".to_owned()), "no branch `v1.2.0`"),
            (Reference::Tag("main".to_owned()), "no tag `main`"),
            (
                Reference::Full("refs/heads/x".to_owned()),
                "no reference `refs/heads/x`",
            ),
            (
                version,
                "no tag that begins with `mesh/` and whose version is in `^9`",
            ),
        ] {
            let failure = choose(&reference, &NAMES, "r").unwrap_err();
            assert!(failure.to_string().contains(expected), "{failure}");
        }
    }
}
