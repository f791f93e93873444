//! Tokens that others have issued, as the proof of who may join: of Kubernetes for its service accounts, of any other
//! issuer of `OpenID` Connect.
//!
//! Never believes a claim before a key of its issuer has signed it, never asks an address that stands in a token, and never
//! takes an algorithm because a token names it.

mod keys;

use std::fmt;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use mesh_bundle::Digest;
use serde_json::Value;

use crate::random;
use crate::settings::{Allow, TokenIssuer};
use crate::token::{Grant, ID_LENGTH, Refused, Scope};
use keys::Keys;

/// What the protocol carries.
const LENGTH_LIMIT: usize = 4096;
/// Clocks may differ by this.
const LEEWAY: u64 = 60;
/// Weaker RSA keys are refused.
const RSA_BYTES: usize = 256;

/// Everybody whose tokens are accepted.
#[derive(Default)]
pub(crate) struct Issuers {
    list: Vec<Issuer>,
}

/// One of them.
struct Issuer {
    settings: TokenIssuer,
    keys: Keys,
}

impl fmt::Debug for Issuers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.list.iter().map(|issuer| issuer.settings.name.as_str());
        f.debug_list().entries(names).finish()
    }
}

impl Issuers {
    /// # Errors
    /// In words: a file of certificates cannot be read.
    pub(crate) fn new(settings: &[TokenIssuer]) -> Result<Self, String> {
        let issuer = |settings: &TokenIssuer| {
            let keys = Keys::new(settings)?;
            let settings = settings.clone();
            Ok(Issuer { settings, keys })
        };
        let list = settings.iter().map(issuer).collect::<Result<_, String>>()?;
        Ok(Self { list })
    }

    /// Is this text one of theirs, by its form? Ours has another.
    pub(crate) fn is_one(&self, token: &str) -> bool {
        !self.list.is_empty() && token.trim().starts_with("ey")
    }

    /// What a token is good for. Asks the issuer for its keys where they are not known: blocks.
    pub(crate) fn verify(&self, token: &str, now: u64) -> Result<Grant, Refused> {
        let token = token.trim();
        if token.len() > LENGTH_LIMIT {
            return Err(unproven("it is too long"));
        }
        let header =
            jsonwebtoken::decode_header(token).map_err(|_| unproven("it cannot be read"))?;
        let named = header.jku.is_some() || header.jwk.is_some() || header.x5u.is_some();
        if named || header.x5c.is_some() {
            return Err(unproven("it brings its own key"));
        }
        if header.crit.is_some() {
            return Err(unproven("it asks for what meshd does not know (`crit`)"));
        }
        let algorithm = header.alg;
        let known = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];
        if !known.contains(&algorithm) {
            return Err(unproven("it must be signed by RS256, ES256 or EdDSA"));
        }
        let kid = header
            .kid
            .ok_or_else(|| unproven("it does not say by which key"))?;
        // Which keys are asked is decided by a text that nobody has vouched for yet: only names that are known lead anywhere.
        let claimed = claims_of(token).ok_or_else(|| unproven("it cannot be read"))?;
        let claimed = claimed
            .get("iss")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let issuer = self.list.iter().find(|it| it.settings.issuer == claimed);
        let issuer = issuer.ok_or_else(|| unproven("meshd accepts none of its issuer"))?;
        let key = issuer.keys.find(&kid)?;
        let key = usable(&key, algorithm).map_err(unproven)?;
        let claims = issuer.decode(token, &key, algorithm)?;
        issuer.grant(&claims, now)
    }
}

impl Issuer {
    fn decode(
        &self,
        token: &str,
        key: &DecodingKey,
        algorithm: Algorithm,
    ) -> Result<Value, Refused> {
        let mut validation = Validation::new(algorithm);
        validation.set_audience(&[&self.settings.audience]);
        validation.set_issuer(&[&self.settings.issuer]);
        validation.set_required_spec_claims(&["exp", "aud", "iss"]);
        validation.validate_nbf = true;
        validation.leeway = LEEWAY;
        let decoded = jsonwebtoken::decode::<Value>(token, key, &validation);
        decoded.map(|data| data.claims).map_err(|error| {
            use jsonwebtoken::errors::ErrorKind;
            match error.kind() {
                ErrorKind::ExpiredSignature => unproven("it has expired"),
                ErrorKind::ImmatureSignature => unproven("its time has not come yet"),
                ErrorKind::InvalidAudience => unproven("it is for another audience"),
                ErrorKind::MissingRequiredClaim(_) => unproven("it lacks `exp`, `aud` or `iss`"),
                _ => unproven("its signature is not by a key of its issuer"),
            }
        })
    }

