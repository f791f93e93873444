//! One repository: where it is, what of it is wanted, and what a commit must be like to be believed.
//!
//! Never two answers to one question: of the ways to name a commit there is exactly one.

use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::anchor;
use super::proof::{Auth, Ssh, Verify, VerifyMode};
use super::report::Report;
use super::value::Label;
use super::webhook::Hook;
use crate::git::Address;

const LEAST_POLL: Duration = Duration::from_secs(1);
const LONGEST_TIMEOUT: Duration = Duration::from_mins(30);

/// One repository.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct Source {
    /// What it is called in conditions, events, metrics and webhooks.
    pub name: Label,
    /// A path, a `file://`, `https://` or `ssh://` URL, or `git@host:path`.
    pub repository: String,
    /// The directory inside the repository that holds the documents.
    pub path: Option<String>,
    /// Which commit is wanted.
    pub reference: Reference,
    /// Between two looks at it.
    pub poll: Duration,
    /// For a whole fetch.
    pub timeout: Duration,
    /// Fetch the newest commit only.
    pub shallow: bool,
    /// A commit that does not build on the last good one may take its place.
    pub allow_rewind: bool,
    /// A commit that removes a larger share of what is served needs a trailer.
    pub max_removed_percent: u8,
    /// Gates of the operator, beside those of the repository.
    pub gates: Option<PathBuf>,
    /// PEM file of certificate authorities for `https://`.
    pub ca: Option<PathBuf>,
    /// The proxy on the way to it.
    pub proxy: Option<String>,
    /// How meshd proves at `https://` who it is.
    pub auth: Auth,
    /// How meshd proves at `ssh://` who it is, and how the server does.
    pub ssh: Option<Ssh>,
    /// Which signatures a commit must have.
    pub verify: Option<Verify>,
    /// What may wake meshd.
    pub webhook: Option<Hook>,
    /// Where the outcome of each commit is written.
    pub report: Option<Report>,
}

/// Which commit is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// A branch, a tag, or a full name, whichever there is: what a command line says.
    Named(String),
    /// The newest commit of a branch.
    Branch(String),
    /// What a tag points to.
    Tag(String),
    /// The tag with the highest version in a range.
    Version {
        /// As Cargo writes it: `>=1.2, <2`, `^1.4`, `~1.2`, `*`.
        range: String,
        /// What stands before the version in the name of a tag.
        prefix: String,
    },
    /// This commit.
    Commit(String),
    /// A full name, such as `refs/pull/42/head`.
    Full(String),
}

/// A repository that documents come from.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Source", transform = one_reference)]
struct Written {
    /// What it is called in conditions, events, metrics and webhooks.
    name: Label,
    /// A path, a `file://`, `https://` or `ssh://` URL, or `git@host:path`.
    repository: String,
    /// The directory inside the repository that holds the documents.
    path: Option<String>,
    /// The newest commit of this branch. Without any reference: `main`.
    branch: Option<String>,
    /// The commit of this tag.
    tag: Option<String>,
    /// The tag with the highest version in this range, such as `^1.4` or `>=1.2, <2`.
    semver: Option<String>,
    /// With `semver`: what stands before the version in the names of tags, such as `mesh/v`. A `v` alone is understood.
    tag_prefix: Option<String>,
    /// This commit: all its 40 hex digits.
    commit: Option<String>,
    /// A full reference name, such as `refs/pull/42/head`.
    r#ref: Option<String>,
    /// Time between two looks at the repository, give or take a tenth.
    #[serde(default = "a_minute")]
    #[schemars(with = "String", extend("default" = "60s"))]
    poll: mesh_bundle::Duration,
    /// For a whole fetch, from the first connection to the last byte.
    #[serde(default = "a_minute")]
    #[schemars(with = "String", extend("default" = "60s"))]
    timeout: mesh_bundle::Duration,
    /// Fetch the newest commit without its history. Needs `allow-rewind`, because without history nobody can tell.
    #[serde(default)]
    shallow: bool,
    /// Whether a commit that does not build on the last good one may take its place: a branch that was forced back.
    #[serde(default)]
    allow_rewind: bool,
    /// A commit that removes a larger share of what is served needs the trailer `Mesh-Allow-Prune: true`.
    #[serde(default = "half")]
    #[schemars(range(max = 100))]
    max_removed_percent: u8,
    /// File with a table `[gates]` as in `meshc.toml`: gates that no commit can take away, beside those of the repository.
    gates: Option<PathBuf>,
    /// PEM file of certificate authorities for `https://`, beside those of the system.
    ca: Option<PathBuf>,
    /// A proxy on the way to an `https://` repository, such as `http://proxy.example:3128`. Without it `HTTPS_PROXY` and
    /// `NO_PROXY` of the environment count.
    proxy: Option<String>,
    /// How meshd proves at `https://` who it is.
    #[serde(default)]
    auth: Auth,
    /// How meshd proves at `ssh://` who it is, and how the server does.
    ssh: Option<Ssh>,
    /// Which signatures a commit must have.
    verify: Option<Verify>,
    /// What may wake meshd.
    webhook: Option<Hook>,
    /// The forge that is told the outcome of each commit, as a commit status.
    report: Option<Report>,
}

