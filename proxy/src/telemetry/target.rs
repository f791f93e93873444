//! Where the telemetry of one signal goes: what a `MeshOpenTelemetryBackend` says, and what the environment says beside it.
//!
//! Never sends without TLS what is said to go over it, and never shows a header or a key.

use std::path::{Path, PathBuf};
use std::time::Duration;

use http::header::{HeaderName, HeaderValue};
use mesh_bundle::ValueSource;
use mesh_bundle::resource::external::{Authorities, ClientCertificate};
use mesh_bundle::resource::{Collector, CollectorProtocol, EnvironmentMode};

use super::environment::{Endpoint, Environment, Layer};
use crate::metrics::Signal;
use crate::tls::OutsideTls;

/// For one request, where no variable says how long it may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// One collector, as it is spoken to about one signal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Target {
    pub(super) protocol: CollectorProtocol,
    pub(super) host: String,
    pub(super) port: u16,
    /// What is asked for, with HTTP.
    pub(super) path: String,
    pub(super) tls: Option<Files>,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) patience: Duration,
}

/// What TLS needs beyond what this machine trusts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Files {
    pub(super) authorities: Option<PathBuf>,
    /// The chain, and its key.
    pub(super) client: Option<(PathBuf, PathBuf)>,
}

/// Why nothing is sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
pub(crate) enum Untold {
    #[error(
        "neither its MeshOpenTelemetryBackend nor OTEL_EXPORTER_OTLP_ENDPOINT says where this collector is"
    )]
    Nowhere,
    #[error(
        "its MeshOpenTelemetryBackend requires OTEL_EXPORTER_OTLP_… in the environment of the proxy, and none is set"
    )]
    Required,
    #[error(
        "its MeshOpenTelemetryBackend requires OTEL_EXPORTER_OTLP_…, which cannot be meant for several collectors at once"
    )]
    Ambiguous,
    #[error("`{}` cannot be read: {why}", file.display())]
    Unread { file: PathBuf, why: String },
    #[error("its TLS cannot be used: {0}")]
    Tls(String),
}

impl Target {
    /// `alone`: no other collector that the environment may speak of takes this signal.
    pub(crate) fn of(
        collector: &Collector,
        environment: &Environment,
        signal: Signal,
        alone: bool,
    ) -> Result<Self, Untold> {
        let may = collector.environment;
        let heard: Vec<(&Layer, bool)> = match may.mode {
            EnvironmentMode::Disabled => Vec::new(),
            _ if !alone => Vec::new(),
            _ => [(environment.of(signal), true), (&environment.shared, false)]
                .into_iter()
                .filter(|(layer, own)| (may.per_signal || !own) && !layer.is_empty())
                .collect(),
        };
        if may.mode == EnvironmentMode::Required && heard.is_empty() {
            return Err(match alone {
                true => Untold::Required,
                false => Untold::Ambiguous,
            });
        }
        let said = heard
            .iter()
            .find_map(|(layer, own)| Some((layer.endpoint.as_ref()?, *own)));
        let said = said.filter(|_| may.first || collector.address.is_none());
        let protocol = match may.first || said.is_some() {
            true => first(&heard, |layer| layer.protocol),
            false => None,
        };
        let files = Files {
            authorities: first(&heard, |layer| layer.certificate.clone()),
            client: first(&heard, |layer| {
                layer
                    .client_certificate
                    .clone()
                    .zip(layer.client_key.clone())
            }),
        };
        let insecure = first(&heard, |layer| layer.insecure);
        let (host, port, path, tls) = match said {
            Some((endpoint, own)) => (
                endpoint.host.clone(),
                endpoint.port.unwrap_or(match endpoint.tls {
                    Some(true) => 443,
                    Some(false) => 80,
                    None => collector.port,
                }),
                path(collector, Some((endpoint, own)), signal),
                // Without a scheme it is TLS unless somebody says that it is not.
                endpoint.tls.unwrap_or(insecure != Some(true)),
            ),
            None => (
                collector.address.clone().ok_or(Untold::Nowhere)?,
                collector.port,
                path(collector, None, signal),
                // Who gives it certificates wants them to be looked at.
                insecure.map_or(files != Files::default(), |insecure| !insecure),
            ),
        };
        Ok(Self {
            protocol: protocol.unwrap_or(collector.protocol),
            host,
            port,
            path,
            tls: tls.then_some(files),
            headers: first(&heard, |layer| layer.headers.clone()).unwrap_or_default(),
            patience: first(&heard, |layer| layer.timeout).unwrap_or(PATIENCE),
        })
    }
}

fn first<T>(heard: &[(&Layer, bool)], get: impl Fn(&Layer) -> Option<T>) -> Option<T> {
    heard.iter().find_map(|(layer, _)| get(layer))
}

/// An endpoint of one signal stands as it is; what belongs to the signal is appended to every other.
fn path(collector: &Collector, said: Option<(&Endpoint, bool)>, signal: Signal) -> String {
    let base = match said {
        Some((endpoint, true)) if endpoint.path.is_empty() => return "/".to_owned(),
        Some((endpoint, true)) => return endpoint.path.clone(),
        Some((endpoint, false)) if !endpoint.path.is_empty() => &endpoint.path,
        _ => &collector.path,
    };
    format!("{}{}", base.trim_end_matches('/'), signal.path())
}

impl Files {
    /// What they hold now.
    pub(super) fn load(&self, host: &str) -> Result<OutsideTls, Untold> {
        let authorities = match &self.authorities {
            None => Authorities::System,
            Some(file) => Authorities::Pem(String::from_utf8_lossy(&read(file)?).into_owned()),
        };
        let source = |file: &Path| ValueSource::File(file.to_string_lossy().into_owned());
        let mut held = Vec::new();
        let client = match &self.client {
            None => None,
            Some((chain, key)) => {
                for file in [chain, key] {
                    held.push((source(file), read(file)?));
                }
                Some(ClientCertificate {
                    certificate: source(chain),
                    private_key: source(key),
                })
            }
        };
        let value = |wanted: &ValueSource| {
            let found = held.iter().find(|(source, _)| source == wanted);
            found.map(|(_, bytes)| bytes.as_slice())
        };
        OutsideTls::of_server(host, authorities, client, value)
            .map_err(|why| Untold::Tls(why.to_string()))
    }
}

fn read(file: &Path) -> Result<Vec<u8>, Untold> {
    std::fs::read(file).map_err(|why| Untold::Unread {
        file: file.to_owned(),
        why: why.to_string(),
    })
}
