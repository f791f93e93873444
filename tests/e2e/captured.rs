//! Applications that know nothing of a mesh, on hosts whose traffic is captured.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use mesh_bundle::{Bundle, Resource};
use mesh_tests::{
    Answer, Connection, Host, Meshd, Network, Proxy, Repo, Token, Workload, binary, request_to,
};
use tempfile::TempDir;
use tokio::net::UdpSocket;

/// Whom mesh-proxy runs as.
const USER: u32 = 4_711;

const MESH: &str = "type: Mesh
name: default
---
type: MeshIdentity
mesh: default
name: identity
spec:
  selector:
    dataplane:
      matchLabels: {}
  provider:
    type: Bundled
    bundled:
      insecureAllowSelfSigned: true
      autogenerate:
        enabled: true
---
type: MeshService
mesh: default
name: api
spec:
  selector:
    dataplaneLabels:
      matchLabels:
        app: api
  ports:
    - port: 80
      targetPort: 8080
      appProtocol: http
---
type: MeshTrafficPermission
mesh: default
name: who-may
spec:
  rules:
    - default:
        allow:
          - spiffeID:
              type: Prefix
              value: spiffe://default.default.mesh.local/workload/web
          - spiffeID:
              type: Prefix
              value: spiffe://default.default.mesh.local/workload/api
";

fn dataplanes(network: &Network) -> String {
    let (web, api) = (network.address(2), network.address(3));
    format!(
        "type: Dataplane
mesh: default
name: web-1
labels:
  app: web
  kuma.io/workload: web
networking:
  address: {web}
  transparentProxying: {{}}
---
type: Dataplane
mesh: default
name: api-1
labels:
  app: api
  kuma.io/workload: api
networking:
  address: {api}
  inbound:
    - port: 8080
      protocol: http
  transparentProxying: {{}}
"
    )
}

/// Two hosts beside meshd: `web`, which only calls, and `api`, which listens where its service does.
struct Site {
    proxies: Vec<Proxy>,
    meshd: Meshd,
    repo: Repo,
    web: Host,
    api: Host,
    network: Network,
    state: TempDir,
}

