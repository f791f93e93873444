//! Filters of a `MeshHTTPRoute`: what is changed on the way (language 5.1.2).
//!
//! Never applies one: that is `rewrite` of the bundle.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::kinds::scalar::Percentage;
use crate::kinds::target_ref::BackendRef;

/// One change on the way. The member named like the type is required.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct Filter {
    /// `RequestHeaderModifier`, `ResponseHeaderModifier`, `RequestRedirect`, `URLRewrite` or `RequestMirror`. Required.
    #[serde(rename = "type")]
    pub(crate) kind: Option<FilterType>,
    /// Headers towards the backend.
    pub(crate) request_header_modifier: Option<HeaderModifier>,
    /// Headers towards the client.
    pub(crate) response_header_modifier: Option<HeaderModifier>,
    /// An answer that sends the client elsewhere; no backend is contacted. Once per rule.
    pub(crate) request_redirect: Option<RequestRedirect>,
    /// Host and path towards the backend. Once per rule.
    pub(crate) url_rewrite: Option<UrlRewrite>,
    /// A copy of requests to another service.
    pub(crate) request_mirror: Option<RequestMirror>,
}

/// What a filter does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum FilterType {
    /// Changes headers towards the backend.
    RequestHeaderModifier,
    /// Changes headers towards the client.
    ResponseHeaderModifier,
    /// Answers with a redirect.
    RequestRedirect,
    /// Changes host or path towards the backend.
    #[serde(rename = "URLRewrite")]
    UrlRewrite,
    /// Sends a copy to another service.
    RequestMirror,
}

/// Changes to headers, applied in the order set, add, remove. At least one of the three, each name once over all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct HeaderModifier {
    /// Replaces all values of the header, or adds it. At most 16.
    #[serde(default)]
    pub(crate) set: Vec<HeaderValue>,
    /// Adds a value. At most 16.
    #[serde(default)]
    pub(crate) add: Vec<HeaderValue>,
    /// Names of headers that are removed. At most 16.
    #[serde(default)]
    pub(crate) remove: Vec<String>,
}

/// Headers to write, in the order set, add.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct HeaderChanges {
    /// Replaces all values of the header, or adds it. At most 16.
    #[serde(default)]
    pub(crate) set: Vec<HeaderValue>,
    /// Adds a value. At most 16.
    #[serde(default)]
    pub(crate) add: Vec<HeaderValue>,
}

/// A header to write.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct HeaderValue {
    /// Its name, 1 to 256 characters, in lower case. Required.
    pub(crate) name: Option<String>,
    /// Its value. Required.
    pub(crate) value: Option<String>,
}

/// Where a redirect leads; what is not given is taken from the request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct RequestRedirect {
    /// `http` or `https`.
    pub(crate) scheme: Option<Scheme>,
    /// A DNS name, not an IP address.
    pub(crate) hostname: Option<String>,
    /// 1 to 65535.
    pub(crate) port: Option<u32>,
    /// The path.
    pub(crate) path: Option<PathRewrite>,
    /// 301, 302, 303, 307 or 308. Default: 302.
    #[schemars(extend("default" = 302))]
    pub(crate) status_code: Option<u32>,
}

/// The scheme of a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Scheme {
    /// Plaintext.
    Http,
    /// TLS.
    Https,
}

/// What the backend sees instead of the request's own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct UrlRewrite {
    /// The host: a DNS name, not an IP address.
    pub(crate) hostname: Option<String>,
    /// The path; the query is kept.
    pub(crate) path: Option<PathRewrite>,
    /// Not supported: it was for gateways.
    pub(crate) host_to_backend_hostname: Option<bool>,
}

/// How a path is replaced. The member that belongs to `type` is required.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct PathRewrite {
    /// `ReplaceFullPath` or `ReplacePrefixMatch`. Required.
    #[serde(rename = "type")]
    pub(crate) kind: Option<PathRewriteType>,
    /// The new path.
    pub(crate) replace_full_path: Option<String>,
    /// What stands for the segments that the prefix matched: `/v2` makes `/v2/users` of `/v1/users` under the prefix
    /// `/v1`. All matches of the rule have to be prefixes.
    pub(crate) replace_prefix_match: Option<String>,
}

/// How a path is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum PathRewriteType {
    /// The whole path.
    ReplaceFullPath,
    /// The segments that the prefix matched.
    ReplacePrefixMatch,
}

/// A copy of requests; its response is ignored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct RequestMirror {
    /// How many of the requests, 0 to 100. Default: 100.
    pub(crate) percentage: Option<Percentage>,
    /// Where the copies go. Required.
    pub(crate) backend_ref: Option<BackendRef>,
}
