//! What real Envoy answers, asked the same: each case of `envoy/` is written for the mesh and, by hand, for Envoy.
//!
//! Never expects a difference silently: one that is there has its reason in the case, and one that is told and is not
//! there fails.
//!
//! A case has a fence `yaml` with documents, a fence `envoy` with the routes of a virtual host (and filters before the
//! router), and a fence `ask` with a request a line: `STATUS METHOD TARGET; header: value; …`, and behind `#` why Envoy
//! answers otherwise, its status included: `404 GET /x # 200: it matches by text`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use mesh_tests::{Answer, Client, Envoy, Mesh, Options, request_to};
use serde_json::{Value, json};

/// Who asks, and the instances that are asked.
const PROXIES: [&str; 3] = ["web-1", "api-1", "api-2"];
/// Where Envoy is in the block of the mesh.
const HOST: u8 = 90;
const PORT: u16 = 10_080;

/// One file of `envoy/`.
struct Case {
    name: String,
    documents: String,
    envoy: Value,
    asks: Vec<Ask>,
}

struct Ask {
    line: String,
    status: u16,
    method: String,
    authority: String,
    target: String,
    headers: Vec<(String, String)>,
    /// What Envoy answers instead.
    other: Option<u16>,
}

/// What of an answer is compared.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    status: u16,
    by: String,
    location: String,
    headers: Vec<String>,
    /// How often workloads were asked.
    arrived: u64,
    /// What they were asked.
    told: String,
}

impl Ask {
    fn read(line: &str) -> Self {
        let (asked, why) = line.split_once(" # ").unwrap_or((line, ""));
        let mut parts = asked.split("; ");
        let words: Vec<&str> = parts.next().unwrap().split_whitespace().collect();
        let [status, method, target] = words[..] else {
            panic!("not `STATUS METHOD TARGET`: {line}")
        };
        let (authority, target) = match target.strip_prefix("http://") {
            Some(absolute) => absolute.split_at(absolute.find('/').unwrap()),
            None => ("mesh.test", target),
        };
        let headers = parts.map(|part| {
            let (name, value) = part.split_once(':').unwrap();
            (name.to_owned(), value.trim().to_owned())
        });
        Self {
            line: line.to_owned(),
            status: status.parse().unwrap(),
            method: method.to_owned(),
            authority: authority.to_owned(),
            target: target.to_owned(),
            headers: headers.collect(),
            other: why
                .split_once(':')
                .map(|(status, _)| status.parse().unwrap()),
        }
    }

    async fn send(&self, mesh: &Mesh, client: Client) -> Seen {
        let body = if self.method == "POST" { "body" } else { "" };
        let mut request = request_to(&self.authority, &self.method, &self.target, body);
        for (name, value) in &self.headers {
            let name: hyper::header::HeaderName = name.parse().unwrap();
            request.headers_mut().append(name, value.parse().unwrap());
        }
        let before = arrived(mesh);
        let answer = client.send(request).await;
        let mut seen = Seen::of(&answer);
        seen.arrived = arrived(mesh) - before;
        seen
    }
}

fn arrived(mesh: &Mesh) -> u64 {
    let all = ["api-1", "api-2"].map(|name| mesh.workload(name).arrived());
    all.iter().sum()
}

impl Seen {
    fn of(answer: &Answer) -> Self {
        let headers = answer.headers.iter();
        let headers = headers.map(|(name, value)| (name.as_str(), value.to_str().unwrap_or("?")));
        let told = match answer.by() {
            "" => String::new(),
            _ if answer.body.is_empty() => String::new(),
            _ => told(&answer.json()),
        };
        Self {
            status: answer.status,
            by: answer.by().to_owned(),
            location: answer.header("location").to_owned(),
            headers: own(headers),
            arrived: 0,
            told,
        }
    }
}

fn told(received: &Value) -> String {
    let headers = received["headers"].as_object().unwrap().iter();
    let headers = headers.map(|(name, value)| (name.as_str(), value.as_str().unwrap()));
    format!(
        "{} {} of {}, {}",
        received["method"].as_str().unwrap(),
        received["uri"].as_str().unwrap(),
        received["headers"]["host"].as_str().unwrap(),
        own(headers).join(", ")
    )
}

