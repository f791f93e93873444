//! The rules of a `MeshHTTPRoute`: what they match, and what is done to requests (language 5.1.1).
//!
//! Never compares the rules of two routes.

use std::collections::BTreeSet;

use mesh_bundle::decide;

use crate::diag::{Change, Code, Pointer};
use crate::kinds::target_ref::{BackendRef, TargetRef};
use crate::kinds::{Check, grammar};

use super::filter::{Filter, FilterType};
use super::{
    HeaderMatchType, HttpHeaderMatch, HttpMatch, HttpPathMatch, HttpRouteTo, HttpRule,
    HttpRuleConf, MeshHttpRoute, PathMatchType, QueryParamMatch, QueryParamMatchType,
};

impl MeshHttpRoute {
    /// Checks a route.
    pub(super) fn check(&self, check: &mut Check<'_>) {
        TargetRef::check_top(self.target_ref.as_ref(), false, check);
        let spec = Pointer::default();
        if self.to.is_empty() {
            check.warn(Code::NO_EFFECT, &spec, "a route without `to` does nothing");
        }
        for (index, to) in self.to.iter().enumerate() {
            to.check(&spec.field("to").index(index), check);
        }
    }
}

impl HttpRouteTo {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        let target = self.target_ref.as_ref();
        TargetRef::check_item(target, &at.field("targetRef"), super::KIND.to, check);
        if !self.hostnames.is_empty() {
            let message = "`hostnames` must not be set: the destination is known by its address";
            let help = "remove it; to match the host of a request, match the header `host`";
            check.invalid(&at.field("hostnames"), message).help(help);
        }
        let Some(rules) = &self.rules else {
            check
                .missing(&at.field("rules"))
                .help("`rules: []` is the destination itself");
            return;
        };
        for (index, rule) in rules.iter().enumerate() {
            rule.check(&at.field("rules").index(index), check);
        }
    }
}

impl HttpRule {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        if self.matches.is_empty() {
            // Beside the rule, not below it: there is nothing below it yet.
            check
                .error(Code::MISSING_FIELD, at, "a rule must have `matches`")
                .help("`matches: [{path: {type: PathPrefix, value: /}}]` matches every request");
        }
        for (index, one) in self.matches.iter().enumerate() {
            one.check(&at.field("matches").index(index), check);
        }
        match &self.default {
            Some(conf) => conf.check(self.only_prefixes(), &at.field("default"), check),
            None => {
                check
                    .error(Code::MISSING_FIELD, at, "a rule must have a `default`")
                    .help("`default: {}` is the destination itself");
            }
        }
    }

    fn only_prefixes(&self) -> bool {
        let prefix = |one: &HttpMatch| {
            let path = one.path.as_ref();
            path.and_then(|path| path.how) == Some(PathMatchType::PathPrefix)
        };
        self.matches.iter().all(prefix)
    }
}

impl HttpRuleConf {
    fn check(&self, only_prefixes: bool, at: &Pointer, check: &mut Check<'_>) {
        let mut once = Vec::new();
        let filters = at.field("filters");
        for (index, filter) in self.filters.iter().flatten().enumerate() {
            let at = filters.index(index);
            let before = check.errors();
            filter.check(only_prefixes, &at, check);
            let Some(kind @ (FilterType::RequestRedirect | FilterType::UrlRewrite)) = filter.kind
            else {
                continue;
            };
            if check.errors() > before {
                continue;
            }
            if once.contains(&kind) {
                let message = format!("a second `{}` in one rule", kind.as_str());
                check
                    .invalid(&at, message)
                    .help("a rule can have one: make one of the two");
            }
            once.push(kind);
        }
        let both = once.contains(&FilterType::RequestRedirect);
        for (index, filter) in self.filters.iter().flatten().enumerate() {
            if both && filter.kind == Some(FilterType::UrlRewrite) {
                let message = "a rule that redirects contacts no backend: nothing is rewritten";
                check
                    .warn(Code::NO_EFFECT, &filters.index(index), message)
                    .help("say where to in the redirect itself: `hostname` and `path`");
            }
        }
        if let Some(backends) = &self.backend_refs {
            BackendRef::check_all(backends, &at.field("backendRefs"), check);
            let redirects = |filter: &Filter| filter.kind == Some(FilterType::RequestRedirect);
            if !backends.is_empty() && self.filters.iter().flatten().any(redirects) {
                let message = "a rule that redirects contacts no backend";
                check.warn(Code::NO_EFFECT, &at.field("backendRefs"), message);
            }
        }
    }
}

impl HttpMatch {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        if let Some(path) = &self.path {
            path.check(&at.field("path"), check);
        }
        let mut names = BTreeSet::new();
        for (index, header) in self.headers.iter().enumerate() {
            let at = at.field("headers").index(index);
            header.check(&at, check);
            let name = header.name.as_deref().unwrap_or_default();
            if !name.is_empty() && !names.insert(name.to_ascii_lowercase()) {
                let message = format!("the header `{name}` is matched twice");
                check.invalid(&at.field("name"), message);
            }
        }
        let mut names = BTreeSet::new();
        for (index, parameter) in self.query_params.iter().enumerate() {
            let at = at.field("queryParams").index(index);
            parameter.check(&at, check);
            let name = parameter.name.as_deref().unwrap_or_default();
            if !name.is_empty() && !names.insert(name) {
                let message = format!("the query parameter `{name}` is matched twice");
                check.invalid(&at.field("name"), message);
            }
        }
    }
}

