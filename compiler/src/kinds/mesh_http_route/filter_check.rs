//! What the filters of a `MeshHTTPRoute` must hold (language 5.1.2).
//!
//! Never looks at another rule than the filter's own.

use std::collections::BTreeSet;

use mesh_bundle::resource::RESERVED_HEADERS;

use crate::diag::{Change, Code, Pointer};
use crate::kinds::{Check, grammar};

use super::check::check_header_name;
use super::filter::{
    Filter, FilterType, HeaderChanges, HeaderModifier, HeaderValue, PathRewrite, PathRewriteType,
    RequestMirror, RequestRedirect, UrlRewrite,
};

/// More changes to headers than this in one list are a mistake (language 5.1.2).
const MOST_HEADERS: usize = 16;

impl Filter {
    /// Checks a filter. `only_prefixes`: every match of its rule is one of a path prefix.
    pub(super) fn check(&self, only_prefixes: bool, at: &Pointer, check: &mut Check<'_>) {
        let Some(kind) = self.kind else {
            check.missing(&at.field("type")).help(
                "one of `RequestHeaderModifier`, `ResponseHeaderModifier`, `RequestRedirect`, `URLRewrite`, `RequestMirror`",
            );
            return;
        };
        let member = at.field(kind.member());
        let there = match kind {
            FilterType::RequestHeaderModifier => {
                let modifier = self.request_header_modifier.as_ref();
                modifier.map(|modifier| modifier.check(&member, check))
            }
            FilterType::ResponseHeaderModifier => {
                let modifier = self.response_header_modifier.as_ref();
                modifier.map(|modifier| modifier.check(&member, check))
            }
            FilterType::RequestRedirect => {
                let redirect = self.request_redirect.as_ref();
                redirect.map(|redirect| redirect.check(only_prefixes, &member, check))
            }
            FilterType::UrlRewrite => {
                let rewrite = self.url_rewrite.as_ref();
                rewrite.map(|rewrite| rewrite.check(only_prefixes, &member, check))
            }
            FilterType::RequestMirror => {
                let mirror = self.request_mirror.as_ref();
                mirror.map(|mirror| mirror.check(&member, check))
            }
        };
        if there.is_none() {
            check.missing(&member);
        }
        for other in self.members() {
            if other != kind.member() {
                let message = format!(
                    "`{other}` has no effect in a filter of the type `{}`",
                    kind.as_str()
                );
                check
                    .warn(Code::NO_EFFECT, &at.field(other), message)
                    .help("remove it, or change the type")
                    .safe_fix("remove it", |at| vec![Change::Remove(at.clone())]);
            }
        }
    }

    /// The members that are set.
    fn members(&self) -> impl Iterator<Item = &'static str> {
        let members = [
            (
                FilterType::RequestHeaderModifier,
                self.request_header_modifier.is_some(),
            ),
            (
                FilterType::ResponseHeaderModifier,
                self.response_header_modifier.is_some(),
            ),
            (FilterType::RequestRedirect, self.request_redirect.is_some()),
            (FilterType::UrlRewrite, self.url_rewrite.is_some()),
            (FilterType::RequestMirror, self.request_mirror.is_some()),
        ];
        let set = members.into_iter().filter(|(_, set)| *set);
        set.map(|(kind, _)| kind.member())
    }
}

impl FilterType {
    /// As documents write it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::RequestHeaderModifier => "RequestHeaderModifier",
            Self::ResponseHeaderModifier => "ResponseHeaderModifier",
            Self::RequestRedirect => "RequestRedirect",
            Self::UrlRewrite => "URLRewrite",
            Self::RequestMirror => "RequestMirror",
        }
    }

    /// The member that belongs to it.
    fn member(self) -> &'static str {
        match self {
            Self::RequestHeaderModifier => "requestHeaderModifier",
            Self::ResponseHeaderModifier => "responseHeaderModifier",
            Self::RequestRedirect => "requestRedirect",
            Self::UrlRewrite => "urlRewrite",
            Self::RequestMirror => "requestMirror",
        }
    }
}

impl HeaderModifier {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        if *self == Self::default() {
            let message = "at least one of `set`, `add`, `remove` must be set";
            check.error(Code::MISSING_FIELD, at, message);
        }
        let lengths = [
            ("set", self.set.len()),
            ("add", self.add.len()),
            ("remove", self.remove.len()),
        ];
        for (list, length) in lengths {
            if length > MOST_HEADERS {
                let message =
                    format!("`{list}` holds {length} headers, at most {MOST_HEADERS} are allowed");
                check.invalid(&at.field(list), message);
            }
        }
        let mut names = BTreeSet::new();
        for (list, headers) in [("set", &self.set), ("add", &self.add)] {
            for (index, header) in headers.iter().enumerate() {
                let at = at.field(list).index(index);
                header.check(&at, check);
                check_changed(header.name.as_deref(), &mut names, &at.field("name"), check);
            }
        }
        for (index, name) in self.remove.iter().enumerate() {
            // The item itself in words, its `name` in the path that the language has for it.
            let at = at.field("remove").index(index);
            check_header_name(Some(name), &at, check);
            check_changed(Some(name), &mut names, &at.field("name"), check);
        }
    }
}

