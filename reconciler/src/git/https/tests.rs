//! Against git's own server side, `git http-backend`, behind TLS.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;

mod hostile;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::git::{Failure, Source, SourceConfig};
use crate::settings::{self, Reference};

pub(crate) struct Server {
    directory: tempfile::TempDir,
    port: u16,
}

impl Server {
    /// `None`, loudly, where git's server side is not installed.
    pub(crate) fn start() -> Option<Self> {
        let exec = Command::new("git").arg("--exec-path").output().unwrap();
        let backend =
            PathBuf::from(String::from_utf8(exec.stdout).unwrap().trim()).join("git-http-backend");
        if !backend.exists() {
            eprintln!("SKIPPED: {} is not installed", backend.display());
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        let tls = tls(directory.path());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let root = directory.path().to_owned();
        thread::spawn(move || {
            while let Ok((socket, _)) = listener.accept() {
                let connection = ServerConnection::new(Arc::clone(&tls)).unwrap();
                let (root, backend) = (root.clone(), backend.clone());
                thread::spawn(move || serve(StreamOwned::new(connection, socket), &root, &backend));
            }
        });
        Some(Self { directory, port })
    }

    pub(crate) fn commit(&self, text: &str) {
        let work = self.directory.path().join("mesh.git");
        let git = |arguments: &[&str]| {
            let done = Command::new("git")
                .args(["-c", "user.name=t", "-c", "user.email=t@t"])
                .arg("-C")
                .arg(&work)
                .args(arguments)
                .output()
                .unwrap();
            assert!(done.status.success(), "{done:?}");
        };
        if !work.exists() {
            std::fs::create_dir(&work).unwrap();
            git(&["init", "-q", "-b", "main"]);
        }
        std::fs::write(work.join("a.yaml"), text).unwrap();
        git(&["add", "-A"]);
        git(&["commit", "-q", "-m", text]);
    }

    fn source(&self, path: &str) -> Source {
        Source::open(self.config(path)).unwrap()
    }

    pub(crate) fn config(&self, path: &str) -> SourceConfig {
        let url = format!("https://localhost:{}/{path}", self.port);
        let mut source = settings::Source::named(&url, Reference::Named("main".to_owned()));
        source.ca = Some(self.directory.path().join("ca.pem"));
        SourceConfig {
            source,
            cache: self.directory.path().join("cache"),
        }
    }
}

/// For `localhost`; who trusts it finds the certificate in `ca.pem`.
fn tls(directory: &std::path::Path) -> Arc<ServerConfig> {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["localhost".to_owned()])
        .unwrap()
        .self_signed(&key)
        .unwrap();
    std::fs::write(directory.join("ca.pem"), certificate.pem()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            rustls_pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    Arc::new(tls)
}

/// One request of a connection that then ends.
fn serve(
    stream: StreamOwned<ServerConnection, std::net::TcpStream>,
    root: &std::path::Path,
    backend: &std::path::Path,
) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).ok()?;
    let (method, target) = line.trim_end().rsplit_once(' ')?.0.split_once(' ')?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (mut length, mut kind) = (0, String::new());
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.parse().ok()?;
            }
            Some((name, value)) if name.eq_ignore_ascii_case("content-type") => {
                value.clone_into(&mut kind);
            }
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    let answer = match path {
        _ if path.starts_with("/moved/") => {
            let to = target.replacen("/moved/", "/mesh.git/", 1);
            format!("HTTP/1.1 301 Moved\r\nLocation: {to}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").into_bytes()
        }
        _ if path.starts_with("/elsewhere/") => {
            b"HTTP/1.1 302 Found\r\nLocation: https://example.com/x/info/refs?service=git-upload-pack\r\nContent-Length: 0\r\n\r\n".to_vec()
        }
        _ if path.starts_with("/private/") => {
            b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n".to_vec()
        }
        _ if path.starts_with("/website/") => {
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi".to_vec()
        }
        _ => {
            let mut child = Command::new(backend)
                .env("GIT_PROJECT_ROOT", root)
                .env("GIT_HTTP_EXPORT_ALL", "1")
                .env("GIT_CONFIG_COUNT", "1")
                .env("GIT_CONFIG_KEY_0", "safe.directory")
                .env("GIT_CONFIG_VALUE_0", "*")
                .env("REQUEST_METHOD", method)
                .env("PATH_INFO", path)
                .env("QUERY_STRING", query)
                .env("CONTENT_TYPE", kind)
                .env("CONTENT_LENGTH", length.to_string())
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .ok()?;
            child.stdin.take()?.write_all(&body).ok()?;
            let output = child.wait_with_output().ok()?.stdout;
            let text = String::from_utf8_lossy(&output);
            let status = match text.strip_prefix("Status: ") {
                Some(rest) => rest.lines().next()?.to_owned(),
                None => "200 OK".to_owned(),
            };
            let mut answer = format!("HTTP/1.1 {status}\r\nConnection: close\r\n").into_bytes();
            answer.extend(output);
            answer
        }
    };
    let stream = stream.get_mut();
    stream.write_all(&answer).ok()?;
    stream.conn.send_close_notify();
    stream.flush().ok()
}

