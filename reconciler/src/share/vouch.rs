//! Words that give something away, as meshds write them into etcd: each with a proof that a meshd of this mesh has said it.
//!
//! Never believes what stands below another key than it was written for.

use aws_lc_rs::hmac;
use bytes::Bytes;

use crate::ca::CertificateAuthority;
use crate::random;

/// What the key is made for: nothing else is proved by it.
const PURPOSE: &str = "mesh: words between meshds";
/// Hex digits of a proof.
const TAG: usize = 64;

/// All meshds of a mesh have the same control authority, and nobody else has its key.
#[derive(Debug)]
pub(crate) struct Voucher(hmac::Key);

impl Voucher {
    pub(crate) fn new(control: &CertificateAuthority) -> Self {
        Self(hmac::Key::new(
            hmac::HMAC_SHA256,
            &control.secret_for(PURPOSE),
        ))
    }

    /// What is written under a key.
    pub(crate) fn say(&self, key: &str, body: &[u8]) -> Bytes {
        let tag = random::to_hex(hmac::sign(&self.0, &signed(key, body)).as_ref());
        Bytes::from([tag.as_bytes(), b"\n", body].concat())
    }

    /// What was said under a key; `None`: no meshd of this mesh said it.
    pub(crate) fn heard<'a>(&self, key: &str, value: &'a [u8]) -> Option<&'a [u8]> {
        let (tag, rest) = value.split_at_checked(TAG)?;
        let body = rest.strip_prefix(b"\n")?;
        let tag = random::from_hex(std::str::from_utf8(tag).ok()?)?;
        let proved = hmac::verify(&self.0, &signed(key, body), &tag);
        proved.is_ok().then_some(body)
    }
}

fn signed(key: &str, body: &[u8]) -> Vec<u8> {
    [key.as_bytes(), &[0], body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::StateDir;

    #[test]
    fn only_what_was_said_under_a_key_by_the_same_authority_is_believed() {
        let directories = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let [own, other] = directories.each_ref().map(|directory| {
            let state = StateDir::open(directory.path()).unwrap();
            Voucher::new(&crate::ca::open_control(&state, 1_000).unwrap())
        });
        let value = own.say("revoked/a", b"{}");
        assert_eq!(own.heard("revoked/a", &value), Some(&b"{}"[..]));
        assert_eq!(own.heard("revoked/b", &value), None);
        assert_eq!(other.heard("revoked/a", &value), None);
        for wrong in [&b""[..], b"{}", &value[..TAG], &[&value[..], b" "].concat()] {
            assert_eq!(own.heard("revoked/a", wrong), None);
        }
    }
}
