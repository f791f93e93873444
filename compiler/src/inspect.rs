//! What a proxy will do, and which line says so: the compiled bundle, and questions to a repository (language 12).
//!
//! Never computes an effective value by itself: it shows what the bundle holds, what the tables of policies make, and what
//! the compiler noted beside them.

mod asked;
mod bundle;
mod circuit_breaker;
mod dataplanes;
mod effective;
mod explain;
mod health_check;
mod hostnames;
mod identity;
mod inbounds;
mod json;
pub mod kuma;
mod matches;
mod outbounds;
mod page;
mod policies;
mod proxy;
mod proxy_wide;
mod refused;
mod retry;
mod routes;
mod shadow;
mod snapshot;
mod table;
mod words;

use std::collections::BTreeMap;

use mesh_bundle::resource::Resource;
use mesh_bundle::{Bundle, Key, Kri, ProxyConfig};

use serde::Serialize;

use crate::analysis::Analysis;
use crate::compile::Compiled;
use crate::similar::{listed, nearest};

use asked::{Asked, Proxy};
use dataplanes::Dataplanes;
use page::Page;

pub use explain::{Edge, Question, edge, explain};
pub use refused::{refusals, refused};
pub use snapshot::{SNAPSHOT, snapshots};

/// For whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For people: stable, so that it can be reviewed and compared.
    Human,
    /// For programs.
    Json,
}

/// A question to a repository. Proxies, services and policies go by their names, by `Kind/name`, or by their KRIs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// The documents that apply to a proxy.
    Policies(String),
    /// What holds for the traffic that a proxy sends.
    Outbounds(String),
    /// Where the traffic of a proxy to a destination goes: `api` or `api:http`.
    Routes(String, String),
    /// What holds for the traffic that a proxy takes.
    Inbounds(String),
    /// Metrics, traces and passthrough of a proxy.
    ProxyWide(String),
    /// Who a proxy is.
    Identity(String),
    /// The names of a service.
    Hostnames(String),
    /// The proxies that a policy applies to, or that are behind a service.
    Dataplanes(String),
}

/// Something that can be shown, to people or to programs.
trait Answer: Serialize {
    /// On a page.
    fn show(&self, page: &mut Page);
}

/// Why there is nothing to show.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotShown {
    /// Nothing has this name.
    #[error("there is no {what} `{name}`{}", hint(.near.as_deref()))]
    Unknown {
        /// What kind of thing was asked for.
        what: &'static str,
        /// What was asked for.
        name: String,
        /// What was probably meant.
        near: Option<String>,
    },
    /// Several have.
    #[error(
        "more than one {what} is called `{name}`: name it by its KRI, such as `{first}` or `{second}`"
    )]
    Ambiguous {
        /// What kind of thing was asked for.
        what: &'static str,
        /// What was asked for.
        name: String,
        /// One of them.
        first: Box<Kri>,
        /// Another.
        second: Box<Kri>,
    },
    /// A service has no such port, or several when none is named.
    #[error("{}", no_port(.service, .section, .ports))]
    NoPort {
        /// The service.
        service: String,
        /// What was asked for; empty: nothing.
        section: String,
        /// What there is.
        ports: Vec<String>,
    },
    /// A name may mean several things.
    #[error("`{name}` means more than one thing: say {}", listed(.ways.iter().map(String::as_str), "or"))]
    Several {
        /// What was asked for.
        name: String,
        /// Ways to say which.
        ways: Vec<String>,
    },
    /// No proxy would look at what was asked for.
    #[error("{0}")]
    NoAnswer(String),
    /// The bundle does not hold what its manifest names: a defect of the compiler.
    #[error("the configuration of `{name}` is incomplete: {reason}")]
    Incomplete {
        /// Whose.
        name: String,
        /// In words.
        reason: String,
    },
}

fn no_port(service: &str, section: &str, ports: &[String]) -> String {
    let names = || ports.iter().map(String::as_str);
    let listed = listed(names(), "and");
    match (section, nearest(section, names())) {
        ("", _) => format!(
            "`{service}` has more than one port: say which, such as `{service}:{}`",
            ports.first().map_or("", String::as_str)
        ),
        (_, Some(near)) => format!("`{service}` has no port `{section}`, did you mean `{near}`?"),
        _ => format!("`{service}` has no port `{section}`: its ports are {listed}"),
    }
}

fn hint(near: Option<&str>) -> String {
    near.map_or_else(String::new, |near| format!(", did you mean `{near}`?"))
}

/// Every proxy, one line each.
///
/// # Errors
/// See [`NotShown`].
pub fn proxies(compiled: &Compiled, form: Form) -> Result<String, NotShown> {
    let mut configs = Vec::new();
    for kri in compiled.bundle.proxies.keys() {
        configs.push(config(&compiled.bundle, kri)?);
    }
    Ok(match form {
        Form::Human => table::render(&configs),
        Form::Json => json::table(&configs),
    })
}

/// The bundle as a whole, for people.
#[must_use]
pub fn bundle(compiled: &Compiled) -> String {
    bundle::render(&compiled.bundle)
}

/// One proxy: its effective configuration, each value with its origin. `name` is a display name or a KRI.
///
/// # Errors
/// See [`NotShown`].
pub fn proxy(compiled: &Compiled, name: &str, form: Form) -> Result<String, NotShown> {
    let kri = find(&compiled.bundle, name)?;
    let config = config(&compiled.bundle, kri)?;
    Ok(match form {
        Form::Human => proxy::render(&config, &compiled.provenance),
        Form::Json => json::proxy(&config, &compiled.provenance),
    })
}

