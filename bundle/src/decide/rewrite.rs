//! What a path or a `location` becomes (language 5.1.2, Gateway API semantics).
//!
//! Never makes a relative path, and never drops the query.

use crate::resource::{PathRewrite, Redirect};

/// The path towards the backend. `path` is without query and may still hold empty segments and parameters, which count
/// to the prefix that they stand in. A prefix replacement where nothing was matched by prefix changes nothing.
#[must_use]
pub fn rewrite_path(rewrite: &PathRewrite, path: &str, matched_prefix: Option<&str>) -> String {
    let (replacement, rest) = match (rewrite, matched_prefix) {
        (PathRewrite::Full(full), _) => (full.as_str(), ""),
        (PathRewrite::Prefix(replacement), Some(prefix)) => (
            replacement.trim_end_matches('/'),
            after_prefix(path, prefix),
        ),
        (PathRewrite::Prefix(_), None) => ("", path),
    };
    let root = if replacement.starts_with('/') || (replacement.is_empty() && rest.starts_with('/'))
    {
        ""
    } else {
        "/"
    };
    [root, replacement, rest].concat()
}

/// What follows the segments of `prefix` in `path`: empty, or beginning with `/`.
fn after_prefix<'a>(path: &'a str, prefix: &str) -> &'a str {
    let is_name = |segment: &str| !segment.is_empty() && !segment.starts_with(';');
    let mut wanted = prefix.split('/').filter(|segment| is_name(segment)).count();
    let mut rest = path;
    while wanted > 0 {
        let Some(tail) = rest.strip_prefix('/') else {
            break;
        };
        let (segment, after) = tail.split_at(tail.find('/').unwrap_or(tail.len()));
        wanted -= usize::from(is_name(segment));
        rest = after;
    }
    rest
}

/// The `location` of a redirect: what it does not set is the request's own. `authority` is what the client asked for,
/// with or without a port.
#[must_use]
pub fn location(
    redirect: &Redirect,
    scheme: &str,
    authority: &str,
    path: &str,
    query: Option<&str>,
    matched_prefix: Option<&str>,
) -> String {
    let (host, port) = split_port(authority);
    let host = redirect.hostname.as_deref().unwrap_or(host);
    let new_scheme = redirect.scheme.as_deref().unwrap_or(scheme);
    // The port of the old scheme says nothing about the new one.
    let own = port.filter(|port| Some(*port) != default_port(scheme));
    let port = redirect
        .port
        .or(own)
        .filter(|port| Some(*port) != default_port(new_scheme));
    let path = match &redirect.path {
        Some(rewrite) => rewrite_path(rewrite, path, matched_prefix),
        None => path.to_owned(),
    };
    let mut location = format!("{new_scheme}://{host}");
    if let Some(port) = port {
        location.push_str(&format!(":{port}"));
    }
    location.push_str(&path);
    if let Some(query) = query {
        location.push('?');
        location.push_str(query);
    }
    location
}

/// `api:80`, `[::1]:80`, `user@api`: the host, and the port where it is a number.
fn split_port(authority: &str) -> (&str, Option<u16>) {
    let authority = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()),
        _ => (authority, None),
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_replaced_by_segment() {
        for (path, prefix, replacement, expected) in [
            // language 5.1.2
            ("/v1", "/v1", "/v2", "/v2"),
            ("/v1/", "/v1", "/v2", "/v2/"),
            ("/v1/users", "/v1", "/v2", "/v2/users"),
            ("/v1/users", "/v1", "/", "/users"),
            ("/v1", "/v1", "/", "/"),
            // Gateway API's table
            ("/foo/bar", "/foo", "/xyz/", "/xyz/bar"),
            ("/foo/bar", "/foo/", "/xyz", "/xyz/bar"),
            ("/foo/bar", "/foo", "", "/bar"),
            ("/foo/", "/foo", "", "/"),
            ("/foo", "/foo", "", "/"),
            ("/foo/", "/foo", "/", "/"),
            // the whole path is the prefix
            ("/users", "/", "/v2", "/v2/users"),
            ("/", "/", "/v2", "/v2/"),
            // what the client wrote differently from what was compared
            ("//v1;x=1/users;y", "/v1", "/v2", "/v2/users;y"),
            ("/%76%31/a//b", "/v1", "/v2", "/v2/a//b"),
            ("/v1", "/v1", "v2", "/v2"),
        ] {
            let rewrite = PathRewrite::Prefix(replacement.to_owned());
            assert_eq!(
                rewrite_path(&rewrite, path, Some(prefix)),
                expected,
                "{path}: {prefix} to {replacement}"
            );
        }
    }

    #[test]
    fn whole_paths_and_no_prefix() {
        let full = PathRewrite::Full("/new".to_owned());
        assert_eq!(rewrite_path(&full, "/v1/users", Some("/v1")), "/new");
        assert_eq!(
            rewrite_path(&PathRewrite::Full("new".to_owned()), "/v1", None),
            "/new"
        );
        let prefix = PathRewrite::Prefix("/v2".to_owned());
        assert_eq!(rewrite_path(&prefix, "/v1/users", None), "/v1/users");
    }

    #[test]
    fn locations() {
        let redirect = |scheme: Option<&str>, hostname: Option<&str>, port, path| Redirect {
            scheme: scheme.map(str::to_owned),
            hostname: hostname.map(str::to_owned),
            port,
            path,
            status: 302,
        };
        let prefix = || Some(PathRewrite::Prefix("/v2".to_owned()));
        for (redirect, authority, expected) in [
            (
                redirect(None, None, None, None),
                "api:8080",
                "http://api:8080/v1/a?q=1",
            ),
            (
                redirect(None, None, None, None),
                "api:80",
                "http://api/v1/a?q=1",
            ),
            (
                redirect(Some("https"), None, None, None),
                "api:80",
                "https://api/v1/a?q=1",
            ),
            (
                redirect(Some("https"), None, None, None),
                "api:8080",
                "https://api:8080/v1/a?q=1",
            ),
            (
                redirect(Some("https"), None, Some(443), None),
                "api:8080",
                "https://api/v1/a?q=1",
            ),
            (
                redirect(None, Some("b.test"), None, None),
                "api:8080",
                "http://b.test:8080/v1/a?q=1",
            ),
            (
                redirect(None, None, Some(9000), None),
                "[::1]:8080",
                "http://[::1]:9000/v1/a?q=1",
            ),
            (
                redirect(None, None, None, None),
                "[::1]",
                "http://[::1]/v1/a?q=1",
            ),
            (
                redirect(None, None, None, prefix()),
                "me@api",
                "http://api/v2/a?q=1",
            ),
        ] {
            let made = location(
                &redirect,
                "http",
                authority,
                "/v1/a",
                Some("q=1"),
                Some("/v1"),
            );
            assert_eq!(made, expected);
        }
        let plain = redirect(None, None, None, None);
        assert_eq!(
            location(&plain, "https", "api:443", "/", None, None),
            "https://api/"
        );
    }
}