/// Those that routes and clients set; not what a proxy tells of itself.
fn own<'a>(headers: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<String> {
    const OF_PROXIES: [&str; 5] = [
        "x-envoy-",
        "x-forwarded-",
        "x-mesh-",
        "x-request-id",
        "x-served-by",
    ];
    let mut own: Vec<String> = headers
        .filter(|(name, _)| name.starts_with("x-"))
        .filter(|(name, _)| !OF_PROXIES.iter().any(|other| name.starts_with(other)))
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    own.sort();
    own
}

fn cases() -> Vec<Case> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/envoy");
    let mut files: Vec<PathBuf> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files.iter().map(|file| read(file)).collect()
}

fn read(file: &Path) -> Case {
    let text = std::fs::read_to_string(file).unwrap();
    let fence = |name: &str| {
        let (_, rest) = text.split_once(&format!("```{name}\n")).unwrap();
        rest.split_once("```").unwrap().0.to_owned()
    };
    let name = file.file_stem().unwrap().to_string_lossy().into_owned();
    let envoy = serde_yaml::from_str(&fence("envoy"));
    Case {
        documents: fence("yaml"),
        envoy: envoy.unwrap_or_else(|error| panic!("{name}: {error}")),
        asks: fence("ask").lines().map(Ask::read).collect(),
        name,
    }
}

/// A listener for each case, and the instances as clusters of their own.
fn bootstrap(cases: &[Case], mesh: &Mesh) -> Value {
    let api = "type.googleapis.com/envoy.extensions.filters";
    let host = mesh.repo().block().ip(HOST).to_string();
    let listener = |(case, port): (&Case, u16)| {
        let mut filters = case.envoy["filters"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        filters.push(json!({"name": "router", "typed_config": {"@type": format!("{api}.http.router.v3.Router")}}));
        json!({
            "name": case.name,
            "address": {"socket_address": {"address": host, "port_value": port}},
            "filter_chains": [{"filters": [{"name": "http", "typed_config": {
                "@type": format!("{api}.network.http_connection_manager.v3.HttpConnectionManager"),
                "stat_prefix": case.name,
                "normalize_path": true,
                "merge_slashes": true,
                "path_with_escaped_slashes_action": "REJECT_REQUEST",
                "generate_request_id": false,
                "http_filters": filters,
                "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": case.envoy["routes"]}]},
            }}]}],
        })
    };
    let cluster = |(name, instance): (&str, &str)| {
        let at = mesh.workload(instance).address();
        let socket = json!({"address": at.ip().to_string(), "port_value": at.port()});
        json!({"name": name, "connect_timeout": "1s", "type": "STATIC", "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": {"socket_address": socket}}}]}],
        }})
    };
    let clusters = [("v1", "api-1"), ("v2", "api-2")].map(cluster);
    let listeners: Vec<Value> = cases.iter().zip(PORT..).map(listener).collect();
    json!({"static_resources": {"listeners": listeners, "clusters": clusters}})
}

/// What is not as the case says.
async fn differences(case: &Case, mesh: &Mesh, envoy: Client) -> String {
    let mut wrong = String::new();
    for ask in &case.asks {
        let ours = ask.send(mesh, mesh.client("web-1", "api")).await;
        let theirs = ask.send(mesh, envoy).await;
        let expected = (ask.status, ask.other.unwrap_or(ask.status));
        let same = ours == theirs;
        if (ours.status, theirs.status) != expected || same == ask.other.is_some() {
            let _ = writeln!(
                wrong,
                "{}: {}\n  ours: {ours:?}\n  Envoy: {theirs:?}",
                case.name, ask.line
            );
        }
    }
    wrong
}

#[tokio::test]
async fn envoy_answers_alike_or_the_difference_has_a_reason() {
    let options = Options::from_example("shop").with(|repo| {
        repo.remove("api/canary.yaml");
        repo.remove("api/timeouts.yaml");
    });
    let mesh = options.only(&PROXIES).start().await;
    let cases = cases();
    let bootstrap = bootstrap(&cases, &mesh);
    let _running = match Envoy::start(&bootstrap, mesh.directory()).await {
        Ok(running) => running,
        Err(why) => {
            eprintln!("SKIPPED: there is no Envoy to compare with: {why}");
            return;
        }
    };
    let host = mesh.repo().block().ip(HOST);
    let mut wrong = String::new();
    for (case, port) in cases.iter().zip(PORT..) {
        mesh.commit("api/case.yaml", &case.documents).await;
        wrong += &differences(case, &mesh, Client::http1((host, port).into())).await;
    }
    assert!(wrong.is_empty(), "{wrong}");
}
