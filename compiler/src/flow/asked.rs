//! A request that somebody asks about.
//!
//! Never repairs a path: one that a proxy would refuse is refused here.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use mesh_bundle::decide::{BadPath, Request, RouteTable, normalise};

/// A request as a client writes it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asked {
    /// Upper case, `GET`.
    pub method: String,
    /// Without query.
    pub path: String,
    /// What follows `?`.
    pub query: Option<String>,
    /// By lower-case name; several values of one are joined with `,`. `host` is the authority.
    pub headers: BTreeMap<String, String>,
}

/// A request that routes can look at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Normal<'a> {
    asked: &'a Asked,
    path: &'a str,
}

impl Asked {
    /// A request without headers. `target` may hold a query: `/orders?limit=1`.
    #[must_use]
    pub fn new(method: &str, target: &str) -> Self {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (target, None),
        };
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query,
            headers: BTreeMap::new(),
        }
    }

    /// With one more header.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        let name = name.to_ascii_lowercase();
        self.headers.insert(name, value.to_owned());
        self
    }

    /// The place of the route that the request takes; `None` where there is none.
    #[must_use]
    pub fn position(&self, table: &RouteTable) -> Option<usize> {
        self.normal(|normal| table.position(&normal)).ok().flatten()
    }

    /// Calls `ask` with the request as routes look at it.
    ///
    /// # Errors
    /// A path that every proxy refuses.
    pub(super) fn normal<T>(&self, ask: impl FnOnce(Normal<'_>) -> T) -> Result<T, BadPath> {
        let path = normalise(&self.path)?;
        let path = &*path.matched;
        Ok(ask(Normal { asked: self, path }))
    }
}

/// As people write it: `GET /orders?limit=1 x-user: 7`.
impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)?;
        if let Some(query) = &self.query {
            write!(f, "?{query}")?;
        }
        let mut headers = self.headers.iter();
        headers.try_for_each(|(name, value)| write!(f, " {name}: {value}"))
    }
}

impl Request for Normal<'_> {
    fn method(&self) -> &str {
        &self.asked.method
    }

    fn path(&self) -> &str {
        self.path
    }

    fn query(&self) -> Option<&str> {
        self.asked.query.as_deref()
    }

    fn header(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        let value = self.asked.headers.get(name)?;
        Some(Cow::Borrowed(value.as_bytes()))
    }
}
