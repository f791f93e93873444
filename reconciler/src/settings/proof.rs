//! How meshd and a server prove to each other who they are, and how a commit proves whose it is.
//!
//! Never learned from the other side: what counts is what the operator wrote down before.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

/// How meshd proves at `https://` who it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Auth {
    /// Who it is, with a password; forges take any name beside a token.
    pub username: Option<String>,
    /// File of the password, or of an access token.
    pub password_file: Option<PathBuf>,
    /// File of a token that is sent as `Bearer`.
    pub bearer_file: Option<PathBuf>,
    /// PEM file of a client's certificate, with those that lead to its authority.
    pub certificate: Option<PathBuf>,
    /// PEM file of its key.
    pub key: Option<PathBuf>,
}

/// How meshd and the server prove at `ssh://` who they are. Host keys are never learned by themselves.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Ssh {
    /// File of the private key, without a passphrase.
    pub key: PathBuf,
    /// File of the keys that the server may have, as `ssh-keyscan` writes it.
    pub known_hosts: PathBuf,
}

impl Ssh {
    /// What OpenSSH would read as more than the path.
    pub(crate) fn check(&self) -> Result<(), String> {
        let odd = |c: char| c.is_control() || "\"\\%$".contains(c);
        let paths = [&self.key, &self.known_hosts].map(|path| path.to_string_lossy());
        match paths
            .into_iter()
            .find(|path| path.contains(odd) || path.starts_with('~'))
        {
            None => Ok(()),
            Some(path) => {
                let rule = "such a path has no `\"`, `\\`, `%` or `$`, and begins with no `~`";
                Err(format!("`ssh`: `{path}`: {rule}"))
            }
        }
    }
}

/// Which signatures a commit must have.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Verify {
    /// What has to be signed.
    pub mode: VerifyMode,
    /// File of those who may sign, in the format of git's `gpg.ssh.allowedSignersFile` (ssh-keygen(1), ALLOWED SIGNERS).
    pub allowed_signers: PathBuf,
}

/// What has to be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum VerifyMode {
    /// The newest commit.
    Head,
    /// The tag that points to it.
    Tag,
    /// Every commit since the last good one.
    AllSinceLast,
}

impl Auth {
    pub(super) fn check(&self) -> Result<(), String> {
        let refuse = |why: &str| Err(format!("`auth`: {why}"));
        if self.password_file.is_some() && self.bearer_file.is_some() {
            return refuse("there is either `password-file` or `bearer-file`");
        }
        if self.username.is_some() && self.password_file.is_none() {
            return refuse("`username` needs `password-file`");
        }
        if self
            .username
            .as_ref()
            .is_some_and(|name| name.contains(':'))
        {
            return refuse("`username` cannot hold a colon");
        }
        if self.certificate.is_some() != self.key.is_some() {
            return refuse("`certificate` and `key` go together");
        }
        Ok(())
    }
}
