//! Who is served, who is not, and what happens to those who no longer are.

use std::io;
use std::sync::{Arc, LazyLock, Mutex};

use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use mesh_bundle::Sourced;
use mesh_bundle::resource::{PermissionRule, Protocol, TlsMode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tracing_subscriber::fmt::MakeWriter;

use super::site::{Site, WEB, allow, deny_all, endpoints, origin, service};
use super::wire::{
    Endless, client, client_two, echo_workload, fetch, full, get, mirror_workload, raw, read,
    workload,
};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Log {
    /// One for all tests of the process: with one for each thread, whether a line is written at all would depend on who
    /// came to it first.
    fn of_all() -> Self {
        static LOG: LazyLock<Log> = LazyLock::new(|| {
            let log = Log::default();
            let subscriber = tracing_subscriber::fmt().json().flatten_event(true);
            subscriber.with_writer(log.clone()).init();
            log
        });
        LOG.clone()
    }

    fn line(&self, wanted: &str) -> String {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let found = text.lines().find(|line| line.contains(wanted));
        found
            .unwrap_or_else(|| panic!("no {wanted} in {text}"))
            .to_owned()
    }
}

#[tokio::test]
async fn a_denial_names_its_origin() {
    let log = Log::of_all();
    let mut site = Site::start(Protocol::Http, mirror_workload(false).await).await;
    site.api.world.revision = "of-this-test".to_owned();
    site.api
        .policy(|policy| policy.permissions = Some(deny_all()))
        .await;
    let (status, _, text) = fetch(site.entry, "/").await;
    assert_eq!(
        (status, text.as_str()),
        (StatusCode::FORBIDDEN, "RBAC: access denied")
    );
    let line = log.line("of-this-test");
    for field in [
        "\"refusal\":\"permission\"",
        &format!("\"peer\":\"{WEB}\""),
        "\"inbound\":\"http\"",
        "\"policy\":\"kri_mtp_default___api-clients_\"",
        "\"origin\":\"policies/closed.yaml:9\"",
        "\"message\":\"refused\"",
    ] {
        assert!(line.contains(field), "{field} is not in {line}");
    }
    let line = log.line("\"connection\"");
    assert!(
        line.contains("TLSv1_3") && line.contains("\"local_id\":\"spiffe://td/workload/"),
        "{line}"
    );
    let metrics = site.api.metrics.encode().unwrap();
    assert!(
        metrics.contains("mesh_refusals_total{direction=\"inbound\",refusal=\"permission\"} 1")
    );
    assert!(
        metrics.contains("code=\"403\",flag=\"RBAC\"} 1"),
        "{metrics}"
    );
}

#[tokio::test]
async fn permissions_are_asked_at_every_request() {
    let mut site = Site::start(Protocol::Http, mirror_workload(false).await).await;
    let mut client = client(site.entry).await;
    for (permissions, expected) in [
        (allow(WEB), StatusCode::OK),
        (deny_all(), StatusCode::FORBIDDEN),
        (allow(WEB), StatusCode::OK),
        (allow("spiffe://td/workload/other"), StatusCode::FORBIDDEN),
    ] {
        site.api
            .policy(|policy| policy.permissions = Some(permissions))
            .await;
        client.ready().await.unwrap();
        let response = client.send_request(get("/")).await.unwrap();
        assert_eq!(read(response).await.0, expected);
    }
}

#[tokio::test]
async fn a_shadow_denial_is_served_and_counted() {
    let mut site = Site::start(Protocol::Http, mirror_workload(false).await).await;
    let mut permissions = deny_all();
    let rules: Vec<PermissionRule> = allow(WEB).allow;
    permissions.allow_with_shadow_deny = rules;
    site.api
        .policy(|policy| policy.permissions = Some(permissions))
        .await;
    assert_eq!(fetch(site.entry, "/").await.0, StatusCode::OK);
    let metrics = site.api.metrics.encode().unwrap();
    assert!(metrics.contains("mesh_shadow_denied_total 1"), "{metrics}");
}

#[tokio::test]
async fn a_revoked_permission_ends_open_connections() {
    let mut site = Site::start(Protocol::Tcp, echo_workload().await).await;
    let mut tcp = TcpStream::connect(site.entry).await.unwrap();
    tcp.write_all(b"x").await.unwrap();
    assert_eq!(tcp.read_u8().await.unwrap(), b'x');
    site.api
        .policy(|policy| policy.permissions = Some(deny_all()))
        .await;
    assert_ne!(
        tcp.read(&mut [0]).await.ok(),
        Some(1),
        "the connection lives on"
    );
    assert_eq!(raw(site.entry, b"y").await, "");
}

#[tokio::test]
async fn a_revoked_permission_ends_open_streams() {
    let answer = |_| async { Response::new(Endless::default().boxed()) };
    let mut site = Site::start(Protocol::Http2, workload(true, answer).await).await;
    let mut client = client_two(site.entry).await;
    let request = Request::get("http://api/").body(full("")).unwrap();
    let mut body = client.send_request(request).await.unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    // What the peer may do is another's business: a change that does not concern it cuts nothing.
    let mut wider = allow(WEB);
    wider
        .allow
        .extend(allow("spiffe://td/workload/other").allow);
    site.api
        .policy(|policy| policy.permissions = Some(wider))
        .await;
    body.frame().await.unwrap().unwrap();
    site.api
        .policy(|policy| policy.permissions = Some(deny_all()))
        .await;
    while let Some(frame) = body.frame().await {
        if frame.is_err() {
            let request = Request::get("http://api/").body(full("")).unwrap();
            let response = client.send_request(request).await.unwrap();
            assert_eq!(response.status(), StatusCode::FORBIDDEN);
            return;
        }
    }
    panic!("the stream ended as if it were whole");
}

#[tokio::test]
async fn permissive_takes_both_and_strict_ends_the_plain_ones() {
    let mut site = Site::start(Protocol::Tcp, echo_workload().await).await;
    site.api
        .policy(|policy| policy.tls = Sourced::built_in(TlsMode::Permissive))
        .await;
    assert_eq!(raw(site.entry, b"mesh").await, "mesh");
    assert_eq!(raw(site.inbound, b"plain").await, "plain");
    // Other TLS is for the workload, whatever it is.
    let hello = b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00";
    assert_eq!(
        raw(site.inbound, hello).await.as_bytes().first(),
        Some(&0x16)
    );
    let mut plain = TcpStream::connect(site.inbound).await.unwrap();
    plain.write_all(b"x").await.unwrap();
    assert_eq!(plain.read_u8().await.unwrap(), b'x');
    site.api
        .policy(|policy| policy.tls = Sourced::built_in(TlsMode::Strict))
        .await;
    assert_ne!(
        plain.read(&mut [0]).await.ok(),
        Some(1),
        "plaintext lives on"
    );
    assert_eq!(
        raw(site.inbound, b"GET / HTTP/1.1\r\n\r\n")
            .await
            .find("GET"),
        None
    );
    assert_eq!(raw(site.entry, b"mesh").await, "mesh");
}

/// A workload that says `ready` before it has heard anything, and then sends back what it hears.
async fn greeting_workload() -> std::net::SocketAddr {
    let listener = tokio::net::TcpListener::bind(super::site::address(8_080)).await;
    let listener = listener.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            tokio::spawn(async move {
                tcp.write_all(b"ready").await?;
                let (mut from, mut to) = tcp.split();
                tokio::io::copy(&mut from, &mut to).await
            });
        }
    });
    at
}

