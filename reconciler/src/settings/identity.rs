//! Whose proofs let a proxy join, beside join tokens of this meshd.
//!
//! Never an issuer without an audience, and never a rule without a bound: a token that was made for somebody else is no proof
//! here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use super::anchor;
use super::value::{Endpoint, Label};

/// Rules of one issuer, and issuers.
const MOST: usize = 1_000;

/// Who else may vouch for proxies.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Identity {
    /// Files of public keys (`meshd token-key --public`): join tokens that these have signed are accepted too.
    #[serde(default)]
    pub token_keys: Vec<PathBuf>,
    /// Issuers of JSON Web Tokens: Kubernetes for its service accounts, or any of `OpenID` Connect.
    #[serde(default)]
    pub issuer: Vec<TokenIssuer>,
}

/// An issuer whose tokens are the proof of who joins. They are signed by RS256, ES256 or `EdDSA`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    try_from = "WrittenIssuer"
)]
#[schemars(with = "WrittenIssuer")]
pub struct TokenIssuer {
    /// What logs call it.
    pub name: Label,
    /// What `iss` of its tokens says, to the letter.
    pub issuer: String,
    /// What `aud` of its tokens must hold.
    pub audience: String,
    /// Where its keys are asked for.
    pub jwks: Option<Endpoint>,
    /// The file of its keys.
    pub jwks_file: Option<PathBuf>,
    /// PEM file of certificate authorities for `jwks`, instead of those of the system.
    pub ca: Option<PathBuf>,
    /// Each token, by its `jti`, is good for one proxy.
    pub single_use: bool,
    /// What its tokens are good for.
    pub allow: Vec<Allow>,
}

/// As it is written.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "TokenIssuer")]
struct WrittenIssuer {
    /// What logs call it.
    name: Label,
    /// What `iss` of its tokens says, to the letter.
    issuer: String,
    /// What `aud` of its tokens must hold: a name that nobody else takes tokens for.
    audience: String,
    /// URL of its JSON Web Key Set; asked again every ten minutes, and when a token names a key that is new.
    jwks: Option<Endpoint>,
    /// File of its JSON Web Key Set, instead of `jwks`.
    jwks_file: Option<PathBuf>,
    /// PEM file of certificate authorities for `jwks`, instead of those of the system.
    ca: Option<PathBuf>,
    /// Each token, by its `jti`, is good for one proxy. Those of Kubernetes are not meant to be.
    #[serde(default)]
    single_use: bool,
    /// What its tokens are good for: the first rule that fits counts.
    allow: Vec<Allow>,
}

/// What tokens that say this are good for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Allow {
    /// The mesh.
    pub mesh: String,
    /// By JSON pointer into the claims: what they must say.
    pub claims: BTreeMap<String, String>,
    /// Dataplanes of this workload.
    pub workload: Option<String>,
    /// JSON pointer of the claim that names the workload, instead of `workload`.
    pub workload_claim: Option<String>,
    /// The Dataplane of this name.
    pub dataplane: Option<String>,
    /// JSON pointer of the claim that names the Dataplane, instead of `dataplane`.
    pub dataplane_claim: Option<String>,
    /// Labels that a document must have, and services may be entered by.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

impl Identity {
    pub(super) fn begin_at(&mut self, directory: &Path) {
        let issuers = self.issuer.iter_mut();
        let files = issuers.flat_map(|issuer| [&mut issuer.jwks_file, &mut issuer.ca]);
        for path in files.flatten().chain(&mut self.token_keys) {
            anchor(path, directory);
        }
    }
}

impl TryFrom<WrittenIssuer> for TokenIssuer {
    type Error = String;

    fn try_from(written: WrittenIssuer) -> Result<Self, String> {
        let WrittenIssuer {
            name,
            issuer,
            audience,
            jwks,
            jwks_file,
            ca,
            single_use,
            allow,
        } = written;
        if jwks.is_some() == jwks_file.is_some() {
            return Err(format!(
                "the issuer `{name}` has either `jwks` or `jwks-file`"
            ));
        }
        if issuer.is_empty() || audience.is_empty() {
            return Err(format!(
                "`issuer` and `audience` of the issuer `{name}` are not empty"
            ));
        }
        if allow.is_empty() || allow.len() > MOST {
            return Err(format!(
                "the issuer `{name}` has 1 to {MOST} rules (`allow`)"
            ));
        }
        for rule in &allow {
            rule.judge()
                .map_err(|why| format!("a rule of the issuer `{name}` {why}"))?;
        }
        Ok(Self {
            name,
            issuer,
            audience,
            jwks,
            jwks_file,
            ca,
            single_use,
            allow,
        })
    }
}

