//! What is forwarded, what is compared, what is refused.

use proptest::prelude::*;

use super::*;

#[test]
fn both_forms() {
    for (path, forwarded, matched) in [
        ("/", "/", "/"),
        ("/admin/x", "/admin/x", "/admin/x"),
        ("/.well-known/x", "/.well-known/x", "/.well-known/x"),
        ("/a/...", "/a/...", "/a/..."),
        // dot segments
        ("/x/../admin/x", "/admin/x", "/admin/x"),
        ("/x/%2e%2e/admin", "/admin", "/admin"),
        ("/x/.%2E/admin", "/admin", "/admin"),
        ("/x/./admin/.", "/x/admin/", "/x/admin/"),
        ("/a/b/..", "/a/", "/a/"),
        ("/a/..", "/", "/"),
        ("/.", "/", "/"),
        ("/a//../b", "/a/b", "/a/b"),
        // empty segments
        ("//admin/x", "//admin/x", "/admin/x"),
        ("/admin//", "/admin//", "/admin/"),
        ("//", "//", "/"),
        // parameters
        ("/admin;x=1", "/admin;x=1", "/admin"),
        ("/;x/admin", "/;x/admin", "/admin"),
        ("/a;b;c/d;e", "/a;b;c/d;e", "/a/d"),
        ("/a/;x", "/a/;x", "/a/"),
        // escapes
        ("/%61dmin", "/%61dmin", "/admin"),
        ("/a%3bb", "/a%3bb", "/a%3Bb"),
        ("/%c3%bc", "/%c3%bc", "/%C3%BC"),
        ("/%252f", "/%252f", "/%252f"),
        ("/%25%36%31", "/%25%36%31", "/%2561"),
        ("/ü", "/ü", "/ü"),
        ("/Admin", "/Admin", "/Admin"),
    ] {
        let normal = normalise(path).unwrap();
        assert_eq!(
            (&*normal.forwarded, &*normal.matched),
            (forwarded, matched),
            "{path}"
        );
    }
}

#[test]
fn refused() {
    for (path, expected) in [
        ("", BadPath::Relative),
        ("*", BadPath::Relative),
        ("admin", BadPath::Relative),
        ("http://a/b", BadPath::Relative),
        ("/x%2f..%2fadmin", BadPath::EscapedSlash),
        ("/%2Fadmin", BadPath::EscapedSlash),
        ("/x/..%5cadmin", BadPath::Backslash),
        ("/x\\admin", BadPath::Backslash),
        ("/admin%00", BadPath::Control),
        ("/admin\0", BadPath::Control),
        ("/admin\r\nx", BadPath::Control),
        ("/admin#f", BadPath::Delimiter),
        ("/admin?f", BadPath::Delimiter),
        ("/x/..;/admin", BadPath::DotParameter),
        ("/.;/admin", BadPath::DotParameter),
        ("/%2e%2e;x/admin", BadPath::DotParameter),
        ("/..%3b/admin", BadPath::DotParameter),
        ("/..", BadPath::AboveRoot),
        ("/a/../../b", BadPath::AboveRoot),
        ("/%", BadPath::Escape),
        ("/%2", BadPath::Escape),
        ("/%2/x", BadPath::Escape),
        ("/%zz", BadPath::Escape),
        ("/%+1", BadPath::Escape),
    ] {
        assert_eq!(normalise(path), Err(expected), "{path:?}");
    }
}

#[test]
fn borrows_what_does_not_change() {
    for path in ["/", "/a/b", "/.well-known", "/a/%C3%BC", "/a-b_c~d/"] {
        let normal = normalise(path).unwrap();
        assert!(matches!(normal.forwarded, Cow::Borrowed(_)), "{path}");
        assert!(matches!(normal.matched, Cow::Borrowed(_)), "{path}");
    }
}

/// Paths made of the pieces that matter, far more often than random text would be.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "/", "/", "/", ".", "..", ";", "%2e", "%2E", "%2f", "%5c", "%3b", "%00", "%", "%61", "%25",
        "a", "admin", "=", "\\", "#", "?", "ü", "é", "\n", "2", "e", "f",
    ]);
    prop::collection::vec(piece, 0..12).prop_map(|pieces| format!("/{}", pieces.concat()))
}

/// The slowest thing that could be right: decode, cut parameters, then walk the segments with a stack.
fn oracle(path: &str) -> Option<Vec<String>> {
    let mut stack = Vec::new();
    for segment in path.split('/').skip(1) {
        let name = segment.split(';').next().unwrap_or_default();
        let name = name
            .replace("%2e", ".")
            .replace("%2E", ".")
            .replace("%61", "a");
        match name.as_str() {
            "." => {}
            ".." => drop(stack.pop()?),
            _ => stack.push(name),
        }
    }
    stack.retain(|name| !name.is_empty());
    Some(stack)
}

/// Two spellings of one escape are one: `%AD` is `%ad`, also where letters of a name look like digits of it.
fn escapes_in_lower_case(name: &str) -> String {
    let mut parts = name.split('%');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        text.push('%');
        text.push_str(&digits.to_ascii_lowercase());
        text.push_str(rest);
    }
    text
}

proptest! {
    #[test]
    fn idempotent(path in hostile()) {
        if let Ok(NormalPath { forwarded, matched }) = normalise(&path) {
            let again = normalise(&forwarded).unwrap();
            prop_assert_eq!(&again.forwarded, &forwarded);
            prop_assert_eq!(&again.matched, &matched);
            let again = normalise(&matched).unwrap();
            prop_assert_eq!(&again.forwarded, &matched);
            prop_assert_eq!(&again.matched, &matched);
        }
    }

    #[test]
    fn what_is_compared_is_what_a_lenient_server_reads(path in hostile()) {
        if let Ok(normal) = normalise(&path) {
            let segments = |path: &str| -> Vec<String> {
                let names = path.split('/').filter(|segment| !segment.is_empty());
                names.map(escapes_in_lower_case).collect()
            };
            let read = oracle(&normal.forwarded);
            let read = read.map(|names| names.iter().map(|name| escapes_in_lower_case(name)).collect());
            prop_assert_eq!(Some(segments(&normal.matched)), read, "{}", path);
        }
    }

    #[test]
    fn total(path in ".*") {
        if let Ok(normal) = normalise(&path) {
            prop_assert!(normal.forwarded.starts_with('/') && normal.matched.starts_with('/'));
            let survives = |bad: &str| normal.matched.to_lowercase().contains(bad);
            prop_assert!(!["//", "/../", "/./", ";", "\\", "#", "%2f", "%5c", "%00", "%2e"].into_iter().any(survives));
        }
    }
}