#[tokio::test]
async fn a_server_that_speaks_first_is_not_kept_waiting() {
    let mut site = Site::start(Protocol::Tcp, greeting_workload().await).await;
    site.api
        .policy(|policy| policy.tls = Sourced::built_in(TlsMode::Permissive))
        .await;
    for at in [site.inbound, site.entry] {
        let begin = std::time::Instant::now();
        let mut tcp = TcpStream::connect(at).await.unwrap();
        let mut word = [0; 5];
        tcp.read_exact(&mut word).await.unwrap();
        assert_eq!(&word, b"ready");
        // Nobody says so before the time is over that a client has to begin with TLS.
        assert!(begin.elapsed() < crate::hello::DETECT_WAIT, "{at}");
        tcp.write_all(b"hello").await.unwrap();
        tcp.read_exact(&mut word).await.unwrap();
        assert_eq!(&word, b"hello");
    }
    // Who is not permitted as nobody hears nothing.
    site.api
        .policy(|policy| {
            policy.tls = Sourced::built_in(TlsMode::Strict);
        })
        .await;
    let mut tcp = TcpStream::connect(site.inbound).await.unwrap();
    tcp.write_all(b"hello").await.unwrap();
    let mut answer = Vec::new();
    let _ = tcp.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"ready"), "{}", answer.escape_ascii());
}

