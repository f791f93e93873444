//! What a proxy will do, and which line says so: the compiled bundle told to a person (language 12).
//!
//! Never computes an effective value: it shows what the bundle holds, and what the compiler noted beside it.

mod bundle;
mod json;
mod page;
mod proxy;
mod shadow;
mod table;
mod words;

use std::collections::BTreeMap;

use mesh_bundle::resource::Resource;
use mesh_bundle::{Bundle, Key, Kri, ProxyConfig};

use crate::compile::Compiled;
use crate::similar::nearest;

/// For whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For people: stable, so that it can be reviewed and compared.
    Human,
    /// For programs.
    Json,
}

/// Why there is nothing to show.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotShown {
    /// No Dataplane has this name.
    #[error("there is no Dataplane `{name}`{}", hint(.near.as_deref()))]
    Unknown {
        /// What was asked for.
        name: String,
        /// What was probably meant.
        near: Option<String>,
    },
    /// Several do.
    #[error("several Dataplanes are called `{name}`: name one by its KRI, such as `{first}`")]
    Ambiguous {
        /// What was asked for.
        name: String,
        /// One of them.
        first: Box<Kri>,
    },
    /// The bundle does not hold what its manifest names: a defect of the compiler.
    #[error("the configuration of `{name}` is incomplete: {reason}")]
    Incomplete {
        /// Whose.
        name: String,
        /// In words.
        reason: String,
    },
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
    Ok(shadow::page(&kri.name, &old, &new))
}

fn find<'a>(bundle: &'a Bundle, name: &str) -> Result<&'a Kri, NotShown> {
    let named = |kri: &&Kri| kri.name == name || kri.to_string() == name;
    let mut found = bundle.proxies.keys().filter(named);
    match (found.next(), found.next()) {
        (Some(kri), None) => Ok(kri),
        (Some(kri), Some(_)) => Err(NotShown::Ambiguous {
            name: name.to_owned(),
            first: Box::new(kri.clone()),
        }),
        (None, _) => {
            let names = bundle.proxies.keys().map(|kri| kri.name.as_str());
            Err(NotShown::Unknown {
                name: name.to_owned(),
                near: nearest(name, names).map(str::to_owned),
            })
        }
    }
}

fn config(bundle: &Bundle, kri: &Kri) -> Result<ProxyConfig, NotShown> {
    let entries = bundle.proxies.get(kri).map(|proxy| &proxy.manifest.entries);
    let resources: BTreeMap<Key, Resource> = entries
        .into_iter()
        .flatten()
        .filter_map(|(key, digest)| Some((key.clone(), bundle.resources.get(digest)?.clone())))
        .collect();
    ProxyConfig::assemble(resources).map_err(|reason| NotShown::Incomplete {
        name: kri.name.clone(),
        reason: reason.to_string(),
    })
}
