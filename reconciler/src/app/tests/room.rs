//! A room with a repository, a meshd and proxies that exist as far as meshd can see.
//!
//! Never waits for time to pass: every wait is for an answer.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use mesh_delivery::client::{ClientError, Session, enroll};
use mesh_delivery::message::{Enrollment, Received};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::super::{Config, Failure, Meshd};
use crate::ca;
use crate::registry::Now;
use crate::settings::{Reference, Settings, Source};
use crate::tls::{SERVER_NAME, provider};
use crate::token::{self, Order, Scope};

mod connected;

pub(super) use connected::Connected;

pub(super) const PATIENCE: Duration = Duration::from_secs(30);

pub(super) const MESH: &str = "type: Mesh\nname: shop\n";
pub(super) const IDENTITY: &str = "type: MeshIdentity\nmesh: shop\nname: identity\nspec:\n  selector:\n    dataplane:\n      matchLabels: {}\n  provider:\n    type: Bundled\n    bundled:\n      insecureAllowSelfSigned: true\n      autogenerate:\n        enabled: true\n";
pub(super) const PERMISSION: &str = "type: MeshTrafficPermission\nmesh: shop\nname: everybody\nspec:\n  rules:\n    - default:\n        allow:\n          - spiffeID:\n              type: Exact\n              value: spiffe://shop.default.mesh.local/workload/web\n";
pub(super) const SERVICE: &str = "type: MeshService\nmesh: shop\nname: api\nspec:\n  selector:\n    dataplaneLabels:\n      matchLabels:\n        app: api\n  ports:\n    - name: http\n      port: 80\n      targetPort: http\n      appProtocol: http\n";

pub(super) fn web(name: &str) -> String {
    format!(
        "type: Dataplane\nmesh: shop\nname: {name}\nlabels:\n  app: web\n  kuma.io/workload: web\nnetworking:\n  address: 127.0.0.11\n  outbound:\n    - address: 127.0.0.11\n      port: 10080\n      backendRef:\n        kind: MeshService\n        name: api\n        port: 80\n"
    )
}

pub(super) fn api(name: &str, port: u16) -> String {
    format!(
        "type: Dataplane\nmesh: shop\nname: {name}\nlabels:\n  app: api\n  kuma.io/workload: api\nnetworking:\n  address: 127.0.0.21\n  inbound:\n    - name: http\n      port: {port}\n      servicePort: 8080\n      protocol: http\n"
    )
}

pub(super) fn scope(
    workload: Option<&str>,
    dataplane: Option<&str>,
    labels: &[(&str, &str)],
) -> Scope {
    let labels = labels.iter();
    Scope {
        workload: workload.map(str::to_owned),
        dataplane: dataplane.map(str::to_owned),
        labels: labels
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect(),
    }
}

pub(super) struct Room {
    repo: Arc<TempDir>,
    pub(super) state: TempDir,
    meshd: Option<Meshd>,
}

impl Room {
    /// A repository with a mesh of web-1 and api-1.
    pub(super) fn new() -> Self {
        let room = Self {
            repo: Arc::new(tempfile::tempdir().unwrap()),
            state: tempfile::tempdir().unwrap(),
            meshd: None,
        };
        room.git(&["init", "-q", "-b", "main"]);
        room.write("mesh.yaml", MESH);
        room.write("identity.yaml", IDENTITY);
        room.write("permission.yaml", PERMISSION);
        room.write("service.yaml", SERVICE);
        room.write("web.yaml", &web("web-1"));
        room.write("api.yaml", &api("api-1", 9080));
        room
    }

