//! A meshd for tests of the proxy: real sockets and certificates, and answers that a test decides.
//!
//! Never used outside of tests.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use mesh_bundle::resource::{Cluster, Protocol, Proxy, Trust, WorkloadIdentity};
use mesh_bundle::{Digest, Duration, Key, Kri, Manifest, Origin, Resource, Sourced};
use mesh_delivery::message::{
    Certificate, ClusterEndpoints, Denied, Endpoint, Enrolled, Enrollment, ProxyName,
};
use mesh_delivery::publisher::Wanted;
use mesh_delivery::{Authority, Report, server};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::CertificateDer;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::clock::unix_now;
use crate::identity::tests::Ca;
use crate::state::Membership;

pub(crate) const WEB: &str = "spiffe://default.local/workload/web";

/// What a test can change while meshd runs.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(crate) refuse_tokens: bool,
    pub(crate) refuse_svids: bool,
    /// Seconds.
    pub(crate) control_lifetime: u64,
    pub(crate) svid_lifetime: u64,
    pub(crate) dataplane: &'static str,
}

pub(crate) struct FakeMeshd {
    pub(crate) address: SocketAddr,
    pub(crate) reports: mpsc::UnboundedReceiver<Report>,
    /// Every request for a certificate that was answered with one: `None` is a control certificate.
    pub(crate) issued: mpsc::UnboundedReceiver<Option<Kri>>,
    judge: Arc<Judge>,
    running: Option<(watch::Sender<bool>, JoinHandle<()>)>,
}

struct Judge {
    control: Ca,
    mesh: Ca,
    rules: Mutex<Rules>,
    wanted: watch::Sender<Option<Arc<Wanted>>>,
    reports: mpsc::UnboundedSender<Report>,
    issued: mpsc::UnboundedSender<Option<Kri>>,
    enrolled: Mutex<Vec<Enrollment>>,
}

impl FakeMeshd {
    pub(crate) async fn start() -> Self {
        Self::start_at(([127, 0, 0, 1], 0).into()).await
    }

    pub(crate) async fn start_at(address: SocketAddr) -> Self {
        let (report, reports) = mpsc::unbounded_channel();
        let (issue, issued) = mpsc::unbounded_channel();
        let rules = Rules {
            refuse_tokens: false,
            refuse_svids: false,
            control_lifetime: 3600,
            svid_lifetime: 3600,
            dataplane: "web-1",
        };
        let judge = Arc::new(Judge {
            control: Ca::new("control"),
            mesh: Ca::new("mesh"),
            rules: Mutex::new(rules),
            wanted: watch::Sender::new(None),
            reports: report,
            issued: issue,
            enrolled: Mutex::default(),
        });
        let mut meshd = Self {
            address,
            reports,
            issued,
            judge,
            running: None,
        };
        meshd.listen().await;
        meshd
    }

    /// Begins to listen, where it listened before if it did.
    pub(crate) async fn listen(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let (tls, judge) = (self.tls(), Arc::clone(&self.judge));
        let task = tokio::spawn(async move {
            server::serve(listener, tls, judge, stopped).await.unwrap();
        });
        self.running = Some((stop, task));
    }

    /// A second one of the same mesh, with the same authorities, and nobody to tell.
    pub(crate) async fn twin(&self) -> Self {
        let mut twin = Self {
            address: ([127, 0, 0, 1], 0).into(),
            reports: mpsc::unbounded_channel().1,
            issued: mpsc::unbounded_channel().1,
            judge: Arc::clone(&self.judge),
            running: None,
        };
        twin.listen().await;
        twin
    }

    pub(crate) async fn stop(&mut self) {
        if let Some((stop, task)) = self.running.take() {
            stop.send_replace(true);
            task.await.unwrap();
        }
    }