/// What would change for one proxy: `before` is what holds, `after` is compiled of the same files with
/// [`Settings::with_shadow`](crate::model::Settings::with_shadow). For programs it is a patch (RFC 6902) of what [`proxy`]
/// shows them.
///
/// # Errors
/// See [`NotShown`].
pub fn with_shadow(
    before: &Compiled,
    after: &Compiled,
    name: &str,
    form: Form,
) -> Result<String, NotShown> {
    let kri = find(&before.bundle, name)?;
    let of = |compiled: &Compiled| {
        let config = config(&compiled.bundle, kri)?;
        Ok(json::configuration(&config, &compiled.provenance))
    };
    let (mut old, mut new) = (of(before)?, of(after)?);
    if form == Form::Json {
        return Ok(json::text(&shadow::patch(&old, &new)));
    }
    for value in [&mut old, &mut new] {
        // What is overridden is not effective.
        value
            .as_object_mut()
            .map(|object| object.remove("overridden"));
    }
    Ok(shadow::page(kri.name(), &old, &new))
}

/// The answer to a question.
///
/// # Errors
/// See [`NotShown`].
pub fn query(analysis: &Analysis, query: &Query, form: Form) -> Result<String, NotShown> {
    let asked = Asked {
        analysis,
        meshes: &analysis.meshes,
    };
    let given = |proxy: &Proxy<'_>| config(&analysis.compiled.bundle, proxy.kri());
    match query {
        Query::Policies(name) => told(&policies::Policies::of(&asked.proxy(name)?), form),
        Query::Outbounds(name) => {
            let proxy = asked.proxy(name)?;
            told(&outbounds::Outbounds::of(&proxy, &given(&proxy)?), form)
        }
        Query::Routes(name, destination) => {
            let proxy = asked.proxy(name)?;
            let (service, section) = addressed(destination);
            let (_, service) = asked.service(&service)?;
            let port = routes::port(service, &section)?;
            told(&routes::Routes::of(&proxy, service, port), form)
        }
        Query::Inbounds(name) => {
            let proxy = asked.proxy(name)?;
            told(&inbounds::Inbounds::of(&proxy, &given(&proxy)?), form)
        }
        Query::ProxyWide(name) => told(&proxy_wide::ProxyWide::of(&asked.proxy(name)?), form),
        Query::Identity(name) => told(&identity::Identity::of(&asked.proxy(name)?), form),
        Query::Hostnames(name) => {
            let (_, service) = asked.service(name)?;
            told(&hostnames::Hostnames::of(&asked, service), form)
        }
        Query::Dataplanes(name) => told(&dataplanes(&asked, name)?, form),
    }
}

/// `name` may be that of a policy or of a service.
fn dataplanes<'a>(asked: &Asked<'a>, name: &str) -> Result<Dataplanes<'a>, NotShown> {
    let unknown = |error: &NotShown| matches!(error, NotShown::Unknown { .. });
    match (asked.policy(name), asked.service(name)) {
        (Ok((_, policy)), Ok((_, service))) => Err(NotShown::Ambiguous {
            what: "policy or service",
            name: name.to_owned(),
            first: Box::new(policy.meta.kri.clone()),
            second: Box::new(service.meta.kri.clone()),
        }),
        (Ok((mesh, policy)), _) => Ok(Dataplanes::of_policy(asked, mesh, policy)),
        (_, Ok((mesh, service))) => Ok(Dataplanes::of_service(asked, mesh, service)),
        (Err(NotShown::Unknown { near, .. }), Err(NotShown::Unknown { near: other, .. })) => {
            Err(NotShown::Unknown {
                what: "policy or service",
                name: name.to_owned(),
                near: near.or(other),
            })
        }
        (Err(error), Err(other)) => Err(if unknown(&error) { other } else { error }),
    }
}

/// The service and its port: `api:http`, or a KRI with a section.
fn addressed(destination: &str) -> (String, String) {
    if let Ok(kri) = destination.parse::<Kri>() {
        return (kri.without_section().to_string(), kri.section().to_owned());
    }
    let (service, port) = destination.split_once(':').unwrap_or((destination, ""));
    (service.to_owned(), port.to_owned())
}

fn told(answer: &impl Answer, form: Form) -> Result<String, NotShown> {
    Ok(match form {
        Form::Human => {
            let mut page = Page::default();
            answer.show(&mut page);
            page.finish()
        }
        // What is made of strings, numbers and lists has a text.
        Form::Json => json::text(&serde_json::to_value(answer).unwrap_or_default()),
    })
}

fn find<'a>(bundle: &'a Bundle, name: &str) -> Result<&'a Kri, NotShown> {
    let known = bundle.proxies.keys().map(|kri| (kri, kri));
    asked::one("Dataplane", name, known)
}

fn config(bundle: &Bundle, kri: &Kri) -> Result<ProxyConfig, NotShown> {
    let entries = bundle.proxies.get(kri).map(|proxy| &proxy.manifest.entries);
    let resources: BTreeMap<Key, Resource> = entries
        .into_iter()
        .flatten()
        .filter_map(|(key, digest)| {
            let resource = bundle.resources.get(digest)?;
            Some((key.clone(), Resource::clone(resource)))
        })
        .collect();
    ProxyConfig::assemble(resources).map_err(|reason| NotShown::Incomplete {
        name: kri.name().to_owned(),
        reason: reason.to_string(),
    })
}

#[cfg(test)]
mod tests;
