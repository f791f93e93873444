//! Templates of names: text with `{{ .Name }}` and `{{ label "key" }}` (language 3.6).
//!
//! Never more than that: no pipelines, conditions or functions.

/// A template, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Value(Variable),
}

/// What a template can ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Variable {
    /// `.Name`, without the dot.
    Field(String),
    /// `label "key"`.
    Label(String),
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// In words: what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let (inside, after) = after
                .split_once("}}")
                .ok_or_else(|| "`{{` is never closed".to_owned())?;
            parts.push(Part::Text(before.to_owned()));
            parts.push(Part::Value(Variable::parse(inside.trim())?));
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self { parts })
    }

    /// Puts values in. `value` answers `None`, or an empty text, for what there is not.
    ///
    /// # Errors
    /// The first variable without a value.
    pub(crate) fn render(
        &self,
        value: impl Fn(&Variable) -> Option<String>,
    ) -> Result<String, Variable> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Value(variable) => match value(variable).filter(|text| !text.is_empty()) {
                    Some(value) => text.push_str(&value),
                    None => return Err(variable.clone()),
                },
            }
        }
        Ok(text)
    }
}

/// What a template makes where every variable and label has a value: enough to judge what stands around them.
///
/// # Errors
/// In words: it is no template, or it asks for something that is not among `variables`.
pub(crate) fn example(text: &str, variables: &[&str]) -> Result<String, String> {
    let value = |variable: &Variable| match variable {
        Variable::Field(name) => variables
            .contains(&name.as_str())
            .then(|| name.to_ascii_lowercase()),
        Variable::Label(_) => Some("label".to_owned()),
    };
    let made = Template::parse(text)?.render(value);
    made.map_err(|variable| format!("there is no {variable} here"))
}

impl Variable {
    fn parse(text: &str) -> Result<Self, String> {
        let word = |text: &str| {
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        };
        if let Some(name) = text.strip_prefix('.').filter(|name| word(name)) {
            return Ok(Self::Field(name.to_owned()));
        }
        let key = text.strip_prefix("label").and_then(|rest| {
            let quoted = rest.trim_start();
            let inside = quoted.strip_prefix('"')?.strip_suffix('"')?;
            (!inside.contains('"') && quoted.len() < rest.len()).then_some(inside)
        });
        key.map(|key| Self::Label(key.to_owned())).ok_or_else(|| {
            format!(
                "`{text}` is neither `.Name` nor `label \"key\"`, which is all that templates know"
            )
        })
    }
}

impl std::fmt::Display for Variable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Field(name) => write!(f, ".{name}"),
            Self::Label(key) => write!(f, "label {key:?}"),
        }
    }
}
