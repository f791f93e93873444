//! What requests that belong together have in common (language 5.10, `hashPolicies`).
//!
//! Never chooses an instance: which instances there are is known to the proxy alone.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::net::IpAddr;

use twox_hash::XxHash64;

use crate::resource::HashPolicy;
use crate::resource::load_balancing::Hashed;

use super::Request;
use super::text::parameter;

/// What hash policies make of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Affinity<'a> {
    /// Equal for requests that go to the same instance; `None`: the request may go to any.
    pub hash: Option<u64>,
    /// What the client is told, so that it comes back to the same instance.
    pub cookies: Vec<NewCookie<'a>>,
}

/// A cookie that a client did not send. As `Display` it is the value of a `Set-Cookie` field (RFC 6265 4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewCookie<'a> {
    name: &'a str,
    value: u64,
    /// Seconds; 0: as long as the client likes.
    max_age: u64,
    path: Option<&'a str>,
}

/// Asks every policy in its order, and stops behind a terminal one that gave something.
///
/// `request` is `None` for a connection that is forwarded as bytes. `dice` gives the value of a cookie.
pub fn affinity<'a>(
    policies: &'a [HashPolicy],
    request: Option<&dyn Request>,
    client: Option<IpAddr>,
    mut dice: impl FnMut() -> u64,
) -> Affinity<'a> {
    let mut affinity = Affinity::default();
    for policy in policies {
        let found = match &policy.of {
            Hashed::Header { name } => request.and_then(|request| request.header(name)),
            Hashed::Cookie { name, ttl, path } => {
                let sent = request.and_then(|request| cookie(request, name));
                let mut made = || {
                    let max_age = request.and(*ttl)?.as_std().as_secs();
                    let cookie = NewCookie {
                        name,
                        value: dice(),
                        max_age,
                        path: path.as_deref(),
                    };
                    affinity.cookies.push(cookie);
                    Some(Cow::Owned(cookie.text().into_bytes()))
                };
                sent.or_else(&mut made)
            }
            Hashed::SourceAddress {} => client.map(|ip| Cow::Owned(octets(ip))),
            Hashed::QueryParameter { name } => {
                let query = request.and_then(|request| request.query());
                query.and_then(|query| parameter(query, name))
            }
            Hashed::FilterState { .. } => None,
        };
        let Some(found) = found else { continue };
        let hash = XxHash64::oneshot(0, &found);
        affinity.hash = Some(match affinity.hash {
            None => hash,
            // So that the order of the parts counts.
            Some(before) => before.rotate_left(1) ^ hash,
        });
        if policy.terminal {
            break;
        }
    }
    affinity
}

fn octets(ip: IpAddr) -> Vec<u8> {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

/// The value of the first cookie of this name, without the quotes that it may stand in.
fn cookie<'r>(request: &'r dyn Request, name: &str) -> Option<Cow<'r, [u8]>> {
    let sent = request.header("cookie")?;
    let pairs = sent.split(|byte| *byte == b';');
    let mut values = pairs.filter_map(|pair| {
        let at = pair.iter().position(|byte| *byte == b'=')?;
        let (key, value) = pair.split_at_checked(at)?;
        let value = value.get(1..)?.trim_ascii();
        let quoted = value.strip_prefix(b"\"");
        let value = quoted
            .and_then(|value| value.strip_suffix(b"\""))
            .unwrap_or(value);
        (key.trim_ascii() == name.as_bytes()).then(|| value.to_vec())
    });
    values.next().map(Cow::Owned)
}

impl NewCookie<'_> {
    fn text(&self) -> String {
        format!("{:016x}", self.value)
    }
}

