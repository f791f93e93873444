//! Names of resources, meshes and namespaces (language 2.4).
//!
//! Never repairs a name: it says which one would do.

use super::reader::Reader;
use crate::diag::{Code, Diagnostic, Pointer};
use crate::kinds::KindInfo;

const LONGEST: usize = 253;
const LONGEST_LABEL: usize = 63;

/// Is this a name for a resource of this kind? Reports why not.
pub(super) fn check(reader: &mut Reader<'_>, kind: &KindInfo, name: &str, at: &Pointer) -> bool {
    let what = if kind.name_is_label {
        Grammar::DnsLabel
    } else {
        Grammar::Subdomain
    };
    if !judge(reader, name, at, what) {
        return false;
    }
    let zone = reader.settings.zone.clone();
    let prefixed = zone.len() + 1 + name.len();
    if prefixed > LONGEST {
        reader
            .error(
                Code::INVALID_NAME,
                at,
                format!("with the zone before it, `{zone}.`, this name has {prefixed} characters, at most {LONGEST} are allowed"),
            )
            .help("take a shorter one");
        return false;
    }
    true
}

pub(super) fn check_mesh(reader: &mut Reader<'_>, name: &str, at: &Pointer) -> bool {
    judge(reader, name, at, Grammar::DnsLabel)
}

pub(super) fn check_namespace(reader: &mut Reader<'_>, name: &str, at: &Pointer) -> bool {
    judge(reader, name, at, Grammar::Label)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Grammar {
    /// Labels joined by dots.
    Subdomain,
    /// One label.
    Label,
    /// One label that begins with a letter.
    DnsLabel,
}

/// Why a text is no name.
#[derive(Debug, PartialEq, Eq)]
enum Flaw {
    Empty,
    TooLong(usize, usize),
    Character(char),
    Dot,
    Edge,
    Digit,
}

fn judge(reader: &mut Reader<'_>, name: &str, at: &Pointer, grammar: Grammar) -> bool {
    let Some(flaw) = flaw(name, grammar) else {
        return true;
    };
    let message = match &flaw {
        Flaw::Empty => "a name cannot be empty".to_owned(),
        Flaw::TooLong(length, most) => {
            format!("this name has {length} characters, at most {most} are allowed")
        }
        Flaw::Character(c) if c.is_control() || !c.is_ascii() => {
            format!(
                "`{name}` is not a name: it cannot hold the character U+{:04X}",
                u32::from(*c)
            )
        }
        Flaw::Character(c) => format!("`{name}` is not a name: it cannot hold `{c}`"),
        Flaw::Dot => {
            "a name of this kind becomes one part of a DNS name, it cannot hold `.`".to_owned()
        }
        Flaw::Edge => "every part of a name begins and ends with a letter or digit".to_owned(),
        Flaw::Digit => {
            "a name of this kind becomes part of a DNS name, it must begin with a letter".to_owned()
        }
    };
    help(
        reader.error(Code::INVALID_NAME, at, message),
        name,
        &flaw,
        grammar,
    );
    false
}

fn help(finding: &mut Diagnostic, name: &str, flaw: &Flaw, grammar: Grammar) {
    let mended: String = name
        .chars()
        .map(|c| match c {
            '_' | ' ' | '/' => '-',
            c => c.to_ascii_lowercase(),
        })
        .collect();
    if self::flaw(&mended, grammar).is_none() {
        finding.help(format!("write `{mended}`"));
        return;
    }
    match flaw {
        Flaw::Character(c) if !c.is_ascii() && c.is_alphabetic() => finding.help(format!(
            "`{c}` is not a letter from a to z, it may only look like one"
        )),
        _ => finding.help(match grammar {
            Grammar::Subdomain => {
                "use lower case letters, digits and `-`, in parts that are joined by `.`"
            }
            _ => "use lower case letters, digits and `-`",
        }),
    };
}

fn flaw(name: &str, grammar: Grammar) -> Option<Flaw> {
    if name.is_empty() {
        return Some(Flaw::Empty);
    }
    let allowed = |c: &char| matches!(c, 'a'..='z' | '0'..='9' | '-' | '.');
    if let Some(c) = name.chars().find(|c| !allowed(c)) {
        return Some(Flaw::Character(c));
    }
    let most = match grammar {
        Grammar::Subdomain => LONGEST,
        Grammar::Label | Grammar::DnsLabel => LONGEST_LABEL,
    };
    if name.len() > most {
        return Some(Flaw::TooLong(name.len(), most));
    }
    if grammar != Grammar::Subdomain && name.contains('.') {
        return Some(Flaw::Dot);
    }
    let edge = |part: &str| part.is_empty() || part.starts_with('-') || part.ends_with('-');
    if name.split('.').any(edge) {
        return Some(Flaw::Edge);
    }
    let digit = name.starts_with(|c: char| c.is_ascii_digit());
    (grammar == Grammar::DnsLabel && digit).then_some(Flaw::Digit)
}

/// A DNS-1123 label, as zones and namespaces have to be.
pub(super) fn is_label(text: &str) -> bool {
    flaw(text, Grammar::Label).is_none()
}

/// A DNS-1035 label, as `kuma.io/workload` has to be.
pub(super) fn is_dns_label(text: &str) -> bool {
    flaw(text, Grammar::DnsLabel).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_their_grammar() {
        use Grammar::{DnsLabel, Label, Subdomain};
        let table = [
            ("web", Subdomain, None),
            ("0-a.b-1", Subdomain, None),
            ("", Subdomain, Some(Flaw::Empty)),
            ("Web", Subdomain, Some(Flaw::Character('W'))),
            ("a_b", Subdomain, Some(Flaw::Character('_'))),
            ("w\u{430}b", Subdomain, Some(Flaw::Character('\u{430}'))),
            ("-a", Subdomain, Some(Flaw::Edge)),
            ("a..b", Subdomain, Some(Flaw::Edge)),
            ("a.b", DnsLabel, Some(Flaw::Dot)),
            ("1a", DnsLabel, Some(Flaw::Digit)),
            ("1a", Label, None),
        ];
        for (name, grammar, expected) in table {
            assert_eq!(flaw(name, grammar), expected, "{name}");
        }
        let long = "a".repeat(254);
        assert_eq!(flaw(&long, Subdomain), Some(Flaw::TooLong(254, 253)));
        assert_eq!(flaw(&"a".repeat(64), DnsLabel), Some(Flaw::TooLong(64, 63)));
    }
}
