//! The table of settings: one row each, of which the file, the environment, the schema and `meshc config show` are made.
//!
//! Never takes a value that it does not know.

use crate::similar;

/// One setting.
#[derive(Debug, PartialEq, Eq)]
pub struct Key {
    /// As in the file, and after `--` on the command line.
    pub name: &'static str,
    /// In the environment.
    pub variable: &'static str,
    /// What it is for, in a sentence.
    pub about: &'static str,
    /// What it can be.
    pub values: Values,
    /// Where nobody has said anything.
    pub default: &'static str,
    /// Whether the bundle depends on it: meshd heeds these too, as they stand in the commit.
    pub of_bundle: bool,
}

/// What a setting can be.
#[derive(Debug, PartialEq, Eq)]
pub enum Values {
    /// A name as of DNS: lower case letters, digits and `-`.
    Label,
    /// One of these.
    Word(&'static [&'static str]),
    /// `true` or `false`.
    Switch,
}

/// Every setting that has one value.
pub static KEYS: [Key; 7] = [
    Key {
        name: "zone",
        variable: "MESHC_ZONE",
        about: "Name of the local zone.",
        values: Values::Label,
        default: "default",
        of_bundle: true,
    },
    Key {
        name: "mode",
        variable: "MESHC_MODE",
        about: "Whether the repository speaks for one zone or, with `global`, for many.",
        values: Values::Word(&["zone", "global"]),
        default: "zone",
        of_bundle: true,
    },
    Key {
        name: "system-namespace",
        variable: "MESHC_SYSTEM_NAMESPACE",
        about: "Kubernetes namespace whose policies are for the whole mesh.",
        values: Values::Label,
        default: "kuma-system",
        of_bundle: true,
    },
    Key {
        name: "default-policies",
        variable: "MESHC_DEFAULT_POLICIES",
        about: "Whether every mesh gets the default policies (timeouts, retries, circuit breakers).",
        values: Values::Switch,
        default: "true",
        of_bundle: true,
    },
    Key {
        name: "format",
        variable: "MESHC_FORMAT",
        about: "How findings are written.",
        values: Values::Word(&[
            "human",
            "concise",
            "json",
            "json-lines",
            "sarif",
            "junit",
            "github",
            "gitlab",
            "azure",
            "rdjson",
        ]),
        default: "human",
        of_bundle: false,
    },
    Key {
        name: "fail-on",
        variable: "MESHC_FAIL_ON",
        about: "The least severity that makes a run fail, with exit code 1.",
        values: Values::Word(&["error", "warning"]),
        default: "error",
        of_bundle: false,
    },
    Key {
        name: "snapshots",
        variable: "MESHC_SNAPSHOTS",
        about: "The directory beside the documents that `meshc snapshot` keeps its texts in.",
        values: Values::Label,
        default: "snapshots",
        of_bundle: false,
    },
];

/// The setting of a name.
#[must_use]
pub fn key(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

impl Key {
    /// Takes a value.
    ///
    /// # Errors
    /// It cannot be; what is wrong with it, and what helps.
    pub fn judge(&self, value: &str) -> Result<(), (String, Option<String>)> {
        match self.values {
            Values::Label if is_label(value) => Ok(()),
            Values::Label => {
                let help = "use lower case letters, digits and `-`, at most 63".to_owned();
                Err((
                    format!("`{value}` is no name for `{}`", self.name),
                    Some(help),
                ))
            }
            Values::Word(words) if words.contains(&value) => Ok(()),
            Values::Word(words) => Err(self.unknown(value, words)),
            Values::Switch if ["true", "false"].contains(&value) => Ok(()),
            Values::Switch => Err(self.unknown(value, &["true", "false"])),
        }
    }

    fn unknown(&self, value: &str, words: &[&str]) -> (String, Option<String>) {
        let quoted: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
        let help = match similar::nearest(value, words.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("it can be {}", quoted.join(", ")),
        };
        (format!("`{}` cannot be `{value}`", self.name), Some(help))
    }
}

/// As a label of DNS (RFC 1123).
pub(crate) fn is_label(text: &str) -> bool {
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    !text.is_empty()
        && text.len() <= 63
        && text.chars().all(|c| edge(c) || c == '-')
        && text.starts_with(edge)
        && text.ends_with(edge)
}
