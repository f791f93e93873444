//! `MeshHTTPRoute`: where requests go, and what is changed on the way (language 5.1).
//!
//! Never orders the rules of several routes; that is a question to all of them together.

mod check;
pub(crate) mod filter;
mod filter_check;

use schemars::JsonSchema;
use serde::Deserialize;

use super::target_ref::{BackendRef, TargetRef};
use super::{Body, KindInfo, SERVICES, Scope, Spec, read, schema};

use filter::Filter;

/// What the registry knows.
pub(crate) const KIND: KindInfo = KindInfo {
    name: "MeshHTTPRoute",
    short: "mhttpr",
    to: SERVICES,
    example: include_str!("mesh_http_route/example.yaml"),
    scope: Scope::Mesh,
    body: Body::Spec,
    system_only: false,
    name_is_label: false,
    is_policy: true,
    schema: schema::of::<MeshHttpRoute>,
    parse: |body, check| {
        let spec: MeshHttpRoute = read::typed(body, check)?;
        spec.check(check);
        Some(Spec::MeshHttpRoute)
    },
};

/// Where the requests go that the selected proxies send to an HTTP destination, and what is changed on the way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct MeshHttpRoute {
    /// Whose proxies: `Mesh` or `Dataplane`. Default: `Mesh`.
    pub(crate) target_ref: Option<TargetRef>,
    /// By destination.
    #[serde(default)]
    pub(crate) to: Vec<HttpRouteTo>,
}

/// Where requests to a destination go.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct HttpRouteTo {
    /// `MeshService`, `MeshExternalService` or `MeshMultiZoneService`. Required.
    pub(crate) target_ref: Option<TargetRef>,
    /// Not supported: it was for gateways.
    #[serde(default)]
    pub(crate) hostnames: Vec<String>,
    /// The rules. Of those that match a request the most specific one decides (language 5.1.5); a request that none
    /// matches goes to the destination itself. Required, may be empty.
    pub(crate) rules: Option<Vec<HttpRule>>,
}

/// One rule.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct HttpRule {
    /// Which requests; any one may match. At least one.
    #[serde(default)]
    pub(crate) matches: Vec<HttpMatch>,
    /// What happens to them. Required.
    pub(crate) default: Option<HttpRuleConf>,
}

/// What happens to a request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct HttpRuleConf {
    /// Changes on the way, in the order of the list.
    pub(crate) filters: Option<Vec<Filter>>,
    /// Services by weight, chosen per request. Default: the destination itself.
    pub(crate) backend_refs: Option<Vec<BackendRef>>,
}

/// What a request must look like; all parts must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct HttpMatch {
    /// Its path, without the query. Default: any.
    pub(crate) path: Option<HttpPathMatch>,
    /// Its method. Default: any.
    pub(crate) method: Option<Method>,
    /// Its headers; all must match, each name once.
    #[serde(default)]
    pub(crate) headers: Vec<HttpHeaderMatch>,
    /// Its query parameters; all must match, each name once.
    #[serde(default)]
    pub(crate) query_params: Vec<QueryParamMatch>,
}

/// How a path is compared.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct HttpPathMatch {
    /// `Exact`, `PathPrefix` or `RegularExpression`. Required.
    #[serde(rename = "type")]
    pub(crate) how: Option<PathMatchType>,
    /// An absolute path, for a prefix without a slash at the end; or an expression that matches the whole path. Required.
    pub(crate) value: Option<String>,
}

/// How a path is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum PathMatchType {
    /// The whole path.
    Exact,
    /// Whole segments: `/v2` holds for `/v2` and `/v2/x`, not for `/v2x`.
    PathPrefix,
    /// RE2 syntax, full match.
    RegularExpression,
}

/// A method of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Method {
    Connect,
    Delete,
    Get,
    Head,
    Options,
    Patch,
    Post,
    Put,
    Trace,
}

/// How a header is compared; several values are joined with `,` first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct HttpHeaderMatch {
    /// `Exact`, `Prefix`, `RegularExpression`, `Present` or `Absent`. Default: `Exact`.
    #[schemars(extend("default" = "Exact"))]
    #[serde(rename = "type")]
    pub(crate) how: Option<HeaderMatchType>,
    /// Its name, 1 to 256 characters, in lower case. Required.
    pub(crate) name: Option<String>,
    /// What it is compared with; not with `Present` and `Absent`.
    pub(crate) value: Option<String>,
}

/// How a header is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum HeaderMatchType {
    /// The whole value.
    Exact,
    /// There is one, whatever its value.
    Present,
    /// RE2 syntax, full match.
    RegularExpression,
    /// There is none.
    Absent,
    /// The beginning of the value.
    Prefix,
}

/// How a query parameter is compared; its first occurrence counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct QueryParamMatch {
    /// `Exact` or `RegularExpression`. Required.
    #[serde(rename = "type")]
    pub(crate) how: Option<QueryParamMatchType>,
    /// Its name; case counts. Required.
    pub(crate) name: Option<String>,
    /// What it is compared with. Required.
    pub(crate) value: Option<String>,
}

/// How a query parameter is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum QueryParamMatchType {
    /// The whole value.
    Exact,
    /// RE2 syntax, full match.
    RegularExpression,
}

impl Method {
    /// As a request line has it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "CONNECT",
            Self::Delete => "DELETE",
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Options => "OPTIONS",
            Self::Patch => "PATCH",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Trace => "TRACE",
        }
    }
}
