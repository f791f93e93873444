//! What is written about traffic, and where: fan-out of the rules of an inbound, one merged conf for a destination or a
//! route (language 4.9, 4.10, 5.11).
//!
//! Never keeps the text of a format. `to` with the target `Mesh` covers traffic to unknown destinations too (language
//! 4.9.4): [`backends`] of the lookup of the mesh is what that traffic is logged by.

use mesh_bundle::resource::{
    IndependentRule, LogBackend, LogField, LogFormat, LogShape, LogSink, LogTemplate,
};
use mesh_bundle::{Kri, Origin, Sourced};
use serde_json::Value;

use crate::diag::Location;
use crate::kinds::mesh_access_log as written;
use crate::kinds::mesh_access_log::{KeyValue, LogBackendType, LogFormatType, format};
use crate::policy::merge::Merged;
use crate::policy::outbound::Outbound;
use crate::provenance::Notes;
use crate::repository::MeshView;

use super::{Lowering, independent};

/// The logs of one inbound: every rule that matches writes to its own backends.
pub(super) fn inbound(of: Lowering<'_>, section: &str) -> Vec<IndependentRule<LogBackend>> {
    let applied = of.mesh.policies.access_log.inbound(&of.subject, section);
    independent::rules(&applied, of.lines, "backends", |value, origin| {
        backend(of.mesh, value, origin)
    })
}

/// The logs of a service port.
pub(super) fn destination(
    of: Lowering<'_>,
    policies: &Outbound<'_>,
    port: &Kri,
    notes: &mut Notes,
) -> Option<Sourced<Vec<LogBackend>>> {
    backends(of, &policies.lookup(port), notes, "accessLog")
}

/// The logs of a route, where a policy targets it.
pub(super) fn route(
    of: Lowering<'_>,
    policies: &Outbound<'_>,
    (port, route): (&Kri, &Kri),
    notes: &mut Notes,
    place: &str,
) -> Option<Sourced<Vec<LogBackend>>> {
    let merged = policies.lookup_route(port, route)?;
    backends(of, &merged, notes, place)
}

/// The backends of a merged conf.
fn backends(
    of: Lowering<'_>,
    merged: &Merged,
    notes: &mut Notes,
    place: &str,
) -> Option<Sourced<Vec<LogBackend>>> {
    let path = ["backends"];
    let (value, setting) = merged.leaf(&path).zip(merged.setting(&path))?;
    notes.record(place, (value, setting), of.lines, words);
    let source = &setting.by;
    let origin = |index: usize| {
        let at = Location {
            pointer: source.at.pointer.index(index),
            ..source.at.clone()
        };
        of.lines.source(&crate::policy::Source {
            at,
            ..source.clone()
        })
    };
    let list = value.as_array()?.iter().enumerate();
    let backends = list.filter_map(|(index, value)| backend(of.mesh, value, origin(index)));
    Some(Sourced {
        value: backends.collect(),
        origin: Some(of.lines.source(source)),
    })
}

/// One backend; `None` where a collector does not resolve, which has been reported.
fn backend(mesh: &MeshView, value: &Value, origin: Origin) -> Option<LogBackend> {
    let backend: written::LogBackend = serde_json::from_value(value.clone()).ok()?;
    let sink = match backend.kind? {
        LogBackendType::File => {
            let file = backend.file?;
            LogSink::File {
                path: file.path?,
                format: file.format.as_ref().and_then(log_format),
            }
        }
        LogBackendType::Tcp => {
            let tcp = backend.tcp?;
            LogSink::Tcp {
                address: tcp.address?,
                format: tcp.format.as_ref().and_then(log_format),
            }
        }
        LogBackendType::OpenTelemetry => {
            let telemetry = backend.open_telemetry?;
            let (collector, _) = mesh.collectors.resolve(&telemetry.backend_ref?).ok()?;
            LogSink::OpenTelemetry {
                collector: Box::new(collector.clone()),
                attributes: fields(telemetry.attributes.as_deref().unwrap_or_default(), plain),
                body: telemetry.body.as_ref().and_then(template),
            }
        }
    };
    Some(LogBackend { sink, origin })
}

fn log_format(format: &written::LogFormat) -> Option<LogFormat> {
    let shape = match format.kind? {
        LogFormatType::Plain => LogShape::Plain(format::read(format.plain.as_deref()?).0),
        LogFormatType::Json => LogShape::Json(fields(format.json.as_deref()?, unescaped)),
    };
    Some(LogFormat {
        shape,
        omit_empty_values: format.omit_empty_values.unwrap_or(false),
    })
}

fn fields(list: &[KeyValue], text: impl Fn(&str) -> Option<String>) -> Vec<LogField> {
    let field = |field: &KeyValue| {
        Some(LogField {
            key: text(field.key.as_deref()?)?,
            value: format::read(&text(field.value.as_deref()?)?).0,
        })
    };
    list.iter().filter_map(field).collect()
}

fn plain(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// Keys and values of a JSON format are written as they stand between the quotes of JSON.
fn unescaped(text: &str) -> Option<String> {
    serde_json::from_str(&format!("\"{text}\"")).ok()
}

fn template(value: &Value) -> Option<LogTemplate> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(truth) => LogTemplate::Bool(*truth),
        Value::Number(number) => LogTemplate::Number(number.to_string()),
        Value::String(text) => LogTemplate::Text(format::read(text).0),
        Value::Array(list) => LogTemplate::List(list.iter().filter_map(template).collect()),
        Value::Object(fields) => LogTemplate::Object(
            fields
                .iter()
                .filter_map(|(name, value)| Some((name.clone(), template(value)?)))
                .collect(),
        ),
    })
}

/// A list of backends in a few words: `File /dev/stdout, Tcp logs.example:514`.
fn words(value: &Value) -> String {
    let list: Vec<written::LogBackend> = serde_json::from_value(value.clone()).unwrap_or_default();
    let one = |backend: &written::LogBackend| {
        let file = backend.file.as_ref().and_then(|file| file.path.as_ref());
        let tcp = backend.tcp.as_ref().and_then(|tcp| tcp.address.as_ref());
        match (backend.kind, file, tcp) {
            (Some(LogBackendType::File), Some(path), _) => format!("file {path}"),
            (Some(LogBackendType::Tcp), _, Some(address)) => format!("tcp {address}"),
            _ => "OpenTelemetry".to_owned(),
        }
    };
    match list.as_slice() {
        [] => "nothing".to_owned(),
        list => list.iter().map(one).collect::<Vec<_>>().join(", "),
    }
}
