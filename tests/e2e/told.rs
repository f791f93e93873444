//! Who is told of what becomes of a commit: the forge, beside the commit, and whoever wants to hear of events.

use aws_lc_rs::hmac;
use mesh_tests::{Collector, Delivered, Mesh, Options, Reply};
use serde_json::Value;

const TOKEN: &str = "forge-token-0123456789";
const SECRET: &str = "notify-secret-0123456789";

/// A mesh whose meshd tells a forge of this kind and somebody else; both answer as the test says.
async fn mesh(kind: &str, forge: &Collector, listener: &Collector, least: &str) -> Mesh {
    told(kind, forge, listener, least, "").start_meshd().await
}

/// The same, with more that is said of what the forge is told.
fn told(kind: &str, forge: &Collector, listener: &Collector, least: &str, more: &str) -> Options {
    let (forge, listener) = (forge.address(), listener.address());
    let secrets = tempfile::tempdir().expect("a directory").keep();
    for (file, text) in [("token", TOKEN), ("secret", SECRET)] {
        std::fs::write(secrets.join(file), text).expect("a secret");
    }
    Options::from_example("shop").configured(|repo| {
        format!(
            "[[source]]\nname = \"shop\"\nrepository = \"{}\"\n\
             [source.report]\nkind = \"{kind}\"\nproject = \"team/mesh\"\napi = \"http://{forge}/api\"\n\
             token-file = \"{secrets}/token\"\ntarget-url = \"https://meshd.example/shop\"\n{more}\
             [[notify]]\nurl = \"http://{listener}/hook/very-secret-path\"\nsecret-file = \"{secrets}/secret\"\nseverity = \"{least}\"\n",
            repo.path().display(),
            secrets = secrets.display(),
        )
    })
}

async fn anybody() -> Collector {
    Collector::start("127.0.0.1:0".parse().expect("an address")).await
}

fn json(delivered: &Delivered) -> Value {
    serde_json::from_slice(&delivered.body).expect("JSON")
}

fn header<'a>(delivered: &'a Delivered, name: &str) -> &'a str {
    let value = delivered.headers.get(name).map(|value| value.to_str());
    value.and_then(Result::ok).unwrap_or_default()
}

/// Commits a mistake, and returns its revision when meshd has said no.
async fn mistake(mesh: &Mesh) -> String {
    let change =
        |repo: &mesh_tests::Repo| repo.replace("api/canary.yaml", "weight: 90", "weihgt: 90");
    let (bad, settled) = mesh.try_change(change).await;
    assert_ne!(settled.revision(), bad);
    bad
}

#[tokio::test]
async fn a_forge_is_told_the_outcome_of_each_commit() {
    for (kind, failure, statuses, name, (with, proof)) in [
        (
            "github",
            "failure",
            "/api/repos/team/mesh/statuses/",
            "context",
            ("authorization", "Bearer "),
        ),
        (
            "gitlab",
            "failed",
            "/api/projects/team%2Fmesh/statuses/",
            "name",
            ("private-token", ""),
        ),
        (
            "forgejo",
            "failure",
            "/api/repos/team/mesh/statuses/",
            "context",
            ("authorization", "token "),
        ),
    ] {
        let (forge, listener) = (anybody().await, anybody().await);
        // The first time it is busy: it is asked again.
        let status = 503;
        forge.next(Reply {
            status,
            ..Reply::default()
        });
        let mesh = mesh(kind, &forge, &listener, "error").await;
        let good = mesh.head().await;
        let calls = forge.delivered("two calls", |calls| calls.len() == 2).await;
        let bad = mistake(&mesh).await;
        let more = forge.delivered("a third", |calls| calls.len() == 3).await;
        let calls: Vec<_> = calls
            .iter()
            .chain(more.get(2..).unwrap_or_default())
            .collect();
        for (call, revision) in calls.iter().zip([&good, &good, &bad]) {
            assert_eq!(call.method, "POST");
            assert_eq!(call.path, format!("{statuses}{revision}"));
            assert_eq!(header(call, with), format!("{proof}{TOKEN}"));
            assert_eq!(header(call, "content-type"), "application/json");
            let body = json(call);
            assert_eq!(body[name], "mesh/shop");
            assert_eq!(body["target_url"], "https://meshd.example/shop");
            let served = *revision == good;
            assert_eq!(body["state"], if served { "success" } else { failure });
            let description = body["description"].as_str().expect("a description");
            assert!(description.chars().count() <= 140, "{description}");
            let expected = match served {
                true => "published to 5 proxies",
                false => "CompileFailed: api/canary.yaml:",
            };
            assert!(description.starts_with(expected), "{description}");
        }
        let log = mesh.meshd().process().log().to_string();
        assert!(!log.contains(TOKEN), "{log}");
    }
}

