//! `MeshMetric`: who asks for metrics gets them, those of the workload too; who is to be sent them is sent them.

mod push;

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use serde_json::Value;

use mesh_tests::{Client, Collector, Mesh, Options, Process, Reply};

/// What the workload shows: `OpenMetrics`, with what another format does not know, a line that is none, and a name of the proxy's.
const SHOWN: &str = r#"# HELP orders Orders that were taken.
# TYPE orders counter
orders_total{kind="online"} 7 # {trace_id="1"} 1.0
orders_created{kind="online"} 1.7e9
# HELP order_seconds How long they took.
# TYPE order_seconds histogram
order_seconds_bucket{le="0.5"} 6
order_seconds_bucket{le="+Inf"} 7
order_seconds_sum 2.5
order_seconds_count 7
# HELP mesh_open_connections Not what the proxy calls so.
# TYPE mesh_open_connections counter
mesh_open_connections_total 3
this is no sample
# EOF
"#;

fn policy(name: &str, target: &str, body: &str) -> String {
    format!("type: MeshMetric\nmesh: default\nname: {name}\nspec:\n  {target}default:\n{body}")
}

const API: &str = "targetRef: {kind: Dataplane, labels: {app: api}}\n  ";
const PULL: &str =
    "    backends: [{type: Prometheus, prometheus: {port: 5670, path: /prometheus}}]\n";

fn application(address: SocketAddr) -> String {
    let (ip, port) = (address.ip(), address.port());
    format!("    applications: [{{name: shop, address: {ip}, port: {port}}}]\n")
}

async fn shop() -> Mesh {
    let options = Options::from_example("shop").with(|repo| repo.remove("api/canary.yaml"));
    options.only(&["web-1", "api-1"]).start().await
}

/// Where the endpoint of a proxy is, as soon as it is open.
async fn endpoint(mesh: &Mesh, name: &str) -> SocketAddr {
    let proxy = mesh.proxy(name);
    let line = proxy
        .log()
        .wait(0, "metrics can be asked for", |_| true)
        .await;
    line.field("address").parse().expect("an address")
}

/// The value of the only sample that begins so.
fn sample(text: &str, beginning: &str) -> Option<f64> {
    let mut found = text.lines().filter(|line| line.starts_with(beginning));
    let value = found.next()?.rsplit_once(' ')?.1.parse().ok();
    assert_eq!(found.next(), None, "{beginning} is there twice:\n{text}");
    value
}

#[tokio::test]
async fn who_asks_gets_the_metrics_of_a_proxy_and_of_its_workload() {
    let mesh = shop().await;
    let place = SocketAddr::new(mesh.inbound("api-1").ip(), 0);
    let usual = Reply {
        body: SHOWN.to_owned(),
        ..Reply::default()
    };
    let workload = Collector::saying(place, usual).await;
    let text = policy("metrics", API, &(application(workload.address()) + PULL));
    mesh.commit("metrics.yaml", &text).await;
    for _ in 0..5 {
        assert_eq!(mesh.client("web-1", "api").get("/").await.status, 200);
    }
    let endpoint = endpoint(&mesh, "api-1").await;
    assert_eq!(endpoint.port(), 5670);
    let answer = Client::http1(endpoint).get("/prometheus").await;
    assert_eq!(
        answer.header("content-type"),
        "text/plain; version=0.0.4; charset=utf-8"
    );
    let text = answer.text();
    for (beginning, expected) in [
        ("mesh_requests_total{direction=\"inbound\"", Some(5.0)),
        ("mesh_proxy_ready ", Some(1.0)),
        (
            "orders_total{kind=\"online\",application=\"shop\"}",
            Some(7.0),
        ),
        ("orders_created", None),
        (
            "order_seconds_bucket{le=\"0.5\",application=\"shop\"}",
            Some(6.0),
        ),
        ("mesh_application_up{application=\"shop\"}", Some(1.0)),
        // Nothing was sent again.
        ("mesh_retries_total", None),
    ] {
        assert_eq!(sample(text, beginning), expected, "{beginning}:\n{text}");
    }
    checked_by_promtool(text);
    // What is no sample was counted, and is shown from the next time on.
    let text = Client::http1(endpoint).get("/prometheus").await;
    let left_out = sample(
        text.text(),
        "mesh_application_samples_left_out_total{application=\"shop\"}",
    );
    assert_eq!(left_out, Some(1.0), "{}", text.text());
    assert_eq!(Client::http1(endpoint).get("/metrics").await.status, 404);

    // Another choice, on the same endpoint; a workload that is gone is told and not waited for.
    drop(workload);
    let sidecar = "    sidecar:\n      includeUnused: true\n      profiles: {appendProfiles: [{name: Basic}], exclude: [{type: Contains, match: duration}], include: [{type: Exact, match: mesh_retries}]}\n";
    let gone = application(place_of_nobody(&mesh));
    mesh.commit(
        "metrics.yaml",
        &policy("metrics", API, &(sidecar.to_owned() + &gone + PULL)),
    )
    .await;
    let text = Client::http1(endpoint).get("/prometheus").await;
    for (beginning, expected) in [
        ("mesh_application_up{application=\"shop\"}", Some(0.0)),
        ("mesh_retries_total{direction=\"inbound\"", Some(0.0)),
        ("mesh_request_duration_seconds_count", None),
        ("mesh_application_scrape_failures", None),
    ] {
        assert_eq!(
            sample(text.text(), beginning),
            expected,
            "{beginning}:\n{}",
            text.text()
        );
    }
    // Nothing listens there any more.
    mesh.change(|repo| repo.remove("metrics.yaml")).await;
    let request = mesh_tests::request("GET", "/prometheus", "");
    Client::http1(endpoint)
        .try_send(request)
        .await
        .expect_err("a closed endpoint");
}

