//! Who may sign: the file that git calls `gpg.ssh.allowedSignersFile` (ssh-keygen(1), ALLOWED SIGNERS).
//!
//! Never passes over a line that it does not understand: it may be the one that keeps somebody out.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A larger file is not read.
const MOST_BYTES: u64 = 1 << 20;

/// The lines of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AllowedSigners(Vec<Line>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    principals: String,
    key: Vec<u8>,
    /// Patterns; `None`: any.
    namespaces: Option<Vec<String>>,
    /// Seconds since 1970.
    after: Option<u64>,
    before: Option<u64>,
}

impl AllowedSigners {
    /// Reads the file.
    ///
    /// # Errors
    /// In words, with the line.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let at = |why: String| format!("`{}`: {why}", path.display());
        let length = std::fs::metadata(path).map_err(|error| at(error.to_string()))?;
        if length.len() > MOST_BYTES {
            return Err(at(format!("it is larger than {MOST_BYTES} bytes")));
        }
        let text = std::fs::read_to_string(path).map_err(|error| at(error.to_string()))?;
        Self::parse(&text).map_err(at)
    }

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut lines = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let parsed = Line::parse(line);
            lines.push(parsed.map_err(|why| format!("line {}: {why}", index + 1))?);
        }
        match lines.is_empty() {
            true => Err("it names nobody".to_owned()),
            false => Ok(Self(lines)),
        }
    }

    /// The principals that a key is for.
    pub(super) fn find(
        &self,
        key: &[u8],
        namespace: &str,
        time: u64,
    ) -> Result<&str, &'static str> {
        let mut why = "it is not in the list of allowed signers";
        for line in self.0.iter().filter(|line| line.key == key) {
            let namespaces = line.namespaces.as_ref();
            let here = |patterns: &Vec<String>| patterns.iter().any(|p| fits(p, namespace));
            if !namespaces.is_none_or(here) {
                why = "the list allows it for other namespaces than `git`";
            } else if line.after.is_some_and(|after| time < after) {
                why = "the list allows it for later commits only";
            } else if line.before.is_some_and(|before| time >= before) {
                why = "the list allows it for earlier commits only";
            } else {
                return Ok(&line.principals);
            }
        }
        Err(why)
    }
}

impl Line {
    fn parse(line: &str) -> Result<Self, String> {
        let mut words = words(line)?.into_iter();
        let principals = words.next().unwrap_or_default();
        let mut next = words.next().ok_or("there is no key")?;
        let mut parsed = Self {
            principals: principals.replace('"', ""),
            key: Vec::new(),
            namespaces: None,
            after: None,
            before: None,
        };
        if !is_kind(&next) {
            parsed.options(&next)?;
            next = words.next().ok_or("there is no key")?;
        }
        if !is_kind(&next) {
            return Err(format!("`{next}` is no kind of key"));
        }
        let key = words.next().unwrap_or_default();
        parsed.key = STANDARD.decode(key).map_err(|_| "the key is not base64")?;
        let mut reader = super::wire::Reader(&parsed.key);
        if reader.text() != Some(next.as_bytes()) {
            return Err(format!("the key is not of the kind `{next}`"));
        }
        Ok(parsed)
    }

    fn options(&mut self, text: &str) -> Result<(), String> {
        for option in outside_of_quotes(text, ',') {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            let value = value.trim_matches('"');
            match name.to_ascii_lowercase().as_str() {
                "namespaces" => {
                    self.namespaces = Some(value.split(',').map(str::to_owned).collect());
                }
                "valid-after" => self.after = Some(moment(value)?),
                "valid-before" => self.before = Some(moment(value)?),
                "cert-authority" => return Err("certificates are not supported".to_owned()),
                _ => return Err(format!("there is no option `{name}`")),
            }
        }
        Ok(())
    }
}

fn is_kind(word: &str) -> bool {
    ["ssh-", "ecdsa-", "sk-"]
        .iter()
        .any(|begin| word.starts_with(begin))
}