    /// The place of a second meshd: the same repository, the same authorities and key of join tokens.
    pub(super) fn beside(&self) -> Self {
        let room = Self {
            repo: Arc::clone(&self.repo),
            state: tempfile::tempdir().unwrap(),
            meshd: None,
        };
        std::fs::create_dir(room.state.path().join("ca")).unwrap();
        for file in std::fs::read_dir(self.state.path().join("ca")).unwrap() {
            let file = file.unwrap();
            let copy = room.state.path().join("ca").join(file.file_name());
            std::fs::copy(file.path(), copy).unwrap();
        }
        let key = "token.key";
        std::fs::copy(self.state.path().join(key), room.state.path().join(key)).unwrap();
        room
    }

    pub(super) fn repository(&self) -> &Path {
        self.repo.path()
    }

    pub(super) fn git(&self, arguments: &[&str]) -> String {
        let done = Command::new("git")
            .current_dir(self.repo.path())
            .args(["-c", "user.name=t", "-c", "user.email=t@t"])
            .args(arguments)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
            .unwrap();
        assert!(done.status.success(), "{arguments:?}: {done:?}");
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    }

    pub(super) fn write(&self, file: &str, text: &str) {
        std::fs::write(self.repo.path().join(file), text).unwrap();
    }

    pub(super) fn commit(&self, message: &str) -> String {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    pub(super) fn config(&self) -> Config {
        let repository = self.repo.path().display().to_string();
        let mut source = Source::named(&repository, Reference::Named("main".to_owned()));
        source.allow_rewind = true;
        super::config(
            Settings {
                sources: vec![source],
                ..Settings::default()
            },
            self.state.path().to_owned(),
        )
    }

    pub(super) async fn start(&mut self) -> Result<(), Failure> {
        self.start_with(|_| ()).await
    }

    /// With another configuration.
    pub(super) async fn start_with(
        &mut self,
        change: impl FnOnce(&mut Config),
    ) -> Result<(), Failure> {
        let mut config = self.config();
        change(&mut config);
        self.meshd = Some(Meshd::start(config).await?);
        Ok(())
    }

    pub(super) async fn stop(&mut self) {
        self.meshd.take().unwrap().end().await;
    }

    /// Without a word to anybody.
    pub(super) fn kill(&mut self) {
        drop(self.meshd.take());
    }

    pub(super) fn meshd(&self) -> &Meshd {
        self.meshd.as_ref().unwrap()
    }

    /// A room in which meshd serves the first commit.
    pub(super) async fn open() -> (Self, String) {
        let mut room = Self::new();
        let first = room.commit("first");
        room.start().await.unwrap();
        let status = room.settled(&first).await;
        assert_eq!(status["revision"], first, "{status}");
        (room, first)
    }

    /// Through the control socket.
    pub(super) async fn get(&self, path: &str) -> (u16, String) {
        Self::at(self.state.path(), ("GET", path)).await
    }

    /// The same, to tell it something.
    pub(super) async fn post(&self, path: &str) -> (u16, String) {
        Self::at(self.state.path(), ("POST", path)).await
    }

    /// The same, with what it is told.
    pub(super) async fn tell(&self, path: &str, body: &serde_json::Value) -> (u16, String) {
        Self::told(self.state.path(), path, body).await
    }

    pub(super) async fn told(state: &Path, path: &str, body: &serde_json::Value) -> (u16, String) {
        let socket = state.join("control.sock");
        let stream = tokio::net::UnixStream::connect(socket).await.unwrap();
        let body = body.to_string();
        let length = body.len();
        let json = "content-type: application/json";
        let rest = format!("{json}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
        Self::exchange(
            stream,
            format!("POST {path} HTTP/1.1\r\nhost: meshd\r\n{rest}"),
        )
        .await
    }

    /// The same, of the meshd with this state directory.
    pub(super) async fn at(state: &Path, what: (&str, &str)) -> (u16, String) {
        let socket = state.join("control.sock");
        let stream = tokio::net::UnixStream::connect(socket).await.unwrap();
        Self::ask(stream, what, "content-length: 0\r\n").await
    }

    /// Over the admin port, with a header of its own.
    pub(super) async fn get_remote(&self, path: &str, header: &str) -> (u16, String) {
        let address = self.meshd().admin();
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        Self::ask(stream, ("GET", path), header).await
    }

    async fn ask(
        stream: impl AsyncReadExt + AsyncWriteExt + Unpin,
        (method, path): (&str, &str),
        header: &str,
    ) -> (u16, String) {
        let request =
            format!("{method} {path} HTTP/1.1\r\nhost: meshd\r\n{header}connection: close\r\n\r\n");
        Self::exchange(stream, request).await
    }

    async fn exchange(
        mut stream: impl AsyncReadExt + AsyncWriteExt + Unpin,
        request: String,
    ) -> (u16, String) {
        let answer = async {
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer
        };
        let answer = tokio::time::timeout(PATIENCE, answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap();
        (status.parse().unwrap(), body.to_owned())
    }

    pub(super) async fn settled(&self, revision: &str) -> serde_json::Value {
        let (status, body) = self
            .get(&format!("/v1/status?settled={revision}&timeout=20s"))
            .await;
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    pub(super) fn token(&self, mesh: &str, scope: Scope) -> String {
        self.made(mesh, scope, Some(1)).0
    }

    /// That nobody counts.
    pub(super) fn uncounted(&self, mesh: &str, scope: Scope) -> String {
        self.made(mesh, scope, None).0
    }

    /// A token, and its identifier.
    pub(super) fn made(&self, mesh: &str, scope: Scope, uses: Option<u32>) -> (String, String) {
        let now = Now::read().unix;
        let (state, control) = ca::control(self.state.path(), now).unwrap();
        let order = Order {
            mesh: mesh.to_owned(),
            scope,
            ttl: Duration::from_secs(600),
            uses,
        };
        let issuer = token::open(&state).unwrap();
        let (text, grant) = issuer.issue(control.pin, order, now);
        (text.to_string(), grant.id)
    }

    pub(super) fn for_dataplane(&self, name: &str) -> String {
        self.token("shop", scope(None, Some(name), &[]))
    }

    pub(super) fn for_workload(&self, name: &str) -> String {
        self.token("shop", scope(Some(name), None, &[]))
    }

    fn roots(&self) -> RootCertStore {
        let pem = std::fs::read(self.state.path().join("ca/control.pem")).unwrap();
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            roots.add(certificate.unwrap()).unwrap();
        }
        roots
    }

    pub(super) async fn enroll(
        &self,
        token: &str,
        dataplane: Option<&str>,
        document: Option<&str>,
    ) -> Result<Proxy, ClientError> {
        let (key, csr) = ca::probe().unwrap();
        let request = Enrollment {
            token: token.to_owned(),
            csr,
            dataplane: dataplane.map(str::to_owned),
            dataplane_document: document.map(|text| text.as_bytes().to_vec()),
        };
        let address = self.meshd().delivery().to_string();
        let tls = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(self.roots())
            .with_no_client_auth();
        let enrolled = enroll(&address, Arc::new(tls), SERVER_NAME, request).await?;
        Ok(Proxy {
            key,
            chain: enrolled.chain,
        })
    }

    pub(super) async fn connect(&self, proxy: &Proxy) -> Result<Connected, ClientError> {
        self.reconnect(proxy, None).await
    }

    pub(super) async fn reconnect(
        &self,
        proxy: &Proxy,
        held: Option<Received>,
    ) -> Result<Connected, ClientError> {
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(proxy.key.clone()));
        let tls = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(self.roots())
            .with_client_auth_cert(proxy.chain.clone(), key)
            .unwrap();
        let address = self.meshd().delivery().to_string();
        let session = Session::open(&address, Arc::new(tls), SERVER_NAME, "test", held).await?;
        Ok(Connected::new(session))
    }
}

pub(super) struct Proxy {
    key: Vec<u8>,
    pub(super) chain: Vec<CertificateDer<'static>>,
}
