//! Which route a request takes (language 5.1.3 and 5.1.5).
//!
//! Never orders routes: the compiler has, and the first match wins.

mod index;

use std::borrow::Cow;

use regex::Regex;

use crate::resource::{
    Destination, HeaderMatch, HttpRoute, PathMatch, QueryMatch, RequestMatch, Traffic,
};

use super::path::normalise;
use super::text::{Text, full_match, parameter};
use index::Index;

/// What a decision may look at: the proxy's request, or one that a test describes.
pub trait Request {
    /// Upper case as the client wrote it; methods are case-sensitive.
    fn method(&self) -> &str;
    /// [`super::NormalPath::matched`].
    fn path(&self) -> &str;
    /// What follows `?`.
    fn query(&self) -> Option<&str>;
    /// The values of a header, by lower-case name, joined with `,`. `None` where there is none.
    fn header(&self, name: &str) -> Option<Cow<'_, [u8]>>;
}

/// The routes of one destination, compiled.
#[derive(Debug, Clone, Default)]
pub struct RouteTable {
    routes: Vec<CompiledRoute>,
    /// Where there are many.
    index: Option<Index>,
}

/// A route, and its patterns ready to use.
#[derive(Debug, Clone)]
pub struct CompiledRoute {
    /// As the bundle has it.
    pub route: HttpRoute,
    path: Path,
    headers: Vec<Text>,
    query: Vec<Text>,
}

#[derive(Debug, Clone)]
enum Path {
    Any,
    Exact(String),
    /// Without a trailing slash; the empty text is the prefix of all.
    Prefix(String),
    Regex(Regex),
}

/// A pattern that does not compile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{pointer}` is not a usable pattern: {reason}")]
pub struct BadPattern {
    /// JSON pointer into the [`Destination`] resource.
    pub pointer: String,
    /// In words.
    pub reason: String,
}

impl RouteTable {
    /// Compiles the routes of a destination; one without HTTP routes has an empty table.
    ///
    /// # Errors
    /// The first expression that is not one, or is too large.
    pub fn compile(destination: &Destination) -> Result<Self, BadPattern> {
        let Traffic::Http { routes } = &destination.traffic else {
            return Ok(Self::default());
        };
        let compile = |(index, route)| {
            CompiledRoute::compile(route).map_err(|(place, reason)| BadPattern {
                pointer: format!("/traffic/routes/{index}/match/{place}"),
                reason,
            })
        };
        let routes = routes.iter().enumerate().map(compile);
        let routes: Vec<CompiledRoute> = routes.collect::<Result<_, _>>()?;
        let index = Index::of(routes.iter().map(|route| &route.path));
        Ok(Self { routes, index })
    }

    /// The first route that matches. A destination that the compiler made has one for every request.
    #[must_use]
    pub fn select(&self, request: &impl Request) -> Option<&CompiledRoute> {
        self.position(request)
            .and_then(|position| self.routes.get(position))
    }

    /// The place in the destination's routes of the one that [`RouteTable::select`] gives: for what a caller keeps
    /// beside each route.
    #[must_use]
    pub fn position(&self, request: &impl Request) -> Option<usize> {
        let matches = |route: &CompiledRoute| route.matches(request);
        match &self.index {
            None => self.routes.iter().position(matches),
            Some(index) => index.first(request.path(), |place| {
                self.routes.get(place).is_some_and(matches)
            }),
        }
    }

    /// All routes, in the order in which they are tried.
    #[must_use]
    pub fn routes(&self) -> &[CompiledRoute] {
        &self.routes
    }
}

impl CompiledRoute {
    fn compile(route: &HttpRoute) -> Result<Self, (String, String)> {
        let RequestMatch {
            path,
            method: _,
            headers,
            query,
        } = &route.matches;
        let header = |(index, header): (usize, &HeaderMatch)| {
            Text::compile(&header.value)
                .map_err(|why| (format!("headers/{index}/value/value"), why))
        };
        let parameter = |(index, parameter): (usize, &QueryMatch)| {
            Text::compile(&parameter.value)
                .map_err(|why| (format!("query/{index}/value/value"), why))
        };
        Ok(Self {
            path: Path::compile(path.as_ref()).map_err(|why| ("path/value".to_owned(), why))?,
            headers: headers
                .iter()
                .enumerate()
                .map(header)
                .collect::<Result<_, _>>()?,
            query: query
                .iter()
                .enumerate()
                .map(parameter)
                .collect::<Result<_, _>>()?,
            route: route.clone(),
        })
    }

    /// What a prefix replacement replaces; `None` for a route that does not match by prefix.
    #[must_use]
    pub fn matched_prefix(&self) -> Option<&str> {
        match &self.route.matches.path {
            Some(PathMatch::Prefix(prefix)) => Some(prefix),
            _ => None,
        }
    }

    /// Is its match about this method?
    #[must_use]
    pub fn holds_for_method(&self, method: &str) -> bool {
        let own = self.route.matches.method.as_ref();
        own.is_none_or(|own| own == method)
    }

    /// Is its match about this path, in the form of [`super::NormalPath::matched`]?
    #[must_use]
    pub fn holds_for_path(&self, path: &str) -> bool {
        self.path.matches(path)
    }

    /// Does what it says of a header, by its place in the match, hold for this value of it?
    #[must_use]
    pub fn holds_for_header(&self, place: usize, value: Option<&[u8]>) -> bool {
        let text = self.headers.get(place);
        text.is_none_or(|text| text.matches(value))
    }

    /// Does what it says of a query parameter, by its place in the match, hold for this value of it?
    #[must_use]
    pub fn holds_for_parameter(&self, place: usize, value: Option<&[u8]>) -> bool {
        let text = self.query.get(place);
        text.is_none_or(|text| text.matches(value))
    }

    /// Is its match about this request?
    #[must_use]
    pub fn matches(&self, request: &impl Request) -> bool {
        let RequestMatch {
            path: _,
            method: _,
            headers,
            query,
        } = &self.route.matches;
        let header = |(place, rule): (usize, &HeaderMatch)| {
            self.holds_for_header(place, request.header(&rule.name).as_deref())
        };
        let parameter = |(place, rule): (usize, &QueryMatch)| {
            let value = request
                .query()
                .and_then(|query| parameter(query, &rule.name));
            self.holds_for_parameter(place, value.as_deref())
        };
        self.holds_for_method(request.method())
            && self.holds_for_path(request.path())
            && headers.iter().enumerate().all(header)
            && query.iter().enumerate().all(parameter)
    }
}

impl Path {
    fn compile(path: Option<&PathMatch>) -> Result<Self, String> {
        // What requests are compared with is in normal form, so what is compared must be too. A path that no request can
        // have stays as it is, and matches none.
        let normal = |text: &str| match normalise(text) {
            Ok(normal) => normal.matched.into_owned(),
            Err(_) => text.to_owned(),
        };
        Ok(match path {
            None => Self::Any,
            Some(PathMatch::Exact(text)) => Self::Exact(normal(text)),
            Some(PathMatch::Prefix(text)) => {
                let mut prefix = normal(text);
                prefix.truncate(prefix.trim_end_matches('/').len());
                Self::Prefix(prefix)
            }
            Some(PathMatch::Regex(pattern)) => Self::Regex(full_match(pattern)?),
        })
    }

    fn matches(&self, path: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(text) => text == path,
            Self::Prefix(prefix) => path
                .strip_prefix(prefix.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
            Self::Regex(regex) => regex.is_match(path),
        }
    }
}

#[cfg(test)]
mod tests;