    fn tls(&self) -> Arc<ServerConfig> {
        let (leaf, key) = self
            .judge
            .control
            .server("meshd.control", unix_now() + 3600);
        let authority = self.judge.control.certificate.clone();
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone()).unwrap();
        let clients =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), crate::meshd::provider())
                .allow_unauthenticated()
                .build()
                .unwrap();
        let config = ServerConfig::builder_with_provider(crate::meshd::provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_client_cert_verifier(clients)
            .with_single_cert(vec![leaf, authority], key)
            .unwrap();
        Arc::new(config)
    }

    pub(crate) fn rule(&self, change: impl FnOnce(&mut Rules)) {
        change(&mut self.judge.rules.lock().unwrap());
    }

    pub(crate) fn enrolled(&self) -> Vec<Enrollment> {
        self.judge.enrolled.lock().unwrap().clone()
    }

    pub(crate) fn token(&self, directory: &Path) -> PathBuf {
        token(directory, "t1", self.pin())
    }

    pub(crate) fn pin(&self) -> Digest {
        self.judge.control.pin
    }

    /// What it enrolled a proxy with whose control certificate ends then.
    pub(crate) fn membership(&self, not_after: u64) -> Membership {
        let control = &self.judge.control;
        let credential = control.credential(&self.judge.control_name(), not_after);
        Membership {
            token: "t1".to_owned(),
            name: credential.proxy_name().unwrap(),
            credential,
            anchors: vec![control.certificate.clone()],
        }
    }

    pub(crate) fn want(&self, revision: &str, resources: Vec<(Key, Resource)>) -> Digest {
        let wanted = wanted(revision, resources);
        let root = wanted.root();
        self.judge.wanted.send_replace(Some(Arc::new(wanted)));
        root
    }

    /// The same, and how often it is to tell its traffic.
    pub(crate) fn want_measured(
        &self,
        revision: &str,
        resources: Vec<(Key, Resource)>,
        every: std::time::Duration,
    ) -> Digest {
        let wanted = wanted(revision, resources).measured_every(every);
        let root = wanted.root();
        self.judge.wanted.send_replace(Some(Arc::new(wanted)));
        root
    }

    /// Other endpoints of the one cluster.
    pub(crate) fn want_endpoints(&self, ports: &[u16]) {
        self.judge.wanted.send_modify(|wanted| {
            let now = wanted.take().unwrap();
            *wanted = Some(Arc::new(now.with_endpoints(endpoints(ports))));
        });
    }

    /// The next status that says this of readiness.
    pub(crate) async fn until_ready(&mut self, wanted: bool) {
        loop {
            let report = self.reports.recv().await.unwrap();
            if matches!(report, Report::Status { ready, .. } if ready == wanted) {
                return;
            }
        }
    }

    /// The next report that is neither a connection nor a status.
    pub(crate) async fn answer(&mut self) -> Report {
        loop {
            let report = self.reports.recv().await.unwrap();
            if matches!(report, Report::Acked { .. } | Report::Nacked { .. }) {
                return report;
            }
        }
    }
}