fn a_minute() -> mesh_bundle::Duration {
    mesh_bundle::Duration::from_secs(60)
}

fn half() -> u8 {
    50
}

/// Names of a commit, of which there is at most one.
const REFERENCES: [&str; 5] = ["branch", "tag", "semver", "commit", "ref"];

fn one_reference(schema: &mut schemars::Schema) {
    let pairs = REFERENCES.iter().enumerate().flat_map(|(index, first)| {
        let later = REFERENCES.iter().skip(index + 1);
        later.map(move |second| serde_json::json!({ "required": [first, second] }))
    });
    let pairs: Vec<_> = pairs.collect();
    schema.insert("not".to_owned(), serde_json::json!({ "anyOf": pairs }));
    let prefix = serde_json::json!({ "tag-prefix": ["semver"] });
    schema.insert("dependencies".to_owned(), prefix);
}

impl JsonSchema for Source {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Source".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Written::json_schema(generator)
    }
}

impl TryFrom<Written> for Source {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let reference = written.reference()?;
        let (poll, timeout) = (written.poll.as_std(), written.timeout.as_std());
        if poll < LEAST_POLL || timeout < LEAST_POLL {
            return Err("`poll` and `timeout` are at least `1s`".to_owned());
        }
        if timeout > LONGEST_TIMEOUT {
            return Err("`timeout` is at most `30m`".to_owned());
        }
        if written.max_removed_percent > 100 {
            return Err("`max-removed-percent` is at most 100".to_owned());
        }
        let all = VerifyMode::AllSinceLast;
        let mode = written.verify.as_ref().map(|verify| verify.mode);
        if written.shallow && (!written.allow_rewind || mode == Some(all)) {
            let why =
                "without history it cannot be told whether a commit builds on the last good one";
            return Err(format!(
                "`shallow` needs `allow-rewind = true` and another `verify.mode` than `all-since-last`: {why}"
            ));
        }
        let tagged = matches!(
            reference,
            Reference::Tag(_) | Reference::Version { .. } | Reference::Full(_)
        );
        if mode == Some(VerifyMode::Tag) && !tagged {
            return Err("`verify.mode = \"tag\"` needs `tag`, `semver` or `ref`".to_owned());
        }
        written.auth.check()?;
        judge_ssh(&written.repository, written.ssh.as_ref())?;
        if let Some(report) = &written.report {
            report.check()?;
        }
        Ok(Self {
            name: written.name,
            repository: written.repository,
            path: written.path,
            reference,
            poll,
            timeout,
            shallow: written.shallow,
            allow_rewind: written.allow_rewind,
            max_removed_percent: written.max_removed_percent,
            gates: written.gates,
            ca: written.ca,
            proxy: written.proxy,
            auth: written.auth,
            ssh: written.ssh,
            verify: written.verify,
            webhook: written.webhook,
            report: written.report,
        })
    }
}

