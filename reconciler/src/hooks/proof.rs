//! Whether a webhook comes from where it should.
//!
//! Never compares a secret byte by byte: how long a comparison takes would tell how much of it is right.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::random;
use crate::settings::Scheme;

/// Begins a secret of Standard Webhooks.
const SIGNING: &str = "whsec_";
/// For how long a signature of Standard Webhooks holds, in seconds, whichever clock is ahead.
const WINDOW: u64 = 5 * 60;

/// Checks a request; on refusal says what is wrong, and nothing that would help to forge one.
pub(super) fn check<'a>(
    scheme: Scheme,
    secret: &str,
    header: &dyn Fn(&str) -> Option<&'a str>,
    body: &[u8],
    now: u64,
) -> Result<(), &'static str> {
    match scheme {
        Scheme::Github => hexadecimal(header("x-hub-signature-256"), secret, body),
        Scheme::Hmac => hexadecimal(header("x-signature"), secret, body),
        Scheme::Gitlab if !secret.starts_with(SIGNING) => {
            let given = header("x-gitlab-token").ok_or("there is no `X-Gitlab-Token`")?;
            verify_slices_are_equal(given.as_bytes(), secret.as_bytes())
                .map_err(|_| "`X-Gitlab-Token` is another")
        }
        Scheme::Gitlab | Scheme::Standard => standard(header, secret, body, now),
    }
}

/// `sha256=` and hex digits.
fn hexadecimal(given: Option<&str>, secret: &str, body: &[u8]) -> Result<(), &'static str> {
    let given = given.ok_or("there is no signature")?;
    let digits = given.strip_prefix("sha256=");
    let tag = digits.and_then(random::from_hex);
    let tag = tag.ok_or("the signature is not `sha256=` and 64 hex digits")?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    hmac::verify(&key, body, &tag).map_err(|_| "the signature is wrong")
}

