//! Where a certificate or a key comes from, when it may not stand in the document (language 2.8).
//!
//! Never reads one: meshd resolves sources, the compiler names them.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::diag::{Change, Pointer};

use super::Check;

/// A value, or the place where meshd finds it. The member that belongs to `type` is required.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct DataSource {
    /// `Secret`, `InsecureInline`, `EnvVar` or `File`. Required.
    #[serde(rename = "type")]
    pub(crate) kind: Option<DataSourceType>,
    /// For `Secret`: which one.
    pub(crate) secret_ref: Option<SecretRef>,
    /// For `InsecureInline`: the value itself.
    pub(crate) insecure_inline: Option<InsecureInline>,
    /// For `EnvVar`: a variable in the environment of meshd.
    pub(crate) env_var: Option<EnvVar>,
    /// For `File`: a file on the host of meshd.
    pub(crate) file: Option<FileRef>,
}

/// Where a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum DataSourceType {
    /// In a Secret of the same mesh.
    Secret,
    /// In the document: never right for a private key.
    InsecureInline,
    /// In the environment of meshd.
    EnvVar,
    /// On the host of meshd.
    File,
}

/// A Secret of the same mesh.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct SecretRef {
    /// `Secret`. Required.
    pub(crate) kind: Option<SecretKind>,
    /// The name of the Secret. Required.
    pub(crate) name: Option<String>,
}

/// What a secret reference can refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum SecretKind {
    /// A Secret of the same mesh.
    Secret,
}

/// A value in the document.
#[derive(Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct InsecureInline {
    /// The text. Required.
    pub(crate) value: Option<String>,
}

/// A variable in the environment of meshd.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct EnvVar {
    /// Its name. Required.
    pub(crate) name: Option<String>,
}

/// A file on the host of meshd.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct FileRef {
    /// An absolute path without `..`. Required.
    pub(crate) path: Option<String>,
}

impl DataSource {
    /// Checks a source that has to be there.
    pub(crate) fn check_required(source: Option<&Self>, at: &Pointer, check: &mut Check<'_>) {
        match source {
            Some(source) => source.check(at, check),
            None => {
                check.missing(at);
            }
        }
    }

    /// The value, where it stands in the document.
    pub(crate) fn inline(&self) -> Option<&str> {
        match self.kind {
            Some(DataSourceType::InsecureInline) => self.insecure_inline.as_ref()?.value.as_deref(),
            _ => None,
        }
    }

    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        match self.kind {
            None => {
                check
                    .missing(&at.field("type"))
                    .help("one of `Secret`, `InsecureInline`, `EnvVar`, `File`");
            }
            Some(DataSourceType::Secret) => {
                let at = at.field("secretRef");
                if let Some(reference) = member(self.secret_ref.as_ref(), &at, check) {
                    if reference.kind.is_none() {
                        check.missing(&at.field("kind")).help("`Secret`").safe_fix(
                            "add it",
                            |at| {
                                let mut around = at.clone();
                                around.steps.pop();
                                vec![Change::Insert(around, "kind".to_owned(), "Secret".into())]
                            },
                        );
                    }
                    check.required(reference.name.as_ref(), &at.field("name"));
                }
            }
            Some(DataSourceType::InsecureInline) => {
                let at = at.field("insecureInline");
                if let Some(inline) = member(self.insecure_inline.as_ref(), &at, check) {
                    check.required(inline.value.as_ref(), &at.field("value"));
                }
            }
            Some(DataSourceType::EnvVar) => {
                let at = at.field("envVar");
                if let Some(variable) = member(self.env_var.as_ref(), &at, check) {
                    check.required(variable.name.as_ref(), &at.field("name"));
                }
            }
            Some(DataSourceType::File) => {
                let at = at.field("file");
                if let Some(file) = member(self.file.as_ref(), &at, check) {
                    check_path(file.path.as_ref(), &at.field("path"), check);
                }
            }
        }
    }
}

/// The member that belongs to the type.
fn member<'t, T>(member: Option<&'t T>, at: &Pointer, check: &mut Check<'_>) -> Option<&'t T> {
    if member.is_none() {
        check.missing(at);
    }
    member
}

fn check_path(path: Option<&String>, at: &Pointer, check: &mut Check<'_>) {
    let Some(path) = check.required(path, at) else {
        return;
    };
    let bytes = path.as_bytes();
    let drive = matches!(bytes, [letter, b':', b'\\', ..] if letter.is_ascii_alphabetic());
    if !path.starts_with('/') && !drive {
        check.invalid(at, format!("`{path}` is not an absolute path"));
    } else if path.split(['/', '\\']).any(|step| step == "..") {
        check.invalid(at, format!("`{path}` must not hold `..`"));
    }
}

/// The value may be a private key.
impl fmt::Debug for InsecureInline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InsecureInline(redacted)")
    }
}
