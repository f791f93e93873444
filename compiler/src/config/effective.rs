//! What counts: the command line before the environment, the environment before the file, the file before what is assumed.
//!
//! Never forgets who said it.

use std::collections::BTreeMap;
use std::fmt;

use super::gates::{Gates, Told};
use super::key::{KEYS, Key};
use super::lint::Lint;
use super::rollout::Rollout;
use super::{FILE, Flaw, Flaws, file};
use crate::diag::Severity;
use crate::model::{Compat, Given, Mode, Settings};
use crate::world::World;

/// Who said a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody.
    Default,
    /// A line of a file.
    File {
        /// From the top of the repository.
        path: String,
        /// From 1.
        line: u32,
    },
    /// A variable of the environment.
    Environment(&'static str),
    /// A flag of the command line.
    Flag(&'static str),
}

/// A value that somebody has said.
pub type Said = (&'static Key, String, Origin);

/// Every setting, and who said it.
#[derive(Debug, Clone, Default)]
pub struct Effective {
    values: BTreeMap<&'static str, (String, Origin)>,
    /// What the file says about warnings.
    pub lint: Lint,
    /// What the file says about changes.
    pub gates: Option<Gates>,
    /// Identifiers of join tokens that are good no more.
    pub revoked_tokens: Vec<Told<String>>,
    /// What the file says about the way of a commit to the proxies.
    pub rollout: Option<Rollout>,
    /// The file that counts, from the top of the repository.
    pub file: Option<String>,
}

/// Settles what counts. What is said further back counts more.
///
/// # Errors
/// The file cannot be read, or says something that cannot be.
pub fn settle(world: &dyn World, said: impl IntoIterator<Item = Said>) -> Result<Effective, Flaws> {
    let found = world.config().map_err(|reason| Flaws {
        list: vec![Flaw {
            path: FILE.to_owned(),
            place: None,
            message: format!("cannot be read: {reason}"),
            help: None,
        }],
    })?;
    let mut effective = Effective::default();
    if let Some(found) = found {
        let content = file::read(&found)?;
        for (key, value, line) in content.values {
            let path = found.path.clone();
            let origin = Origin::File { path, line };
            effective.values.insert(key.name, (value, origin));
        }
        effective.lint = content.lint;
        effective.gates = content.gates;
        effective.revoked_tokens = content.revoked_tokens;
        effective.rollout = content.rollout;
        effective.file = Some(found.path);
    }
    for (key, value, origin) in said {
        key.judge(&value).map_err(|(message, help)| Flaws {
            list: vec![Flaw {
                path: origin.to_string(),
                place: None,
                message,
                help,
            }],
        })?;
        effective.values.insert(key.name, (value, origin));
    }
    Ok(effective)
}

impl Effective {
    /// A value, and who said it.
    #[must_use]
    pub fn get(&self, key: &'static Key) -> (&str, &Origin) {
        match self.values.get(key.name) {
            Some((value, origin)) => (value, origin),
            None => (key.default, &Origin::Default),
        }
    }

    fn word(&self, name: &str) -> (&str, bool) {
        let key = KEYS.iter().find(|key| key.name == name);
        key.map_or(("", false), |key| {
            let (value, origin) = self.get(key);
            (value, *origin != Origin::Default)
        })
    }

    /// What the compiler wants to know.
    #[must_use]
    pub fn settings(&self) -> Settings {
        let (zone, zone_given) = self.word("zone");
        let (namespace, namespace_given) = self.word("system-namespace");
        Settings {
            zone: zone.to_owned(),
            mode: match self.word("mode").0 {
                "global" => Mode::Global,
                _ => Mode::Zone,
            },
            system_namespace: namespace.to_owned(),
            default_policies: self.word("default-policies").0 != "false",
            partial: false,
            with_shadow: false,
            now: None,
            given: Given {
                zone: zone_given,
                system_namespace: namespace_given,
            },
            compat: Compat::Off,
        }
    }

    /// The format of findings, by its name.
    #[must_use]
    pub fn format(&self) -> &str {
        self.word("format").0
    }

    /// The least severity that fails a run.
    #[must_use]
    pub fn fail_on(&self) -> Severity {
        match self.word("fail-on").0 {
            "warning" => Severity::Warning,
            _ => Severity::Error,
        }
    }

    /// Every setting with its value and who said it, in the order of the table; what is said of warnings and changes comes last.
    pub fn lines(&self) -> impl Iterator<Item = (String, String, Origin)> {
        let keys = KEYS.iter().map(|key| {
            let (value, origin) = self.get(key);
            (key.name.to_owned(), value.to_owned(), origin.clone())
        });
        let path = self.file.clone().unwrap_or_default();
        let lint = self.lint.lines().map(move |(name, level)| {
            let path = path.clone();
            (name, level.to_owned(), Origin::File { path, line: 0 })
        });
        let gates = self.gates.iter().flat_map(|gates| {
            gates.lines().map(|(name, value, line)| {
                let path = gates.file.clone();
                (name, value, Origin::File { path, line })
            })
        });
        let file = self.file.clone().unwrap_or_default();
        let revoked = self.revoked_tokens.iter().map(move |told| {
            let (path, line) = (file.clone(), told.line);
            let origin = Origin::File { path, line };
            ("tokens.revoked".to_owned(), told.value.clone(), origin)
        });
        let rollout = self.rollout.iter().flat_map(|rollout| {
            rollout.lines().map(|(name, value)| {
                let path = rollout.file.clone();
                (name, value, Origin::File { path, line: 0 })
            })
        });
        keys.chain(lint).chain(gates).chain(revoked).chain(rollout)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line: 0 } => f.write_str(path),
            Self::File { path, line } => write!(f, "{path}:{line}"),
            Self::Environment(variable) => f.write_str(variable),
            Self::Flag(flag) => write!(f, "--{flag}"),
        }
    }
}
