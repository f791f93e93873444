//! `meshd.toml`: what an operator decides about meshd and no commit may change.
//!
//! Never holds a secret: secrets are named by the paths of their files. Never passes over a key that it does not know.

mod ca;
mod etcd;
mod identity;
mod notify;
mod proof;
mod report;
mod signer;
mod source;
mod value;
mod webhook;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

pub use crate::event::Severity;
pub use ca::Ca;
pub use etcd::Etcd;
pub use identity::{Allow, Identity, TokenIssuer};
pub use notify::Notify;
pub use proof::{Auth, Ssh, Verify, VerifyMode};
pub use report::{Forge, Report};
pub use signer::{AppRole, Signer, VaultSigner};
pub use source::{Reference, Source};
pub use value::{Endpoint, Label};
pub use webhook::{Hook, Scheme, Webhook};

/// A larger file is refused: nobody writes one.
const MOST_BYTES: u64 = 256 * 1024;
/// Sources of one meshd.
const MOST_SOURCES: usize = 64;
/// Who is told of events.
const MOST_TOLD: usize = 16;

/// Everything that stands in the file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct Settings {
    /// Where documents come from.
    pub sources: Vec<Source>,
    /// Where webhooks of forges are taken.
    pub webhook: Option<Webhook>,
    /// Who else may vouch for proxies that join.
    pub identity: Identity,
    /// How the keys of authorities are kept.
    pub ca: Ca,
    /// Who signs for identities whose keys meshd does not hold.
    pub signers: Vec<Signer>,
    /// Where this meshd finds others of the same mesh.
    pub etcd: Option<Etcd>,
    /// Who is told of events.
    pub notify: Vec<Notify>,
}

/// Settings of meshd.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(title = "meshd.toml: settings of meshd")]
struct Written {
    /// The repositories that documents come from, each with meshes of its own.
    #[serde(default)]
    source: Vec<Source>,
    /// Where the webhooks of forges are taken.
    webhook: Option<Webhook>,
    /// Who else may vouch for proxies that join.
    #[serde(default)]
    identity: Identity,
    /// How the keys of authorities are kept.
    #[serde(default)]
    ca: Ca,
    /// Who signs for identities whose keys meshd does not hold.
    #[serde(default)]
    signer: Vec<Signer>,
    /// Where several meshds share what they know of their proxies.
    etcd: Option<Etcd>,
    /// Who is told of events.
    #[serde(default)]
    notify: Vec<Notify>,
}

impl TryFrom<Written> for Settings {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Written {
            source: sources,
            webhook,
            identity,
            ca,
            signer: signers,
            etcd,
            notify,
        } = written;
        if notify.len() > MOST_TOLD {
            return Err(format!("there are more than {MOST_TOLD} `[[notify]]`"));
        }
        if let Some(etcd) = &etcd {
            etcd.judge()?;
        }
        if sources.len() > MOST_SOURCES {
            return Err(format!("there are more than {MOST_SOURCES} sources"));
        }
        let mut signed = BTreeSet::new();
        for signer in &signers {
            signer.judge()?;
            if !signed.insert((&signer.mesh, &signer.identity)) {
                let (mesh, identity) = (&signer.mesh, &signer.identity);
                return Err(format!("there are two signers of `{mesh}/{identity}`"));
            }
        }
        let mut names = BTreeSet::new();
        for source in &sources {
            if !names.insert(&source.name) {
                return Err(format!("there are two sources named `{}`", source.name));
            }
            if source.webhook.is_some() && webhook.is_none() {
                return Err(format!(
                    "the source `{}` has a webhook, but there is no address to take it at: add `[webhook]` with `listen`",
                    source.name
                ));
            }
        }
        Ok(Self {
            sources,
            webhook,
            identity,
            ca,
            signers,
            etcd,
            notify,
        })
    }
}

/// What is wrong with the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{}: {message}", path.display(), place.map_or_else(String::new, |(line, column)| format!(":{line}:{column}")))]
pub struct Flaw {
    /// Of the file.
    pub path: PathBuf,
    /// Line and column from 1; `None` where it is about the whole file, or that could not be read.
    pub place: Option<(usize, usize)>,
    /// One line.
    pub message: String,
}

impl Settings {
    /// Reads the file. Paths in it that are not absolute begin at its directory.
    ///
    /// # Errors
    /// It cannot be read, or something in it cannot be.
    pub fn read(path: &Path) -> Result<Self, Flaw> {
        let flaw = |message: String| Flaw {
            path: path.to_owned(),
            place: None,
            message,
        };
        let length = std::fs::metadata(path).map_err(|error| flaw(error.to_string()))?;
        if length.len() > MOST_BYTES {
            return Err(flaw(format!("it is larger than {MOST_BYTES} bytes")));
        }
        let text = std::fs::read_to_string(path).map_err(|error| flaw(error.to_string()))?;
        let mut settings = Self::parse(&text).map_err(|(place, message)| Flaw {
            place,
            ..flaw(message)
        })?;
        let directory = path.parent().unwrap_or(Path::new(""));
        for source in &mut settings.sources {
            source.begin_at(directory);
        }
        settings.identity.begin_at(directory);
        settings.ca.begin_at(directory);
        for signer in &mut settings.signers {
            signer.begin_at(directory);
        }
        if let Some(etcd) = &mut settings.etcd {
            etcd.begin_at(directory);
        }
        for notify in &mut settings.notify {
            notify.begin_at(directory);
        }
        Ok(settings)
    }

    /// Line and column from 1, and what is wrong there.
    fn parse(text: &str) -> Result<Self, (Option<(usize, usize)>, String)> {
        toml::from_str(text).map_err(|error| {
            let place = error.span().map(|span| place(text, span.start));
            let message = error.message().lines().next().unwrap_or_default();
            (place, message.to_owned())
        })
    }
}

/// The JSON Schema of the file, for editors.
#[must_use]
pub fn schema() -> serde_json::Value {
    let settings = schemars::generate::SchemaSettings::draft07();
    settings
        .into_generator()
        .into_root_schema_for::<Written>()
        .to_value()
}

/// A path that does not begin at the root begins here.
fn anchor(path: &mut PathBuf, directory: &Path) {
    // An absolute path takes the place of the whole.
    *path = directory.join(&*path);
}

fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (line, before.len() - start + 1)
}

#[cfg(test)]
mod tests;
