//! Real keys, a server that hands out their public halves, and everything that is wrong with tokens.

mod platform;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use serde_json::{Value, json};

use super::*;
use crate::settings::TokenIssuer;
use platform::Signer;

const ISSUER: &str = "https://cluster.example";

fn unix() -> u64 {
    crate::registry::Now::read().unix
}

fn claims() -> Value {
    json!({
        "iss": ISSUER,
        "aud": ["meshd"],
        "sub": "system:serviceaccount:shop:web",
        "exp": unix() + 600,
        "nbf": unix() - 5,
        "jti": "one",
        "kubernetes.io": { "namespace": "shop", "serviceaccount": { "name": "web" } },
    })
}

fn with(change: impl FnOnce(&mut Value)) -> Value {
    let mut claims = claims();
    change(&mut claims);
    claims
}

fn settings(text: &str) -> Vec<TokenIssuer> {
    #[derive(serde::Deserialize)]
    struct Written {
        issuer: Vec<TokenIssuer>,
    }
    let text = format!(
        "[[issuer]]\nname = \"cluster\"\nissuer = \"{ISSUER}\"\naudience = \"meshd\"\n{text}\n\
         [[issuer.allow]]\nmesh = \"shop\"\nworkload-claim = \"/kubernetes.io/serviceaccount/name\"\n\
         [issuer.allow.claims]\n\"/kubernetes.io/namespace\" = \"shop\"\n"
    );
    toml::from_str::<Written>(&text).unwrap().issuer
}

/// A server of keys that counts how often it is asked.
struct Server {
    url: String,
    keys: Arc<Mutex<Option<Value>>>,
    asked: Arc<Mutex<usize>>,
}

impl Server {
    fn start(keys: Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        let (keys, asked) = (Arc::new(Mutex::new(Some(keys))), Arc::new(Mutex::new(0)));
        let (answer, count) = (Arc::clone(&keys), Arc::clone(&asked));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
                *count.lock().unwrap() += 1;
                let (status, body) = match &*answer.lock().unwrap() {
                    Some(keys) => ("200 OK", keys.to_string()),
                    None => ("500 No", String::new()),
                };
                let length = body.len();
                write!(stream, "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}")
                    .unwrap();
            }
        });
        Self { url, keys, asked }
    }

    fn asked(&self) -> usize {
        *self.asked.lock().unwrap()
    }
}

fn set(signers: &[&Signer]) -> Value {
    let keys: Vec<_> = signers.iter().map(|signer| signer.jwk()).collect();
    json!({ "keys": keys })
}

fn why(issuers: &Issuers, token: &str) -> String {
    issuers.verify(token, unix()).unwrap_err().to_string()
}

#[test]
fn tokens_of_a_cluster_become_what_the_rules_say() {
    let signers = [Signer::rsa("r"), Signer::ec("e"), Signer::ed("d")];
    let mut keys = set(&signers.iter().collect::<Vec<_>>());
    // What nobody knows does no harm.
    keys["keys"]
        .as_array_mut()
        .unwrap()
        .push(json!({ "kty": "new", "kid": "n" }));
    let server = Server::start(keys);
    let issuers = Issuers::new(&settings(&format!("jwks = \"{}\"", server.url))).unwrap();
    for signer in &signers {
        let token = signer.good();
        assert!(issuers.is_one(&token));
        let grant = issuers.verify(&token, unix()).unwrap();
        assert_eq!((grant.mesh.as_str(), grant.uses), ("shop", None));
        assert_eq!(grant.scope.workload.as_deref(), Some("web"));
        assert!(crate::token::is_id(&grant.id));
    }
    assert_eq!(server.asked(), 1, "keys are kept");
    assert!(!issuers.is_one("mesh1.a.b"));
}

/// Keys of an issuer, good ones and odd ones, and a stranger's.
struct Bench {
    rsa: Signer,
    ec: Signer,
    stranger: Signer,
    issuers: Issuers,
}

