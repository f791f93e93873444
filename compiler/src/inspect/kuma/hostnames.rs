//! `_hostnames`: the names that `HostnameGenerator`s give to a service, and the zones in which they hold.
//!
//! Never names what is built in: Kuma has its built-in generators as documents.

use serde_json::{Value, json};

use crate::hostname::variable_of;
use crate::kinds::{Resource, Spec};
use crate::model::{Meta, Mode};
use crate::policy::carries;
use crate::template::Template;

use super::{Api, Refusal};

/// The kinds that have hostnames, as paths and KRIs name them.
const SERVICES: [(&str, &str); 3] = [
    ("meshservices", "msvc"),
    ("meshexternalservices", "extsvc"),
    ("meshmultizoneservices", "mzsvc"),
];

const ORIGIN: &str = "kuma.io/origin";
const ZONE: &str = "kuma.io/zone";

pub(super) fn hostnames(api: &Api<'_>, kind: &str, name: &str) -> Result<Value, Refusal> {
    let Some((_, short)) = SERVICES.iter().find(|(collection, _)| *collection == kind) else {
        let names = SERVICES.map(|(collection, _)| collection).join(",");
        return Err(Refusal {
            status: 400,
            title: format!("only {names:?} are available for inspection"),
            detail: "Resource is not valid".to_owned(),
        });
    };
    let _ = api.mesh()?;
    let mut documents = api.documents.values();
    let service = documents
        .find(|document| document.meta.kri.kind() == *short && api.goes_by(&document.meta, name));
    let Some(service) = service else {
        return Err(Refusal::not_found("could not retrieve service"));
    };
    let mut generators: Vec<&Resource> = api
        .asked
        .analysis
        .resources
        .iter()
        .map(AsRef::as_ref)
        .collect();
    generators.sort_by_cached_key(|document| api.name(&document.meta));
    let mut hostnames: Vec<String> = Vec::new();
    for generator in generators {
        let hostname = hostname(api, generator, &service.meta);
        hostnames.extend(hostname.filter(|hostname| !hostnames.contains(hostname)));
    }
    let zone = zone(api, &service.meta);
    let items = hostnames
        .iter()
        .map(|hostname| json!({"hostname": hostname, "zones": [{"name": zone}]}));
    let items: Vec<Value> = items.collect();
    let total = items.len();
    // Kuma has no list where it has no item.
    let items = (total > 0).then_some(items);
    Ok(json!({"items": items, "total": total}))
}

/// The name that a generator gives to a service.
fn hostname(api: &Api<'_>, generator: &Resource, service: &Meta) -> Option<String> {
    let Spec::HostnameGenerator(spec) = &generator.spec else {
        return None;
    };
    let wanted = spec.labels_for(service.kri.kind())?;
    // A generator of all zones also meets the service where it has arrived from its own zone: there its origin is global.
    let synced = api.asked.analysis.settings.mode == Mode::Global
        && generator
            .meta
            .labels
            .get(ORIGIN)
            .is_none_or(|origin| origin == "global");
    let mut elsewhere = service.labels.clone();
    elsewhere.insert(ORIGIN.to_owned(), "global".to_owned());
    let selected = carries(&service.labels, wanted) || (synced && carries(&elsewhere, wanted));
    if !selected {
        return None;
    }
    let template = Template::parse(spec.template.as_deref()?).ok()?;
    template
        .render(|variable| variable_of(service, variable))
        .ok()
}

/// The zone of a service; one of no zone counts as of its own.
fn zone(api: &Api<'_>, service: &Meta) -> String {
    let own = || {
        let name = api.name(service);
        name.split('.').next().unwrap_or_default().to_owned()
    };
    service.labels.get(ZONE).cloned().unwrap_or_else(own)
}
