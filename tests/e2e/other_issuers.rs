//! Proxies that have no join token of meshd, but a token of their platform.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mesh_bundle::Digest;
use mesh_tests::{Mesh, Options, Proxy};
use serde_json::{Value, json};
use x509_parser::pem::parse_x509_pem;

/// An issuer of tokens, whose public key lies in a file.
struct Platform {
    directory: tempfile::TempDir,
    pair: EcdsaKeyPair,
}

impl Platform {
    fn new() -> Self {
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref()).unwrap();
        let point = pair.public_key().as_ref();
        let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let key = json!({
            "kty": "EC", "crv": "P-256", "use": "sig", "kid": "one",
            "x": part(&point[1..33]), "y": part(&point[33..]),
        });
        let directory = tempfile::tempdir().unwrap();
        let keys = json!({ "keys": [key] }).to_string();
        std::fs::write(directory.path().join("keys.json"), keys).unwrap();
        let settings = "[[identity.issuer]]\nname = \"cluster\"\nissuer = \"https://cluster.example\"\naudience = \"meshd\"\n\
                        jwks-file = \"keys.json\"\n\n[[identity.issuer.allow]]\nmesh = \"default\"\n\
                        claims = { \"/kubernetes.io/namespace\" = \"shop\" }\n\
                        workload-claim = \"/kubernetes.io/serviceaccount/name\"\n";
        std::fs::write(directory.path().join("meshd.toml"), settings).unwrap();
        Self { directory, pair }
    }

    fn settings(&self) -> String {
        self.directory
            .path()
            .join("meshd.toml")
            .display()
            .to_string()
    }

    /// A projected token of a service account.
    fn token(&self, account: &str, audience: &str, file: &Path) {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs();
        let claims = json!({
            "iss": "https://cluster.example", "aud": [audience], "exp": now + 3_600, "nbf": now - 5,
            "sub": format!("system:serviceaccount:shop:{account}"),
            "kubernetes.io": { "namespace": "shop", "serviceaccount": { "name": account } },
        });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let said = format!(
            "{}.{}",
            part(&json!({ "alg": "ES256", "kid": "one" })),
            part(&claims)
        );
        let signature = self
            .pair
            .sign(&SystemRandom::new(), said.as_bytes())
            .unwrap();
        let token = format!("{said}.{}\n", URL_SAFE_NO_PAD.encode(signature.as_ref()));
        std::fs::write(file, token).unwrap();
    }
}

async fn mesh(platform: &Platform) -> Mesh {
    let settings = platform.settings();
    Options::from_example("shop")
        .meshd(&["--config", &settings])
        .start_meshd()
        .await
}

/// What `meshd ca --pin` shows.
fn pin(mesh: &Mesh) -> String {
    let text = std::fs::read(mesh.meshd().state().join("ca/control.pem")).unwrap();
    let at = text
        .windows(27)
        .position(|it| it == b"-----BEGIN CERTIFICATE-----")
        .unwrap();
    let (_, pem) = parse_x509_pem(&text[at..]).unwrap();
    Digest::of(pem.parse_x509().unwrap().public_key().raw).to_string()
}

fn proxy(mesh: &Mesh, dataplane: &str, token: &Path, pin: &str) -> Proxy {
    let meshd = mesh.meshd().delivery().to_string();
    let state = mesh.directory().join(pin.replace(':', "-"));
    Proxy::new(dataplane, &meshd, token, &state).with(&[
        "--dataplane",
        dataplane,
        "--meshd-pin",
        pin,
    ])
}

#[tokio::test]
async fn a_service_account_is_the_proof_of_its_workload() {
    let platform = Platform::new();
    let mesh = mesh(&platform).await;
    let token = mesh.directory().join("projected");
    let pin = pin(&mesh);
    let meshd = mesh.meshd().process().log().clone();
    // Another workload, another audience: refused, and nothing of the token is in a log.
    for (account, audience, expected) in [
        ("api", "meshd", "is of another"),
        ("web", "somebody-else", "another audience"),
        ("web/../api", "meshd", "no rule"),
    ] {
        platform.token(account, audience, &token);
        let mark = meshd.mark();
        let refused = proxy(&mesh, "web-1", &token, &pin).launch();
        let line = meshd.says(mark, "refused", &[]).await;
        assert!(line.field("reason").contains(expected), "{line}");
        assert!(!refused.exited().await.success());
        let secret = std::fs::read_to_string(&token).unwrap();
        let signature = secret.trim().rsplit_once('.').unwrap().1;
        let logs = format!("{meshd}{}", refused.log());
        assert!(!logs.contains(signature));
    }
    platform.token("web", "meshd", &token);
    let good = proxy(&mesh, "web-1", &token, &pin);
    good.start().await;
    let enrolled = |line: &mesh_tests::Line| line.field("proxy").contains("web-1");
    meshd.wait(0, "proxy enrolled", enrolled).await;
    // A meshd that holds another key is not shown the token.
    let wrong = Digest::of(b"another key").to_string();
    let process = proxy(&mesh, "web-1", &token, &wrong).launch();
    let line = process.log().find(0, "that it does not trust it", |line| {
        line.level() != "INFO"
    });
    assert!(!line.await.field("reason").is_empty());
}