/// Where a repository is reached by SSH, both must be said how; what it is like is judged where it is opened.
fn judge_ssh(repository: &str, ssh: Option<&Ssh>) -> Result<(), String> {
    match (Address::parse(repository), ssh) {
        (Some(Err(why)), _) => Err(why),
        (Some(Ok(_)), None) => Err(format!(
            "`{repository}` needs `ssh = {{ key = \"FILE\", known-hosts = \"FILE\" }}`"
        )),
        (None, Some(_)) => Err(format!(
            "`{repository}` is not reached by SSH, and has `ssh`"
        )),
        (Some(Ok(_)), Some(ssh)) => ssh.check(),
        (None, None) => Ok(()),
    }
}

impl Written {
    fn reference(&self) -> Result<Reference, String> {
        let said = [
            &self.branch,
            &self.tag,
            &self.semver,
            &self.commit,
            &self.r#ref,
        ];
        if said.iter().filter(|said| said.is_some()).count() > 1 {
            return Err(
                "of `branch`, `tag`, `semver`, `commit` and `ref` there is at most one".to_owned(),
            );
        }
        if self.tag_prefix.is_some() && self.semver.is_none() {
            return Err("`tag-prefix` goes with `semver`".to_owned());
        }
        if let Some(range) = &self.semver {
            let read = semver::VersionReq::parse(range);
            read.map_err(|error| format!("`semver = \"{range}\"` is no range: {error}"))?;
            return Ok(Reference::Version {
                range: range.clone(),
                prefix: self.tag_prefix.clone().unwrap_or_default(),
            });
        }
        if let Some(commit) = &self.commit {
            let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
            if commit.len() != 40 || !commit.bytes().all(hex) {
                return Err(format!(
                    "`commit = \"{commit}\"`: write all 40 hex digits, in lower case"
                ));
            }
            return Ok(Reference::Commit(commit.clone()));
        }
        if let Some(full) = &self.r#ref {
            if !full.starts_with("refs/") {
                return Err(format!("`ref = \"{full}\"` does not begin with `refs/`"));
            }
            return Ok(Reference::Full(full.clone()));
        }
        Ok(match (&self.tag, &self.branch) {
            (Some(tag), _) => Reference::Tag(tag.clone()),
            (None, Some(branch)) => Reference::Branch(branch.clone()),
            (None, None) => Reference::Branch("main".to_owned()),
        })
    }
}

impl Source {
    /// The one of a command line, with everything else as it is where nothing is said.
    #[must_use]
    pub fn named(repository: &str, reference: Reference) -> Self {
        Self {
            name: Label::of_the_command_line(),
            repository: repository.to_owned(),
            path: None,
            reference,
            poll: a_minute().as_std(),
            timeout: a_minute().as_std(),
            shallow: false,
            allow_rewind: false,
            max_removed_percent: half(),
            gates: None,
            ca: None,
            proxy: None,
            auth: Auth::default(),
            ssh: None,
            verify: None,
            webhook: None,
            report: None,
        }
    }

    pub(super) fn begin_at(&mut self, directory: &Path) {
        // What is reached by SSH has a colon before its first slash, and so have URLs.
        let first = self.repository.split('/').next().unwrap_or_default();
        if !first.contains(':') {
            let mut path = PathBuf::from(&self.repository);
            anchor(&mut path, directory);
            self.repository = path.to_string_lossy().into_owned();
        }
        let auth = &mut self.auth;
        let paths = [
            self.ca.as_mut(),
            self.gates.as_mut(),
            auth.password_file.as_mut(),
            auth.bearer_file.as_mut(),
            auth.certificate.as_mut(),
            auth.key.as_mut(),
            self.webhook.as_mut().map(|hook| &mut hook.secret_file),
            self.verify
                .as_mut()
                .map(|verify| &mut verify.allowed_signers),
        ];
        for path in paths.into_iter().flatten() {
            anchor(path, directory);
        }
        if let Some(ssh) = &mut self.ssh {
            anchor(&mut ssh.key, directory);
            anchor(&mut ssh.known_hosts, directory);
        }
        if let Some(report) = &mut self.report {
            report.begin_at(directory);
        }
    }
}
