//! Variables of OpenTelemetry in the environment of a proxy say where its telemetry goes, and how, as far as a document lets them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

use mesh_tests::{Authority, Collector, Delivered, Identity, Mesh, Names, Options};

const SECRET: &str = "a-token-of-a-tenant";

/// A server by the name of `localhost`, for clients of this authority.
fn config(authority: &Authority) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_slice(authority.certificate.as_bytes());
    roots.add(certificate.expect("PEM")).expect("an authority");
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
    let own = named(authority, "localhost");
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_client_cert_verifier(verifier.build().expect("a verifier"))
        .with_single_cert(own.chain, own.key)
        .expect("a certificate")
}

fn named(authority: &Authority, name: &str) -> Identity {
    authority.issue(&Names {
        dns: &[name],
        ..Names::default()
    })
}

fn pem(directory: &Path, name: &str, kind: &str, der: &[u8]) -> PathBuf {
    let text = STANDARD.encode(der);
    let text = format!("-----BEGIN {kind}-----\n{text}\n-----END {kind}-----\n");
    let file = directory.join(name);
    std::fs::write(&file, text).expect("a file");
    file
}

/// Where telemetry goes by the document: access logs of web, and spans of everybody.
async fn tell(mesh: &Mesh, place: SocketAddr, env: &str) {
    let to = "{type: OpenTelemetry, openTelemetry: {backendRef: {kind: MeshOpenTelemetryBackend, labels: {telemetry: main}}}}";
    let documents = format!(
        "type: MeshOpenTelemetryBackend\nmesh: default\nname: collector\nlabels: {{telemetry: main}}\nspec: {{endpoint: {{address: {}, port: {}}}, env: {env}}}\n---\ntype: MeshTrace\nmesh: default\nname: traces\nspec: {{default: {{backends: [{to}]}}}}\n---\ntype: MeshAccessLog\nmesh: default\nname: logs\nspec: {{targetRef: {{kind: Dataplane, labels: {{app: web}}}}, to: [{{targetRef: {{kind: Mesh}}, default: {{backends: [{to}]}}}}]}}\n",
        place.ip(),
        place.port()
    );
    mesh.commit("collector.yaml", &documents).await;
}

/// What comes of the next request.
async fn telemetry(mesh: &Mesh, collector: &Collector) -> Vec<Delivered> {
    let before = collector.count();
    let answer = mesh.client("web-1", "api").get("/orders").await;
    assert_eq!(answer.status, 200);
    let some = |all: &[Delivered], part: &str| {
        let new = all.get(before..).unwrap_or_default();
        new.iter()
            .any(|sent| sent.path.to_lowercase().contains(part))
    };
    let all = collector
        .delivered("spans and records", |all| {
            some(all, "trace") && some(all, "logs")
        })
        .await;
    all.get(before..).unwrap_or_default().to_vec()
}

#[tokio::test]
async fn telemetry_goes_where_the_environment_says_as_far_as_it_may() {
    let authority = Authority::new("collectors.example");
    let client = named(&authority, "web.example");
    let options = Options::from_example("shop").with(|repo| repo.remove("api/canary.yaml"));
    let mesh = options.only(&["web-1", "api-1"]).start_meshd().await;
    mesh.start_workloads().await;

    let secure = Collector::over_tls(([127, 0, 0, 1], 0).into(), config(&authority)).await;
    let plain = Collector::start(SocketAddr::new(mesh.inbound("api-1").ip(), 0)).await;
    let directory = mesh.directory();
    let ca = directory.join("ca.pem");
    std::fs::write(&ca, &authority.certificate).expect("a file");
    let chain = pem(directory, "chain.pem", "CERTIFICATE", &client.chain[0]);
    let key = pem(directory, "key.pem", "PRIVATE KEY", client.key.secret_der());
    let endpoint = format!("https://localhost:{}", secure.address().port());
    let text = |path: &PathBuf| path.to_string_lossy().into_owned();
    let (ca, chain, key) = (text(&ca), text(&chain), text(&key));
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", &*ca),
        ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", &*chain),
        ("OTEL_EXPORTER_OTLP_CLIENT_KEY", &*key),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            &*format!("authorization=Bearer%20{SECRET}"),
        ),
        ("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
    ];
    mesh.start_proxies_as(|proxy| proxy.knowing(&variables))
        .await;

    // With no word about it, the environment wins.
    tell(&mesh, plain.address(), "{}").await;
    let sent = telemetry(&mesh, &secure).await;
    assert_eq!(plain.count(), 0);
    for sent in &sent {
        let authorization = sent.headers["authorization"].to_str().expect("a text");
        assert_eq!(authorization, format!("Bearer {SECRET}"));
        let expected = match &*sent.path {
            "/v1/logs" => "application/x-protobuf",
            "/opentelemetry.proto.collector.trace.v1.TraceService/Export" => "application/grpc",
            other => panic!("{other}"),
        };
        assert_eq!(sent.headers["content-type"], expected);
    }

    // What is not done is told.
    for name in ["web-1", "api-1"] {
        let log = mesh.proxy(name).log();
        let said = "a variable of the environment does nothing";
        let line = log.wait(0, said, |_| true).await;
        let variable = line.field("variable");
        assert_eq!(variable, "OTEL_EXPORTER_OTLP_COMPRESSION", "{line}");
    }

    // A document may hear nothing of it.
    tell(&mesh, plain.address(), "{mode: Disabled}").await;
    let sent = telemetry(&mesh, &plain).await;
    for sent in &sent {
        assert!(sent.headers.get("authorization").is_none(), "{sent:?}");
        assert_eq!(sent.headers["content-type"], "application/grpc");
    }
    for name in ["web-1", "api-1"] {
        let log = mesh.proxy(name).log().to_string();
        assert!(!log.contains(SECRET), "{log}");
    }
}

#[tokio::test]
async fn nothing_is_sent_where_variables_are_required_and_none_is_set() {
    let options = Options::from_example("shop").with(|repo| repo.remove("api/canary.yaml"));
    let mesh = options.only(&["web-1", "api-1"]).start().await;
    let collector = Collector::start(SocketAddr::new(mesh.inbound("api-1").ip(), 0)).await;
    tell(&mesh, collector.address(), "{mode: Required}").await;
    let line = mesh
        .proxy("web-1")
        .log()
        .wait(0, "telemetry is not sent", |line| {
            line.field("signal") == "logs"
        })
        .await;
    let why = line.field("why");
    assert!(why.contains("requires OTEL_EXPORTER_OTLP_"), "{line}");
    let answer = mesh.client("web-1", "api").get("/orders").await;
    assert_eq!(answer.status, 200);
    // What ends has sent everything that it had.
    for name in ["web-1", "api-1"] {
        let process = mesh.proxy(name).process();
        process.terminate();
        assert!(process.exited().await.success(), "{}", process.log());
    }
    assert_eq!(collector.count(), 0);
}
