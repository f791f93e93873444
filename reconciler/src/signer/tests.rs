//! A stand-in that implements what is asked of Vault, over TLS, and everything that it may answer wrongly.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

use mesh_bundle::Instance;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use super::*;
use crate::ca::{CertificateAuthority, Name, open_control, pem, probe};
use crate::state::StateDir;

const ID: &str = "spiffe://shop.default.mesh.local/workload/web";
const HOUR: Duration = Duration::from_secs(3_600);

/// How the stand-in answers.
#[derive(Debug, Clone, Default)]
struct Rules {
    /// Instead of signing: status and body.
    fails: Option<(u16, String)>,
    /// Signs this name instead.
    name: Option<&'static str>,
    /// Signs for this long instead.
    lifetime: Option<Duration>,
    /// Signs another key.
    other_key: bool,
    /// By another authority.
    stranger: bool,
    /// No token is good that was given out before.
    expired: bool,
}

struct Standin {
    authority: Arc<CertificateAuthority>,
    stranger: CertificateAuthority,
    rules: Mutex<Rules>,
    logins: Mutex<usize>,
    /// The paths and tokens that were seen.
    seen: Mutex<Vec<String>>,
}

struct Vaulted {
    directory: tempfile::TempDir,
    standin: Arc<Standin>,
    port: u16,
}

impl Vaulted {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let authority = |name: &str| {
            let state = StateDir::open(&directory.path().join(name)).unwrap();
            open_control(&state, now()).unwrap()
        };
        let authority = (Arc::new(authority("ours")), authority("theirs"));
        let web = authority.1.issue_own("localhost", HOUR, now()).unwrap();
        let ca = pem(authority.1.anchor().unwrap());
        let write = |name: &str, text: &str| {
            std::fs::write(directory.path().join(name), text).unwrap();
        };
        write("ca.pem", &ca);
        write("token", "s.fixed\n");
        write("role-id", "role\n");
        write("secret-id", "secret\n");
        let tls = ServerConfig::builder_with_provider(crate::tls::provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(web.0.chain, web.1)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let standin = Arc::new(Standin {
            authority: authority.0,
            stranger: authority.1,
            rules: Mutex::default(),
            logins: Mutex::new(0),
            seen: Mutex::default(),
        });
        let (serving, tls) = (Arc::clone(&standin), Arc::new(tls));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let connection = ServerConnection::new(Arc::clone(&tls)).unwrap();
                // Who does not trust the certificate goes away.
                drop(serving.serve(StreamOwned::new(connection, stream.unwrap())));
            }
        });
        Self {
            directory,
            standin,
            port,
        }
    }

    fn settings(&self, auth: &str) -> Vec<Settings> {
        #[derive(serde::Deserialize)]
        struct Written {
            signer: Vec<Settings>,
        }
        let place = |name: &str| self.directory.path().join(name).display().to_string();
        let auth = match auth {
            "token" => format!("token-file = \"{}\"", place("token")),
            _ => format!(
                "[signer.vault.approle]\nrole-id-file = \"{}\"\nsecret-id-file = \"{}\"\n",
                place("role-id"),
                place("secret-id")
            ),
        };
        let text = format!(
            "[[signer]]\nmesh = \"shop\"\nidentity = \"identity\"\n[signer.vault]\naddress = \"https://localhost:{}\"\n\
             mount = \"pki/mesh\"\nrole = \"proxies\"\nnamespace = \"team\"\nca = \"{}\"\n{auth}\n",
            self.port,
            place("ca.pem")
        );
        toml::from_str::<Written>(&text).unwrap().signer
    }

    async fn signer(&self, auth: &str) -> Arc<Elsewhere> {
        let signers = Signers::new(&self.settings(auth)).unwrap();
        signers.look().await;
        let kri: Kri = "kri_mid_shop_default__identity_".parse().unwrap();
        Arc::clone(signers.of(&kri).unwrap())
    }

    fn rule(&self, rules: Rules) {
        *self.standin.rules.lock().unwrap() = rules;
    }
}

