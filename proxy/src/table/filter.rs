//! Filters of a route, compiled: names and values are parsed once, and what they may not touch is refused.
//!
//! Never lets a document decide about the framing of a message or about who a peer is.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use mesh_bundle::resource::{
    Filter, HeaderModifier, HeaderPair, PathRewrite, RESERVED_HEADERS, Redirect,
};

use super::ClusterTable;

/// One filter, in the order of the document.
#[derive(Debug)]
pub(crate) enum Step {
    RequestHeaders(HeaderEdit),
    ResponseHeaders(HeaderEdit),
    Redirect(Redirect),
    Rewrite {
        authority: Option<HeaderValue>,
        path: Option<PathRewrite>,
    },
    Mirror {
        parts_per_million: u32,
        cluster: Arc<ClusterTable>,
    },
    /// A mirror whose reference does not resolve.
    Nothing,
}

/// Changes of headers: set, then add, then remove.
#[derive(Debug)]
pub(crate) struct HeaderEdit {
    set: Vec<(HeaderName, HeaderValue)>,
    add: Vec<(HeaderName, HeaderValue)>,
    remove: Vec<HeaderName>,
}

impl Step {
    pub(super) fn compile(
        filter: &Filter,
        cluster: impl Fn(&mesh_bundle::Kri) -> Option<Arc<ClusterTable>>,
    ) -> Result<Self, String> {
        Ok(match filter {
            Filter::RequestHeaders(edit) => Self::RequestHeaders(HeaderEdit::compile(edit)?),
            Filter::ResponseHeaders(edit) => Self::ResponseHeaders(HeaderEdit::compile(edit)?),
            Filter::Redirect(redirect) => match redirect.status {
                301 | 302 | 303 | 307 | 308 => Self::Redirect(redirect.clone()),
                other => return Err(format!("{other} is not a status that redirects")),
            },
            Filter::Rewrite(rewrite) => Self::Rewrite {
                authority: rewrite.hostname.as_deref().map(value).transpose()?,
                path: rewrite.path.clone(),
            },
            Filter::Mirror(mirror) => match mirror.cluster.as_ref().and_then(cluster) {
                Some(cluster) => Self::Mirror {
                    parts_per_million: mirror.parts_per_million,
                    cluster,
                },
                None => Self::Nothing,
            },
        })
    }
}

impl HeaderEdit {
    pub(crate) fn compile(edit: &HeaderModifier) -> Result<Self, String> {
        let pair = |pair: &HeaderPair| Ok((name(&pair.name)?, value(&pair.value)?));
        let pairs = |list: &[HeaderPair]| list.iter().map(pair).collect::<Result<_, String>>();
        Ok(Self {
            set: pairs(&edit.set)?,
            add: pairs(&edit.add)?,
            remove: edit
                .remove
                .iter()
                .map(|text| name(text))
                .collect::<Result<_, _>>()?,
        })
    }

    pub(crate) fn apply(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.set {
            headers.insert(name, value.clone());
        }
        for (name, value) in &self.add {
            headers.append(name, value.clone());
        }
        for name in &self.remove {
            headers.remove(name);
        }
    }
}

fn name(text: &str) -> Result<HeaderName, String> {
    let name: HeaderName = text
        .parse()
        .map_err(|_| format!("`{text}` is not a header name"))?;
    match RESERVED_HEADERS.contains(&name.as_str()) {
        true => Err(format!("`{text}` cannot be changed by a filter")),
        false => Ok(name),
    }
}

fn value(text: &str) -> Result<HeaderValue, String> {
    text.parse()
        .map_err(|_| format!("`{}` is not a header value", text.escape_debug()))
}
