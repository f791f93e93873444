//! `_resources/dataplanes` and `_dataplanes`: the proxies that a policy selects, or that are behind a `MeshService`.
//!
//! Never looks at the zone of a policy: Kuma lists its proxies in every zone, though it has effect in its own only.

use serde_json::Value;

use crate::inspect::dataplanes::policy;
use crate::kinds::KindInfo;
use crate::service::Instance;

use super::path::Page;
use super::{Api, Refusal, paged};

/// The proxies that a policy selects.
pub(super) fn of_policy(
    api: &Api<'_>,
    kind: &KindInfo,
    name: &str,
    page: &Page,
) -> Result<Value, Refusal> {
    let view = api.mesh()?;
    let mut documents = api.documents.values();
    let document = documents.find(|document| {
        document.meta.kri.kind() == kind.short && api.goes_by(&document.meta, name)
    });
    let (Some(view), Some(document)) = (view, document) else {
        return Err(Refusal::not_found("Could not retrieve policy"));
    };
    let policy = policy(document);
    let selected = |instance: &Instance<'_>| {
        let proxy = api.asked.of(view, *instance);
        proxy.is_matched() && policy.selects(&proxy.subject())
    };
    let selected = view.instances().filter(selected);
    Ok(listed(api, selected, page))
}

/// The proxies behind a `MeshService`.
pub(super) fn of_service(api: &Api<'_>, name: &str, page: &Page) -> Result<Value, Refusal> {
    let view = api.mesh()?;
    let service = view.and_then(|view| {
        let mut services = view.services.iter();
        let service = services.find(|service| {
            service.meta.kri.kind() == "msvc" && api.goes_by(&service.meta, name)
        })?;
        Some((view, service))
    });
    let Some((view, service)) = service else {
        return Err(Refusal::not_found("Could not retrieve MeshService"));
    };
    Ok(listed(api, view.members(service), page))
}

/// By name, as far as the names are asked for.
fn listed<'i>(api: &Api<'_>, instances: impl Iterator<Item = Instance<'i>>, page: &Page) -> Value {
    let named = instances.map(|instance| (api.name(instance.meta), instance));
    let mut named: Vec<_> = named.filter(|(name, _)| page.wants(name)).collect();
    named.sort_by(|a, b| a.0.cmp(&b.0));
    let items = named.iter().map(|(_, instance)| api.meta(instance.meta));
    paged(items.collect(), page)
}
