//! Which requests of a proxy are traced, and where spans go (language 5.13).
//!
//! Never traces to a collector that nobody finds: that is reported for the document that names it.

use mesh_bundle::resource::{Sampling, Tag, TagValue, Tracing, TracingBackend, ZipkinVersion};
use mesh_bundle::{Resource, Sourced};
use serde::Deserialize;
use serde_json::Value;

use crate::kinds::mesh_trace::{self, Datadog, TraceBackend, TraceBackendType, TraceTag, Zipkin};
use crate::kinds::scalar::Percentage;
use crate::policy::merge::Merged;

use super::Lowering;
use super::leaf::{Leaves, plain};
use super::metrics::each;

/// What is made of a merged conf.
pub(super) fn tracing(
    of: Lowering<'_>,
    _: &Merged,
    mut leaves: Leaves<'_>,
    _: Option<&str>,
) -> Resource {
    let backends =
        |value: &Value| Some(each(|value| backend(of, value))(value)?.into_iter().next());
    let backend = leaves.read(&["backends"], "backend", backends, plain);
    let built_in = Sampling::default();
    let mut share = |name: &str, otherwise: Sourced<u32>| {
        let share = |value: &Value| Percentage::deserialize(value).ok()?.parts_per_million();
        let words = |value: &Value| format!("{} %", plain(value));
        let place = format!("sampling/{name}");
        let read = leaves.read(&["sampling", name], &place, share, words);
        read.unwrap_or(otherwise)
    };
    Resource::Tracing(Tracing {
        backend: backend.unwrap_or(Sourced::built_in(None)),
        sampling: Sampling {
            overall: share("overall", built_in.overall),
            client: share("client", built_in.client),
            random: share("random", built_in.random),
        },
        tags: leaves.read(&["tags"], "tags", each(tag), plain),
    })
}

fn backend(of: Lowering<'_>, backend: TraceBackend) -> Option<TracingBackend> {
    match backend.kind? {
        TraceBackendType::OpenTelemetry => {
            let reference = backend.open_telemetry?.backend_ref?;
            let (collector, _) = of.mesh.collectors.resolve(&reference).ok()?;
            Some(TracingBackend::OpenTelemetry {
                collector: collector.clone(),
            })
        }
        TraceBackendType::Zipkin => zipkin(backend.zipkin?),
        TraceBackendType::Datadog => datadog(backend.datadog?),
    }
}

fn zipkin(zipkin: Zipkin) -> Option<TracingBackend> {
    let version = zipkin.api_version;
    Some(TracingBackend::Zipkin {
        url: zipkin.url?,
        long_ids: zipkin.trace_id_128_bit.unwrap_or(false),
        version: match version.unwrap_or(mesh_trace::ZipkinVersion::HttpJson) {
            mesh_trace::ZipkinVersion::HttpJson => ZipkinVersion::HttpJson,
            mesh_trace::ZipkinVersion::HttpJsonV1 => ZipkinVersion::HttpJsonV1,
            mesh_trace::ZipkinVersion::HttpProto => ZipkinVersion::HttpProto,
        },
        shared_spans: zipkin.shared_span_context.unwrap_or(true),
    })
}

fn datadog(datadog: Datadog) -> Option<TracingBackend> {
    Some(TracingBackend::Datadog {
        url: datadog.url?,
        split_service: datadog.split_service.unwrap_or(false),
    })
}

fn tag(tag: TraceTag) -> Option<Tag> {
    let value = match (tag.literal, tag.header) {
        (Some(text), _) => TagValue::Literal { text },
        (None, Some(header)) => TagValue::Header {
            name: header.name?.to_ascii_lowercase(),
            default: header.default,
        },
        (None, None) => return None,
    };
    Some(Tag {
        name: tag.name?,
        value,
    })
}