/// A header that is changed: once in a filter, and none that belongs to the proxy.
fn check_changed(
    name: Option<&str>,
    names: &mut BTreeSet<String>,
    at: &Pointer,
    check: &mut Check<'_>,
) {
    let name = name.unwrap_or_default();
    let lower = name.to_ascii_lowercase();
    if RESERVED_HEADERS.contains(&lower.as_str()) {
        let help = match lower.as_str() {
            "host" => "a filter of the type `URLRewrite` with `hostname` changes it",
            _ => "leave it out: it follows from the message and from who sent it",
        };
        let message = format!("the header `{name}` belongs to the proxy and cannot be changed");
        check.invalid(at, message).help(help);
    } else if !name.is_empty() && !names.insert(lower) {
        check
            .invalid(
                at,
                format!("the header `{name}` is changed twice in one filter"),
            )
            .help("name it once over `set`, `add` and `remove`");
    }
}

impl HeaderChanges {
    /// Checks headers that are written without any being removed.
    pub(in crate::kinds) fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        if *self == Self::default() {
            let message = "at least one of `set`, `add` must be set";
            check.error(Code::MISSING_FIELD, at, message);
            return;
        }
        let modifier = HeaderModifier {
            set: self.set.clone(),
            add: self.add.clone(),
            remove: Vec::new(),
        };
        modifier.check(at, check);
    }
}

impl HeaderValue {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        check_header_name(self.name.as_ref(), &at.field("name"), check);
        let at = at.field("value");
        match &self.value {
            None => {
                check.missing(&at);
            }
            Some(value) if !grammar::is_header_value(value) => {
                let message =
                    "a header carries visible ASCII characters, with no space at either end";
                check.invalid(&at, message);
            }
            Some(_) => {}
        }
    }
}

impl RequestRedirect {
    fn check(&self, only_prefixes: bool, at: &Pointer, check: &mut Check<'_>) {
        check_hostname(self.hostname.as_ref(), &at.field("hostname"), check);
        check.port(self.port, &at.field("port"));
        if let Some(path) = &self.path {
            path.check(only_prefixes, &at.field("path"), check);
        }
        let known = |status: &u32| [301, 302, 303, 307, 308].contains(status);
        if let Some(status) = self.status_code.filter(|status| !known(status)) {
            check
                .invalid(
                    &at.field("statusCode"),
                    format!("`{status}` is not the status of a redirect"),
                )
                .help("one of `301`, `302`, `303`, `307`, `308`");
        }
    }
}

impl UrlRewrite {
    fn check(&self, only_prefixes: bool, at: &Pointer, check: &mut Check<'_>) {
        check_hostname(self.hostname.as_ref(), &at.field("hostname"), check);
        if let Some(path) = &self.path {
            path.check(only_prefixes, &at.field("path"), check);
        }
        if self.host_to_backend_hostname == Some(true) {
            let at = at.field("hostToBackendHostname");
            check
                .invalid(
                    &at,
                    "`hostToBackendHostname` must not be set: it was for gateways",
                )
                .help("set `hostname`");
        }
    }
}

fn check_hostname(hostname: Option<&String>, at: &Pointer, check: &mut Check<'_>) {
    let Some(hostname) = hostname else {
        return;
    };
    if grammar::is_ip(hostname) {
        check.invalid(
            at,
            format!("`{hostname}` is an IP address: a DNS name is needed"),
        );
    } else if !grammar::is_subdomain(hostname) {
        check.invalid(at, format!("`{hostname}` is not a DNS name in lower case"));
    }
}

impl PathRewrite {
    fn check(&self, only_prefixes: bool, at: &Pointer, check: &mut Check<'_>) {
        let (member, value) = match self.kind {
            None => {
                check
                    .missing(&at.field("type"))
                    .help("one of `ReplaceFullPath`, `ReplacePrefixMatch`");
                return;
            }
            Some(PathRewriteType::ReplaceFullPath) => ("replaceFullPath", &self.replace_full_path),
            Some(PathRewriteType::ReplacePrefixMatch) => {
                ("replacePrefixMatch", &self.replace_prefix_match)
            }
        };
        let at = at.field(member);
        if self.kind == Some(PathRewriteType::ReplacePrefixMatch) && !only_prefixes {
            check
                .invalid(&at, "a prefix can only be replaced where every match of the rule is one of a path prefix")
                .help("use `type: PathPrefix` in all `matches`, or `ReplaceFullPath`");
            return;
        }
        match value.as_deref() {
            None => {
                check.missing(&at);
            }
            Some(value) if !value.starts_with('/') => {
                check
                    .invalid(&at, format!("`{value}` is not an absolute path"))
                    .help("it has to begin with `/`");
            }
            Some(value)
                if value.contains(['?', '#'])
                    || !grammar::is_header_value(value)
                    || value.contains(' ') =>
            {
                let message =
                    format!("`{value}` is more than a path: no query, no fragment, no spaces");
                check.invalid(&at, message);
            }
            Some(_) => {}
        }
    }
}

impl RequestMirror {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        if let Some(percentage) = &self.percentage {
            percentage.check(&at.field("percentage"), check);
        }
        let at = at.field("backendRef");
        match &self.backend_ref {
            Some(backend) => backend.check(&at, check),
            None => {
                check.missing(&at);
            }
        }
    }
}
