//! The grammars of names and addresses that the kinds share (language 2.4 and 2.7).
//!
//! Never resolves a name.

use std::net::IpAddr;

/// RFC 1123: `[a-z0-9]([-a-z0-9]*[a-z0-9])?`, at most 63 characters.
pub(crate) fn is_label(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=63).contains(&text.len())
        && text.bytes().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// RFC 1123 labels joined with `.`, at most 253 characters.
pub(crate) fn is_subdomain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_label)
}

/// An IP address, or a name that DNS may know: any case, underscores allowed.
pub(crate) fn is_address(text: &str) -> bool {
    let lower = text.to_ascii_lowercase().replace('_', "-");
    let label = |label: &str| is_label(label.trim_matches('-'));
    let name = || text.len() <= 253 && lower.split('.').all(label);
    // What looks like an IPv4 address has to be one: DNS knows no such names.
    let numeric = text
        .split('.')
        .next_back()
        .is_some_and(|last| !last.is_empty() && last.bytes().all(|b| b.is_ascii_digit()));
    is_ip(text) || (!numeric && name())
}

/// An IPv4 or IPv6 address.
pub(crate) fn is_ip(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok()
}

/// Does this address reach the own machine only?
pub(crate) fn is_loopback(text: &str) -> bool {
    text == "localhost" || text.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Does a listener on this address take what comes for any address?
pub(crate) fn is_any(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok_and(|ip| ip.is_unspecified())
}

/// The name of a header as the language writes it, apart from its case: 1 to 256 token characters (RFC 9110 5.6.2).
pub(crate) fn is_header_name(text: &str) -> bool {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    (1..=256).contains(&text.len()) && text.bytes().all(token)
}

/// What a header may carry: visible ASCII, spaces and tabs, no space at either end.
pub(crate) fn is_header_value(text: &str) -> bool {
    let visible = |b: u8| b == b'\t' || (0x20..0x7f).contains(&b);
    text.bytes().all(visible) && text.trim_matches([' ', '\t']) == text
}

/// A status code of HTTP that is registered.
pub(crate) fn is_status(text: &str) -> bool {
    let digits = text.len() == 3 && text.bytes().all(|b| b.is_ascii_digit());
    let known = |status: u16| {
        matches!(
            status,
            100..=103
                | 200..=208
                | 226
                | 300..=305
                | 307
                | 308
                | 400..=418
                | 421..=426
                | 428
                | 429
                | 431
                | 451
                | 500..=508
                | 510
                | 511
        )
    };
    digits && text.parse().is_ok_and(known)
}

/// Base64 with padding (RFC 4648 4).
pub(crate) fn is_base64(text: &str) -> bool {
    let bare = text.trim_end_matches('=');
    let letter = |b: u8| b.is_ascii_alphanumeric() || b == b'+' || b == b'/';
    text.len().is_multiple_of(4) && text.len() - bare.len() <= 2 && bare.bytes().all(letter)
}

/// The absolute path of a file, with no empty step.
pub(crate) fn is_file_path(text: &str) -> bool {
    let steps = text.strip_prefix('/').unwrap_or_default().split('/');
    !text.contains('\0') && steps.into_iter().all(|step| !step.is_empty())
}

/// 1 to 65535.
pub(crate) fn is_port(port: u32) -> bool {
    (1..=65_535).contains(&port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(grammar: fn(&str) -> bool, good: &[&str], bad: &[&str]) {
        for text in good {
            assert!(grammar(text), "{text:?}");
        }
        for text in bad {
            assert!(!grammar(text), "{text:?}");
        }
    }

    #[test]
    fn labels_and_subdomains() {
        let long = "a".repeat(63);
        check(
            is_label,
            &["a", "1", "a-b", &long],
            &["", "-a", "a-", "A", "a.b", "a_b", &"a".repeat(64)],
        );
        let longest = format!("{long}.{long}.{long}.{}", "a".repeat(61));
        check(
            is_subdomain,
            &["a", "a.b", "1.2", &longest],
            &[
                "",
                ".a",
                "a.",
                "a..b",
                "A.b",
                "a-.b",
                &format!("{longest}a"),
            ],
        );
    }

    #[test]
    fn addresses() {
        check(
            is_address,
            &[
                "10.0.0.1",
                "::1",
                "example.com",
                "Example.COM",
                "my_host",
                "1host.x",
            ],
            &[
                "",
                "10.0.0",
                "10.0.0.256",
                "a b",
                "http://x",
                "a..b",
                "x:80",
                "127.1",
            ],
        );
        check(
            is_loopback,
            &["127.0.0.1", "127.8.9.1", "::1", "localhost"],
            &["10.0.0.1", "", "localhosts"],
        );
    }

    #[test]
    fn statuses_and_base64() {
        check(
            is_status,
            &["100", "429", "511"],
            &["", "99", "306", "999", "5xx", "0429"],
        );
        check(
            is_base64,
            &["", "aGk=", "aGkh", "aA=="],
            &["a", "aGk", "a===", "====", "a-b_", "=aaa"],
        );
        check(
            is_file_path,
            &["/a", "/a/b.log"],
            &["", "/", "a", "#a", "/a//b", "/a/"],
        );
    }

    #[test]
    fn headers() {
        check(
            is_header_name,
            &["x-a", "X-A", "a!#$%&'*+.^_`|~"],
            &["", "a b", "a:b", "é", &"a".repeat(257)],
        );
        check(
            is_header_value,
            &["", "a b", "\"x\"", "a\tb"],
            &[" a", "a ", "a\nb", "é", "a\r\nb: c"],
        );
    }
}