/// Standard Webhooks: one of several signatures over an identifier, a time and the body.
fn standard<'a>(
    header: &dyn Fn(&str) -> Option<&'a str>,
    secret: &str,
    body: &[u8],
    now: u64,
) -> Result<(), &'static str> {
    let missing = "one of `webhook-id`, `webhook-timestamp` and `webhook-signature` is missing";
    let id = header("webhook-id").ok_or(missing)?;
    let timestamp = header("webhook-timestamp").ok_or(missing)?;
    let signatures = header("webhook-signature").ok_or(missing)?;
    let key = secret.strip_prefix(SIGNING).map(|key| STANDARD.decode(key));
    let Some(Ok(key)) = key else {
        return Err("the secret of meshd is not `whsec_` and base64");
    };
    let key = Zeroizing::new(key);
    let at: u64 = timestamp
        .parse()
        .map_err(|_| "`webhook-timestamp` is no time")?;
    if now.abs_diff(at) > WINDOW {
        return Err("it was signed more than five minutes ago, or the clocks differ");
    }
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let signed = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat();
    let right = signatures
        .split(' ')
        .filter_map(|signature| STANDARD.decode(signature.strip_prefix("v1,")?).ok())
        .any(|tag| hmac::verify(&key, &signed, &tag).is_ok());
    match right {
        true => Ok(()),
        false => Err("no signature is right"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Of GitHub's documentation of webhooks.
    const SECRET: &str = "It's a Secret to Everybody";
    const BODY: &[u8] = b"Hello, World!";
    const SIGNATURE: &str =
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    /// Of the reference libraries of Standard Webhooks.
    const WHSEC: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const SIGNED: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    const SIGNED_BODY: &[u8] = b"{\"test\": 2432232314}";
    const AT: u64 = 1_614_265_330;

    fn judge(
        scheme: Scheme,
        secret: &str,
        headers: &[(&str, &str)],
        body: &[u8],
        now: u64,
    ) -> String {
        let headers: BTreeMap<&str, &str> = headers.iter().copied().collect();
        let header = |name: &str| headers.get(name).copied();
        match check(scheme, secret, &header, body, now) {
            Ok(()) => "right".to_owned(),
            Err(why) => why.to_owned(),
        }
    }

    #[test]
    fn signatures_in_hex_digits() {
        let upper = SIGNATURE.to_uppercase().replace("SHA256", "sha256");
        let sha1 = "sha1=757107ea0eb2509fc211221cce984b8a37570b6d";
        for (given, body, expected) in [
            (SIGNATURE, BODY, "right"),
            (upper.as_str(), BODY, "right"),
            (SIGNATURE, &b"Hello, World?"[..], "is wrong"),
            (sha1, BODY, "not `sha256=`"),
            ("sha256=", BODY, "not `sha256=`"),
            ("sha256=zz", BODY, "not `sha256=`"),
        ] {
            for (scheme, name) in [
                (Scheme::Github, "x-hub-signature-256"),
                (Scheme::Hmac, "x-signature"),
            ] {
                let said = judge(scheme, SECRET, &[(name, given)], body, 0);
                assert!(said.contains(expected), "{given}: {said}");
                let said = judge(scheme, "another", &[(name, given)], body, 0);
                assert_ne!(said, "right");
            }
        }
        assert!(judge(Scheme::Github, SECRET, &[], BODY, 0).contains("no signature"));
        let old = [("x-hub-signature", SIGNATURE)];
        assert!(judge(Scheme::Github, SECRET, &old, BODY, 0).contains("no signature"));
    }

    #[test]
    fn tokens_of_gitlab() {
        for (given, expected) in [
            (Some("word"), "right"),
            (Some("wore"), "is another"),
            (Some("words"), "is another"),
            (Some(""), "is another"),
            (None, "there is no"),
        ] {
            let headers: Vec<_> = given
                .map(|given| ("x-gitlab-token", given))
                .into_iter()
                .collect();
            let said = judge(Scheme::Gitlab, "word", &headers, BODY, 0);
            assert!(said.contains(expected), "{given:?}: {said}");
        }
        // Who was given a signing secret does not take the plain one.
        let plain = [("x-gitlab-token", WHSEC)];
        assert!(judge(Scheme::Gitlab, WHSEC, &plain, BODY, 0).contains("is missing"));
    }

    #[test]
    fn standard_webhooks() {
        let id = ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek");
        let time = ("webhook-timestamp", "1614265330");
        let many = format!("v1,AAAA v2,xyz {SIGNED}");
        for (headers, now, expected) in [
            (vec![id, time, ("webhook-signature", SIGNED)], AT, "right"),
            (
                vec![id, time, ("webhook-signature", &many)],
                AT + WINDOW,
                "right",
            ),
            (
                vec![id, time, ("webhook-signature", SIGNED)],
                AT - WINDOW,
                "right",
            ),
            (
                vec![id, time, ("webhook-signature", SIGNED)],
                AT + WINDOW + 1,
                "five minutes",
            ),
            (
                vec![id, time, ("webhook-signature", SIGNED)],
                AT - WINDOW - 1,
                "five minutes",
            ),
            (
                vec![id, time, ("webhook-signature", "v1,AAAA")],
                AT,
                "no signature is right",
            ),
            (
                vec![
                    id,
                    ("webhook-timestamp", "now"),
                    ("webhook-signature", SIGNED),
                ],
                AT,
                "no time",
            ),
            (vec![time, ("webhook-signature", SIGNED)], AT, "is missing"),
            (
                vec![("webhook-id", "x"), time, ("webhook-signature", SIGNED)],
                AT,
                "no signature is right",
            ),
        ] {
            for scheme in [Scheme::Standard, Scheme::Gitlab] {
                let said = judge(scheme, WHSEC, &headers, SIGNED_BODY, now);
                assert!(said.contains(expected), "{headers:?}: {said}");
            }
        }
        let headers = [id, time, ("webhook-signature", SIGNED)];
        assert!(judge(Scheme::Standard, "whsec_%", &headers, SIGNED_BODY, AT).contains("base64"));
    }
}
