//! What a request must look like, from the words of the document to those of the bundle (language 5.1.3).
//!
//! Never refuses: a match that its own checks have reported is left out.

use mesh_bundle::resource::{HeaderMatch, PathMatch, QueryMatch, RequestMatch, TextMatch};

use crate::json::Json;
use crate::kinds::mesh_http_route::{
    HeaderMatchType, HttpHeaderMatch, HttpMatch, HttpPathMatch, PathMatchType, QueryParamMatch,
    QueryParamMatchType,
};

/// The matches of a rule. Equal ones are equal here, however they are written.
pub(crate) fn read(list: Option<&Json>) -> Vec<RequestMatch> {
    let list = list.and_then(Json::as_array).unwrap_or_default();
    list.iter()
        .filter_map(Json::read)
        .filter_map(|matches: HttpMatch| request(&matches))
        .collect()
}

fn request(matches: &HttpMatch) -> Option<RequestMatch> {
    let path = matches.path.as_ref().map(path);
    let headers = matches.headers.iter().map(header);
    let query = matches.query_params.iter().map(parameter);
    Some(RequestMatch {
        path: match path {
            Some(path) => Some(path?),
            None => None,
        },
        method: matches.method.map(|method| method.as_str().to_owned()),
        headers: headers.collect::<Option<_>>()?,
        query: query.collect::<Option<_>>()?,
    })
}

fn path(path: &HttpPathMatch) -> Option<PathMatch> {
    let value = path.value.clone()?;
    Some(match path.how? {
        PathMatchType::Exact => PathMatch::Exact(value),
        PathMatchType::PathPrefix => PathMatch::Prefix(value),
        PathMatchType::RegularExpression => PathMatch::Regex(value),
    })
}

/// A header of a request or a response; its name is in lower case.
pub(crate) fn header(header: &HttpHeaderMatch) -> Option<HeaderMatch> {
    let value = || header.value.clone();
    Some(HeaderMatch {
        name: header.name.as_ref()?.to_ascii_lowercase(),
        value: match header.how.unwrap_or(HeaderMatchType::Exact) {
            HeaderMatchType::Exact => TextMatch::Exact(value()?),
            HeaderMatchType::RegularExpression => TextMatch::Regex(value()?),
            HeaderMatchType::Present => TextMatch::Present,
            HeaderMatchType::Absent => TextMatch::Absent,
            HeaderMatchType::Prefix => match value().unwrap_or_default() {
                text if text.is_empty() => TextMatch::Present,
                text => TextMatch::Prefix(text),
            },
        },
    })
}

fn parameter(parameter: &QueryParamMatch) -> Option<QueryMatch> {
    let value = parameter.value.clone()?;
    Some(QueryMatch {
        name: parameter.name.clone()?,
        value: match parameter.how? {
            QueryParamMatchType::Exact => TextMatch::Exact(value),
            QueryParamMatchType::RegularExpression => TextMatch::Regex(value),
        },
    })
}