#[test]
fn commits_arrive_over_https() {
    let Some(server) = Server::start() else {
        return;
    };
    server.commit("one");
    let source = server.source("mesh.git");
    let first = source.fetch().unwrap();
    assert_eq!(first.subject, "one");
    server.commit("two");
    assert_eq!(
        server.source("moved").fetch().unwrap().subject,
        "two",
        "redirected on the same host"
    );
    let second = source.fetch().unwrap();
    assert_eq!(second.subject, "two");
    let read =
        |commit| mesh_compiler::World::read(&source.world(commit).unwrap(), "a.yaml").unwrap();
    assert_eq!(
        (read(&first), read(&second)),
        (b"one".to_vec(), b"two".to_vec())
    );
}

#[test]
fn refusals_say_why() {
    let Some(server) = Server::start() else {
        return;
    };
    server.commit("one");
    for (path, expected) in [
        ("nothing.git", "no such repository (status 404"),
        ("private/x.git", "asks for credentials, or does not take"),
        ("website/x.git", "does not speak git's smart HTTP protocol"),
        ("elsewhere/x.git", "redirects to another place"),
    ] {
        let failure = server.source(path).fetch().unwrap_err();
        let refused = matches!(failure, Failure::Unauthorized(_));
        assert_eq!(refused, path.starts_with("private/"), "{failure:?}");
        assert!(
            refused || matches!(failure, Failure::Transient(_)),
            "{failure:?}"
        );
        assert!(failure.to_string().contains(expected), "{path}: {failure}");
    }
}

#[test]
fn a_server_that_nobody_vouches_for_is_refused() {
    let Some(server) = Server::start() else {
        return;
    };
    server.commit("one");
    let mut source = server.source("other.git");
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let path = server.directory.path().join("other.pem");
    std::fs::write(&path, other.cert.pem()).unwrap();
    source.config.source.ca = Some(path);
    let source = Source::open(source.config).unwrap();
    let failure = source.fetch().unwrap_err().to_string();
    assert!(failure.to_lowercase().contains("certificate"), "{failure}");
}

#[test]
fn a_damaged_cache_is_fetched_anew() {
    let Some(server) = Server::start() else {
        return;
    };
    server.commit("one");
    let source = server.source("mesh.git");
    let cache = source.config.cache.clone();
    let commit = source.fetch().unwrap();
    for damage in ["HEAD", "config"] {
        std::fs::write(cache.join(damage), b"\0garbage[[[").unwrap();
        assert_eq!(source.fetch().unwrap(), commit, "{damage}");
    }
    std::fs::remove_dir_all(&cache).unwrap();
    std::fs::write(&cache, b"not a directory").unwrap();
    assert_eq!(source.fetch().unwrap(), commit);
    std::fs::remove_dir_all(cache.join("objects")).unwrap();
    std::fs::create_dir(cache.join("objects")).unwrap();
    source.world(&commit).unwrap_err();
    assert_eq!(source.fetch().unwrap(), commit);
    source.world(&commit).unwrap();
}

#[test]
fn a_fetch_that_was_killed_is_not_in_the_way_of_the_next_one() {
    let Some(server) = Server::start() else {
        return;
    };
    server.commit("one");
    let source = server.source("mesh.git");
    source.fetch().unwrap();
    let cache = &source.config.cache;
    let left = [
        "HEAD.lock",
        "config.lock",
        "packed-refs.lock",
        "FETCH_HEAD.lock",
        "refs/meshd/fetched.lock",
        "objects/pack/pack_git2_0123456789abcdef",
    ];
    for file in left {
        std::fs::write(cache.join(file), "half").unwrap();
    }
    server.commit("two");
    assert_eq!(source.fetch().unwrap().subject, "two");
    for file in left {
        assert!(!cache.join(file).exists(), "{file}");
    }
}

#[test]
fn whatever_is_lost_of_the_cache_comes_back() {
    let Some(server) = Server::start() else {
        return;
    };
    server.commit("one");
    let source = server.source("mesh.git");
    source.fetch().unwrap();
    let pack = source.config.cache.join("objects/pack");
    for round in 0..2 {
        for kind in ["pack", "idx"] {
            server.commit(&format!("{round} {kind}"));
            source.fetch().unwrap();
            for entry in std::fs::read_dir(&pack).unwrap() {
                let path = entry.unwrap().path();
                if path.extension().is_some_and(|extension| extension == kind) {
                    // A map of the file must not be cut short under libgit2: another file takes its place.
                    let garbage = path.with_extension("new");
                    std::fs::write(&garbage, "garbage").unwrap();
                    std::fs::rename(garbage, path).unwrap();
                }
            }
            let read = || {
                let commit = source.fetch()?;
                let world = source.world(&commit)?;
                Ok::<_, Failure>(mesh_compiler::World::read(&world, "a.yaml").unwrap())
            };
            if read().is_err() {
                source.discard_cache().unwrap();
            }
            read().unwrap();
        }
    }
}
