//! What the environment of a proxy says about collectors: the variables of OpenTelemetry's exporters (language 3.11).
//!
//! Never shows the value of a variable that may hold a secret, and never passes over one without a word.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use http::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, HeaderValue, TE, TRANSFER_ENCODING,
};
use http::uri::Uri;
use mesh_bundle::resource::CollectorProtocol;

use crate::metrics::Signal;

/// What every variable begins with.
const PREFIX: &str = "OTEL_EXPORTER_OTLP_";
/// Of one request, however long a variable lets it be: its queue is bounded and fills meanwhile.
const LONGEST: Duration = Duration::from_secs(60);

/// What the variables say, read once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environment {
    pub(super) shared: Layer,
    metrics: Layer,
    traces: Layer,
    logs: Layer,
}

/// The variables of every signal, or of one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Layer {
    pub(super) endpoint: Option<Endpoint>,
    pub(super) protocol: Option<CollectorProtocol>,
    /// Marked as sensitive: they are what a collector knows its clients by.
    pub(super) headers: Option<Vec<(HeaderName, HeaderValue)>>,
    pub(super) insecure: Option<bool>,
    pub(super) timeout: Option<Duration>,
    pub(super) certificate: Option<PathBuf>,
    pub(super) client_certificate: Option<PathBuf>,
    pub(super) client_key: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// What its scheme says, if it has one.
    pub(super) tls: Option<bool>,
    pub(super) host: String,
    pub(super) port: Option<u16>,
    /// Empty: there is none.
    pub(super) path: String,
}

/// Something that a variable says and that is not done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unheard {
    /// Its name.
    pub(crate) variable: String,
    /// Without its value.
    pub(crate) why: String,
}

impl Environment {
    /// Of all the variables of a process, and what they say in vain.
    pub(crate) fn read(
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> (Self, Vec<Unheard>) {
        let (mut environment, mut unheard) = (Self::default(), Vec::new());
        for (variable, value) in variables {
            let Some(variable) = variable.to_str() else {
                continue;
            };
            let Some(name) = variable.strip_prefix(PREFIX) else {
                continue;
            };
            let (layer, setting) = environment.layer(name);
            let read = match value.to_str().map(str::trim) {
                None => Err("its value is no text".to_owned()),
                // As if it was not there (OpenTelemetry, "Environment Variable Specification").
                Some("") => Ok(()),
                Some(value) => layer.set(setting, value),
            };
            if let Err(why) = read {
                let variable = variable.to_owned();
                unheard.push(Unheard { variable, why });
            }
        }
        for (layer, infix) in [
            (&environment.shared, ""),
            (&environment.metrics, "METRICS_"),
            (&environment.traces, "TRACES_"),
            (&environment.logs, "LOGS_"),
        ] {
            let (set, unset) = match (&layer.client_certificate, &layer.client_key) {
                (Some(_), None) => ("CLIENT_CERTIFICATE", "CLIENT_KEY"),
                (None, Some(_)) => ("CLIENT_KEY", "CLIENT_CERTIFICATE"),
                _ => continue,
            };
            unheard.push(Unheard {
                variable: format!("{PREFIX}{infix}{set}"),
                why: format!("`{PREFIX}{infix}{unset}` is not set"),
            });
        }
        unheard.sort_by(|a, b| a.variable.cmp(&b.variable));
        (environment, unheard)
    }

    pub(super) fn of(&self, signal: Signal) -> &Layer {
        match signal {
            Signal::Metrics => &self.metrics,
            Signal::Traces => &self.traces,
            Signal::Logs => &self.logs,
        }
    }

    fn layer<'n>(&mut self, name: &'n str) -> (&mut Layer, &'n str) {
        let signals = [
            ("METRICS_", &mut self.metrics),
            ("TRACES_", &mut self.traces),
            ("LOGS_", &mut self.logs),
        ];
        let of_signal = |(prefix, layer)| Some((layer, name.strip_prefix(prefix)?));
        let own = signals.into_iter().find_map(of_signal);
        own.unwrap_or((&mut self.shared, name))
    }
}

