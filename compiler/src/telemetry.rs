//! Collectors of OpenTelemetry, and what references to them lead to (language 3.11, 4.6).
//!
//! Never reports by itself: resolving happens once for each proxy, reporting once for each document.

use mesh_bundle::resource::{Collector, CollectorProtocol, Environment, EnvironmentMode};

use crate::index::Carriers;
use crate::kinds::mesh_open_telemetry_backend::{
    EnvMode, EnvPrecedence, MeshOpenTelemetryBackend, TelemetryEnv, TelemetryProtocol,
};
use crate::kinds::telemetry_ref::TelemetryRef;
use crate::model::Meta;
use crate::policy::carries;
use crate::repository::Lines;
use crate::resolve::{Resolved, nobody, several};

/// The collectors of one mesh.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Collectors {
    /// The oldest first, those of one age in the order of their KRIs.
    known: Vec<(Meta, Collector)>,
    carriers: Carriers,
}

impl Collectors {
    /// Of documents in the order of their KRIs.
    pub(crate) fn of<'a>(
        documents: impl Iterator<Item = (&'a Meta, &'a MeshOpenTelemetryBackend)>,
        lines: Lines<'_>,
    ) -> Self {
        let mut known: Vec<(Meta, Collector)> = documents
            .map(|(meta, spec)| (meta.clone(), collector(meta, spec, lines)))
            .collect();
        known.sort_by_key(|(meta, _)| (meta.created.is_none(), meta.created.clone()));
        Self {
            carriers: Carriers::of(known.iter().map(|(meta, _)| &meta.labels)),
            known,
        }
    }

    /// The collector that carries the labels of a reference: the oldest of several.
    pub(crate) fn resolve(&self, reference: &TelemetryRef) -> Resolved<&Collector> {
        let labels = &reference.labels;
        let found: Vec<&(Meta, Collector)> = self
            .carriers
            .candidates(labels)
            .iter()
            .filter_map(|index| self.known.get(*index))
            .filter(|(meta, _)| carries(&meta.labels, labels))
            .collect();
        fn metas<'a>(known: &[&'a (Meta, Collector)]) -> Vec<&'a Meta> {
            known.iter().map(|(meta, _)| meta).collect()
        }
        match found.as_slice() {
            [] => {
                let all: Vec<&Meta> = self.known.iter().map(|(meta, _)| meta).collect();
                Err(nobody("MeshOpenTelemetryBackend", &all, labels))
            }
            [(meta, collector), others @ ..] => {
                Ok((collector, several("collectors", meta, &metas(others))))
            }
        }
    }
}

fn collector(meta: &Meta, spec: &MeshOpenTelemetryBackend, lines: Lines<'_>) -> Collector {
    let endpoint = spec.endpoint.as_ref();
    let port = endpoint.and_then(|endpoint| u16::try_from(endpoint.port?).ok());
    Collector {
        kri: meta.kri.clone(),
        protocol: match spec.protocol {
            Some(TelemetryProtocol::Http) => CollectorProtocol::Http,
            Some(TelemetryProtocol::Grpc) | None => CollectorProtocol::Grpc,
        },
        address: endpoint.and_then(|endpoint| endpoint.address.clone()),
        port: port.unwrap_or(Collector::PORT),
        path: endpoint
            .and_then(|endpoint| endpoint.path.as_deref())
            .map(|path| path.trim_end_matches('/').to_owned())
            .unwrap_or_default(),
        environment: spec.env.as_ref().map(environment).unwrap_or_default(),
        origin: lines.document(meta),
    }
}

fn environment(env: &TelemetryEnv) -> Environment {
    let otherwise = Environment::default();
    Environment {
        mode: match env.mode {
            Some(EnvMode::Disabled) => EnvironmentMode::Disabled,
            Some(EnvMode::Required) => EnvironmentMode::Required,
            Some(EnvMode::Optional) | None => EnvironmentMode::Optional,
        },
        first: env.precedence != Some(EnvPrecedence::ExplicitFirst),
        per_signal: env.allow_signal_overrides.unwrap_or(otherwise.per_signal),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::policy::tests::meta;
    use crate::source::Sources;

    use super::*;

    #[test]
    fn the_oldest_that_carries_the_labels_is_taken() {
        let spec = MeshOpenTelemetryBackend::default();
        let metas = [("a", "all"), ("b", "all"), ("c", "eu")].map(|(name, of)| {
            let labels = [("of", of), ("kuma.io/display-name", name)];
            let mut meta = meta("motb", name, &labels);
            let old = (name == "b").then(|| "2026-01-01T00:00:00Z".to_owned());
            meta.created = old;
            meta
        });
        let sources = Sources::default();
        let documents = metas.iter().map(|meta| (meta, &spec));
        let collectors = Collectors::of(documents, Lines { sources: &sources });
        for (key, value, expected) in [
            ("of", "eu", "c"),
            ("kuma.io/display-name", "a", "a"),
            (
                "of",
                "all",
                "b; 2 collectors carry these labels, `b` is taken",
            ),
            (
                "of",
                "al",
                "no MeshOpenTelemetryBackend carries `of: al`; did you mean `all`?",
            ),
        ] {
            let reference = TelemetryRef {
                kind: None,
                labels: [(key.to_owned(), value.to_owned())].into(),
            };
            let told = match collectors.resolve(&reference) {
                Ok((collector, None)) => collector.kri.name().to_owned(),
                Ok((collector, Some(remark))) => {
                    format!("{}; {}", collector.kri.name(), remark.message)
                }
                Err(nobody) => format!("{}; {}", nobody.message, nobody.help.unwrap()),
            };
            assert_eq!(told, expected, "{key}: {value}");
        }
    }

    #[test]
    fn what_a_document_leaves_open_has_its_default() {
        let sources = Sources::default();
        for (spec, expected) in [
            (json!({}), json!({"protocol": "grpc", "port": 4317})),
            (
                json!({"protocol": "http", "endpoint": {"address": "otel.example.com", "port": 4318, "path": "/in/"}}),
                json!({"protocol": "http", "address": "otel.example.com", "port": 4318, "path": "/in"}),
            ),
            (
                json!({"env": {"mode": "Required", "precedence": "ExplicitFirst", "allowSignalOverrides": false}}),
                json!({"protocol": "grpc", "port": 4317, "environment": {"mode": "required", "first": false, "perSignal": false}}),
            ),
        ] {
            let meta = meta("motb", "c", &[]);
            let document = serde_json::from_value(spec).unwrap();
            let made = collector(&meta, &document, Lines { sources: &sources });
            let mut told = serde_json::to_value(&made).unwrap();
            let fields = told.as_object_mut().unwrap();
            fields.retain(|name, _| name != "kri" && name != "origin");
            assert_eq!(told, expected);
        }
    }
}
