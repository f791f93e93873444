//! Backends of a Mesh: certificate authorities, traces, logs and metrics (language 8.2).
//!
//! Never repeats a private key: one that stands in the document has to become a secret first, and that is for people.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value, json};

use super::{Moved, Place};

const NOT_NAMED: &str = "it does not say which backend is meant";

/// The backend that was in use: the one that is named, or the only one.
fn enabled<'a>(field: &Place<'a>, name: &str) -> Option<Place<'a>> {
    let backends = field.items("backends");
    match (field.text(name), backends.as_slice()) {
        (None | Some(""), [only]) => Some(only.clone()),
        (None | Some(""), _) => None,
        (wanted, _) => {
            let mut backends = backends.iter();
            backends
                .find(|backend| backend.text("name") == wanted)
                .cloned()
        }
    }
}

/// Is one of them switched on? Those of certificate authorities and metrics have to be.
fn is_on(field: &Place<'_>) -> bool {
    field
        .text("enabledBackend")
        .is_some_and(|name| !name.is_empty())
}

const OFF: Moved = Moved::Away {
    why: "no backend is enabled, so it had no effect",
    same: false,
};

/// What was said by a number, as one.
fn number(place: &Place<'_>, name: &str) -> Option<Value> {
    let written = place.scalar(name)?;
    Some(match written.parse::<f64>() {
        Ok(value) if value.fract() == 0.0 && value.abs() < 1e9 => {
            // Whole, and small.
            #[expect(clippy::cast_possible_truncation, reason = "checked above")]
            let whole = value as i64;
            whole.into()
        }
        _ => written.into(),
    })
}

pub(super) fn mtls(mtls: &Place<'_>) -> Moved {
    if !is_on(mtls) {
        return OFF;
    }
    let Some(backend) = enabled(mtls, "enabledBackend") else {
        let help =
            "use a MeshIdentity with `provider: {type: Bundled, bundled: {…}}`, and a MeshTLS";
        return Moved::Open(help.to_owned(), NOT_NAMED);
    };
    let mut bundled = Map::from_iter([("insecureAllowSelfSigned".to_owned(), true.into())]);
    match backend.text("type") {
        Some("provided") => {
            let conf = backend.field("conf");
            let source = |name: &str| conf.as_ref().and_then(|conf| conf.field(name));
            let (certificate, key) = (source("cert"), source("key"));
            let (Some(certificate), Some(key)) = (
                certificate.and_then(|source| data_source(&source, true)),
                key.and_then(|source| data_source(&source, false)),
            ) else {
                let help = "use a MeshIdentity with `provider: {type: Bundled, bundled: {ca: {certificate: …, privateKey: …}}}`, and a MeshTLS";
                let why = "the private key has to become a secret of meshd, which is then referred to by its name";
                return Moved::Open(help.to_owned(), why);
            };
            let ca = json!({ "certificate": certificate, "privateKey": key });
            bundled.insert("ca".to_owned(), ca);
        }
        Some("builtin") => {
            bundled.insert("autogenerate".to_owned(), json!({ "enabled": true }));
        }
        other => {
            let other = other.unwrap_or_default();
            let help = format!(
                "nothing takes the place of `{other}` yet: use a MeshIdentity with the provider `Bundled` and a CA of its own, or `Spire`"
            );
            return Moved::Open(
                help,
                "which of them depends on where your certificates come from",
            );
        }
    }
    let rotation = backend.path(&["dpCert", "rotation"]);
    if let Some(expiry) = rotation.and_then(|rotation| rotation.scalar("expiration")) {
        let parameters = json!({ "expiry": in_hours(&expiry) });
        bundled.insert("certificateParameters".to_owned(), parameters);
    }
    let mode = match backend.text("mode") {
        Some(mode) if mode.eq_ignore_ascii_case("PERMISSIVE") => "Permissive",
        _ => "Strict",
    };
    let identity = json!({
        "selector": { "dataplane": { "matchLabels": {} } },
        "provider": { "type": "Bundled", "bundled": bundled },
    });
    let tls = json!({ "rules": [{ "default": { "mode": mode } }] });
    Moved::To {
        documents: vec![("MeshIdentity", identity), ("MeshTLS", tls)],
        and: "; SPIFFE IDs change",
    }
}

/// Durations had days once.
fn in_hours(text: &str) -> String {
    let days = text.strip_suffix('d').map(str::parse::<u32>);
    match days {
        Some(Ok(days)) => format!("{}h", u64::from(days) * 24),
        _ => text.to_owned(),
    }
}

/// Where a certificate or a key comes from; `public` where it may be repeated.
fn data_source(source: &Place<'_>, public: bool) -> Option<Value> {
    if let Some(name) = source.text("secret") {
        return Some(json!({ "type": "Secret", "secretRef": { "kind": "Secret", "name": name } }));
    }
    if let Some(path) = source.text("file") {
        return Some(json!({ "type": "File", "file": { "path": path } }));
    }
    let inline = source.text("inline").and_then(|encoded| {
        let bytes = BASE64.decode(encoded.trim()).ok()?;
        String::from_utf8(bytes).ok()
    });
    let value = inline.or_else(|| source.text("inlineString").map(str::to_owned))?;
    let inline = json!({ "type": "InsecureInline", "insecureInline": { "value": value } });
    public.then_some(inline)
}

