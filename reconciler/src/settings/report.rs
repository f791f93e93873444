//! Where the outcome of a commit is written, so that a person sees it beside the commit.
//!
//! Never a place that a commit names.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use super::anchor;
use super::value::Endpoint;

/// The commit status that a source writes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Report {
    /// Whose interface it is.
    pub kind: Forge,
    /// The repository as the forge names it, such as `team/mesh`.
    #[schemars(regex(pattern = "^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)+$"))]
    pub project: Project,
    /// Base of the interface. Without it that of github.com or gitlab.com; a Gitea has no common one.
    pub api: Option<Endpoint>,
    /// File of the token.
    pub token_file: PathBuf,
    /// PEM file of certificate authorities, instead of those of the system.
    pub ca: Option<PathBuf>,
    /// What the status links to.
    pub target_url: Option<Endpoint>,
    /// The status is a success once every connected proxy holds the commit, and a failure where one refuses it. Otherwise it is a success
    /// when the commit is published.
    #[serde(default)]
    pub acknowledged: bool,
}

/// Whose interface it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Forge {
    /// github.com or a GitHub Enterprise Server.
    Github,
    /// gitlab.com or a GitLab of one's own.
    Gitlab,
    /// Gitea or Forgejo.
    #[serde(alias = "forgejo")]
    Gitea,
}

/// `owner/name`, in GitLab with as many groups as there are.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
pub struct Project(String);

impl Report {
    /// The base of the interface, without a slash at its end.
    pub(crate) fn api(&self) -> &str {
        match (&self.api, self.kind) {
            (Some(api), _) => api.as_str(),
            (None, Forge::Gitlab) => "https://gitlab.com/api/v4",
            // A Gitea without one was refused when it was read.
            (None, Forge::Github | Forge::Gitea) => "https://api.github.com",
        }
    }

    pub(super) fn check(&self) -> Result<(), String> {
        match (self.kind, &self.api) {
            (Forge::Gitea, None) => {
                let example = "`api = \"https://forge.example/api/v1\"`";
                Err(format!(
                    "`report`: a Gitea has no common address: say {example}"
                ))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn begin_at(&mut self, directory: &Path) {
        anchor(&mut self.token_file, directory);
        if let Some(path) = &mut self.ca {
            anchor(path, directory);
        }
    }
}

impl Project {
    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Project {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let part = |part: &str| !matches!(part, "" | "." | "..") && part.bytes().all(plain);
        if text.contains('/') && text.split('/').all(part) {
            return Ok(Self(text));
        }
        Err(format!("`{text}` is no project, such as `team/mesh`"))
    }
}
