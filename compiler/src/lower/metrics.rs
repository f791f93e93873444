//! What a proxy measures, and who gets it (language 5.12).
//!
//! Never leaves out a backend that is understood: only one whose collector nobody finds.

use mesh_bundle::resource::{
    Application, EndpointTls, Metrics, MetricsBackend, NameMatch, Profile, PrometheusEndpoint,
};
use mesh_bundle::{Duration, Resource, Sourced};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::json::Json;
use crate::kinds::mesh_metric::{
    self, MetricBackend, MetricBackendType, MetricSelector, MetricTelemetry, MetricTlsMode,
    ProfileName, Prometheus, SelectorType,
};
use crate::policy::merge::Merged;
use crate::policy::proxy_wide::Whole;

use super::Lowering;
use super::leaf::{Leaves, plain};

/// Where Prometheus asks, when a document does not say.
const PORT: u16 = 5670;
const PATH: &str = "/metrics";
/// How often a collector is told.
const INTERVAL: Duration = Duration::from_secs(60);

/// The address of the proxy's workload, where an application of these confs has none of its own.
pub(super) fn address<'a>(
    of: Lowering<'_>,
    confs: impl Iterator<Item = &'a Whole>,
) -> Option<String> {
    let bare = |application: &Json| application.get("address").is_none();
    let mut applications = confs.filter_map(|whole| whole.conf.get("applications")?.as_array());
    let needed = applications.any(|applications| applications.iter().any(bare));
    let networking = of.instance.networking().filter(|_| needed)?;
    networking.address.clone()
}

/// What is made of a merged conf.
pub(super) fn metrics(
    of: Lowering<'_>,
    merged: &Merged,
    mut leaves: Leaves<'_>,
    address: Option<&str>,
) -> Resource {
    let built_in = Metrics::default();
    let profiles = ["sidecar", "profiles"];
    let selectors = |leaves: &mut Leaves<'_>, name: &str| {
        let [sidecar, profiles] = profiles;
        leaves.read(&[sidecar, profiles, name], name, each(selector), plain)
    };
    Resource::Metrics(Metrics {
        include_unused: leaves
            .value(&["sidecar", "includeUnused"], "includeUnused")
            .unwrap_or(built_in.include_unused),
        exclude: selectors(&mut leaves, "exclude"),
        include: selectors(&mut leaves, "include"),
        applications: {
            let application = |value| application(value, address);
            let name = "applications";
            leaves.read(&[name], name, each(application), plain)
        },
        backends: {
            let backend = |value| backend(of, value);
            leaves.read(&["backends"], "backends", each(backend), plain)
        },
        profiles: merged
            .appended(&["sidecar", "profiles", "appendProfiles"])
            .into_iter()
            .filter_map(|(value, setting)| {
                Some(Sourced {
                    value: profile(value)?,
                    origin: Some(leaves.lines.source(&setting.by)),
                })
            })
            .collect(),
    })
}

/// Reads a list; an element that cannot be read has been refused or reported, and is left out.
pub(super) fn each<T, U: DeserializeOwned>(
    read: impl Fn(U) -> Option<T>,
) -> impl Fn(&Value) -> Option<Vec<T>> {
    move |list| {
        let elements = list.as_array()?.iter();
        let typed = elements.filter_map(|value| U::deserialize(value).ok());
        Some(typed.filter_map(&read).collect())
    }
}

fn profile(value: &Value) -> Option<Profile> {
    let profile = mesh_metric::Profile::deserialize(value).ok()?;
    Some(match profile.name? {
        ProfileName::All => Profile::All,
        ProfileName::Basic => Profile::Basic,
        ProfileName::None => Profile::None,
    })
}

fn selector(selector: MetricSelector) -> Option<NameMatch> {
    let text = selector.r#match?;
    Some(match selector.how? {
        SelectorType::Exact => NameMatch::Exact(text),
        SelectorType::Prefix => NameMatch::Prefix(text),
        SelectorType::Contains => NameMatch::Contains(text),
        SelectorType::Regex => NameMatch::Regex(text),
    })
}

fn application(
    application: mesh_metric::Application,
    otherwise: Option<&str>,
) -> Option<Application> {
    let address = application.address.as_deref().or(otherwise)?;
    Some(Application {
        address: address.to_owned(),
        port: u16::try_from(application.port?).ok()?,
        path: rooted(application.path),
        name: application.name,
    })
}

fn backend(of: Lowering<'_>, backend: MetricBackend) -> Option<MetricsBackend> {
    match backend.kind? {
        MetricBackendType::Prometheus => {
            prometheus(backend.prometheus?).map(MetricsBackend::Prometheus)
        }
        MetricBackendType::OpenTelemetry => open_telemetry(of, &backend.open_telemetry?),
    }
}

fn prometheus(prometheus: Prometheus) -> Option<PrometheusEndpoint> {
    let tls = prometheus.tls.and_then(|tls| tls.mode);
    Some(PrometheusEndpoint {
        port: match prometheus.port {
            Some(port) => u16::try_from(port).ok()?,
            None => PORT,
        },
        path: rooted(prometheus.path),
        tls: match tls.unwrap_or(MetricTlsMode::Disabled) {
            MetricTlsMode::Disabled => EndpointTls::Disabled,
            MetricTlsMode::ProvidedTls => EndpointTls::Provided,
            MetricTlsMode::ActiveMtlsBackend => EndpointTls::Identity,
        },
        client_id: prometheus.client_id,
    })
}

/// A path that begins with `/`.
fn rooted(path: Option<String>) -> String {
    match path {
        None => PATH.to_owned(),
        Some(path) if path.starts_with('/') => path,
        Some(path) => format!("/{path}"),
    }
}

fn open_telemetry(of: Lowering<'_>, telemetry: &MetricTelemetry) -> Option<MetricsBackend> {
    let reference = telemetry.backend_ref.as_ref()?;
    let (collector, _) = of.mesh.collectors.resolve(reference).ok()?;
    Some(MetricsBackend::OpenTelemetry {
        collector: collector.clone(),
        interval: telemetry.refresh_interval.map_or(INTERVAL, |span| span.0),
    })
}
