//! `git http-backend` behind TLS, with manners.
//!
//! Never more than one request of a connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use rustls::server::WebPkiClientVerifier;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use rustls_pki_types::CertificateDer;

use crate::git::{Source, SourceConfig};
use crate::settings::{self, Reference};

/// What the server does but serve.
#[derive(Debug, Clone, Default)]
pub(crate) struct Manner {
    /// Only requests with this header `Authorization` are answered.
    pub(crate) authorization: Option<String>,
    pub(crate) fault: Fault,
}

/// What is wrong with it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Fault {
    #[default]
    None,
    /// Connections end at once.
    Away,
    /// Nothing is answered.
    Hangs,
    /// Some bytes of each pack are others.
    Corrupt,
    /// It has too much to do.
    Busy,
}

pub(crate) struct Server {
    pub(super) directory: tempfile::TempDir,
    port: u16,
    manner: Arc<Mutex<Manner>>,
}

impl Server {
    /// `None`, loudly, where git's server side is not installed.
    pub(crate) fn start() -> Option<Self> {
        Self::start_for(None)
    }

    /// The same, for those alone whose certificate this one has signed.
    pub(crate) fn start_for(clients: Option<&CertificateDer<'static>>) -> Option<Self> {
        let exec = Command::new("git").arg("--exec-path").output().unwrap();
        let backend =
            PathBuf::from(String::from_utf8(exec.stdout).unwrap().trim()).join("git-http-backend");
        if !backend.exists() {
            eprintln!("SKIPPED: {} is not installed", backend.display());
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        let tls = tls(directory.path(), clients);
        let manner = Arc::new(Mutex::new(Manner::default()));
        let shared = Arc::clone(&manner);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let root = directory.path().to_owned();
        thread::spawn(move || {
            while let Ok((socket, _)) = listener.accept() {
                let connection = ServerConnection::new(Arc::clone(&tls)).unwrap();
                let (root, backend) = (root.clone(), backend.clone());
                let manner = shared.lock().unwrap().clone();
                if manner.fault == Fault::Away {
                    continue;
                }
                let stream = StreamOwned::new(connection, socket);
                thread::spawn(move || serve(stream, &manner, (&root, &backend)));
            }
        });
        Some(Self {
            directory,
            port,
            manner,
        })
    }

    /// From the next connection on.
    pub(crate) fn behave(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    pub(crate) fn commit(&self, text: &str) {
        let work = self.directory.path().join("mesh.git");
        if !work.exists() {
            std::fs::create_dir(&work).unwrap();
            self.git(&["init", "-q", "-b", "main"]);
        }
        std::fs::write(work.join("a.yaml"), text).unwrap();
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", text]);
    }

    /// In the repository. Returns what it says.
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        let done = Command::new("git")
            .args(["-c", "user.name=t", "-c", "user.email=t@t"])
            .arg("-C")
            .arg(self.directory.path().join("mesh.git"))
            .args(arguments)
            .output()
            .unwrap();
        assert!(done.status.success(), "{done:?}");
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    }

    pub(super) fn source(&self, path: &str) -> Source {
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
pub(super) fn tls(
    directory: &Path,
    clients: Option<&CertificateDer<'static>>,
) -> Arc<ServerConfig> {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["localhost".to_owned()])
        .unwrap()
        .self_signed(&key)
        .unwrap();
    std::fs::write(directory.join("ca.pem"), certificate.pem()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let tls = tls.with_safe_default_protocol_versions().unwrap();
    let tls = match clients {
        None => tls.with_no_client_auth(),
        Some(authority) => {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(authority.clone()).unwrap();
            let judge = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            tls.with_client_cert_verifier(judge.build().unwrap())
        }
    };
    let tls = tls
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
    manner: &Manner,
    (root, backend): (&Path, &Path),
) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).ok()?;
    let (method, target) = line.trim_end().rsplit_once(' ')?.0.split_once(' ')?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (mut length, mut kind, mut proof) = (0, String::new(), None);
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
            Some((name, value)) if name.eq_ignore_ascii_case("authorization") => {
                proof = Some(value.to_owned());
            }
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    if manner.fault == Fault::Hangs {
        // Until the other side gives up.
        let _ = stream.read(&mut [0]);
        return None;
    }
    let answer = match path {
        _ if manner.fault == Fault::Busy => {
            b"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n".to_vec()
        }
        _ if manner.authorization.is_some() && manner.authorization != proof => {
            b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n".to_vec()
        }
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
            let request = (method, path, query, kind.as_str(), body.as_slice());
            serve_git(manner, request, (root, backend))?
        }
    };
    let stream = stream.get_mut();
    stream.write_all(&answer).ok()?;
    stream.conn.send_close_notify();
    stream.flush().ok()
}

/// What git's own server side answers.
fn serve_git(
    manner: &Manner,
    (method, path, query, kind, body): (&str, &str, &str, &str, &[u8]),
    (root, backend): (&Path, &Path),
) -> Option<Vec<u8>> {
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
        .env("CONTENT_LENGTH", body.len().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    child.stdin.take()?.write_all(body).ok()?;
    let mut output = child.wait_with_output().ok()?.stdout;
    let pack = output.windows(4).position(|bytes| bytes == b"PACK");
    if let (Fault::Corrupt, Some(at)) = (manner.fault, pack) {
        let end = output.len() - 30;
        output[at + 20..end]
            .iter_mut()
            .for_each(|byte| *byte = !*byte);
    }
    let text = String::from_utf8_lossy(&output);
    let status = match text.strip_prefix("Status: ") {
        Some(rest) => rest.lines().next()?.to_owned(),
        None => "200 OK".to_owned(),
    };
    let mut answer = format!("HTTP/1.1 {status}\r\nConnection: close\r\n").into_bytes();
    answer.extend(output);
    Some(answer)
}
