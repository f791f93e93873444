//! Who is let in at a server: by a password, a token, a certificate; and through which proxy.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls_pki_types::CertificateDer;

use super::server::{Manner, Server};
use crate::git::{Failure, Source, SourceConfig};

fn refused(config: &SourceConfig) -> String {
    let failure = Source::open(config.clone()).and_then(|source| source.fetch());
    let failure = failure.unwrap_err();
    assert!(matches!(failure, Failure::Unauthorized(_)), "{failure:?}");
    failure.to_string()
}

fn accepted(config: &SourceConfig) {
    let source = Source::open(config.clone()).unwrap();
    assert_eq!(source.fetch().unwrap().subject, "one");
}

#[test]
fn passwords_and_tokens_are_read_for_each_fetch() {
    let Some(server) = Server::start() else {
        return;
    };
    server.commit("one");
    let file = server.directory.path().join("secret");
    let asks = |header: &str| {
        server.behave(Manner {
            authorization: Some(header.to_owned()),
            ..Manner::default()
        });
    };
    let mut config = server.config("mesh.git");
    let nobody = config.clone();
    for (name, bearer, header) in [
        (None, false, "Basic eC1hY2Nlc3MtdG9rZW46d29yZA=="),
        (Some("ada"), false, "Basic YWRhOndvcmQ="),
        (None, true, "Bearer word"),
    ] {
        asks(header);
        let auth = &mut config.source.auth;
        auth.username = name.map(str::to_owned);
        (auth.password_file, auth.bearer_file) = match bearer {
            true => (None, Some(file.clone())),
            false => (Some(file.clone()), None),
        };
        let _ = std::fs::remove_file(&file);
        let why = refused(&config);
        assert!(why.contains("cannot be read"), "{why}");
        std::fs::write(&file, "another").unwrap();
        let why = refused(&config);
        assert!(why.contains("does not take those"), "{why}");
        assert!(!why.contains("another"), "{why}");
        std::fs::write(&file, "word\n").unwrap();
        accepted(&config);
        let why = refused(&nobody);
        assert!(why.contains("asks for credentials"), "{why}");
    }
}

/// An authority, and what it signs for a client.
fn client() -> (CertificateDer<'static>, String, String) {
    let root = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&root).unwrap();
    let issuer = Issuer::new(params, root);
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["meshd".to_owned()]).unwrap();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let certificate = params.signed_by(&key, &issuer).unwrap();
    let pem = (certificate.pem(), key.serialize_pem());
    (authority.der().clone(), pem.0, pem.1)
}

#[test]
fn a_certificate_lets_in_whom_the_server_knows() {
    let (authority, certificate, key) = client();
    let Some(server) = Server::start_for(Some(&authority)) else {
        return;
    };
    server.commit("one");
    let at = |name: &str| server.directory.path().join(name);
    let mut config = server.config("mesh.git");
    let fails = |config: &SourceConfig| {
        let failure = Source::open(config.clone()).and_then(|source| source.fetch());
        failure.unwrap_err().to_string()
    };
    let why = fails(&config);
    assert!(why.to_lowercase().contains("certificate"), "{why}");
    config.source.auth.certificate = Some(at("client.pem"));
    config.source.auth.key = Some(at("client.key"));
    std::fs::write(at("client.pem"), &certificate).unwrap();
    std::fs::write(at("client.key"), &key).unwrap();
    accepted(&config);
    // Of an authority that the server does not know.
    let (_, certificate, key) = client();
    std::fs::write(at("client.pem"), certificate).unwrap();
    std::fs::write(at("client.key"), key).unwrap();
    let why = fails(&config).to_lowercase();
    assert!(
        why.contains("unknownca") || why.contains("unknown ca") || why.contains("decrypt"),
        "{why}"
    );
    std::fs::write(at("client.key"), "no key").unwrap();
    let why = refused(&config);
    assert!(why.contains("is not a PEM file of a private key"), "{why}");
}

/// Leads connections on, and remembers where to.
fn proxy() -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    thread::spawn(move || {
        while let Ok((socket, _)) = listener.accept() {
            let seen = Arc::clone(&seen);
            thread::spawn(move || lead(socket, &seen));
        }
    });
    (port, asked)
}

fn lead(socket: TcpStream, seen: &Mutex<Vec<String>>) -> Option<()> {
    let mut reader = BufReader::new(socket.try_clone().ok()?);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let target = line.strip_prefix("CONNECT ")?.split(' ').next()?.to_owned();
    while line.trim() != "" {
        line.clear();
        reader.read_line(&mut line).ok()?;
    }
    seen.lock().unwrap().push(target.clone());
    let mut socket = socket;
    let Ok(upstream) = TcpStream::connect(&target) else {
        return socket.write_all(b"HTTP/1.1 502 No\r\n\r\n").ok();
    };
    socket.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").ok()?;
    let (mut to, mut back) = (upstream.try_clone().ok()?, upstream);
    let mut out = socket.try_clone().ok()?;
    let answers = thread::spawn(move || {
        let _ = std::io::copy(&mut back, &mut out);
        let _ = out.shutdown(std::net::Shutdown::Write);
    });
    let _ = std::io::copy(&mut reader, &mut to);
    let _ = to.shutdown(std::net::Shutdown::Write);
    answers.join().ok()
}

#[test]
fn a_proxy_on_the_way_is_taken() {
    let Some(server) = Server::start() else {
        return;
    };
    server.commit("one");
    let mut config = server.config("mesh.git");
    let (port, asked) = proxy();
    config.source.proxy = Some(format!("http://127.0.0.1:{port}"));
    accepted(&config);
    let target = config.source.repository.strip_prefix("https://").unwrap();
    let target = target.split('/').next().unwrap();
    let asked = asked.lock().unwrap();
    assert!(
        !asked.is_empty() && asked.iter().all(|seen| seen == target),
        "{asked:?}"
    );
    // One that is not there is no reason to go without.
    config.source.proxy = Some("http://127.0.0.1:1".to_owned());
    let failure = Source::open(config).unwrap().fetch().unwrap_err();
    assert!(matches!(failure, Failure::Transient(_)), "{failure:?}");
}