#[tokio::test]
async fn a_forge_that_says_no_is_an_event_that_shows_no_token() {
    let (forge, listener) = (anybody().await, anybody().await);
    let body = format!("Bad credentials: {TOKEN}");
    forge.next(Reply {
        status: 401,
        grpc: None,
        body,
    });
    let mesh = mesh("github", &forge, &listener, "error").await;
    let told = listener
        .delivered("an event", |told| !told.is_empty())
        .await;
    let event = json(told.first().expect("one"));
    assert_eq!(event["reason"], "ReportFailed");
    assert_eq!(event["metadata"]["revision"], mesh.head().await);
    let message = event["message"].as_str().expect("a message");
    assert!(
        message.contains("the server answered 401: Bad credentials: …"),
        "{message}"
    );
    assert_eq!(forge.count(), 1, "what was refused is not tried again");
    let log = mesh.meshd().process().log().to_string();
    assert!(!log.contains(TOKEN), "{log}");
}

#[tokio::test]
async fn events_are_told_with_a_signature() {
    let (forge, listener) = (anybody().await, anybody().await);
    listener.next(Reply {
        status: 500,
        ..Reply::default()
    });
    let mesh = mesh("github", &forge, &listener, "info").await;
    let good = mesh.head().await;
    let bad = mistake(&mesh).await;
    let told = listener
        .delivered("both events", |told| told.len() == 3)
        .await;
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    // The first one is told twice: the first time the server broke down.
    for (call, (reason, severity, revision)) in told.iter().zip([
        ("Published", "info", &good),
        ("Published", "info", &good),
        ("CompileFailed", "error", &bad),
    ]) {
        assert_eq!(
            (call.method.as_str(), call.path.as_str()),
            ("POST", "/hook/very-secret-path")
        );
        let tag = hmac::sign(&key, &call.body);
        let digits: String = tag
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(header(call, "x-signature"), format!("sha256={digits}"));
        let event = json(call);
        assert_eq!(event["reason"], reason);
        assert_eq!(event["severity"], severity);
        assert_eq!(event["metadata"]["revision"], **revision);
        assert_eq!(event["involvedObject"]["name"], "shop");
    }
    let log = mesh.meshd().process().log().to_string();
    assert!(
        !log.contains(SECRET) && !log.contains("very-secret-path"),
        "{log}"
    );
}

#[tokio::test]
async fn only_as_much_is_told_as_is_wanted_and_never_of_a_notification() {
    let (forge, listener) = (anybody().await, anybody().await);
    listener.next(Reply {
        status: 404,
        ..Reply::default()
    });
    let mesh = mesh("github", &forge, &listener, "error").await;
    mistake(&mesh).await;
    // It was refused, which is an event that nobody is told of: the next one is the next mistake.
    listener.delivered("a call", |told| told.len() == 1).await;
    let change = |repo: &mesh_tests::Repo| repo.replace("api/canary.yaml", "weihgt", "weigth");
    let (worse, _) = mesh.try_change(change).await;
    let told = listener.delivered("another", |told| told.len() == 2).await;
    assert_eq!(json(&told[1])["metadata"]["revision"], worse);
    let events = mesh.meshd().ask("GET", "/v1/events", "").await.json();
    let events = events.as_array().expect("events");
    let failed: Vec<_> = events
        .iter()
        .filter(|event| event["reason"] == "NotificationFailed")
        .collect();
    assert_eq!(failed.len(), 1, "{events:?}");
    assert_eq!(
        failed[0]["involvedObject"]["name"],
        listener.address().to_string()
    );
}

#[tokio::test]
async fn a_forge_that_wants_it_is_told_when_every_proxy_holds_a_commit() {
    let (forge, listener) = (anybody().await, anybody().await);
    let options = told(
        "github",
        &forge,
        &listener,
        "error",
        "acknowledged = true\n",
    );
    let mesh = options.start().await;
    let first = mesh.head().await;
    // Nobody was there when the first one was published.
    let good = |calls: &[Delivered]| calls.iter().any(|call| json(call)["state"] == "success");
    let count = forge.delivered("a success", good).await.len();
    let timeout = "type: MeshTimeout\nmesh: default\nname: servers\nspec:\n  targetRef:\n    kind: Mesh\n  rules:\n    - default:\n        connectionTimeout: 7s\n";
    let settled = mesh.commit("servers.yaml", timeout).await;
    let calls = forge
        .delivered("two more calls", |calls| calls.len() >= count + 2)
        .await;
    let last: Vec<_> = calls.iter().skip(count).collect();
    let said = |call: &Delivered| {
        let body = json(call);
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        (text("state"), text("description"))
    };
    let (pending, arrived) = (said(last[0]), said(last[1]));
    assert_eq!(
        pending,
        ("pending".to_owned(), "published to 5 proxies".to_owned())
    );
    assert_eq!(arrived.0, "success");
    let expected = "held by all 5 connected proxies after ";
    assert!(arrived.1.starts_with(expected), "{}", arrived.1);
    assert!(
        last.iter()
            .all(|call| call.path.ends_with(settled.revision()))
    );
    assert_ne!(settled.revision(), first);
    let metrics = mesh.meshd().ask("GET", "/metrics", "").await;
    let metrics = metrics.text();
    let count = metrics
        .lines()
        .find_map(|line| line.strip_prefix("meshd_delivery_seconds_count "));
    let count: u32 = count
        .and_then(|count| count.parse().ok())
        .unwrap_or_default();
    assert!(count >= 3, "{metrics}");
}