    /// What claims that are proved lead to: the first rule that fits.
    fn grant(&self, claims: &Value, now: u64) -> Result<Grant, Refused> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let expires = claims
            .get("exp")
            .and_then(Value::as_f64)
            .unwrap_or_default();
        let subject = text("sub").ok_or_else(|| unproven("it does not say whom it is about"))?;
        let rule = self.settings.allow.iter();
        let mut scopes = rule.filter_map(|rule| Some((rule, rule.scope(claims)?)));
        let found = scopes.next().ok_or_else(|| {
            unproven("no rule of its issuer (`identity.issuer.allow`) fits what it says")
        });
        let (rule, scope) = found?;
        let issuer = &self.settings.issuer;
        let (id, uses) = match (self.settings.single_use, text("jti")) {
            (false, _) => (id_of(&format!("{issuer}\n{subject}")), None),
            (true, Some(jti)) => (id_of(&format!("{issuer}\n{subject}\n{jti}")), Some(1)),
            (true, None) => return Err(unproven("it lacks the `jti` by which its use is counted")),
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a time in seconds; what does not fit is cut off at the ends"
        )]
        let expires = (expires as u64).saturating_add(LEEWAY).max(now + 1);
        Ok(Grant {
            id,
            mesh: rule.mesh.clone(),
            scope,
            expires,
            uses,
        })
    }
}

impl Allow {
    /// What the rule gives to these claims; `None`: it is not about them.
    fn scope(&self, claims: &Value) -> Option<Scope> {
        let says = |(pointer, wanted): (&String, &String)| {
            claims.pointer(pointer).and_then(Value::as_str) == Some(wanted)
        };
        if !self.claims.iter().all(says) {
            return None;
        }
        let value = |fixed: &Option<String>, pointer: &Option<String>| match pointer {
            Some(pointer) => {
                let value = claims.pointer(pointer)?.as_str()?;
                is_name(value).then(|| Some(value.to_owned()))
            }
            None => Some(fixed.clone()),
        };
        Some(Scope {
            workload: value(&self.workload, &self.workload_claim)?,
            dataplane: value(&self.dataplane, &self.dataplane_claim)?,
            labels: self.labels.clone(),
        })
    }
}

/// Values of claims become names: of workloads, and parts of SPIFFE IDs.
fn is_name(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b);
    let ends = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_alphanumeric());
    let (first, last) = (text.bytes().next(), text.bytes().last());
    text.len() <= 253 && text.bytes().all(plain) && ends(first) && ends(last)
}

/// The key, if it is one for this algorithm and strong enough. The algorithm follows from the key, never the other way.
fn usable(key: &Jwk, algorithm: Algorithm) -> Result<DecodingKey, &'static str> {
    let other = "the key that it names is for another algorithm";
    if let Some(stated) = key.common.key_algorithm
        && stated.to_string() != format!("{algorithm:?}")
    {
        return Err(other);
    }
    let signs = key.common.public_key_use.as_ref();
    if signs.is_some_and(|signs| *signs != PublicKeyUse::Signature) {
        return Err("the key that it names does not sign");
    }
    let fits = match &key.algorithm {
        AlgorithmParameters::RSA(rsa) => {
            use base64::Engine;
            let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
            let modulus = engine.decode(&rsa.n).unwrap_or_default();
            let length = modulus.iter().skip_while(|byte| **byte == 0).count();
            if length < RSA_BYTES {
                return Err("the RSA key that it names has less than 2048 bits");
            }
            algorithm == Algorithm::RS256
        }
        AlgorithmParameters::EllipticCurve(curve) => {
            algorithm == Algorithm::ES256 && curve.curve == EllipticCurve::P256
        }
        AlgorithmParameters::OctetKeyPair(pair) => {
            algorithm == Algorithm::EdDSA && pair.curve == EllipticCurve::Ed25519
        }
        _ => false,
    };
    if !fits {
        return Err(other);
    }
    DecodingKey::from_jwk(key).map_err(|_| "the key that it names cannot be used")
}

/// An identifier for a proof that has none of ours.
fn id_of(text: &str) -> String {
    let digest = Digest::of(text.as_bytes());
    random::to_hex(digest.as_bytes().iter().take(ID_LENGTH / 2))
}

fn claims_of(token: &str) -> Option<Value> {
    use base64::Engine;
    let said = token.split('.').nth(1)?;
    let json = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(said)
        .ok()?;
    serde_json::from_slice(&json).ok()
}

fn unproven(why: &str) -> Refused {
    Refused::Unproven(format!("the token proves nothing: {why}"))
}

#[cfg(test)]
mod tests;