/// A token file.
pub(crate) fn token(directory: &Path, id: &str, pin: Digest) -> PathBuf {
    let json = format!(r#"{{"id":"{id}","secret":"hush","pin":"{pin}"}}"#);
    let path = directory.join(format!("token-{id}"));
    std::fs::write(&path, format!("mesh1.{}\n", URL_SAFE_NO_PAD.encode(json))).unwrap();
    path
}

pub(crate) fn kri(text: &str) -> Kri {
    text.parse().unwrap()
}

pub(crate) fn cluster() -> Kri {
    kri("kri_msvc_default_zone__api_http")
}

fn origin() -> Origin {
    Origin {
        resource: kri("kri_dp_default_zone__web-1_"),
        file: "web.yaml".to_owned(),
        line: 1,
    }
}

/// The configuration of `name`: an identity if one is given, and one cluster that is told apart by its timeout.
pub(crate) fn configuration(
    name: &str,
    identity: Option<&str>,
    timeout: u64,
) -> Vec<(Key, Resource)> {
    let proxy = Proxy {
        kri: kri(&format!("kri_dp_default_zone__{name}_")),
        zone: "zone".to_owned(),
        address: None,
        workload: None,
        capture: None,
        identity: identity.map(|id| WorkloadIdentity {
            spiffe_id: id.parse().unwrap(),
            issuer: kri("kri_mid_default_zone__identity_"),
            lifetime: Duration::from_secs(3600),
            agent: None,
            origin: origin(),
        }),
        origin: origin(),
    };
    let api = Cluster {
        connect_timeout: Sourced::built_in(Duration::from_secs(timeout)),
        ..Cluster::new(cluster(), Protocol::Http, origin())
    };
    vec![
        (Key::Proxy, Resource::Proxy(proxy)),
        (Key::Trust, Resource::Trust(Trust::default())),
        (Key::Cluster(cluster()), Resource::Cluster(api)),
    ]
}

pub(crate) fn endpoints(ports: &[u16]) -> BTreeMap<Kri, Arc<ClusterEndpoints>> {
    let endpoint = |port: &u16| {
        let id = kri(&format!("kri_dp_default_zone__api-{port}_http"));
        let endpoint = Endpoint {
            id: id.clone(),
            address: "127.0.0.1".to_owned(),
            port: *port,
            zone: "zone".to_owned(),
            labels: BTreeMap::new(),
        };
        (id, endpoint)
    };
    let set = ClusterEndpoints {
        endpoints: ports.iter().map(endpoint).collect(),
        tls_ready: true,
    };
    BTreeMap::from([(cluster(), Arc::new(set))])
}

pub(crate) fn wanted(revision: &str, resources: Vec<(Key, Resource)>) -> Wanted {
    let mut manifest = Manifest::default();
    let mut bytes = BTreeMap::new();
    for (key, resource) in resources {
        let (digest, encoded) = resource.encode().unwrap();
        manifest.entries.insert(key, digest);
        bytes.insert(digest, Bytes::from(encoded));
    }
    let (manifest, bytes) = (Arc::new(manifest), Arc::new(bytes));
    Wanted::new(revision, manifest, bytes, endpoints(&[8080])).unwrap()
}

impl Judge {
    fn rules(&self) -> Rules {
        self.rules.lock().unwrap().clone()
    }

    fn control_name(&self) -> String {
        let name = self.rules().dataplane;
        format!("spiffe://meshd.control/mesh/default/dataplane/{name}")
    }
}

impl Authority for Judge {
    async fn enroll(&self, request: Enrollment, _: SocketAddr) -> Result<Enrolled, Denied> {
        let rules = self.rules();
        self.enrolled.lock().unwrap().push(request.clone());
        if rules.refuse_tokens {
            return Err(Denied::Unauthenticated("this token is spent".to_owned()));
        }
        let not_after = unix_now() + rules.control_lifetime;
        let leaf = self
            .control
            .issue(&request.csr, &[&self.control_name()], not_after);
        Ok(Enrolled {
            chain: vec![leaf, self.control.certificate.clone()],
            anchors: vec![self.control.certificate.clone()],
            not_after,
            renew_at: not_after,
        })
    }

    fn admit(&self, _: &[CertificateDer<'_>]) -> Result<ProxyName, Denied> {
        Ok(ProxyName(kri("kri_dp_default_zone__web-1_")))
    }

    fn wanted(&self, _: &ProxyName) -> Option<watch::Receiver<Option<Arc<Wanted>>>> {
        Some(self.wanted.subscribe())
    }

    async fn issue(
        &self,
        _: &ProxyName,
        _: &[CertificateDer<'_>],
        issuer: Option<&Kri>,
        csr: &[u8],
    ) -> Result<Certificate, Denied> {
        let rules = self.rules();
        let (ca, name, lifetime) = match issuer {
            Some(_) if rules.refuse_svids => {
                return Err(Denied::Unavailable("the CA is locked".to_owned()));
            }
            Some(_) => (&self.mesh, WEB.to_owned(), rules.svid_lifetime),
            None => (&self.control, self.control_name(), rules.control_lifetime),
        };
        let not_after = unix_now() + lifetime;
        let leaf = ca.issue(csr, &[&name], not_after);
        let _ = self.issued.send(issuer.cloned());
        Ok(Certificate {
            issuer: issuer.cloned(),
            chain: vec![leaf, ca.certificate.clone()],
            not_after,
            renew_at: not_after,
            anchors: Vec::new(),
        })
    }

    fn report(&self, _: &ProxyName, report: Report) {
        let _ = self.reports.send(report);
    }
}
