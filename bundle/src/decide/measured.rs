//! Which metrics of a proxy are exported (language 5.12).
//!
//! Never names a metric: those are of the proxy, which also says which of them are the usual ones.

use regex::Regex;

use super::text::full_match;
use crate::origin::Sourced;
use crate::resource::{Metrics, NameMatch, Profile};

/// A compiled choice: `include` is stronger than `exclude`, that is stronger than the sets.
#[derive(Debug, Clone)]
pub struct Selection {
    all: bool,
    basic: bool,
    exclude: Vec<Matcher>,
    include: Vec<Matcher>,
}

#[derive(Debug, Clone)]
enum Matcher {
    Exact(String),
    Prefix(String),
    Contains(String),
    Regex(Regex),
}

impl Selection {
    /// Compiles what a policy says.
    ///
    /// # Errors
    /// A JSON pointer into the resource, and what is wrong there.
    pub fn compile(metrics: &Metrics) -> Result<Self, (String, String)> {
        let has = |wanted| {
            metrics
                .profiles
                .iter()
                .any(|profile| profile.value == wanted)
        };
        Ok(Self {
            all: metrics.profiles.is_empty() || has(Profile::All),
            basic: has(Profile::Basic),
            exclude: matchers(metrics.exclude.as_ref(), "exclude")?,
            include: matchers(metrics.include.as_ref(), "include")?,
        })
    }

    /// Is a metric exported that goes by any of these names?
    #[must_use]
    pub fn takes(&self, names: &[&str], is_basic: bool) -> bool {
        let hits = |matchers: &[Matcher]| {
            let mut matchers = matchers.iter();
            matchers.any(|matcher| names.iter().any(|name| matcher.matches(name)))
        };
        hits(&self.include) || ((self.all || (self.basic && is_basic)) && !hits(&self.exclude))
    }
}

fn matchers(
    list: Option<&Sourced<Vec<NameMatch>>>,
    field: &str,
) -> Result<Vec<Matcher>, (String, String)> {
    let list = list.map_or([].as_slice(), |list| &list.value);
    let matcher = |(index, name): (usize, &NameMatch)| {
        Matcher::compile(name).map_err(|why| (format!("/{field}/value/{index}"), why))
    };
    list.iter().enumerate().map(matcher).collect()
}

impl Matcher {
    fn compile(name: &NameMatch) -> Result<Self, String> {
        Ok(match name {
            NameMatch::Exact(text) => Self::Exact(text.clone()),
            NameMatch::Prefix(text) => Self::Prefix(text.clone()),
            NameMatch::Contains(text) => Self::Contains(text.clone()),
            NameMatch::Regex(pattern) => Self::Regex(full_match(pattern)?),
        })
    }

    fn matches(&self, name: &str) -> bool {
        match self {
            Self::Exact(text) => text == name,
            Self::Prefix(text) => name.starts_with(text),
            Self::Contains(text) => name.contains(text),
            Self::Regex(regex) => regex.is_match(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `profiles / exclude / include`, and what of these is exported.
    fn taken(profiles: &[Profile], exclude: &[NameMatch], include: &[NameMatch]) -> String {
        let some = |list: &[NameMatch]| Some(Sourced::built_in(list.to_vec()));
        let selection = Selection::compile(&Metrics {
            profiles: profiles.iter().copied().map(Sourced::built_in).collect(),
            exclude: some(exclude),
            include: some(include),
            ..Metrics::default()
        });
        let selection = selection.unwrap();
        let known = [("requests", true), ("retries", false), ("open", true)];
        let taken = known
            .iter()
            .filter(|(name, basic)| selection.takes(&[name, &format!("{name}_total")], *basic));
        taken.map(|(name, _)| *name).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn include_beats_exclude_beats_the_sets() {
        use NameMatch::{Contains, Exact, Prefix, Regex};
        let text = str::to_owned;
        for (profiles, exclude, include, expected) in [
            (vec![], vec![], vec![], "requests retries open"),
            (vec![Profile::All], vec![], vec![], "requests retries open"),
            (vec![Profile::Basic], vec![], vec![], "requests open"),
            (vec![Profile::None], vec![], vec![], ""),
            (
                vec![Profile::None, Profile::Basic],
                vec![],
                vec![],
                "requests open",
            ),
            (vec![], vec![Prefix(text("re"))], vec![], "open"),
            (
                vec![Profile::Basic],
                vec![Contains(text("e"))],
                vec![Exact(text("retries_total"))],
                "retries",
            ),
            (
                vec![Profile::None],
                vec![],
                vec![Regex(text("o.*n"))],
                "open",
            ),
            (
                vec![],
                vec![Regex(text("ret"))],
                vec![],
                "requests retries open",
            ),
        ] {
            assert_eq!(
                taken(&profiles, &exclude, &include),
                expected,
                "{profiles:?} {exclude:?} {include:?}"
            );
        }
    }

    #[test]
    fn an_expression_that_is_none_has_a_place() {
        let metrics = Metrics {
            exclude: Some(Sourced::built_in(vec![
                NameMatch::Exact("a".to_owned()),
                NameMatch::Regex("(".to_owned()),
            ])),
            ..Metrics::default()
        };
        let (pointer, _) = Selection::compile(&metrics).unwrap_err();
        assert_eq!(pointer, "/exclude/value/1");
    }
}
