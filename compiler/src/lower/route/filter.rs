//! Filters, from the words of the document to those of the bundle (language 5.1.2).
//!
//! Never refuses: a filter that its own checks have reported is left out.

use mesh_bundle::Kri;
use mesh_bundle::resource::{
    Filter, HeaderModifier, HeaderPair, Mirror, PathRewrite, Redirect, Rewrite,
};
use serde_json::Value;

use crate::kinds::mesh_http_route::filter::{
    self, FilterType, HeaderValue, PathRewriteType, RequestMirror, RequestRedirect, Scheme,
    UrlRewrite,
};
use crate::kinds::target_ref::BackendRef;

/// Found: language 5.1.2.
const FOUND: u16 = 302;
const WHOLE: u32 = 1_000_000;

pub(super) fn read(list: &Value, resolve: impl Fn(&BackendRef) -> Option<Kri>) -> Vec<Filter> {
    let list = list.as_array().map_or([].as_slice(), Vec::as_slice);
    list.iter()
        .filter_map(|value| serde_json::from_value(value.clone()).ok())
        .filter_map(|filter: filter::Filter| one(&filter, &resolve))
        .collect()
}

fn one(filter: &filter::Filter, resolve: &dyn Fn(&BackendRef) -> Option<Kri>) -> Option<Filter> {
    Some(match filter.kind? {
        FilterType::RequestHeaderModifier => {
            Filter::RequestHeaders(headers(filter.request_header_modifier.as_ref()?))
        }
        FilterType::ResponseHeaderModifier => {
            Filter::ResponseHeaders(headers(filter.response_header_modifier.as_ref()?))
        }
        FilterType::RequestRedirect => {
            Filter::Redirect(redirect(filter.request_redirect.as_ref()?))
        }
        FilterType::UrlRewrite => Filter::Rewrite(rewrite(filter.url_rewrite.as_ref()?)),
        FilterType::RequestMirror => {
            Filter::Mirror(mirror(filter.request_mirror.as_ref()?, resolve))
        }
    })
}

fn headers(modifier: &filter::HeaderModifier) -> HeaderModifier {
    HeaderModifier {
        set: pairs(&modifier.set),
        add: pairs(&modifier.add),
        remove: modifier
            .remove
            .iter()
            .map(|name| name.to_ascii_lowercase())
            .collect(),
    }
}

/// Headers to write.
pub(in crate::lower) fn pairs(list: &[HeaderValue]) -> Vec<HeaderPair> {
    let pair = |header: &HeaderValue| {
        Some(HeaderPair {
            name: header.name.as_ref()?.to_ascii_lowercase(),
            value: header.value.clone()?,
        })
    };
    list.iter().filter_map(pair).collect()
}

fn redirect(redirect: &RequestRedirect) -> Redirect {
    let number = |number: Option<u32>| number.and_then(|number| u16::try_from(number).ok());
    Redirect {
        scheme: redirect.scheme.map(|scheme| {
            match scheme {
                Scheme::Http => "http",
                Scheme::Https => "https",
            }
            .to_owned()
        }),
        hostname: redirect.hostname.clone(),
        port: number(redirect.port),
        path: redirect.path.as_ref().and_then(path),
        status: number(redirect.status_code).unwrap_or(FOUND),
    }
}

fn rewrite(rewrite: &UrlRewrite) -> Rewrite {
    Rewrite {
        hostname: rewrite.hostname.clone(),
        path: rewrite.path.as_ref().and_then(path),
    }
}

fn path(path: &filter::PathRewrite) -> Option<PathRewrite> {
    Some(match path.kind? {
        PathRewriteType::ReplaceFullPath => PathRewrite::Full(path.replace_full_path.clone()?),
        PathRewriteType::ReplacePrefixMatch => {
            PathRewrite::Prefix(path.replace_prefix_match.clone()?)
        }
    })
}

fn mirror(mirror: &RequestMirror, resolve: &dyn Fn(&BackendRef) -> Option<Kri>) -> Mirror {
    let percentage = mirror.percentage.as_ref();
    Mirror {
        parts_per_million: percentage.map_or(WHOLE, |share| share.parts_per_million().unwrap_or(0)),
        cluster: mirror.backend_ref.as_ref().and_then(resolve),
    }
}
