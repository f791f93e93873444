//! Which connections a rule is about: the peer's SPIFFE ID and the TLS server name (language 4.5).
//!
//! Never compares anything: the compiled form that decides is `PeerMatch` of the bundle.

use schemars::JsonSchema;
use serde::Deserialize;

use mesh_bundle::SpiffeId;

use crate::diag::{Change, Code, Pointer};

use super::{Check, grammar};

/// Which connections are meant. What is given must all hold; one of the two must be given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct Match {
    /// The SPIFFE ID in the certificate of the client. A client without a certificate never matches.
    #[serde(rename = "spiffeID")]
    pub(crate) spiffe_id: Option<SpiffeIdMatch>,
    /// The server name that the client asked for in TLS. Useful on the listeners of zone proxies only.
    pub(crate) sni: Option<SniMatch>,
}

/// How a SPIFFE ID is compared.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct SpiffeIdMatch {
    /// `Exact` or `Prefix`. Required.
    #[serde(rename = "type")]
    pub(crate) how: Option<SpiffeIdMatchType>,
    /// A SPIFFE ID, `spiffe://<trust domain>/<path>`. Required. A prefix has to be a SPIFFE ID too, so it does not end
    /// with `/`, and it is compared as text: `…/web` holds for `…/web2` as well.
    pub(crate) value: Option<String>,
}

/// How a SPIFFE ID is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum SpiffeIdMatchType {
    /// The whole ID.
    Exact,
    /// The beginning of the ID.
    Prefix,
}

/// How a TLS server name is compared.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct SniMatch {
    /// `Exact`. Required.
    #[serde(rename = "type")]
    pub(crate) how: Option<SniMatchType>,
    /// A DNS name in lower case. Required.
    pub(crate) value: Option<String>,
}

/// How a TLS server name is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum SniMatchType {
    /// The whole name.
    Exact,
}

impl Match {
    /// Checks a match.
    pub(crate) fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        if self.spiffe_id.is_none() && self.sni.is_none() {
            check
                .invalid(at, "a match must have a `spiffeID` or a `sni`: an empty one matches nothing")
                .help("to match every client of a trust domain: `spiffeID: {type: Prefix, value: spiffe://<trust domain>}`");
        }
        if let Some(spiffe_id) = &self.spiffe_id {
            spiffe_id.check(&at.field("spiffeID"), check);
        }
        if let Some(sni) = &self.sni {
            sni.check(&at.field("sni"), check);
        }
    }
}

impl SpiffeIdMatch {
    /// Checks that it can be compared, and that it is what was meant.
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        let id = self.check_form(at, check);
        // `spiffe://td` ends where a trust domain does: it cannot reach into another one.
        let id = id.filter(|id| !id.path().is_empty());
        if let Some(id) = id.filter(|_| self.how == Some(SpiffeIdMatchType::Prefix)) {
            let message = format!("the prefix `{id}` also matches `{id}2`");
            check
                .warn(Code::PREFIX_BOUNDARY, &at.field("value"), message)
                .help("use `Exact` where one workload is meant")
                .unsafe_fix("match one workload", |at| {
                    let mut how = at.clone();
                    how.steps.pop();
                    vec![Change::Replace(how.field("type"), "Exact".into())]
                });
        }
    }

    /// Checks that it can be compared, and gives back what it is compared with.
    pub(crate) fn check_form(&self, at: &Pointer, check: &mut Check<'_>) -> Option<SpiffeId> {
        if self.how.is_none() {
            check
                .missing(&at.field("type"))
                .help("one of `Exact`, `Prefix`");
        }
        let value = self.value.as_deref().unwrap_or_default();
        match value.parse::<SpiffeId>() {
            Ok(id) => Some(id),
            Err(error) => {
                let message = format!("`{value}` is not a SPIFFE ID: {error}");
                let finding = check.invalid(at, message);
                finding.help(
                    "a SPIFFE ID looks like `spiffe://default.default.mesh.local/workload/web`",
                );
                None
            }
        }
    }
}

impl SniMatch {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        if self.how.is_none() {
            check.missing(&at.field("type")).help("`Exact`");
        }
        let value_at = at.field("value");
        let Some(value) = check.required(self.value.as_ref(), &value_at) else {
            return;
        };
        if !grammar::is_subdomain(value) {
            let message = format!("`{value}` is not a DNS name in lower case");
            check.invalid(&value_at, message);
            return;
        }
        check.not_implemented(at, "`sni` is for the listeners of zone proxies");
    }
}
