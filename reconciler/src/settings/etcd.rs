//! Where several meshds share what they know of their proxies.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use super::anchor;

/// Several meshds with the same etcd and prefix serve one mesh, side by side.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Etcd {
    /// `http://host:port` or `https://host:port` of each server; tried in turn.
    pub endpoints: Vec<String>,
    /// Before the names of all keys.
    #[serde(default = "prefix")]
    pub prefix: String,
    /// PEM file of the certificate authorities of the servers, instead of those of the system.
    pub ca: Option<PathBuf>,
    /// PEM file of the certificate that etcd knows meshd by.
    pub cert: Option<PathBuf>,
    /// PEM file of its key.
    pub key: Option<PathBuf>,
}

fn prefix() -> String {
    "/mesh/".to_owned()
}

impl Etcd {
    pub(super) fn judge(&self) -> Result<(), String> {
        if self.endpoints.is_empty() {
            return Err("`etcd` names no server: add one to `endpoints`".to_owned());
        }
        let plain = |url: &&String| !(url.starts_with("http://") || url.starts_with("https://"));
        if let Some(url) = self.endpoints.iter().find(plain) {
            return Err(format!("`{url}` is neither http:// nor https://"));
        }
        if self.cert.is_some() != self.key.is_some() {
            return Err("`etcd` has one of `cert` and `key`, and needs both or none".to_owned());
        }
        Ok(())
    }

    pub(super) fn begin_at(&mut self, directory: &Path) {
        let paths = [&mut self.ca, &mut self.cert, &mut self.key];
        for path in paths.into_iter().flatten() {
            anchor(path, directory);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::settings::Settings;

    #[test]
    fn what_cannot_work_is_refused() {
        let good = "[etcd]\nendpoints = [\"https://a:2379\"]\n";
        let etcd = Settings::parse(good).unwrap().etcd.unwrap();
        assert_eq!(etcd.prefix, "/mesh/");
        for (bad, why) in [
            ("[etcd]\nendpoints = []\n", "names no server"),
            (
                "[etcd]\nendpoints = [\"a:2379\"]\n",
                "neither http:// nor https://",
            ),
            (
                "[etcd]\nendpoints = [\"http://a\"]\ncert = \"c\"\n",
                "needs both or none",
            ),
            (
                "[etcd]\nendpoints = [\"http://a\"]\nusername = \"c\"\n",
                "unknown field",
            ),
        ] {
            let (_, told) = Settings::parse(bad).unwrap_err();
            assert!(told.contains(why), "{told}");
        }
    }
}