impl Bench {
    fn new() -> Self {
        let (rsa, ec, stranger) = (Signer::rsa("r"), Signer::ec("e"), Signer::rsa("r"));
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut keys = set(&[&rsa, &ec]);
        let (mut encrypts, mut pinned) = (ec.jwk(), ec.jwk());
        encrypts["kid"] = "encrypts".into();
        encrypts["use"] = "enc".into();
        pinned["kid"] = "pinned".into();
        pinned["alg"] = "ES384".into();
        let secret = json!({ "kty": "oct", "kid": "secret", "k": B64.encode("secret") });
        let weak =
            json!({ "kty": "RSA", "kid": "weak", "n": B64.encode([0x80; 128]), "e": "AQAB" });
        let odd = [encrypts, pinned, secret, weak];
        keys["keys"].as_array_mut().unwrap().extend(odd);
        std::fs::write(file.path(), keys.to_string()).unwrap();
        let place = format!("jwks-file = \"{}\"", file.path().display());
        let issuers = Issuers::new(&settings(&place)).unwrap();
        // Read while it is there.
        issuers.verify(&rsa.good(), unix()).unwrap();
        Self {
            rsa,
            ec,
            stranger,
            issuers,
        }
    }

    /// Another header, and a good signature over it.
    fn headed(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut header = self.rsa.header();
        change(&mut header);
        self.rsa.token(&header, &claims())
    }

    /// Other claims, and a good signature over them.
    fn said(&self, change: impl FnOnce(&mut Value)) -> String {
        self.rsa.token(&self.rsa.header(), &with(change))
    }

    fn refuses(&self, tokens: impl IntoIterator<Item = (String, &'static str)>) {
        for (token, expected) in tokens {
            let found = why(&self.issuers, &token);
            assert!(found.contains(expected), "{expected}: {found}: {token}");
        }
    }
}

fn without(name: &'static str) -> impl FnOnce(&mut Value) {
    move |it| drop(it.as_object_mut().unwrap().remove(name))
}

#[test]
fn signatures_that_prove_nothing() {
    let bench = Bench::new();
    let Bench {
        rsa, ec, stranger, ..
    } = &bench;
    let good = rsa.good();
    let (body, signature) = good.rsplit_once('.').unwrap();
    let none = B64.encode(r#"{"alg":"none","kid":"r"}"#);
    let none = format!("{none}.{}.", B64.encode(claims().to_string()));
    let by = |alg: &'static str| bench.headed(move |it| it["alg"] = alg.into());
    let key = |kid: &'static str| bench.headed(move |it| it["kid"] = kid.into());
    let brings = |name: &'static str, value: Value| bench.headed(move |it| it[name] = value);
    let elliptic = |kid: &str| ec.token(&json!({ "alg": "ES256", "kid": kid }), &claims());
    bench.refuses([
        ("ey".to_owned(), "cannot be read"),
        ("ey.ey.ey".to_owned(), "cannot be read"),
        (format!("ey{}", "A".repeat(5_000)), "too long"),
        (none, "cannot be read"),
        (by("HS256"), "RS256, ES256 or EdDSA"),
        (by("PS256"), "RS256, ES256 or EdDSA"),
        (by("RS512"), "RS256, ES256 or EdDSA"),
        (by("ES256"), "another algorithm"),
        (brings("jku", "https://evil.example/".into()), "its own key"),
        (brings("jwk", rsa.jwk()), "its own key"),
        (brings("x5u", "https://evil.example/".into()), "its own key"),
        (brings("x5c", json!(["MA"])), "its own key"),
        (brings("crit", json!(["exp"])), "crit"),
        (bench.headed(without("kid")), "by which key"),
        (key("../../etc/passwd"), "no key of that name"),
        (key("e"), "another algorithm"),
        (key("secret"), "another algorithm"),
        (key("weak"), "less than 2048"),
        (elliptic("encrypts"), "does not sign"),
        (elliptic("pinned"), "another algorithm"),
        (stranger.good(), "signature"),
        (format!("{body}.{}", B64.encode([0; 256])), "signature"),
        (format!("{body}x.{signature}"), ""),
    ]);
}

#[test]
fn claims_that_prove_nothing() {
    let bench = Bench::new();
    let set = |name: &'static str, value: Value| bench.said(move |it| it[name] = value);
    let account =
        |value: Value| bench.said(move |it| it["kubernetes.io"]["serviceaccount"]["name"] = value);
    let namespace = |value: Value| bench.said(move |it| it["kubernetes.io"]["namespace"] = value);
    bench.refuses([
        (
            set("iss", "https://other.example".into()),
            "none of its issuer",
        ),
        (set("iss", json!([ISSUER])), "none of its issuer"),
        (set("aud", "other".into()), "audience"),
        (set("exp", (unix() - 120).into()), "expired"),
        (set("nbf", (unix() + 120).into()), "not come yet"),
        (bench.said(without("aud")), "lacks"),
        (bench.said(without("exp")), "lacks"),
        (bench.said(without("sub")), "whom it is about"),
        (bench.said(without("kubernetes.io")), "no rule"),
        (namespace("other".into()), "no rule"),
        (namespace(json!(["shop"])), "no rule"),
        (account(json!({})), "no rule"),
        (account("web/../api".into()), "no rule"),
        (account("".into()), "no rule"),
        (account("Web".into()), "no rule"),
    ]);
    // Clocks differ a little.
    for leeway in [
        set("exp", (unix() - 30).into()),
        set("nbf", (unix() + 30).into()),
    ] {
        bench.issuers.verify(&leeway, unix()).unwrap();
    }
}

#[test]
fn a_token_for_one_proxy_is_known_by_its_number() {
    let signer = Signer::ec("e");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), set(&[&signer]).to_string()).unwrap();
    let place = format!(
        "single-use = true\njwks-file = \"{}\"",
        file.path().display()
    );
    let issuers = Issuers::new(&settings(&place)).unwrap();
    let one = issuers.verify(&signer.good(), unix()).unwrap();
    assert_eq!(one.uses, Some(1));
    let other = signer.token(&signer.header(), &with(|it| it["jti"] = "two".into()));
    assert_ne!(one.id, issuers.verify(&other, unix()).unwrap().id);
    let none = signer.token(
        &signer.header(),
        &with(|it| drop(it.as_object_mut().unwrap().remove("jti"))),
    );
    assert!(why(&issuers, &none).contains("jti"));
}

