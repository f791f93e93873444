//! Secrets for servers outside of the mesh reach the proxies that need them, and nobody else.

use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mesh_tests::{Authority, Identity, Mesh, Names, Options, within};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

const NAME: &str = "partner.example";

fn config(authority: &Authority) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_slice(authority.certificate.as_bytes());
    roots.add(certificate.unwrap()).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
    let names = Names {
        dns: &[NAME],
        ..Names::default()
    };
    let own = authority.issue(&names);
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(own.chain, own.key)
        .unwrap()
}

/// A server that asks its clients for certificates of this authority, and then says one thing.
async fn partner(authority: &Authority) -> SocketAddr {
    let acceptor = TlsAcceptor::from(Arc::new(config(authority)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut tls) = acceptor.accept(tcp).await else {
                    return;
                };
                let mut asked = [0; 4096];
                // The head of a request is smaller, and comes in one piece.
                let _ = tls.read(&mut asked).await;
                let answer =
                    b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\nconnection: close\r\n\r\npartner";
                let _ = tls.write_all(answer).await;
                let _ = tls.shutdown().await;
            });
        }
    });
    address
}

fn pem(kind: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    format!("-----BEGIN {kind}-----\n{text}\n-----END {kind}-----\n")
}

fn secret(name: &str, value: &str) -> String {
    let data = STANDARD.encode(value);
    format!("type: Secret\nmesh: default\nname: {name}\ndata: {data}\n")
}

/// Documents of the secrets that the client proves itself with.
fn secrets(authority: &Authority, client: &Identity) -> String {
    [
        secret("partner-ca", &authority.certificate),
        secret("our-cert", &pem("CERTIFICATE", &client.chain[0])),
        secret("our-key", &pem("PRIVATE KEY", client.key.secret_der())),
    ]
    .join("---\n")
}

async fn shop(partner: SocketAddr, secrets: &str) -> Mesh {
    let service = format!(
        "type: MeshExternalService\nmesh: default\nname: partner\nspec:\n  match: {{port: 80, protocol: http}}\n  endpoints: [{{address: {}, port: {}}}]\n  tls:\n    enabled: true\n    verification:\n      serverName: {NAME}\n      caCert: {{type: Secret, secretRef: {{kind: Secret, name: partner-ca}}}}\n      clientCert: {{type: Secret, secretRef: {{kind: Secret, name: our-cert}}}}\n      clientKey: {{type: Secret, secretRef: {{kind: Secret, name: our-key}}}}\n",
        partner.ip(),
        partner.port()
    );
    let secrets = secrets.to_owned();
    let options = Options::from_example("shop").with(move |repo| {
        let service_file = repo.path().join("web/partner.yaml");
        // As it is: the partner stands in no block of addresses.
        std::fs::write(service_file, service).unwrap();
        repo.write("web/secrets.yaml", &secrets);
        let web = repo.read("web/dataplane.yaml");
        let outbound = "    - address: 127.0.0.11\n      port: 15443\n      backendRef:\n        kind: MeshExternalService\n        name: partner\n        port: 80\n";
        repo.write("web/dataplane.yaml", &format!("{}\n{outbound}", web.trim_end()));
    });
    options.only(&["web-1", "api-1"]).start().await
}

#[tokio::test]
async fn a_client_certificate_reaches_the_proxy_that_needs_it() {
    let authority = Authority::new("partner.example");
    let client = |authority: &Authority| {
        authority.issue(&Names {
            dns: &["web.example"],
            ..Names::default()
        })
    };
    let own = client(&authority);
    let partner = partner(&authority).await;
    let mesh = shop(partner, &secrets(&authority, &own)).await;
    let ask = mesh.client("web-1", "partner");
    let answer = ask.get("/").await;
    assert_eq!((answer.status, answer.text()), (200, "partner"));

    // It outlives meshd, and a restart of the proxy.
    mesh.meshd().kill().await;
    mesh.proxy("web-1").kill().await;
    mesh.proxy("web-1").start().await;
    assert_eq!(ask.get("/").await.text(), "partner");

    // Nobody else has it: no other proxy, no bundle, no log.
    let key = STANDARD.encode(own.key.secret_der());
    let holds = |text: &str| {
        text.contains(&key)
            || text.contains(&STANDARD.encode(pem("PRIVATE KEY", own.key.secret_der())))
    };
    for (name, expected) in [("web-1", true), ("api-1", false)] {
        let mut found = false;
        for file in std::fs::read_dir(mesh.directory().join(name)).unwrap() {
            let path = file.unwrap().path();
            found |= std::fs::read_to_string(path).is_ok_and(|text| holds(&text));
        }
        assert_eq!(found, expected, "{name}");
    }
    let bundle = mesh.built().await;
    assert!(!holds(&String::from_utf8_lossy(&bundle.encode().unwrap())));
    for proxy in mesh.proxies() {
        assert!(!holds(&proxy.config().await.to_string()));
        assert!(!proxy.log().texts().iter().any(|text| holds(text)));
    }

    // A secret that does not fit is noticed at the next connection; the right one too, without another change.
    mesh.meshd().start().await;
    let stranger = Authority::new("stranger.example");
    for (given, status) in [(client(&stranger), 503), (client(&authority), 200)] {
        mesh.commit("web/secrets.yaml", &secrets(&authority, &given))
            .await;
        within("the secret counts", async {
            while ask.get("/").await.status != status {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}
