use super::*;
use crate::control::tests::applied;
use crate::http_admin;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn admin() -> (watch::Sender<View>, Arc<Admin>) {
    let view = watch::Sender::new(View::default());
    let admin = Admin::new(view.subscribe(), Arc::new(Metrics::new()));
    (view, Arc::new(admin))
}

async fn get(admin: &Admin, path: &str) -> Answer {
    let (path, query) = path
        .split_once('?')
        .map_or((path, None), |(p, q)| (p, Some(q)));
    let question = Question {
        method: "GET",
        path,
        query,
        host: Some("127.0.0.1:9901"),
    };
    admin.answer(question).await
}

#[tokio::test]
async fn a_proxy_is_ready_while_it_serves() {
    let (view, admin) = admin();
    assert_eq!(get(&admin, "/healthz").await.status, 200);
    assert_eq!(get(&admin, "/readyz").await.status, 503);
    assert_eq!(get(&admin, "/config").await.status, 503);
    view.send_modify(|view| view.trouble = Some("meshd is away".to_owned()));
    let away = get(&admin, "/readyz").await.body;
    assert_eq!(away, "no configuration is applied yet: meshd is away\n");
    view.send_modify(|view| view.trouble = None);
    view.send_modify(|view| view.applied = Some(applied("r1", 60)));
    assert_eq!(get(&admin, "/readyz").await.status, 200);
    view.send_modify(|view| view.draining = true);
    let draining = get(&admin, "/readyz").await;
    assert_eq!(
        (draining.status, draining.body.as_str()),
        (503, "draining\n")
    );
}

#[tokio::test]
async fn readiness_ends_with_the_certificate() {
    let (view, admin) = admin();
    view.send_modify(|view| view.applied = Some(applied("r1", -5)));
    let answer = get(&admin, "/readyz").await;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (503, "the certificate has ended\n")
    );
}

#[tokio::test]
async fn readiness_can_be_waited_for() {
    let (view, admin) = admin();
    let waiting = tokio::spawn({
        let admin = Arc::clone(&admin);
        async move { get(&admin, "/readyz?timeout=30s").await.status }
    });
    view.send_modify(|view| view.applied = Some(applied("r1", 60)));
    assert_eq!(waiting.await.unwrap(), 200);
    assert_eq!(get(&admin, "/readyz?timeout=soon").await.status, 400);
    assert_eq!(get(&admin, "/readyz?wait=1s").await.status, 400);
}

#[tokio::test]
async fn the_configuration_is_shown_without_keys() {
    let (view, admin) = admin();
    view.send_modify(|view| view.applied = Some(applied("r1", 60)));
    let answer = get(&admin, "/config").await;
    let json: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((answer.status, answer.content_type), (200, JSON));
    assert_eq!(json["revision"], "r1");
    assert_eq!(json["spiffeId"], "spiffe://default.local/workload/web");
    let cluster = &json["clusters"]["kri_msvc_default_zone__api_http"];
    assert_eq!(cluster["endpoints"][0]["port"], 8080);
    assert!(json.get("key").is_none() && !answer.body.contains("PRIVATE"));
    let metrics = get(&admin, "/metrics").await.body;
    assert!(metrics.contains("mesh_proxy_ready 1\n"), "{metrics}");
    assert!(metrics.ends_with("# EOF\n"), "{metrics}");
}

#[tokio::test]
async fn another_configuration_can_be_waited_for() {
    let (view, admin) = admin();
    view.send_modify(|view| view.applied = Some(applied("r1", 60)));
    let first = get(&admin, "/config").await.body;
    let unlike = Digest::of(first.as_bytes());
    let same = get(&admin, &format!("/config?unlike={unlike}")).await;
    assert_eq!(same.status, 504);
    let waiting = tokio::spawn({
        let admin = Arc::clone(&admin);
        async move { get(&admin, &format!("/config?timeout=30s&unlike={unlike}")).await }
    });
    view.send_modify(|view| view.draining = true);
    view.send_modify(|view| view.applied = Some(applied("r2", 60)));
    assert!(waiting.await.unwrap().body.contains("r2"));
    assert_eq!(get(&admin, "/config?unlike=r1").await.status, 400);
    assert_eq!(
        get(&admin, &format!("/readyz?unlike={unlike}"))
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn only_this_machine_may_ask_and_only_read() {
    let (_view, admin) = admin();
    let ask = async |method, path, host| {
        let question = Question {
            method,
            path,
            query: None,
            host,
        };
        admin.answer(question).await.status
    };
    assert_eq!(ask("GET", "/healthz", None).await, 400);
    assert_eq!(ask("POST", "/healthz", Some("localhost")).await, 405);
    assert_eq!(ask("GET", "/quit", Some("localhost")).await, 404);
    for host in [
        "localhost:80",
        "127.0.0.1",
        "127.9.9.9:1",
        "[::1]",
        "[::1]:80",
        "LocalHost",
    ] {
        assert_eq!(ask("HEAD", "/healthz", Some(host)).await, 200, "{host}");
    }
    for host in [
        "evil.example",
        "10.0.0.1",
        "localhost.evil.example",
        "[::2]",
        "127.0.0.1:x",
        "",
        "[::1",
    ] {
        assert_eq!(ask("GET", "/healthz", Some(host)).await, 403, "{host}");
    }
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let refused = http_admin::bind(address.parse().unwrap())
            .await
            .unwrap_err();
        assert_eq!(
            refused.kind(),
            std::io::ErrorKind::InvalidInput,
            "{address}"
        );
    }
}

#[tokio::test]
async fn it_is_http() {
    let (_view, admin) = admin();
    let listener = http_admin::bind("127.0.0.1:0".parse().unwrap())
        .await
        .unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(http_admin::serve(listener, admin));
    for (request, start) in [
        (
            "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
            "HTTP/1.1 200 ",
        ),
        (
            "GET /healthz HTTP/1.1\r\nHost: a.example\r\n\r\n",
            "HTTP/1.1 403 ",
        ),
        (
            "GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: b\r\n\r\n",
            "HTTP/1.1 400 ",
        ),
        (
            "DELETE /config HTTP/1.1\r\nHost: localhost\r\n\r\n",
            "HTTP/1.1 405 ",
        ),
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(start), "{request}: {answer}");
    }
    serving.abort();
}
