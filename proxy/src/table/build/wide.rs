//! What is effective for a proxy as a whole.
//!
//! Never opens anything: whoever follows the table does.

use std::sync::Arc;

use mesh_bundle::decide::Selection;
use mesh_bundle::{Key, ProxyConfig, ProxyWide};

use super::rejected;
use crate::access_log::Home;
use crate::telemetry::MetricsPlan;
use crate::trace::Tracer;
use crate::world::Rejected;

pub(super) fn home(config: &ProxyConfig) -> Home {
    let mut inbounds = config.inbounds.values();
    Home {
        mesh: config.proxy.kri.mesh().to_owned(),
        zone: config.proxy.zone.clone(),
        proxy: config.proxy.kri.name().to_owned(),
        workload: config.proxy.workload.as_deref().map(Arc::from),
        reached_at: config.proxy.address.clone(),
        address: inbounds.next().map(|(inbound, _)| inbound.address.clone()),
    }
}

pub(super) fn metrics(wide: &ProxyWide) -> Result<Option<MetricsPlan>, Rejected> {
    let Some(policy) = &wide.metrics else {
        return Ok(None);
    };
    let selection = Selection::compile(policy)
        .map_err(|(pointer, reason)| rejected(Key::Metrics, &pointer, reason))?;
    Ok(Some(MetricsPlan {
        policy: policy.clone(),
        selection,
    }))
}

pub(super) fn tracer(wide: &ProxyWide) -> Result<Option<Arc<Tracer>>, Rejected> {
    let Some(tracing) = &wide.tracing else {
        return Ok(None);
    };
    let tracer = Tracer::new(tracing)
        .map_err(|(pointer, reason)| rejected(Key::Tracing, &pointer, reason))?;
    Ok(tracer.map(Arc::new))
}
