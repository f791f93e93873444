//! Values that stand in several tables.
//!
//! Never takes one that would have to be doubted again where it is used.

use std::fmt;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::Deserialize;

/// A short name: lower case letters, digits and `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
pub struct Label(#[schemars(regex(pattern = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"))] String);

impl Label {
    /// The repository of a command line needs no name of its own.
    pub(super) fn of_the_command_line() -> Self {
        Self("repository".to_owned())
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Label {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let ends = text.bytes().next().is_some_and(plain) && text.bytes().last().is_some_and(plain);
        if ends && text.len() <= 63 && text.bytes().all(|byte| plain(byte) || byte == b'-') {
            return Ok(Self(text));
        }
        let rule = "use lower case letters, digits and `-`, at most 63";
        Err(format!("`{text}` is no name: {rule}"))
    }
}

/// A URL that something is sent to: `https://`, or `http://` on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
pub struct Endpoint(String);

impl Endpoint {
    /// Without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Endpoint {
    /// Its host: what may be shown of an address that may hold a secret in its path.
    pub(crate) fn host(&self) -> &str {
        let rest = self.0.split_once("://").map_or("", |(_, rest)| rest);
        rest.split(['/', '?', '#']).next().unwrap_or_default()
    }
}

impl TryFrom<String> for Endpoint {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let refuse = |why: &str| Err(format!("`{text}` {why}"));
        let Some((scheme, rest)) = text.split_once("://") else {
            return refuse("is no URL");
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.is_empty() || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return refuse("is no URL with a host");
        }
        if authority.contains('@') {
            return refuse("holds a user or password: name a file for them");
        }
        match scheme {
            "https" => {}
            "http" if is_here(authority) => {}
            "http" => return refuse("would be sent in the clear: use `https://`"),
            _ => return refuse("is not `https://`"),
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

/// Is it this machine, whatever the name service says?
fn is_here(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host.parse::<IpAddr>()
        .is_ok_and(|address| address.is_loopback())
}
