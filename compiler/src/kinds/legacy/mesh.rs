//! What a Mesh once held, and now is a resource of its own (language 8.2).
//!
//! Never more than one form a field: the field as a whole moved.

use super::{Form, Forms, Place};
use crate::yaml;

/// The forms of a Mesh.
pub(super) fn find(mesh: &Place<'_>, forms: &mut Forms) {
    type Help = fn(&Place<'_>) -> String;
    let fields: [(&str, Help); 8] = [
        ("mtls", mtls),
        ("tracing", tracing),
        ("logging", logging),
        ("metrics", metrics),
        ("networking", networking),
        ("routing", routing),
        ("constraints", |_| {
            "remove it: who may join is said by tokens, and what may stand in a repository by its reviews".to_owned()
        }),
        ("meshServices", |_| {
            "remove it: MeshServices are always used, and nothing else is".to_owned()
        }),
    ];
    for (name, help) in fields {
        if let Some(field) = mesh.field(name) {
            let help = help(&field);
            forms.add(Form::field(field.at, name, help));
        }
    }
}

/// The backend that was in use: the one that is named, or the only one.
fn enabled<'a>(field: &Place<'a>, name: &str) -> Option<Place<'a>> {
    let backends = field.items("backends");
    let wanted = field.text(name);
    let named = backends
        .iter()
        .find(|backend| backend.text("name") == wanted);
    named.or(backends.first()).cloned()
}

fn mtls(mtls: &Place<'_>) -> String {
    let backend = enabled(mtls, "enabledBackend");
    let text = |name: &str| backend.as_ref().and_then(|backend| backend.text(name));
    let provider = match text("type") {
        Some("provided") => "bundled: {ca: {certificate: …, privateKey: …}}",
        Some(other) if other != "builtin" => {
            return format!(
                "nothing takes the place of `{other}` yet: use a MeshIdentity with the provider `Bundled` and a CA of its own, or `Spire`"
            );
        }
        _ => "bundled: {insecureAllowSelfSigned: true, autogenerate: {enabled: true}}",
    };
    let expiry = backend.as_ref().and_then(|backend| {
        let rotation = backend.path(&["dpCert", "rotation"])?;
        rotation.text("expiration")
    });
    let provider = match expiry {
        Some(expiry) => {
            let bundled = provider.strip_suffix('}').unwrap_or(provider);
            format!(
                "{bundled}, certificateParameters: {{expiry: {}}}}}",
                yaml::scalar(expiry)
            )
        }
        None => provider.to_owned(),
    };
    let mode = match text("mode") {
        Some(mode) if mode.eq_ignore_ascii_case("PERMISSIVE") => "Permissive",
        _ => "Strict",
    };
    format!(
        "use a MeshIdentity with `provider: {{type: Bundled, {provider}}}`, and a MeshTLS with `rules: [{{default: {{mode: {mode}}}}}]`; SPIFFE IDs change"
    )
}

fn tracing(tracing: &Place<'_>) -> String {
    let Some(backend) = enabled(tracing, "defaultBackend") else {
        return "use a MeshTrace".to_owned();
    };
    let conf = backend.field("conf");
    let conf = |name: &str| conf.as_ref().and_then(|conf| conf.scalar(name));
    let written = match backend.text("type") {
        Some("zipkin") => {
            let url = conf("url").unwrap_or_else(|| "<url>".to_owned());
            format!("{{type: Zipkin, zipkin: {{url: {}}}}}", yaml::scalar(&url))
        }
        Some("datadog") => {
            let address = conf("address").unwrap_or_else(|| "<address>".to_owned());
            let port = conf("port").unwrap_or_else(|| "8126".to_owned());
            let url = format!("http://{address}:{port}");
            format!(
                "{{type: Datadog, datadog: {{url: {}}}}}",
                yaml::scalar(&url)
            )
        }
        _ => "…".to_owned(),
    };
    let sampling = backend.scalar("sampling");
    let sampling = sampling.map_or_else(String::new, |value| {
        format!(", sampling: {{overall: {value}}}")
    });
    format!("use a MeshTrace with `default: {{backends: [{written}]{sampling}}}`")
}

fn logging(logging: &Place<'_>) -> String {
    let Some(backend) = enabled(logging, "defaultBackend") else {
        return "use a MeshAccessLog".to_owned();
    };
    let conf = backend.field("conf");
    let conf = |name: &str| conf.as_ref().and_then(|conf| conf.text(name));
    let written = match backend.text("type") {
        Some("file") => {
            let path = conf("path").unwrap_or("/dev/stdout");
            format!("{{type: File, file: {{path: {}}}}}", yaml::scalar(path))
        }
        Some("tcp") => {
            let address = conf("address").unwrap_or("<address>:<port>");
            format!("{{type: Tcp, tcp: {{address: {}}}}}", yaml::scalar(address))
        }
        _ => "…".to_owned(),
    };
    format!(
        "use a MeshAccessLog with `to: [{{targetRef: {{kind: Mesh}}, default: {{backends: [{written}]}}}}]`"
    )
}

fn metrics(metrics: &Place<'_>) -> String {
    let conf = enabled(metrics, "enabledBackend").and_then(|backend| backend.field("conf"));
    let conf = |name: &str| conf.as_ref().and_then(|conf| conf.scalar(name));
    let set = ["port", "path"]
        .into_iter()
        .filter_map(|name| Some((name, conf(name)?)));
    let set: Vec<String> = set
        .map(|(name, value)| match name {
            "path" => format!("path: {}", yaml::scalar(&value)),
            _ => format!("{name}: {value}"),
        })
        .collect();
    let prometheus = set.join(", ");
    format!(
        "use a MeshMetric with `default: {{backends: [{{type: Prometheus, prometheus: {{{prometheus}}}}}]}}`"
    )
}

fn networking(networking: &Place<'_>) -> String {
    let outbound = networking.field("outbound");
    let passthrough = outbound.and_then(|outbound| outbound.scalar("passthrough"));
    match passthrough.as_deref() {
        Some("false") => "use a MeshPassthrough with `default: {passthroughMode: None}`".to_owned(),
        _ => "remove it: everything passes through by default, a MeshPassthrough changes that"
            .to_owned(),
    }
}

fn routing(routing: &Place<'_>) -> String {
    match routing.scalar("localityAwareLoadBalancing").as_deref() {
        Some("false") => {
            "use a MeshLoadBalancingStrategy with `to: [{targetRef: {kind: Mesh}, default: {localityAwareness: {disabled: true}}}]`".to_owned()
        }
        _ => "remove it: traffic stays in its zone by default, a MeshLoadBalancingStrategy changes that".to_owned(),
    }
}
