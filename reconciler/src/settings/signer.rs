//! Who signs the certificates of an identity where meshd holds no key for it.
//!
//! Never a token or a key: files that hold them.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use super::anchor;
use super::value::Endpoint;

/// A signer of one `MeshIdentity`, instead of the authority that its document names.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Signer {
    /// The mesh of the identity.
    pub mesh: String,
    /// The name of the `MeshIdentity`.
    pub identity: String,
    /// The PKI secrets engine of Vault or `OpenBao`.
    pub vault: VaultSigner,
}

/// A role of a PKI secrets engine.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct VaultSigner {
    /// The server.
    pub address: Endpoint,
    /// Where the engine is mounted.
    pub mount: String,
    /// Its role; it must permit the SPIFFE IDs of the identity as URI names.
    pub role: String,
    /// The namespace, where the server has any.
    pub namespace: Option<String>,
    /// PEM file of certificate authorities for `address`, instead of those of the system.
    pub ca: Option<PathBuf>,
    /// File of a token; read for each request.
    pub token_file: Option<PathBuf>,
    /// A role to log in by, instead of a token.
    pub approle: Option<AppRole>,
}

/// A login by `AppRole`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct AppRole {
    /// Where the method is mounted.
    #[serde(default = "approle")]
    pub mount: String,
    /// File of the role's identifier.
    pub role_id_file: PathBuf,
    /// File of the secret.
    pub secret_id_file: PathBuf,
}

fn approle() -> String {
    "approle".to_owned()
}

impl Signer {
    pub(super) fn begin_at(&mut self, directory: &Path) {
        let VaultSigner {
            ca,
            token_file,
            approle,
            ..
        } = &mut self.vault;
        let role = approle
            .iter_mut()
            .flat_map(|role| [&mut role.role_id_file, &mut role.secret_id_file]);
        for path in ca.iter_mut().chain(token_file).chain(role) {
            anchor(path, directory);
        }
    }

    /// # Errors
    /// In words: a part is missing, or not fit for a URL.
    pub(super) fn judge(&self) -> Result<(), String> {
        let VaultSigner {
            mount,
            role,
            token_file,
            approle,
            ..
        } = &self.vault;
        let name = format!("the signer of `{}/{}`", self.mesh, self.identity);
        let plain = |text: &str| {
            let inside = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
            let odd =
                text.is_empty() || text.split('/').any(|part| part.is_empty() || part == "..");
            !odd && text.chars().all(inside)
        };
        let method = approle.as_ref().map_or("approle", |role| &role.mount);
        if ![mount, role, method].into_iter().all(plain) {
            return Err(format!("{name} has a mount or a role that is no path"));
        }
        if token_file.is_some() == approle.is_some() {
            return Err(format!("{name} has either `token-file` or `approle`"));
        }
        Ok(())
    }
}
