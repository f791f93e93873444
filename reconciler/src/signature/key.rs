//! Public keys of SSH, and whether one has signed something.
//!
//! Never takes SHA-1, DSA, or RSA below 2048 bits.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA512, RsaPublicKeyComponents,
    UnparsedPublicKey, VerificationAlgorithm,
};

use super::wire::Reader;

/// Somebody touched the device.
const PRESENT: u8 = 1;

/// Why a key has not signed something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refused {
    Malformed(&'static str),
    Wrong,
}

const CUT: Refused = Refused::Malformed("its key or signature is cut off");
const UNKNOWN: Refused =
    Refused::Malformed("its key is neither Ed25519, ECDSA nor RSA, or is a certificate");

/// Has `key` made `signature` of `signed`?
pub(super) fn verify(key: &[u8], signature: &[u8], signed: &[u8]) -> Result<(), Refused> {
    let mut key = Reader(key);
    let mut signature = Reader(signature);
    let kind = key.text().ok_or(CUT)?;
    let format = signature.text().ok_or(CUT)?;
    if kind == b"ssh-rsa" {
        return rsa(&mut key, format, &mut signature, signed);
    }
    if kind != format {
        return Err(Refused::Malformed(
            "its key and signature are of different kinds",
        ));
    }
    match kind {
        b"ssh-ed25519" => {
            let (point, tag) = (key.text().ok_or(CUT)?, signature.text().ok_or(CUT)?);
            judge(&ED25519, point, signed, tag)
        }
        b"ecdsa-sha2-nistp256" => ecdsa(
            &ECDSA_P256_SHA256_FIXED,
            32,
            &mut key,
            &mut signature,
            signed,
        ),
        b"ecdsa-sha2-nistp384" => ecdsa(
            &ECDSA_P384_SHA384_FIXED,
            48,
            &mut key,
            &mut signature,
            signed,
        ),
        b"ecdsa-sha2-nistp521" => ecdsa(
            &ECDSA_P521_SHA512_FIXED,
            66,
            &mut key,
            &mut signature,
            signed,
        ),
        b"sk-ssh-ed25519@openssh.com" => {
            let (point, tag) = (key.text().ok_or(CUT)?, signature.text().ok_or(CUT)?);
            let signed = by_device(&mut key, &mut signature, signed)?;
            judge(&ED25519, point, &signed, tag)
        }
        b"sk-ecdsa-sha2-nistp256@openssh.com" => {
            let _curve = key.text().ok_or(CUT)?;
            let point = key.text().ok_or(CUT)?;
            let tag = fixed(signature.text().ok_or(CUT)?, 32)?;
            let signed = by_device(&mut key, &mut signature, signed)?;
            judge(&ECDSA_P256_SHA256_FIXED, point, &signed, &tag)
        }
        _ => Err(UNKNOWN),
    }
}

fn judge(
    algorithm: &'static dyn VerificationAlgorithm,
    key: &[u8],
    signed: &[u8],
    tag: &[u8],
) -> Result<(), Refused> {
    let key = UnparsedPublicKey::new(algorithm, key);
    key.verify(signed, tag).map_err(|_| Refused::Wrong)
}

fn rsa(
    key: &mut Reader<'_>,
    format: &[u8],
    signature: &mut Reader<'_>,
    signed: &[u8],
) -> Result<(), Refused> {
    let parameters = match format {
        b"rsa-sha2-256" => &RSA_PKCS1_2048_8192_SHA256,
        b"rsa-sha2-512" => &RSA_PKCS1_2048_8192_SHA512,
        _ => return Err(Refused::Malformed("its RSA signature is not of SHA-2")),
    };
    let (e, n) = (key.large().ok_or(CUT)?, key.large().ok_or(CUT)?);
    let tag = signature.text().ok_or(CUT)?;
    let components = RsaPublicKeyComponents { n, e };
    let judged = components.verify(parameters, signed, tag);
    judged.map_err(|_| Refused::Wrong)
}

fn ecdsa(
    algorithm: &'static dyn VerificationAlgorithm,
    size: usize,
    key: &mut Reader<'_>,
    signature: &mut Reader<'_>,
    signed: &[u8],
) -> Result<(), Refused> {
    let _curve = key.text().ok_or(CUT)?;
    let point = key.text().ok_or(CUT)?;
    let tag = fixed(signature.text().ok_or(CUT)?, size)?;
    judge(algorithm, point, signed, &tag)
}

/// Two numbers, each of this size.
fn fixed(pair: &[u8], size: usize) -> Result<Vec<u8>, Refused> {
    let mut reader = Reader(pair);
    let mut both = Vec::with_capacity(2 * size);
    for _ in 0..2 {
        let number = reader.large().ok_or(CUT)?;
        let zeros = size.checked_sub(number.len()).ok_or(CUT)?;
        both.extend(std::iter::repeat_n(0, zeros));
        both.extend_from_slice(number);
    }
    Ok(both)
}

/// What a security key signs: which application asks, whether somebody was there, how often it has signed, and a hash.
fn by_device(
    key: &mut Reader<'_>,
    signature: &mut Reader<'_>,
    signed: &[u8],
) -> Result<Vec<u8>, Refused> {
    let application = key.text().ok_or(CUT)?;
    let flags = signature.byte().ok_or(CUT)?;
    let counter = signature.number().ok_or(CUT)?;
    if flags & PRESENT == 0 {
        return Err(Refused::Malformed(
            "nobody touched the security key that made it",
        ));
    }
    let mut message = digest(&SHA256, application).as_ref().to_vec();
    message.push(flags);
    message.extend_from_slice(&counter.to_be_bytes());
    message.extend_from_slice(digest(&SHA256, signed).as_ref());
    Ok(message)
}