pub(super) fn tracing(tracing: &Place<'_>) -> Moved {
    let Some(backend) = enabled(tracing, "defaultBackend") else {
        return Moved::Open("use a MeshTrace".to_owned(), NOT_NAMED);
    };
    let conf = backend.field("conf");
    let conf = |name: &str| conf.as_ref().and_then(|conf| conf.scalar(name));
    let written = match (backend.text("type"), conf("url"), conf("address")) {
        (Some("zipkin"), Some(url), _) => {
            let mut zipkin = Map::from_iter([("url".to_owned(), url.into())]);
            for name in ["traceId128bit", "sharedSpanContext"] {
                let set = conf(name).and_then(|value| value.parse::<bool>().ok());
                zipkin.extend(set.map(|value| (name.to_owned(), value.into())));
            }
            let version = conf("apiVersion").map(|value| ("apiVersion".to_owned(), value.into()));
            zipkin.extend(version);
            json!({ "type": "Zipkin", "zipkin": zipkin })
        }
        (Some("datadog"), _, Some(address)) => {
            let port = conf("port").unwrap_or_else(|| "8126".to_owned());
            let url = format!("http://{address}:{port}");
            json!({ "type": "Datadog", "datadog": { "url": url } })
        }
        _ => {
            let help = "use a MeshTrace with `default: {backends: […]}`";
            return Moved::Open(help.to_owned(), "the backend does not say where it is");
        }
    };
    let mut conf = Map::from_iter([("backends".to_owned(), json!([written]))]);
    if let Some(sampling) = number(&backend, "sampling") {
        conf.insert("sampling".to_owned(), json!({ "overall": sampling }));
    }
    Moved::To {
        documents: vec![("MeshTrace", json!({ "default": conf }))],
        and: "",
    }
}

pub(super) fn logging(logging: &Place<'_>) -> Moved {
    let Some(backend) = enabled(logging, "defaultBackend") else {
        return Moved::Open("use a MeshAccessLog".to_owned(), NOT_NAMED);
    };
    let conf = backend.field("conf");
    let conf = |name: &str| conf.as_ref().and_then(|conf| conf.text(name));
    let (member, kind, mut written) = match backend.text("type") {
        Some("tcp") => (
            "tcp",
            "Tcp",
            conf("address").map(|at| json!({ "address": at })),
        ),
        _ => ("file", "File", conf("path").map(|at| json!({ "path": at }))),
    };
    if let (Some(Value::Object(written)), Some(format)) = (&mut written, backend.text("format")) {
        let format = json!({ "type": "Plain", "plain": format });
        written.insert("format".to_owned(), format);
    }
    let Some(written) = written else {
        let help =
            "use a MeshAccessLog with `to: [{targetRef: {kind: Mesh}, default: {backends: […]}}]`";
        return Moved::Open(help.to_owned(), "the backend does not say where it is");
    };
    let backend = json!({ "type": kind, member: written });
    let to = json!([{ "targetRef": { "kind": "Mesh" }, "default": { "backends": [backend] } }]);
    Moved::To {
        documents: vec![("MeshAccessLog", json!({ "to": to }))],
        and: "",
    }
}

pub(super) fn metrics(metrics: &Place<'_>) -> Moved {
    if !is_on(metrics) {
        return OFF;
    }
    let Some(backend) = enabled(metrics, "enabledBackend") else {
        return Moved::Open("use a MeshMetric".to_owned(), NOT_NAMED);
    };
    let mut made = Map::new();
    let mut prometheus = Map::new();
    if let Some(conf) = backend.field("conf") {
        prometheus.extend(number(&conf, "port").map(|port| ("port".to_owned(), port)));
        let path = conf
            .text("path")
            .map(|path| ("path".to_owned(), path.into()));
        prometheus.extend(path);
        if let Some(mode) = tls_mode(&conf) {
            prometheus.insert("tls".to_owned(), json!({ "mode": mode }));
        }
        made.extend(applications(&conf).map(|list| ("applications".to_owned(), list)));
        made.extend(sidecar(&conf).map(|sidecar| ("sidecar".to_owned(), sidecar)));
    }
    let backend = json!({ "type": "Prometheus", "prometheus": prometheus });
    made.insert("backends".to_owned(), json!([backend]));
    Moved::To {
        documents: vec![("MeshMetric", json!({ "default": made }))],
        and: "",
    }
}

fn tls_mode(conf: &Place<'_>) -> Option<String> {
    let mode = conf.field("tls").and_then(|tls| tls.text("mode"));
    match (mode, conf.scalar("skipMTLS").as_deref()) {
        (Some(mode), _) => {
            // `activeMTLSBackend` begins with a capital now.
            let (first, rest) = mode.split_at_checked(1)?;
            Some(format!("{}{rest}", first.to_ascii_uppercase()))
        }
        (None, Some("false")) => Some("ActiveMTLSBackend".to_owned()),
        (None, _) => None,
    }
}

/// What the metrics of the proxy were joined with.
fn applications(conf: &Place<'_>) -> Option<Value> {
    let listed = conf.items("aggregate");
    let on = listed
        .iter()
        .filter(|one| one.scalar("enabled").as_deref() != Some("false"));
    let one = |place: &Place<'_>| {
        let texts = ["name", "path", "address"].into_iter();
        let texts = texts.filter_map(|name| Some((name.to_owned(), place.text(name)?.into())));
        let port = number(place, "port").map(|port| ("port".to_owned(), port));
        Value::Object(texts.chain(port).collect())
    };
    let made: Vec<Value> = on.map(one).collect();
    (!made.is_empty()).then_some(Value::Array(made))
}

fn sidecar(conf: &Place<'_>) -> Option<Value> {
    let envoy = conf.field("envoy")?;
    let mut made = Map::new();
    if let Some(pattern) = envoy.text("filterRegex").filter(|text| !text.is_empty()) {
        let include = json!([{ "type": "Regex", "match": pattern }]);
        made.insert("profiles".to_owned(), json!({ "include": include }));
    }
    if let Some(used) = envoy.scalar("usedOnly") {
        made.insert("includeUnused".to_owned(), (used != "true").into());
    }
    (!made.is_empty()).then_some(Value::Object(made))
}