impl Standin {
    fn serve(&self, mut stream: StreamOwned<ServerConnection, TcpStream>) -> std::io::Result<()> {
        let mut reader = BufReader::new(&mut stream);
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            if line.trim().is_empty() {
                break;
            }
            head.push(line.trim().to_ascii_lowercase());
        }
        let header = |name: &str| {
            let found = head
                .iter()
                .find_map(|line| line.strip_prefix(&format!("{name}: ")));
            found.unwrap_or_default().to_owned()
        };
        let length: usize = header("content-length").parse().unwrap_or_default();
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let path = head.first().and_then(|line| line.split(' ').nth(1));
        let path = path.unwrap_or_default().to_owned();
        let token = header("x-vault-token");
        self.seen.lock().unwrap().push(format!("{path} {token}"));
        let (status, answer) = match header("x-vault-namespace").as_str() {
            "team" => self.answer(&path, &token, &body),
            _ => (404, String::new()),
        };
        let length = answer.len();
        write!(
            stream,
            "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{answer}"
        )?;
        stream.flush()
    }

    fn answer(&self, path: &str, token: &str, body: &[u8]) -> (u16, String) {
        let rules = self.rules.lock().unwrap().clone();
        let said: Value = serde_json::from_slice(body).unwrap_or_default();
        let logins = *self.logins.lock().unwrap();
        match path {
            "/v1/pki/mesh/ca_chain" => (200, pem(self.authority.anchor().unwrap())),
            "/v1/auth/approle/login"
                if said["role_id"] == "role" && said["secret_id"] == "secret" =>
            {
                *self.logins.lock().unwrap() += 1;
                self.rules.lock().unwrap().expired = false;
                let token = format!("s.login{}", logins + 1);
                let auth = json!({ "client_token": token, "lease_duration": 3_600 });
                (200, json!({ "auth": auth }).to_string())
            }
            "/v1/pki/mesh/sign/proxies" => {
                let good = token == "s.fixed" || token == format!("s.login{logins}");
                if !good || rules.expired {
                    return (403, json!({ "errors": ["permission denied"] }).to_string());
                }
                if let Some(failure) = rules.fails.clone() {
                    return failure;
                }
                (200, self.sign(&rules, &said))
            }
            _ => (404, json!({ "errors": [] }).to_string()),
        }
    }

    fn sign(&self, rules: &Rules, said: &Value) -> String {
        let csr = said["csr"].as_str().unwrap();
        assert!(
            csr.starts_with("-----BEGIN CERTIFICATE REQUEST-----\n"),
            "{csr}"
        );
        let text: String = csr.lines().filter(|line| !line.starts_with('-')).collect();
        let der = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text);
        let request = match rules.other_key {
            true => Request::read(&probe().unwrap().1).unwrap(),
            false => Request::read(&der.unwrap()).unwrap(),
        };
        let id: SpiffeId = rules
            .name
            .unwrap_or(said["uri_sans"].as_str().unwrap())
            .parse()
            .unwrap();
        let ttl = said["ttl"]
            .as_str()
            .unwrap()
            .trim_end_matches('s')
            .parse()
            .unwrap();
        let lifetime = rules.lifetime.unwrap_or(Duration::from_secs(ttl));
        let name = Name::Workload(&id, Instance::of("shop", "web-1"), now());
        let authority = match rules.stranger {
            true => &self.stranger,
            false => &*self.authority,
        };
        let issued = authority.issue(&request, name, lifetime, now()).unwrap();
        let anchor = pem(authority.anchor().unwrap());
        let data = json!({
            "certificate": pem(&issued.chain[0]),
            "issuing_ca": anchor,
            "ca_chain": [anchor],
        });
        json!({ "data": data }).to_string()
    }
}

fn now() -> u64 {
    crate::registry::Now::read().unix
}

