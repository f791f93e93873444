//! The normal form of a request path: what is matched is what the workload will understand.
//!
//! Never guesses: a path that two servers could read differently is refused, not repaired. Sources: RFC 3986 sections
//! 5.2.4 and 6.2.2, and the advisories on path confusion in proxies since CVE-2019-9901.

use std::borrow::Cow;

/// A path, without query, in its two forms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NormalPath<'a> {
    /// What the workload is sent: dot segments resolved, everything else as the client wrote it.
    pub forwarded: Cow<'a, str>,
    /// What is compared: also without `;parameters` and empty segments, and with needless escapes undone.
    pub matched: Cow<'a, str>,
}

/// Why a path is refused; answered with 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPath {
    /// Empty, `*`, or relative.
    #[error("the path does not begin with `/`")]
    Relative,
    /// `%` without two hex digits.
    #[error("the path holds a `%` that is not followed by two hex digits")]
    Escape,
    /// `%2f`: a slash to some servers, a letter to others.
    #[error("the path holds an escaped slash")]
    EscapedSlash,
    /// `\` or `%5c`: a slash to some servers.
    #[error("the path holds a backslash")]
    Backslash,
    /// `%00`, or a control character as it is.
    #[error("the path holds a NUL or a control character")]
    Control,
    /// `#` or `?`: not part of a path.
    #[error("the path holds `#` or `?`")]
    Delimiter,
    /// `..;x`: the parent to some servers, a name to others.
    #[error("the path holds a dot segment with a parameter")]
    DotParameter,
    /// More `..` than segments before them.
    #[error("the path climbs above its root")]
    AboveRoot,
}

/// Brings a path into its normal form. Both forms are their own normal forms. Borrows where nothing changes.
///
/// # Errors
/// See [`BadPath`].
pub fn normalise(path: &str) -> Result<NormalPath<'_>, BadPath> {
    if !path.starts_with('/') {
        return Err(BadPath::Relative);
    }
    if is_plain(path) {
        return Ok(NormalPath {
            forwarded: Cow::Borrowed(path),
            matched: Cow::Borrowed(path),
        });
    }
    check_bytes(path)?;
    let forwarded = resolve(path)?;
    let matched = comparable(&forwarded);
    let borrow = |text: String| match text == path {
        true => Cow::Borrowed(path),
        false => Cow::Owned(text),
    };
    Ok(NormalPath {
        matched: borrow(matched),
        forwarded: borrow(forwarded),
    })
}

/// Almost every path: nothing in it that could need a second look.
fn is_plain(path: &str) -> bool {
    let mut previous = 0;
    path.bytes().all(|byte| {
        let special = byte.is_ascii_control()
            || matches!(byte, b'%' | b';' | b'\\' | b'#' | b'?')
            || (previous == b'/' && matches!(byte, b'/' | b'.'));
        previous = byte;
        !special
    })
}

fn check_bytes(path: &str) -> Result<(), BadPath> {
    let mut rest = path.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'\\' => return Err(BadPath::Backslash),
            b'#' | b'?' => return Err(BadPath::Delimiter),
            b'%' => match unescape(after).ok_or(BadPath::Escape)? {
                b'/' => return Err(BadPath::EscapedSlash),
                b'\\' => return Err(BadPath::Backslash),
                0 => return Err(BadPath::Control),
                _ => {}
            },
            _ if byte.is_ascii_control() => return Err(BadPath::Control),
            _ => {}
        }
    }
    Ok(())
}

/// The byte that the two hex digits at the front stand for.
pub(super) fn unescape(digits: &[u8]) -> Option<u8> {
    let value = |digit: &u8| char::from(*digit).to_digit(16);
    let [high, low] = digits.first_chunk::<2>()?;
    u8::try_from(value(high)? * 16 + value(low)?).ok()
}

/// RFC 3986 5.2.4, except that climbing above the root is refused instead of ignored.
fn resolve(path: &str) -> Result<String, BadPath> {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match dots(segment)? {
            0 => kept.push(segment),
            1 => {}
            _ => drop(kept.pop().ok_or(BadPath::AboveRoot)?),
        }
        if last && dots(segment)? > 0 {
            // `/a/..` is the directory `/`, `/a/.` the directory `/a/`.
            kept.push("");
        }
    }
    let mut resolved = String::with_capacity(path.len());
    for segment in kept {
        resolved.push('/');
        resolved.push_str(segment);
    }
    Ok(resolved)
}

/// 1 for `.`, 2 for `..`, however they are escaped; 0 for a name.
fn dots(segment: &str) -> Result<usize, BadPath> {
    let mut rest = segment.as_bytes();
    let mut count = 0;
    loop {
        let (byte, after) = match rest {
            [] => break,
            [b'%', escaped @ ..] => {
                let byte = unescape(escaped).ok_or(BadPath::Escape)?;
                (byte, escaped.get(2..).unwrap_or_default())
            }
            [byte, after @ ..] => (*byte, after),
        };
        match byte {
            b'.' if count < 2 => count += 1,
            b';' if count > 0 => return Err(BadPath::DotParameter),
            _ => return Ok(0),
        }
        rest = after;
    }
    Ok(count)
}

/// The form that is compared, from a path without dot segments.
fn comparable(path: &str) -> String {
    let mut result = String::with_capacity(path.len());
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let name = segment.split_once(';').map_or(segment, |(name, _)| name);
        if !name.is_empty() || segments.peek().is_none() {
            result.push('/');
            push_unescaped(&mut result, name);
        }
    }
    result
}

/// Undoes the escapes that RFC 3986 6.2.2 calls needless, so that `/%61dmin` is `/admin`; the others in upper case.
fn push_unescaped(result: &mut String, name: &str) {
    let mut rest = name;
    while let Some((before, after)) = rest.split_once('%') {
        result.push_str(before);
        match after
            .split_at_checked(2)
            .zip(unescape(after.as_bytes()).map(char::from))
        {
            Some(((_, tail), byte)) if is_unreserved(byte) => {
                result.push(byte);
                rest = tail;
            }
            Some(((digits, tail), _)) => {
                result.push('%');
                result.push_str(&digits.to_ascii_uppercase());
                rest = tail;
            }
            // Not reached: `check_bytes` has refused it.
            None => {
                result.push('%');
                rest = after;
            }
        }
    }
    result.push_str(rest);
}

fn is_unreserved(byte: char) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, '-' | '.' | '_' | '~')
}

#[cfg(test)]
mod tests;