impl fmt::Display for NewCookie<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.text())?;
        if self.max_age > 0 {
            write!(f, "; Max-Age={}", self.max_age)?;
        }
        if let Some(path) = self.path {
            f.write_str("; Path=")?;
            // A path of a document is any text; what would end the attribute is left out.
            for c in path.chars().filter(|c| *c != ';' && !c.is_control()) {
                f.write_char(c)?;
            }
        }
        f.write_str("; HttpOnly")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::duration::Duration;

    #[derive(Default)]
    struct Asked {
        headers: BTreeMap<&'static str, &'static str>,
        query: Option<&'static str>,
    }

    impl Request for Asked {
        fn method(&self) -> &str {
            "GET"
        }

        fn path(&self) -> &str {
            "/"
        }

        fn query(&self) -> Option<&str> {
            self.query
        }

        fn header(&self, name: &str) -> Option<Cow<'_, [u8]>> {
            let value = self.headers.get(name)?;
            Some(Cow::Borrowed(value.as_bytes()))
        }
    }

    fn header(name: &'static str, value: &'static str) -> Asked {
        Asked {
            headers: BTreeMap::from([(name, value)]),
            query: None,
        }
    }

    fn policy(of: Hashed) -> HashPolicy {
        HashPolicy {
            of,
            terminal: false,
        }
    }

    fn by_header(name: &str) -> HashPolicy {
        policy(Hashed::Header {
            name: name.to_owned(),
        })
    }

    fn by_cookie(ttl: Option<Duration>) -> HashPolicy {
        policy(Hashed::Cookie {
            name: "sid".to_owned(),
            ttl,
            path: Some("/a;b".to_owned()),
        })
    }

    fn hash(policies: &[HashPolicy], asked: &Asked) -> Option<u64> {
        affinity(policies, Some(asked), None, || unreachable!()).hash
    }

    #[test]
    fn equal_values_and_no_others_are_equal() {
        let policies = [by_header("user")];
        let of = |value| hash(&policies, &header("user", value));
        assert!(of("ann").is_some());
        assert_eq!(of("ann"), of("ann"));
        assert_ne!(of("ann"), of("bob"));
        assert_eq!(hash(&policies, &Asked::default()), None);
    }

    #[test]
    fn parts_are_combined_until_a_terminal_one_gives_something() {
        let both = Asked {
            headers: BTreeMap::from([("a", "x"), ("b", "y")]),
            query: None,
        };
        let of = |policies: &[HashPolicy]| hash(policies, &both);
        let (a, b) = (by_header("a"), by_header("b"));
        assert_ne!(of(&[a.clone(), b.clone()]), of(&[b.clone(), a.clone()]));
        let last = HashPolicy {
            terminal: true,
            ..a.clone()
        };
        assert_eq!(of(&[last, b.clone()]), of(std::slice::from_ref(&a)));
        let missing = HashPolicy {
            terminal: true,
            ..by_header("c")
        };
        assert_eq!(of(&[missing, b.clone()]), of(&[b]));
    }

    #[test]
    fn a_cookie_is_found_or_made() {
        let sent = |value| hash(&[by_cookie(None)], &header("cookie", value));
        assert!(sent("sid=1").is_some());
        for same in ["a=2; sid=1", "sid=\"1\"", " sid = 1 ;b=c", "sid=1; sid=2"] {
            assert_eq!(sent(same), sent("sid=1"), "{same}");
        }
        assert_eq!(sent("xsid=1; SID=1; sid"), None);

        let policies = [by_cookie(Some(Duration::from_secs(60)))];
        let made = affinity(&policies, Some(&Asked::default()), None, || 255);
        let cookie = made.cookies[0].to_string();
        assert_eq!(
            cookie,
            "sid=00000000000000ff; Max-Age=60; Path=/ab; HttpOnly"
        );
        // The client sends back what it was told, and comes to the same instance.
        let again = hash(&policies, &header("cookie", "sid=00000000000000ff"));
        assert!(made.hash.is_some() && made.hash == again);
    }

    #[test]
    fn addresses_parameters_and_what_there_is_not() {
        let client = |ip: &str| {
            let policies = [
                policy(Hashed::SourceAddress {}),
                by_cookie(Some(Duration::from_secs(1))),
            ];
            // Bytes have no cookie to be told.
            affinity(&policies, None, ip.parse().ok(), || unreachable!()).hash
        };
        assert!(client("10.0.0.1").is_some());
        assert_eq!(client("10.0.0.1"), client("::ffff:10.0.0.1"));
        assert_ne!(client("10.0.0.1"), client("10.0.0.2"));

        let parameter = [policy(Hashed::QueryParameter {
            name: "user".to_owned(),
        })];
        let query = |query| {
            let asked = Asked {
                query: Some(query),
                ..Asked::default()
            };
            hash(&parameter, &asked)
        };
        assert!(query("a=1&user=ann").is_some());
        assert_eq!(query("user=%61nn"), query("user=ann"));
        assert_eq!(query("user2=ann"), None);

        let state = [policy(Hashed::FilterState {
            key: "k".to_owned(),
        })];
        assert_eq!(hash(&state, &Asked::default()), None);
    }
}