/// An address of the mesh that nobody listens on.
fn place_of_nobody(mesh: &Mesh) -> SocketAddr {
    SocketAddr::new(mesh.inbound("api-1").ip(), 9)
}

/// What Prometheus itself says about the text.
fn checked_by_promtool(text: &str) {
    let Some(promtool) = installed("promtool") else {
        return;
    };
    let mut child = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool");
    let mut stdin = child.stdin.take().expect("its stdin");
    stdin.write_all(text.as_bytes()).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("its end");
    let said = String::from_utf8_lossy(&output.stderr).into_owned()
        + &String::from_utf8_lossy(&output.stdout);
    // A workload names its own metrics as it likes; whatever it said about ours would be there too.
    assert!(output.status.success(), "{said}\n{text}");
}

fn installed(program: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|directory| directory.join(program))
        .find(|file| file.is_file());
    if found.is_none() {
        eprintln!("SKIPPED: `{program}` is not installed (Debian: `apt-get install prometheus`)");
    }
    found
}

#[tokio::test]
async fn a_real_prometheus_understands_it() {
    let Some(prometheus) = installed("prometheus") else {
        return;
    };
    let mesh = shop().await;
    let place = SocketAddr::new(mesh.inbound("api-1").ip(), 0);
    let usual = Reply {
        body: SHOWN.to_owned(),
        ..Reply::default()
    };
    let workload = Collector::saying(place, usual).await;
    let body = application(workload.address()) + PULL;
    mesh.commit("metrics.yaml", &policy("metrics", "", &body))
        .await;
    for _ in 0..5 {
        assert_eq!(mesh.client("web-1", "api").get("/").await.status, 200);
    }
    let targets = [
        endpoint(&mesh, "web-1").await,
        endpoint(&mesh, "api-1").await,
    ];
    let file = mesh.directory().join("prometheus.yml");
    let configuration = format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nscrape_configs:\n  - job_name: mesh\n    metrics_path: /prometheus\n    static_configs: [{{targets: ['{}', '{}']}}]\n",
        targets[0], targets[1]
    );
    std::fs::write(&file, configuration).expect("its configuration");
    // A port of the mesh's own block that nobody else takes.
    let web = SocketAddr::new(mesh.inbound("api-1").ip(), 9090);
    let mut command = Command::new(prometheus);
    command
        .arg(format!("--config.file={}", file.display()))
        .arg(format!(
            "--storage.tsdb.path={}",
            mesh.directory().join("tsdb").display()
        ))
        .arg(format!("--web.listen-address={web}"));
    let process = Process::start("prometheus", &mut command);
    let ready = |line: &mesh_tests::Line| line.to_string().contains("Server is ready");
    process.log().find(0, "a server that is ready", ready).await;
    // Both proxies are asked every second, and ask the workload; when it is asked for the third time by each, the first
    // answers are in the database.
    workload
        .delivered("three scrapes of each proxy", |asked| asked.len() >= 7)
        .await;
    for (query, expected) in [
        (
            "sum(mesh_requests_total{direction=\"inbound\",code=\"200\"})",
            "5",
        ),
        (
            "sum(mesh_requests_total{direction=\"outbound\",code=\"200\"})",
            "5",
        ),
        ("count(up == 1)", "2"),
        (
            "sum(orders_total{application=\"shop\",kind=\"online\"})",
            "14",
        ),
        (
            "histogram_quantile(0.5, sum by (le) (order_seconds_bucket))",
            "0.2916666666666667",
        ),
        ("sum(mesh_application_up)", "2"),
    ] {
        let query = query
            .replace(' ', "%20")
            .replace('"', "%22")
            .replace('{', "%7B")
            .replace('}', "%7D");
        let answer = Client::http1(web)
            .get(&format!("/api/v1/query?query={query}"))
            .await;
        let value = answer.json()["data"]["result"][0]["value"][1].clone();
        assert_eq!(value, Value::from(expected), "{query}: {}", answer.text());
    }
    let answer = Client::http1(web).get("/api/v1/targets").await;
    let targets = answer.json();
    for target in targets["data"]["activeTargets"]
        .as_array()
        .expect("targets")
    {
        assert_eq!(target["lastError"], "", "{target}");
    }
}