impl Site {
    /// `None` where this machine cannot have hosts.
    async fn start() -> Option<Self> {
        let network = match Network::begin() {
            Ok(network) => network,
            Err(why) => {
                eprintln!("SKIPPED: no hosts of our own: {why}");
                return None;
            }
        };
        let repo = Repo::from_files(&[
            ("mesh.yaml", MESH),
            ("dataplanes.yaml", &dataplanes(&network)),
        ]);
        let state = TempDir::with_prefix("mesh-captured-").unwrap();
        std::fs::set_permissions(state.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        let at = |port| SocketAddr::new(network.gateway().into(), port);
        let repository = repo.path().to_string_lossy().into_owned();
        let meshd = Meshd::new(
            &repository,
            &state.path().join("meshd"),
            at(5_680),
            at(5_681),
        );
        meshd.start().await;
        let mut site = Self {
            proxies: Vec::new(),
            meshd,
            repo,
            web: network.host(2),
            api: network.host(3),
            network,
            state,
        };
        for (name, host) in [("web-1", 2), ("api-1", 3)] {
            let proxy = site.proxy(name, host).await;
            proxy.launch();
            site.proxies.push(proxy);
        }
        for proxy in &site.proxies {
            proxy.ready().await;
        }
        site.settled().await;
        Some(site)
    }

    fn host(&self, number: u8) -> &Host {
        match number {
            2 => &self.web,
            _ => &self.api,
        }
    }

    async fn proxy(&self, name: &str, number: u8) -> Proxy {
        let host = self.host(number);
        let user = USER.to_string();
        host.run(
            &binary("mesh-proxy"),
            &["capture", "install", "--proxy-user", &user],
        );
        let state = self.state.path();
        let token = state.join(format!("{name}.token"));
        self.meshd.token(Token::Dataplane(name), &token).await;
        std::os::unix::fs::chown(&token, Some(USER), None).unwrap();
        let own = state.join(format!("of-{name}"));
        std::fs::create_dir(&own).unwrap();
        std::os::unix::fs::chown(&own, Some(USER), None).unwrap();
        let meshd = self.meshd.delivery().to_string();
        Proxy::new(name, &meshd, &token, &own).through(host.words(USER))
    }

    /// Every proxy has what is committed, and knows where the others are.
    async fn settled(&self) {
        let head = self.repo.git(&["rev-parse", "HEAD"]);
        self.meshd.settled(&head).await;
    }

    async fn commit(&self, path: &str, text: &str) {
        self.repo.write(path, text);
        self.repo.commit("Change what may leave");
        self.settled().await;
    }

    /// The virtual address of the service.
    fn vip(&self) -> SocketAddr {
        let file = self.state.path().join("bundle");
        let built = std::process::Command::new(binary("meshc"))
            .arg("build")
            .arg(self.repo.path())
            .arg("-o")
            .arg(&file)
            .output()
            .unwrap();
        assert!(built.status.success(), "{built:?}");
        let bundle = Bundle::decode(&std::fs::read(&file).unwrap()).unwrap();
        let vip = bundle
            .resources
            .values()
            .find_map(|resource| match &**resource {
                Resource::Destination(destination) => destination.vip,
                _ => None,
            });
        SocketAddr::new(vip.expect("a virtual address"), 80)
    }
}

/// One request from a host.
async fn ask(host: &Host, to: SocketAddr, authority: &str) -> Result<Answer, String> {
    let stream = host.connect(to).map_err(|error| error.to_string())?;
    let mut connection = Connection::http1_over(stream).await?;
    connection.send(request_to(authority, "GET", "/", "")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn applications_are_in_the_mesh_without_knowing_it() {
    let Some(site) = Site::start().await else {
        return;
    };
    let _api = Workload::on("api", "http", site.api.listen(8_080));
    let vip = site.vip();

    // The application connects to the service; the mesh makes it mutual TLS.
    let answer = ask(&site.web, vip, "api").await.unwrap();
    assert_eq!((answer.status, answer.by()), (200, "api"));
    let told = answer.json().to_string();
    assert!(told.contains("workload/web"), "{told}");

    // A workload reaches its own service as any other client does.
    let answer = ask(&site.api, vip, "api").await.unwrap();
    assert_eq!((answer.status, answer.by()), (200, "api"));
    assert!(answer.json().to_string().contains("workload/api"));

    // Who is not of the mesh reaches the application at none of its addresses.
    let mut outsider = std::net::TcpStream::connect(site.api.port(8_080)).unwrap();
    outsider
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    outsider
        .write_all(b"GET / HTTP/1.1\r\nHost: api\r\n\r\n")
        .unwrap();
    let mut read = Vec::new();
    // Closed or reset, and not a byte of the application.
    let _ = outsider.read_to_end(&mut read);
    assert!(!String::from_utf8_lossy(&read).contains("200"), "{read:?}");
}

/// Answers every question with one address, as a name server of the world outside.
async fn name_server(at: SocketAddr) {
    let socket = UdpSocket::bind(at).await.unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        while let Ok((count, from)) = socket.recv_from(&mut buffer).await {
            // The question as it came, said to be an answer with one record: the same name, A, IN, 60 s, 192.0.2.7.
            let mut answer = buffer[..count].to_vec();
            answer[2] |= 0x80;
            answer[7] = 1;
            answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7]);
            socket.send_to(&answer, from).await.unwrap();
        }
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_are_found_by_their_names() {
    let Some(site) = Site::start().await else {
        return;
    };
    name_server(SocketAddr::new(site.network.gateway().into(), 53)).await;
    let resolve = |name: &str| site.web.run(Path::new("getent"), &["ahostsv4", name]);
    let vip = site.vip().ip().to_string();
    let found = resolve("api.svc.mesh.local");
    assert!(found.starts_with(&vip), "{found} is not {vip}");
    let found = resolve("outside.example");
    assert!(found.starts_with("192.0.2.7"), "{found}");
}

const PASSTHROUGH: &str = "type: MeshPassthrough
mesh: default
name: out
spec:
  default:
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_leaves_the_mesh_is_a_matter_of_policy() {
    let Some(site) = Site::start().await else {
        return;
    };
    let outside = SocketAddr::new(site.network.gateway().into(), 9_000);
    let _outside = Workload::start("outside", "http", outside).await;
    let bytes = SocketAddr::new(site.network.gateway().into(), 9_001);
    let _bytes = Workload::start("bytes", "tcp", bytes).await;
    let greeted = || {
        let mut stream = site.web.connect(bytes).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let mut read = [0; 12];
        (stream.read_exact(&mut read).is_ok(), stream)
    };

    // Without a policy everything may leave, a server that speaks first included.
    let answer = ask(&site.web, outside, "any.example").await.unwrap();
    assert_eq!((answer.status, answer.by()), (200, "outside"));
    let (heard, mut open) = greeted();
    assert!(heard);

    // A policy ends what it does not permit, and nothing of it begins any more.
    site.commit(
        "out.yaml",
        &format!("{PASSTHROUGH}    passthroughMode: None\n"),
    )
    .await;
    assert_eq!(open.read(&mut [0; 16]).unwrap_or(0), 0, "it goes on");
    assert!(!greeted().0);
    assert!(ask(&site.web, outside, "any.example").await.is_err());
    let log = site.proxies[0].log();
    let refused = log.says(0, "refused", &[("refusal", "passthrough")]).await;
    assert_eq!(refused.field("origin"), "out.yaml:6");

    // Some hosts may be reached and others not, on the same connection.
    let matched = format!(
        "{PASSTHROUGH}    passthroughMode: Matched
    appendMatch:
      - {{type: Domain, value: '*.good.example', protocol: http, port: 9000}}
      - {{type: IP, value: {}, protocol: tcp, port: 9001}}
",
        bytes.ip()
    );
    site.commit("out.yaml", &matched).await;
    assert!(greeted().0);
    let stream = site.web.connect(outside).unwrap();
    let mut connection = Connection::http1_over(stream).await.unwrap();
    for (authority, status, by) in [
        ("a.good.example", 200, "outside"),
        ("bad.example", 503, ""),
        ("a.good.example:9000", 200, "outside"),
    ] {
        assert!(connection.usable().await, "{authority}");
        let request = request_to(authority, "GET", "/", "");
        let answer = connection.send(request).await;
        let answer =
            answer.unwrap_or_else(|why| panic!("{authority}: {why}\n{}", site.proxies[0].log()));
        assert_eq!((answer.status, answer.by()), (status, by), "{authority}");
        if status == 200 {
            assert_eq!(answer.json()["headers"]["host"], authority);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn version_six_is_captured_like_version_four() {
    let Some(site) = Site::start().await else {
        return;
    };
    let at = |host, port| SocketAddr::new(site.network.address_six(host).into(), port);
    let outside = at(1, 9_000);
    let _outside = Workload::start("outside", "http", outside).await;
    let api = at(3, 8_080);
    let _api = Workload::on("api", "http", site.api.listen_at(api));

    // What leaves is a matter of policy.
    let answer = ask(&site.web, outside, "any.example").await.unwrap();
    assert_eq!((answer.status, answer.by()), (200, "outside"));
    let none = format!("{PASSTHROUGH}    passthroughMode: None\n");
    site.commit("out.yaml", &none).await;
    assert!(ask(&site.web, outside, "any.example").await.is_err());
    let log = site.proxies[0].log();
    log.says(0, "refused", &[("refusal", "passthrough")]).await;

    // Who is not of the mesh does not get around it.
    let mut outsider = std::net::TcpStream::connect(api).unwrap();
    outsider
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    outsider
        .write_all(b"GET / HTTP/1.1\r\nHost: api\r\n\r\n")
        .unwrap();
    let mut read = Vec::new();
    let _ = outsider.read_to_end(&mut read);
    assert!(!String::from_utf8_lossy(&read).contains("200"), "{read:?}");
}
