//! Where a certificate or a key comes from, when it may not stand in the document (language 2.8).
//!
//! Never reads one: meshd resolves sources, the compiler names them.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;

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

/// The value may be a private key.
impl fmt::Debug for InsecureInline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InsecureInline(redacted)")
    }
}