#[tokio::test]
async fn a_client_that_hesitates_is_believed_all_the_same() {
    let mut site = Site::start(Protocol::Tcp, echo_workload().await).await;
    site.api
        .policy(|policy| policy.tls = Sourced::built_in(TlsMode::Permissive))
        .await;
    // Longer than anybody who speaks TLS needs to begin, as far as the proxy knows.
    let hesitates = std::time::Duration::from_millis(300);
    for hello in [&b"plain"[..], b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"] {
        let mut tcp = TcpStream::connect(site.inbound).await.unwrap();
        let silent = tokio::time::timeout(hesitates, tcp.read_u8()).await;
        assert!(silent.is_err(), "{silent:?}");
        tcp.write_all(hello).await.unwrap();
        let mut back = vec![0; hello.len()];
        tcp.read_exact(&mut back).await.unwrap();
        assert_eq!(back, hello);
    }
}

#[tokio::test]
async fn without_identity_everything_is_plain_and_permitted() {
    let site = Site::with(Protocol::Http, mirror_workload(false).await, |web, api| {
        for world in [web, api] {
            Arc::make_mut(&mut world.config).proxy.identity = None;
            world.svid = None;
            for cluster in world.endpoints.values_mut() {
                cluster.tls_ready = false;
            }
            for (_, policy) in Arc::make_mut(&mut world.config).inbounds.values_mut() {
                policy.tls = Sourced::built_in(TlsMode::Disabled);
                policy.permissions = None;
            }
        }
    });
    let site = site.await;
    let request = Request::get("/").header("host", "api");
    let request = request.header("x-forwarded-client-cert", "URI=spiffe://td/admin");
    let request = request.body(full("")).unwrap();
    let response = client(site.entry)
        .await
        .send_request(request)
        .await
        .unwrap();
    let (status, _, text) = read(response).await;
    assert_eq!(status, StatusCode::OK);
    assert!(!text.contains("client-cert"), "{text}");
}

#[tokio::test]
async fn without_a_certificate_yet_nothing_falls_back_to_plaintext() {
    let mut site = Site::start(Protocol::Http, mirror_workload(false).await).await;
    site.web.world.svid = None;
    site.web.apply().await.unwrap();
    assert_eq!(
        fetch(site.entry, "/").await.0,
        StatusCode::SERVICE_UNAVAILABLE
    );
}

#[tokio::test]
async fn a_server_that_is_somebody_else_gets_nothing() {
    let mut site = Site::start(Protocol::Http, mirror_workload(false).await).await;
    assert_eq!(fetch(site.entry, "/").await.0, StatusCode::OK);
    let other = "spiffe://td/workload/other";
    site.web
        .change(|config| {
            let cluster = config.clusters.get_mut(&service("api")).unwrap();
            cluster.identities = vec![other.parse().unwrap()];
        })
        .await;
    assert_eq!(
        fetch(site.entry, "/").await.0,
        StatusCode::SERVICE_UNAVAILABLE
    );
    let metrics = site.web.metrics.encode().unwrap();
    assert!(metrics.contains("refusal=\"server-identity\""), "{metrics}");
}

#[tokio::test]
async fn nobody_there_is_503_and_no_backend_is_500() {
    let mut site = Site::start(Protocol::Http, mirror_workload(false).await).await;
    site.web
        .world
        .endpoints
        .insert(service("api"), endpoints(&[], true));
    site.web.apply().await.unwrap();
    assert_eq!(
        fetch(site.entry, "/").await.0,
        StatusCode::SERVICE_UNAVAILABLE
    );
    let at = origin("routes.yaml", 8);
    site.web
        .routes(|routes| {
            routes[0].backends[0].cluster = None;
            routes[0].backends[0].origin = at;
        })
        .await;
    assert_eq!(
        fetch(site.entry, "/").await.0,
        StatusCode::INTERNAL_SERVER_ERROR
    );
}

#[tokio::test]
async fn a_new_identity_is_shown_at_once() {
    let mut site = Site::start(Protocol::Http, mirror_workload(false).await).await;
    let mut client = client(site.entry).await;
    for id in [WEB, "spiffe://td/workload/web-2"] {
        site.api
            .policy(|policy| policy.permissions = Some(allow(id)))
            .await;
        site.web.world.svid = Some(site.authority.svid(id));
        site.web
            .change(|config| {
                let identity = config.proxy.identity.as_mut().unwrap();
                identity.spiffe_id = id.parse().unwrap();
            })
            .await;
        client.ready().await.unwrap();
        let (status, _, text) = read(client.send_request(get("/")).await.unwrap()).await;
        assert_eq!(status, StatusCode::OK);
        assert!(text.contains(&format!("URI={id}\n")), "{text}");
    }
}