/// Separated by white space that is not in quotes.
fn words(line: &str) -> Result<Vec<String>, String> {
    if !line.matches('"').count().is_multiple_of(2) {
        return Err("a quote is not closed".to_owned());
    }
    let parts = outside_of_quotes(line, ' ').into_iter();
    let parts = parts.flat_map(|part| outside_of_quotes(part, '\t'));
    Ok(parts
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect())
}

fn outside_of_quotes(text: &str, separator: char) -> Vec<&str> {
    let mut quoted = false;
    let split = text.split(move |c: char| {
        quoted ^= c == '"';
        c == separator && !quoted
    });
    split.collect()
}

/// `YYYYMMDD` or `YYYYMMDDHHMM[SS]`, with or without `Z`: UTC in any case, because meshd and who signs are rarely at one place.
fn moment(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no time such as `20261128` or `202611280930Z`");
    let digits = text.strip_suffix('Z').unwrap_or(text);
    if !matches!(digits.len(), 8 | 12 | 14) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or("00");
    let text = format!(
        "{}-{}-{}T{}:{}:{}Z",
        part(0, 4),
        part(4, 6),
        part(6, 8),
        part(8, 10),
        part(10, 12),
        part(12, 14)
    );
    crate::event::unix(&text).ok_or_else(wrong)
}

/// `*` and `?`, as in patterns of OpenSSH.
fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    // By rows: does the pattern so far fit the text so far?
    let mut row = vec![false; text.len() + 1];
    if let Some(first) = row.first_mut() {
        *first = true;
    }
    for part in pattern {
        let mut next = Vec::with_capacity(row.len());
        for at in 0..row.len() {
            let here = row.get(at).copied().unwrap_or(false);
            let before = at.checked_sub(1);
            let left = before.and_then(|at| next.get(at)).copied().unwrap_or(false);
            let above = before.and_then(|at| row.get(at)).copied().unwrap_or(false);
            let same = before
                .and_then(|at| text.get(at))
                .is_some_and(|c| part == '?' || *c == part);
            next.push(match part {
                '*' => here || left,
                _ => above && same,
            });
        }
        row = next;
    }
    row.last().copied().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("git", "git", true),
            ("git", "gitx", false),
            ("*", "git", true),
            ("g*t", "git", true),
            ("g?t", "git", true),
            ("g?", "git", false),
            ("", "git", false),
            ("**", "", true),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn lines_that_cannot_be_are_refused_with_their_number() {
        let key =
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl2";
        for (text, expected) in [
            (format!("# who\n\na@b {key} comment"), None),
            (
                format!("\"a b\" namespaces=\"git,file\",valid-before=\"20261128\" {key}"),
                None,
            ),
            (format!("a@b VALID-AFTER=202611280930Z {key}"), None),
            (String::new(), Some("names nobody")),
            ("\na@b".to_owned(), Some("line 2: there is no key")),
            ("a@b ssh-ed25519".to_owned(), Some("not of the kind")),
            ("a@b ssh-ed25519 ?".to_owned(), Some("not base64")),
            (
                format!("a@b {}", key.replacen("ssh-ed25519", "ssh-rsa", 1)),
                Some("not of the kind"),
            ),
            (
                format!("a@b cert-authority {key}"),
                Some("certificates are not supported"),
            ),
            (
                format!("a@b namespace=\"git\" {key}"),
                Some("no option `namespace`"),
            ),
            (
                format!("a@b valid-after=\"yesterday\" {key}"),
                Some("is no time"),
            ),
            (
                format!("a@b valid-after=\"20261301\" {key}"),
                Some("is no time"),
            ),
            (
                format!("a@b namespaces=\"git {key}"),
                Some("a quote is not closed"),
            ),
        ] {
            match (AllowedSigners::parse(&text), expected) {
                (Ok(_), None) => {}
                (Err(why), Some(part)) => assert!(why.contains(part), "{text}: {why}"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }
}