async fn ask(signer: &Elsewhere) -> Result<Issued, String> {
    let request = Request::read(&probe().unwrap().1).unwrap();
    let anchors = signer.anchors()?;
    let id = ID.parse().unwrap();
    let issued = signer.issue(&anchors, request, id, HOUR, now()).await;
    issued.map_err(|failure| failure.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_or_a_role_gets_certificates_signed() {
    for (auth, token) in [("token", "s.fixed"), ("approle", "s.login1")] {
        let vault = Vaulted::start();
        let signer = vault.signer(auth).await;
        let anchors = signer.anchors().unwrap();
        assert_eq!(anchors.last(), vault.standin.authority.anchor());
        for _ in 0..3 {
            let issued = ask(&signer).await.unwrap();
            assert_eq!(issued.chain.len(), 1, "without the anchor");
            assert!(issued.not_after > now() + 3_000 && issued.renew_at < issued.not_after);
        }
        let seen = vault.standin.seen.lock().unwrap().clone();
        let signed = seen
            .iter()
            .filter(|it| **it == format!("/v1/pki/mesh/sign/proxies {token}"));
        assert_eq!(signed.count(), 3, "{seen:?}");
        // Nobody needs a token to read what is public.
        assert_eq!(seen[0], "/v1/pki/mesh/ca_chain ");
        assert!(*vault.standin.logins.lock().unwrap() <= 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_ended_early_costs_one_more_login() {
    let vault = Vaulted::start();
    let signer = vault.signer("approle").await;
    ask(&signer).await.unwrap();
    vault.rule(Rules {
        expired: true,
        ..Rules::default()
    });
    ask(&signer).await.unwrap();
    assert_eq!(*vault.standin.logins.lock().unwrap(), 2);
    // A token that an operator has put there is not mended by us.
    let signer = vault.signer("token").await;
    vault.rule(Rules {
        expired: true,
        ..Rules::default()
    });
    let why = ask(&signer).await.unwrap_err();
    assert!(
        why.contains("403") && why.contains("permission denied"),
        "{why}"
    );
    std::fs::write(vault.directory.path().join("token"), "s.wrong").unwrap();
    let why = ask(&signer).await.unwrap_err();
    assert!(!why.contains("s.wrong"), "the token is shown: {why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_vault_must_not_sign_is_not_handed_out() {
    let vault = Vaulted::start();
    let signer = vault.signer("token").await;
    let failing = |status, body: &str| Rules {
        fails: Some((status, body.to_owned())),
        ..Rules::default()
    };
    for (rules, expected) in [
        (
            Rules {
                name: Some("spiffe://shop.default.mesh.local/workload/api"),
                ..Rules::default()
            },
            "other names",
        ),
        (
            Rules {
                other_key: true,
                ..Rules::default()
            },
            "another key",
        ),
        (
            Rules {
                stranger: true,
                ..Rules::default()
            },
            "would not accept",
        ),
        (
            Rules {
                lifetime: Some(HOUR * 3),
                ..Rules::default()
            },
            "longer",
        ),
        (failing(503, r#"{"errors":["Vault is sealed"]}"#), "sealed"),
        (
            failing(400, "{\"errors\":[\"no \\u001b[31m role\"]}"),
            r"no \u{1b}[31m role",
        ),
        (failing(200, "no json"), "no JSON"),
        (failing(200, "{}"), "no certificate"),
        (failing(200, r#"{"data":{"certificate":"-----BEGIN"}}"#), ""),
        (failing(302, ""), "302"),
        (failing(500, &"x".repeat(2 << 20)), ""),
    ] {
        vault.rule(rules);
        let why = ask(&signer).await.unwrap_err();
        assert!(why.contains(expected), "{expected}: {why}");
        // And nothing of it is remembered.
        vault.rule(Rules::default());
        ask(&signer).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_nobody_vouches_for_is_not_spoken_to() {
    let vault = Vaulted::start();
    let mut settings = vault.settings("token");
    settings[0].vault.ca = None;
    let signers = Signers::new(&settings).unwrap();
    signers.look().await;
    let kri: Kri = "kri_mid_shop_default__identity_".parse().unwrap();
    let signer = signers.of(&kri).unwrap();
    let why = signer.anchors().unwrap_err();
    assert!(why.contains("shop/identity"), "{why}");
    ask(signer).await.unwrap_err();
    assert!(vault.standin.seen.lock().unwrap().is_empty());
    settings[0].vault.ca = Some(Path::new("/nowhere").to_owned());
    Signers::new(&settings).unwrap_err();
}