impl Allow {
    fn judge(&self) -> Result<(), &'static str> {
        if self.claims.is_empty() {
            return Err("asks nothing of the claims: every token of the issuer would do");
        }
        let pointers = self.claims.keys();
        let named = [&self.workload_claim, &self.dataplane_claim];
        let mut pointers = pointers.chain(named.into_iter().flatten());
        if !pointers.all(|pointer| pointer.starts_with('/')) {
            return Err(
                "names a claim that is no JSON pointer: write `/sub`, or `/kubernetes.io/namespace`",
            );
        }
        let both =
            |fixed: &Option<String>, claim: &Option<String>| fixed.is_some() && claim.is_some();
        if both(&self.workload, &self.workload_claim)
            || both(&self.dataplane, &self.dataplane_claim)
        {
            return Err("names a value and the claim that holds it: one of them");
        }
        let bound = self.workload.is_some() || self.workload_claim.is_some();
        if !bound
            && self.dataplane.is_none()
            && self.dataplane_claim.is_none()
            && self.labels.is_empty()
        {
            return Err("gives nothing: name a workload, a Dataplane or labels");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Settings;

    const RULE: &str =
        "allow = [{ mesh = \"shop\", claims = { \"/sub\" = \"a\" }, workload = \"web\" }]";

    /// One issuer with these lines.
    fn issuer(place: &str, allow: &str) -> String {
        format!(
            "[[identity.issuer]]\nname = \"a\"\nissuer = \"https://a.example\"\naudience = \"meshd\"\n{place}\n{allow}\n"
        )
    }

    /// One signer with these lines.
    fn signer(lines: &str) -> String {
        format!(
            "[[signer]]\nmesh = \"shop\"\nidentity = \"a\"\n[signer.vault]\naddress = \"https://v.example\"\n{lines}\n"
        )
    }

    #[test]
    fn who_vouches_and_who_signs() {
        let place = "jwks = \"https://a.example/keys\"";
        let vault = "mount = \"pki/mesh\"\nrole = \"proxies\"\ntoken-file = \"/run/token\"";
        let good = format!(
            "{}{}[ca]\nseal-file = \"/run/seal\"\n",
            issuer(place, RULE),
            signer(vault)
        );
        let settings = Settings::parse(&good).unwrap();
        assert_eq!(settings.identity.issuer[0].allow.len(), 1);
        assert_eq!(settings.signers[0].vault.mount, "pki/mesh");
        let rule = |text: &str| {
            issuer(
                place,
                &RULE.replace("claims = { \"/sub\" = \"a\" }, workload = \"web\"", text),
            )
        };
        for (text, expected) in [
            (issuer("", RULE), "either `jwks` or `jwks-file`"),
            (
                issuer(&format!("{place}\njwks-file = \"a\""), RULE),
                "either `jwks` or `jwks-file`",
            ),
            (issuer("jwks = \"http://a.example/\"", RULE), "in the clear"),
            (
                issuer("jwks = \"file:///etc/passwd\"", RULE),
                "no URL with a host",
            ),
            (issuer(place, "allow = []"), "rules"),
            (
                issuer(place, RULE).replace("\"meshd\"", "\"\""),
                "not empty",
            ),
            (rule("claims = {}, workload = \"web\""), "every token"),
            (
                rule("claims = { sub = \"a\" }, workload = \"web\""),
                "JSON pointer",
            ),
            (rule("claims = { \"/sub\" = \"a\" }"), "gives nothing"),
            (
                rule("claims = { \"/sub\" = \"a\" }, workload = \"a\", workload-claim = \"/b\""),
                "one of them",
            ),
            (
                rule("claims = { \"/sub\" = \"a\" }, wrokload = \"a\""),
                "wrokload",
            ),
            (
                signer("mount = \"pki\"\nrole = \"r\""),
                "`token-file` or `approle`",
            ),
            (signer(&vault.replace("pki/mesh", "../sys")), "no path"),
            (signer(&vault.replace("proxies", "a?b")), "no path"),
            (format!("{}{}", signer(vault), signer(vault)), "two signers"),
        ] {
            let (_, why) = Settings::parse(&text).unwrap_err();
            assert!(why.contains(expected), "{expected}: {why}");
        }
    }
}