impl HttpPathMatch {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        if self.how.is_none() {
            check
                .missing(&at.field("type"))
                .help("one of `Exact`, `PathPrefix`, `RegularExpression`");
        }
        let at = at.field("value");
        let Some(value) = check.required(self.value.as_ref(), &at) else {
            return;
        };
        match self.how {
            Some(PathMatchType::RegularExpression) => check_pattern(value, &at, check),
            Some(PathMatchType::Exact | PathMatchType::PathPrefix) if !value.starts_with('/') => {
                let message = format!("`{value}` is not an absolute path");
                check.invalid(&at, message).help("it has to begin with `/`");
            }
            Some(PathMatchType::PathPrefix) if value != "/" && value.ends_with('/') => {
                let message = format!("the prefix `{value}` must not end with `/`");
                check
                    .invalid(&at, message)
                    .help("a prefix matches whole segments: `/a` holds for `/a` and `/a/b`, not for `/ab`");
            }
            Some(PathMatchType::PathPrefix) if value.ends_with('*') => {
                no_wildcard(value, &at, check);
            }
            Some(PathMatchType::Exact | PathMatchType::PathPrefix) => check_form(value, &at, check),
            None => {}
        }
    }
}

/// What ends like this is meant to match the rest of a segment, and matches a `*`.
fn no_wildcard(prefix: &str, at: &Pointer, check: &mut Check<'_>) {
    let message = format!(
        "`{prefix}` ends inside of a segment: whole segments are compared, and `*` is only a `*`"
    );
    let around = prefix.rsplit_once('/').map_or("", |(around, _)| around);
    let around = if around.is_empty() { "/" } else { around };
    check.warn(Code::PREFIX_BOUNDARY, at, message).help(format!(
        "`{around}` holds for all that is below it; for a part of a segment use `type: RegularExpression`"
    ));
}

/// Paths are compared in normal form: what is not in that form would never match.
fn check_form(path: &str, at: &Pointer, check: &mut Check<'_>) {
    let message = match decide::normalise(path) {
        Ok(normal) if normal.matched == path => return,
        Ok(normal) => format!(
            "no request matches `{path}`: it is compared as `{}`",
            normal.matched
        ),
        Err(error) => format!("no request matches `{path}`: {error}"),
    };
    check.warn(Code::NO_EFFECT, at, message);
}

/// Checks an expression of a match.
fn check_pattern(pattern: &str, at: &Pointer, check: &mut Check<'_>) {
    if let Err(reason) = decide::check_pattern(pattern) {
        let message = format!("`{pattern}` is not a usable expression: {reason}");
        check
            .error(Code::INVALID_REGEX, at, message)
            .help("the syntax is that of RE2: no look-around, no references back");
    }
}

/// Checks the name of a header.
pub(super) fn check_header_name(name: Option<&String>, at: &Pointer, check: &mut Check<'_>) {
    let Some(name) = check.required(name, at) else {
        return;
    };
    if !grammar::is_header_name(name) {
        check.invalid(at, format!("`{name}` is not the name of a header"));
    } else if name.bytes().any(|b| b.is_ascii_uppercase()) {
        let lower = name.to_ascii_lowercase();
        let message = format!("the header `{name}` is not in lower case; it is taken as `{lower}`");
        check
            .warn(Code::HEADER_CASE, at, message)
            .help(format!("write `{lower}`"))
            .safe_fix("write it in lower case", |at| {
                vec![Change::Replace(at.clone(), lower.as_str().into())]
            });
    }
}

impl HttpHeaderMatch {
    /// Checks a header to compare.
    pub(in crate::kinds) fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        check_header_name(self.name.as_ref(), &at.field("name"), check);
        let at = at.field("value");
        let value = self.value.as_deref().unwrap_or_default();
        match self.how.unwrap_or(HeaderMatchType::Exact) {
            HeaderMatchType::Present | HeaderMatchType::Absent if !value.is_empty() => {
                let message = "`value` must not be set where only the presence counts";
                check.invalid(&at, message);
            }
            HeaderMatchType::RegularExpression => check_pattern(value, &at, check),
            HeaderMatchType::Exact if self.value.is_none() => {
                check.missing(&at);
            }
            _ => {}
        }
    }
}

impl QueryParamMatch {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        if self.how.is_none() {
            check
                .missing(&at.field("type"))
                .help("one of `Exact`, `RegularExpression`");
        }
        check.required(self.name.as_ref(), &at.field("name"));
        let at = at.field("value");
        match (&self.value, self.how) {
            (None, _) => {
                check.missing(&at);
            }
            (Some(value), Some(QueryParamMatchType::RegularExpression)) => {
                check_pattern(value, &at, check);
            }
            _ => {}
        }
    }
}
