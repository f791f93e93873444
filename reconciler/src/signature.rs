//! SSH signatures as git makes them (`gpg.format = ssh`): what they say, and whether somebody who may sign has made them.
//!
//! Never trusts a key because it is in the signature: only the operator's list says who may sign. Never runs a program.

mod allowed;
mod key;
mod wire;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

pub(crate) use allowed::AllowedSigners;
use wire::Reader;

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
const END: &str = "-----END SSH SIGNATURE-----";
const MAGIC: &[u8] = b"SSHSIG";
/// What a signature of git is for: one for a file or a login does not count.
const NAMESPACE: &str = "git";
/// A larger signature is none that anybody makes.
const MOST_BYTES: usize = 64 * 1024;

/// Who has signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signer {
    /// As the list of allowed signers calls them.
    pub(crate) principals: String,
    /// `SHA256:` and base64, as `ssh-keygen -l` shows it.
    pub(crate) fingerprint: String,
}

/// Why a signature does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unproven {
    #[error("it is not signed")]
    Unsigned,
    #[error("its signature is no SSH signature of git: {0}")]
    Malformed(&'static str),
    #[error(
        "it is signed with OpenPGP or X.509, which is not supported: sign with SSH (git config gpg.format ssh)"
    )]
    OtherFormat,
    #[error("its signature by {fingerprint} does not match its content")]
    Wrong { fingerprint: String },
    #[error("the key {fingerprint} may not sign: {why}")]
    Untrusted {
        fingerprint: String,
        why: &'static str,
    },
}

impl Unproven {
    /// For a condition.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Unsigned => "NotSigned",
            Self::Malformed(_) | Self::OtherFormat | Self::Wrong { .. } => "InvalidSignature",
            Self::Untrusted { .. } => "UntrustedKey",
        }
    }
}

/// Who has signed `content`, as it was at `time` in seconds since 1970.
pub(crate) fn verify(
    armored: &str,
    content: &[u8],
    allowed: &AllowedSigners,
    time: u64,
) -> Result<Signer, Unproven> {
    let blob = unarmor(armored)?;
    let signature = Signature::read(&blob)
        .ok_or(Unproven::Malformed("it is cut off or longer than it says"))?;
    if signature.namespace != NAMESPACE.as_bytes() {
        return Err(Unproven::Malformed("it is not for the namespace `git`"));
    }
    let hash = match signature.hash {
        b"sha256" => &digest::SHA256,
        b"sha512" => &digest::SHA512,
        _ => return Err(Unproven::Malformed("its hash is neither sha256 nor sha512")),
    };
    let hashed = digest::digest(hash, content);
    let mut signed = MAGIC.to_vec();
    for part in [
        signature.namespace,
        signature.reserved,
        signature.hash,
        hashed.as_ref(),
    ] {
        wire::write(&mut signed, part);
    }
    let fingerprint = fingerprint(signature.key);
    match key::verify(signature.key, signature.signature, &signed) {
        Ok(()) => {}
        Err(key::Refused::Malformed(why)) => return Err(Unproven::Malformed(why)),
        Err(key::Refused::Wrong) => return Err(Unproven::Wrong { fingerprint }),
    }
    match allowed.find(signature.key, NAMESPACE, time) {
        Ok(principals) => Ok(Signer {
            principals: principals.to_owned(),
            fingerprint,
        }),
        Err(why) => Err(Unproven::Untrusted { fingerprint, why }),
    }
}

/// `SHA256:` and base64 of a public key.
fn fingerprint(key: &[u8]) -> String {
    let hash = digest::digest(&digest::SHA256, key);
    format!("SHA256:{}", STANDARD_NO_PAD.encode(hash))
}

/// The part of a tag's text that is its signature, and where it begins.
pub(crate) fn trailing(text: &[u8]) -> Option<(usize, &str)> {
    let begin = text
        .windows(BEGIN.len())
        .rposition(|window| window == BEGIN.as_bytes())?;
    let signature = std::str::from_utf8(text.get(begin..)?).ok()?;
    // Only at the beginning of a line.
    let at_line = begin == 0 || text.get(begin - 1) == Some(&b'\n');
    at_line.then_some((begin, signature))
}

fn unarmor(text: &str) -> Result<Vec<u8>, Unproven> {
    let text = text.trim();
    if text.len() > MOST_BYTES {
        return Err(Unproven::Malformed("it is too large"));
    }
    let inside = text
        .strip_prefix(BEGIN)
        .and_then(|text| text.strip_suffix(END));
    let Some(inside) = inside else {
        return Err(match text.starts_with("-----BEGIN ") {
            true => Unproven::OtherFormat,
            false => Unproven::Malformed("it has no frame"),
        });
    };
    let digits: String = inside
        .chars()
        .filter(|c| !c.is_ascii_whitespace())
        .collect();
    STANDARD
        .decode(digits)
        .map_err(|_| Unproven::Malformed("it is not base64"))
}

/// What is inside of the frame (PROTOCOL.sshsig of OpenSSH).
struct Signature<'a> {
    key: &'a [u8],
    namespace: &'a [u8],
    reserved: &'a [u8],
    hash: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Signature<'a> {
    fn read(blob: &'a [u8]) -> Option<Self> {
        let mut reader = Reader(blob.strip_prefix(MAGIC)?);
        if reader.number()? != 1 {
            return None;
        }
        let signature = Self {
            key: reader.text()?,
            namespace: reader.text()?,
            reserved: reader.text()?,
            hash: reader.text()?,
            signature: reader.text()?,
        };
        reader.is_empty().then_some(signature)
    }
}

#[cfg(test)]
mod tests;