#[test]
fn new_keys_are_found_and_nobody_is_asked_too_often() {
    let (old, new) = (Signer::ec("old"), Signer::ec("new"));
    let server = Server::start(set(&[&old]));
    let settings = settings(&format!("jwks = \"{}\"", server.url));
    let keys = Keys::new(&settings[0]).unwrap();
    let start = Instant::now();
    let at = |seconds: u64| start + Duration::from_secs(seconds);
    keys.find_at("old", at(0)).unwrap();
    for _ in 0..1_000 {
        keys.find_at("unknown", at(1)).unwrap_err();
    }
    assert_eq!(server.asked(), 1);
    *server.keys.lock().unwrap() = Some(set(&[&old, &new]));
    keys.find_at("new", at(9)).unwrap_err();
    keys.find_at("new", at(11)).unwrap();
    assert_eq!(server.asked(), 2);
    // A key that is withdrawn is good no more, after a while.
    *server.keys.lock().unwrap() = Some(set(&[&new]));
    keys.find_at("old", at(600)).unwrap();
    keys.find_at("old", at(700)).unwrap_err();
    // The issuer is away: what is known is used for a day, then nothing.
    *server.keys.lock().unwrap() = None;
    keys.find_at("new", at(2_000)).unwrap();
    keys.find_at("new", at(700 + 86_000)).unwrap();
    let end = keys.find_at("new", at(700 + 86_401)).unwrap_err();
    assert!(matches!(end, Refused::Unavailable(_)), "{end}");
    *server.keys.lock().unwrap() = Some(json!({ "keys": vec![old.jwk(); 101] }));
    let end = keys.find_at("new", at(700 + 86_500)).unwrap_err();
    assert!(matches!(end, Refused::Unavailable(_)), "{end}");
}
