//! Whoever is refused can read why, where it is written, and ask `meshc` what it means; at an edge, strangers cannot.

use std::process::Command;

use mesh_bundle::RefusalNote;
use mesh_tests::{Answer, Mesh, Options, Token, binary, request};

/// One instance of the API, to which the canary of the shop sends everything.
async fn shop() -> Mesh {
    let options = Options::from_example("shop").with(|repo| {
        repo.replace("api/canary.yaml", "weight: 90", "weight: 100");
        repo.replace("api/canary.yaml", "weight: 10\n", "weight: 0\n");
    });
    let only = options.only(&["web-1", "outsider-1", "api-1"]);
    only.start().await
}

fn note(answer: &Answer) -> RefusalNote {
    let value = answer.header("x-mesh-refusal");
    let said = || {
        format!(
            "`{value}` of {} {}: {:?}",
            answer.status,
            answer.text(),
            answer.headers
        )
    };
    value.parse().unwrap_or_else(|_| panic!("{}", said()))
}

/// Is this code at a line of this file that holds these words?
fn assert_names(mesh: &Mesh, answer: &Answer, code: &str, (file, words): (&str, &str)) {
    let note = note(answer);
    assert_eq!(note.code, code, "{note}");
    let (named, line) = note.line().unwrap_or_else(|| panic!("{note}"));
    assert_eq!(named, file, "{note}");
    let text = mesh.repo().read(file);
    let line = text.lines().nth(line as usize - 1).unwrap_or_default();
    assert!(line.contains(words), "{note}: {line}");
}

const FAULT: &str = "type: MeshFaultInjection\nmesh: default\nname: experiment\nspec:\n  targetRef: {kind: Dataplane, labels: {app: api}}\n  rules:\n    - default:\n        http:\n          - abort: {httpStatus: 418, percentage: 100}\n";
const LIMIT: &str = "type: MeshRateLimit\nmesh: default\nname: limit\nspec:\n  targetRef: {kind: Dataplane, labels: {app: api}}\n  rules:\n    - default:\n        local:\n          http:\n            requestRate:\n              num: 1\n              interval: 1h\n";
const BREAKER: &str = "type: MeshCircuitBreaker\nmesh: default\nname: breaker\nspec:\n  to:\n    - targetRef: {kind: Mesh}\n      default:\n        connectionLimits:\n          maxRequests: 1\n";

#[tokio::test]
async fn every_refusal_names_its_line() {
    let mesh = shop().await;
    let client = mesh.client("web-1", "api");

    let denied = mesh.client("outsider-1", "api").get("/").await;
    assert_eq!(denied.status, 403);
    assert_names(
        &mesh,
        &denied,
        "permission",
        ("api/permission.yaml", "allow:"),
    );
    let note = note(&denied);
    assert_eq!(note.inbound.as_deref(), Some("http"));
    assert_eq!(note.revision, Some(mesh.head().await));

    mesh.commit("api/fault.yaml", FAULT).await;
    let answer = client.get("/").await;
    assert_eq!(answer.status, 418);
    assert_names(&mesh, &answer, "fault", ("api/fault.yaml", "418"));

    mesh.change(|repo| repo.remove("api/fault.yaml")).await;
    mesh.commit("api/limit.yaml", LIMIT).await;
    assert_eq!(client.get("/").await.status, 200);
    let answer = client.get("/").await;
    assert_eq!(answer.status, 429);
    assert_names(&mesh, &answer, "rate-limit", ("api/limit.yaml", "num: 1"));

    mesh.change(|repo| {
        repo.remove("api/limit.yaml");
        repo.replace("api/timeouts.yaml", "3s", "100ms");
    })
    .await;
    let answer = client.get("/hold").await;
    assert_eq!(answer.status, 504);
    assert_names(
        &mesh,
        &answer,
        "request-timeout",
        ("api/timeouts.yaml", "100ms"),
    );

    mesh.change(|repo| repo.replace("api/timeouts.yaml", "100ms", "30s"))
        .await;
    mesh.commit("api/breaker.yaml", BREAKER).await;
    let arrived = mesh.workload("api-1").arrived();
    let held = tokio::spawn(async move { client.get("/hold").await });
    mesh.workload("api-1").arrives_after(arrived).await;
    let answer = client.get("/").await;
    assert_eq!(answer.status, 503);
    assert_names(
        &mesh,
        &answer,
        "overflow",
        ("api/breaker.yaml", "maxRequests: 1"),
    );
    mesh.workload("api-1").release();
    let served = held.await.unwrap();
    assert_eq!((served.status, served.header("x-mesh-refusal")), (200, ""));
}

#[tokio::test]
async fn a_call_is_refused_in_the_words_of_grpc() {
    let mesh = shop().await;
    let mut call = request("POST", "/orders.Orders/List", "");
    let grpc = "application/grpc+proto".parse().unwrap();
    call.headers_mut().insert("content-type", grpc);
    let answer = mesh.client("outsider-1", "api").send(call).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    // PERMISSION_DENIED.
    assert_eq!(answer.header("grpc-status"), "7");
    assert_names(
        &mesh,
        &answer,
        "permission",
        ("api/permission.yaml", "allow:"),
    );
}

#[tokio::test]
async fn meshc_explains_what_a_user_pastes() {
    let mesh = shop().await;
    let answer = mesh.client("outsider-1", "api").get("/").await;
    let pasted = format!("x-mesh-refusal: {}", answer.header("x-mesh-refusal"));
    let note = note(&answer);
    let (_, line) = note.line().unwrap();
    let text = mesh.repo().read("api/permission.yaml");
    let line = text.lines().nth(line as usize - 1).unwrap().to_owned();
    // The work tree has moved on; the proxy has not obeyed it, so it is not what is shown.
    let file = mesh.repo().path().join("api/permission.yaml");
    std::fs::write(file, "# nothing\n").unwrap();
    let mut meshc = Command::new(binary("meshc"));
    meshc
        .args(["explain", &pasted, "-C"])
        .arg(mesh.repo().path());
    let explained = tokio::task::spawn_blocking(move || meshc.output()).await;
    let explained = explained.unwrap().unwrap();
    let told = String::from_utf8_lossy(&explained.stdout);
    assert!(explained.status.success(), "{explained:?}");
    for words in ["refused: permission", "MeshTrafficPermission", &line] {
        assert!(told.contains(words), "{words} is not in\n{told}");
    }
}

#[tokio::test]
async fn at_an_edge_nobody_reads_what_the_repository_holds() {
    let mesh = shop().await;
    mesh.proxy("outsider-1").kill().await;
    let bound = Token::Dataplane("outsider-1");
    let edge = mesh
        .proxy_for("outsider-1", bound, &["--hide-refusals"])
        .await;
    edge.start().await;
    // What another proxy said does not pass either.
    let answer = mesh.client("outsider-1", "api").get("/").await;
    assert_eq!((answer.status, answer.header("x-mesh-refusal")), (403, ""));
    let own = mesh.client("outsider-1", "api").get("/%00").await;
    assert_eq!((own.status, own.header("x-mesh-refusal")), (400, ""));
}