impl Layer {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn set(&mut self, setting: &str, value: &str) -> Result<(), String> {
        let file = || Some(PathBuf::from(value));
        match setting {
            "ENDPOINT" => self.endpoint = Some(endpoint(value)?),
            "PROTOCOL" => return self.speak(value),
            "HEADERS" => self.headers = Some(headers(value)?),
            "INSECURE" => self.insecure = Some(flag(value)?),
            "TIMEOUT" => self.timeout = Some(timeout(value)?),
            "CERTIFICATE" => self.certificate = file(),
            "CLIENT_CERTIFICATE" => self.client_certificate = file(),
            "CLIENT_KEY" => self.client_key = file(),
            "COMPRESSION" if value == "none" => {}
            "COMPRESSION" => return Err("telemetry is sent without compression".to_owned()),
            _ => return Err("this proxy does not know it".to_owned()),
        }
        Ok(())
    }

    fn speak(&mut self, value: &str) -> Result<(), String> {
        self.protocol = Some(match value {
            "grpc" => CollectorProtocol::Grpc,
            "http/protobuf" => CollectorProtocol::Http,
            "http/json" => {
                self.protocol = Some(CollectorProtocol::Http);
                return Err("proxies write no JSON: `http/protobuf` is spoken".to_owned());
            }
            _ => return Err("expected `grpc` or `http/protobuf`".to_owned()),
        });
        Ok(())
    }
}

/// A URL, or a host and a port. It is not repeated in what is said about it: it may hold a password.
fn endpoint(value: &str) -> Result<Endpoint, String> {
    let malformed = || "expected a URL, or `host:port`".to_owned();
    let uri: Uri = value.parse().map_err(|_| malformed())?;
    let tls = match uri.scheme_str() {
        None => None,
        Some("http") => Some(false),
        Some("https") => Some(true),
        Some(_) => return Err("expected `http` or `https`".to_owned()),
    };
    let authority = uri.authority().ok_or_else(malformed)?;
    if authority.as_str().contains('@') {
        let variable = "`OTEL_EXPORTER_OTLP_HEADERS` is where credentials belong";
        return Err(format!("it must hold no user: {variable}"));
    }
    if uri.query().is_some() {
        return Err("it must hold no query".to_owned());
    }
    let host = authority.host();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() || (tls.is_none() && authority.port_u16().is_none()) {
        return Err(malformed());
    }
    Ok(Endpoint {
        tls,
        host: host.to_owned(),
        port: authority.port_u16(),
        path: match value
            .split_once("://")
            .is_some_and(|(_, it)| it.contains('/'))
        {
            true => uri.path().to_owned(),
            false => String::new(),
        },
    })
}

/// `name=value`, separated by commas; values are percent-encoded, as in the header `baggage`.
fn headers(value: &str) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
    let pairs = value.split(',').map(str::trim).filter(|it| !it.is_empty());
    let pair = |pair: &str| {
        let malformed = || "expected `name=value,…`".to_owned();
        let (name, value) = pair.split_once('=').ok_or_else(malformed)?;
        let name = name.trim();
        let said: HeaderName = name
            .parse()
            .map_err(|_| format!("`{name}` is no name of a header"))?;
        let ours = [
            CONNECTION,
            CONTENT_LENGTH,
            CONTENT_TYPE,
            HOST,
            TE,
            TRANSFER_ENCODING,
        ];
        if ours.contains(&said) {
            return Err(format!("`{name}` is for the proxy to say"));
        }
        let value = decoded(value.trim()).and_then(|bytes| HeaderValue::try_from(bytes).ok());
        let mut value = value.ok_or_else(|| format!("`{name}` has a value that no header has"))?;
        value.set_sensitive(true);
        Ok((said, value))
    };
    pairs.map(pair).collect()
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            byte => byte,
        });
    }
    Some(decoded)
}

fn flag(value: &str) -> Result<bool, String> {
    match value.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("expected `true` or `false`".to_owned()),
    }
}

/// In milliseconds.
fn timeout(value: &str) -> Result<Duration, String> {
    let millis: Option<u64> = value.parse().ok().filter(|millis| *millis > 0);
    let millis = millis.ok_or_else(|| "expected milliseconds, at least 1".to_owned())?;
    Ok(Duration::from_millis(millis).min(LONGEST))
}

#[cfg(test)]
mod tests;
