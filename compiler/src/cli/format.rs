//! What a verb can tell something in: the formats of findings, which are the same for all verbs, and formats of its own.
//!
//! Never lists a format of findings twice.

use std::fmt;

use clap::ValueEnum;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::diag::Format;

/// A format of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum FindingsFormat {
    /// With an excerpt of the document.
    #[value(alias = "full")]
    Human,
    /// One line each: `file:line:column: error[code] message`.
    Concise,
    /// A JSON array.
    Json,
    /// One JSON object a line.
    JsonLines,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// A report of tests in XML: a suite for each file, a test for each code.
    Junit,
    /// Annotations of GitHub Actions.
    Github,
    /// A Code Quality report of GitLab.
    Gitlab,
    /// Logging commands of Azure Pipelines.
    Azure,
    /// Reviewdog's diagnostic format.
    Rdjson,
}

/// A format of a verb that tells more than findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FormArg<F> {
    /// All that it tells.
    Own(F),
    /// Only what is wrong.
    Findings(FindingsFormat),
}

/// Formats that somebody can choose from.
pub(super) trait Forms: fmt::Debug + Clone + Send + Sync + 'static {
    /// Each with its name and what it is, in the order in which they are shown.
    fn all() -> Vec<(PossibleValue, Self)>;

    /// The one with this name.
    fn named(name: &str) -> Option<Self> {
        let mut all = Self::all().into_iter();
        let found = all.find(|(value, _)| value.matches(name, false));
        found.map(|(_, form)| form)
    }
}

impl FindingsFormat {
    pub(super) fn format(self, color: bool) -> Format {
        match self {
            Self::Human => Format::Human { color },
            Self::Concise => Format::Concise,
            Self::Json => Format::Json,
            Self::JsonLines => Format::JsonLines,
            Self::Sarif => Format::Sarif,
            Self::Junit => Format::Junit,
            Self::Github => Format::Github,
            Self::Gitlab => Format::Gitlab,
            Self::Azure => Format::Azure,
            Self::Rdjson => Format::Rdjson,
        }
    }
}

impl Forms for FindingsFormat {
    fn all() -> Vec<(PossibleValue, Self)> {
        possible()
    }
}

impl<F: ValueEnum + fmt::Debug + Send + Sync + 'static> Forms for FormArg<F> {
    /// Its own first; one that is called as a format of findings is the one that is meant.
    fn all() -> Vec<(PossibleValue, Self)> {
        let own: Vec<(PossibleValue, F)> = possible();
        let names: Vec<String> = own
            .iter()
            .map(|(value, _)| value.get_name().to_owned())
            .collect();
        let own = own
            .into_iter()
            .map(|(value, form)| (value, Self::Own(form)));
        let findings = possible().into_iter().filter(|(value, _)| {
            let name = value.get_name();
            !names.iter().any(|own| own == name)
        });
        own.chain(findings.map(|(value, form)| (value, Self::Findings(form))))
            .collect()
    }
}

fn possible<F: ValueEnum>() -> Vec<(PossibleValue, F)> {
    let variants = F::value_variants().iter();
    let named = variants.filter_map(|form| Some((form.to_possible_value()?, form.clone())));
    named.collect()
}

/// Reads one from the command line.
pub(super) fn parser<F: Forms>() -> impl TypedValueParser<Value = F> {
    let values = F::all().into_iter().map(|(value, _)| value);
    PossibleValuesParser::new(values)
        .try_map(|name| F::named(&name).ok_or_else(|| format!("there is no format `{name}`")))
}
