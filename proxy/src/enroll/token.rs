//! The join token: what a person carries from meshd to the proxy.
//!
//! Never shown: the secret in it is worth one control certificate.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mesh_bundle::Digest;
use serde::Deserialize;
use zeroize::Zeroizing;

const PREFIX: &str = "mesh1.";

/// What the protocol carries.
const MOST_BYTES: usize = 4 << 10;

/// A token whose form is right.
pub(crate) struct Token {
    text: Zeroizing<String>,
    id: String,
    pin: Digest,
}

/// Why there is no token. Says nothing of what is in it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoToken {
    #[error("token file `{0}` cannot be read: {1}")]
    Unreadable(PathBuf, io::Error),
    #[error("token file `{0}` does not hold a join token: {1}")]
    Malformed(PathBuf, &'static str),
}

/// The fields that a proxy reads; what it is good for is meshd's business.
#[derive(Deserialize)]
struct Fields {
    id: String,
    pin: Digest,
}

impl Token {
    /// Reads the file that `meshd token --output` wrote, or the token of another issuer, which needs the pin of meshd beside it.
    pub(crate) fn read(path: &Path, pin: Option<Digest>) -> Result<Self, NoToken> {
        let unreadable = |error| NoToken::Unreadable(path.to_owned(), error);
        let file = File::open(path).map_err(unreadable)?;
        let mut text = Zeroizing::new(String::with_capacity(MOST_BYTES + 1));
        file.take(MOST_BYTES as u64 + 1)
            .read_to_string(&mut text)
            .map_err(unreadable)?;
        if text.len() > MOST_BYTES {
            return Err(NoToken::Malformed(path.to_owned(), "it is too long"));
        }
        Self::parse(text.trim(), pin).map_err(|reason| NoToken::Malformed(path.to_owned(), reason))
    }

    fn parse(text: &str, pin: Option<Digest>) -> Result<Self, &'static str> {
        let Some(encoded) = text.strip_prefix(PREFIX) else {
            return Self::of_another_issuer(text, pin);
        };
        // What follows the second dot is a signature: meshd's business.
        let said = encoded.split_once('.').map_or(encoded, |(said, _)| said);
        let json = URL_SAFE_NO_PAD
            .decode(said)
            .map(Zeroizing::new)
            .map_err(|_| "what follows `mesh1.` is not base64url")?;
        let fields: Fields =
            serde_json::from_slice(&json).map_err(|_| "it lacks an identifier or a pin")?;
        Ok(Self {
            text: Zeroizing::new(text.to_owned()),
            id: fields.id,
            pin: fields.pin,
        })
    }

    /// A JSON Web Token: what is in it is meshd's business, and it knows nothing of meshd.
    fn of_another_issuer(text: &str, pin: Option<Digest>) -> Result<Self, &'static str> {
        let is_part = |part: &str| URL_SAFE_NO_PAD.decode(part).is_ok_and(|it| !it.is_empty());
        if text.split('.').count() != 3 || !text.split('.').all(is_part) {
            return Err("it does not begin with `mesh1.`, and is no JSON Web Token");
        }
        let pin = pin.ok_or("with a token of another issuer `--meshd-pin` is needed")?;
        Ok(Self {
            text: Zeroizing::new(text.to_owned()),
            id: Digest::of(text.as_bytes()).to_string(),
            pin,
        })
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Its public name.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Of the CA that meshd is known by.
    pub(crate) fn pin(&self) -> Digest {
        self.pin
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::Token;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use mesh_bundle::Digest;

    #[test]
    fn a_token_is_read_and_not_shown() {
        let pin = Digest::of(b"key");
        let json = format!(r#"{{"id":"t1","mesh":"shop","pin":"{pin}"}}"#);
        let text = format!("mesh1.{}.hush", URL_SAFE_NO_PAD.encode(json));
        let token = Token::parse(&text, None).unwrap();
        assert_eq!((token.id(), token.pin()), ("t1", pin));
        assert_eq!(token.text(), text);
        let shown = format!("{token:?}");
        assert!(!shown.contains("hush") && !shown.contains(&text), "{shown}");
    }

    #[test]
    fn a_token_of_another_issuer_needs_the_pin_of_meshd() {
        let text =
            ["{\"alg\":\"RS256\"}", "{}", "signature"].map(|part| URL_SAFE_NO_PAD.encode(part));
        let text = text.join(".");
        let why = Token::parse(&text, None).err().unwrap();
        assert!(why.contains("--meshd-pin"), "{why}");
        let pin = Digest::of(b"key");
        let token = Token::parse(&text, Some(pin)).unwrap();
        assert_eq!((token.pin(), token.text()), (pin, text.as_str()));
        assert!(!format!("{token:?}").contains(&text));
        // Ours says itself whom it is for.
        let json = format!(r#"{{"id":"t1","pin":"{}"}}"#, Digest::of(b"own"));
        let own = format!("mesh1.{}.s", URL_SAFE_NO_PAD.encode(json));
        assert_eq!(
            Token::parse(&own, Some(pin)).unwrap().pin(),
            Digest::of(b"own")
        );
    }

    #[test]
    fn other_texts_are_no_tokens() {
        let no_pin = format!("mesh1.{}", URL_SAFE_NO_PAD.encode(r#"{"id":"t1"}"#));
        for text in [
            "",
            "mesh1.",
            "mesh2.e30",
            "a.b",
            "a..b",
            "!.a.b",
            "mesh1.!",
            "mesh1.e30",
            &no_pin,
        ] {
            assert!(
                Token::parse(text, Some(Digest::of(b"key"))).is_err(),
                "{text}"
            );
        }
    }
}
