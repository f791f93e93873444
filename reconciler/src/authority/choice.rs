//! Which Dataplane somebody who may join becomes.
//!
//! Never goes beyond what was granted: a wish only chooses among what is left.

use mesh_bundle::Kri;
use mesh_delivery::message::Denied;

use crate::publish::{Published, PublishedProxy};
use crate::token::{Grant, Scope};

/// Which Dataplane a grant and a wish lead to.
pub(super) fn choose(
    published: &Published,
    grant: &Grant,
    asked: Option<&str>,
) -> Result<Kri, Denied> {
    let mesh = grant.mesh.as_str();
    let Scope {
        workload,
        dataplane,
        labels,
    } = &grant.scope;
    if let (Some(bound), Some(asked)) = (dataplane, asked)
        && bound != asked
    {
        return Err(Denied::Forbidden(format!(
            "the token is for the Dataplane `{bound}`, not for `{asked}`"
        )));
    }
    if workload.is_none() && dataplane.is_none() {
        let labels: Vec<_> = labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
        return Err(Denied::Forbidden(format!(
            "the token is for labels alone ({}): with it a proxy brings its own Dataplane document (`--dataplane-file`)",
            labels.join(", ")
        )));
    }
    if let Some(name) = dataplane.as_deref().or(asked) {
        let proxy = only(published, mesh, name)?;
        let found = published.proxies.get(&proxy);
        let found = found.and_then(|proxy| proxy.workload.as_ref());
        return match workload {
            Some(bound) if found != Some(bound) => Err(Denied::Forbidden(format!(
                "the token is for the workload `{bound}`, the Dataplane `{name}` is of another"
            ))),
            _ => Ok(proxy),
        };
    }
    let bound = workload.as_deref().unwrap_or_default();
    let of_workload = |(kri, proxy): (&Kri, &PublishedProxy)| {
        (kri.mesh() == mesh && proxy.workload.as_deref() == Some(bound)).then(|| kri.clone())
    };
    let mut found = published.proxies.iter().filter_map(of_workload);
    match (found.next(), found.next()) {
        (Some(proxy), None) => Ok(proxy),
        (None, _) => Err(Denied::Forbidden(format!(
            "no Dataplane of the mesh `{mesh}` is of the workload `{bound}`"
        ))),
        (Some(_), Some(_)) => Err(Denied::Invalid(format!(
            "the workload `{bound}` has several Dataplanes; say which one with `--dataplane`"
        ))),
    }
}

/// The one Dataplane of a mesh with a name.
pub(super) fn only(published: &Published, mesh: &str, name: &str) -> Result<Kri, Denied> {
    match published.named(mesh, name) {
        [proxy] => Ok(proxy.clone()),
        [] => Err(Denied::Forbidden(format!(
            "the mesh `{mesh}` has no Dataplane `{name}`"
        ))),
        [..] => Err(Denied::Invalid(format!(
            "the mesh `{mesh}` has several Dataplanes `{name}`, in different namespaces"
        ))),
    }
}
