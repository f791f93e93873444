//! `meshc explain`: the pages of the codes, and why requests are allowed, denied or routed as they are.
//!
//! Never judges what is decided: the compiler has tests of that.

use mesh_compiler::diag::codes;

use super::run::Repo;

#[test]
fn every_code_has_a_page() {
    let repo = Repo::new();
    let all = repo.meshc(&["explain"]);
    for info in codes() {
        all.says(info.code.0).says(info.title);
    }
    repo.meshc(&["explain", "dangling-ref"])
        .exits(0)
        .says("## Instead");
}

#[test]
fn an_unknown_code_is_named_with_the_nearest() {
    let repo = Repo::new();
    let ran = repo.meshc(&["explain", "danglin-ref"]);
    ran.exits(2).complains("did you mean `dangling-ref`?");
}

#[test]
fn what_a_proxy_said_is_explained_with_the_line_that_it_names() {
    let repo = shop();
    let pasted = "x-mesh-refusal: permission;inbound=\"http\";origin=\"permission.yaml:13\";revision=\"0123\"";
    repo.meshc(&["explain", pasted])
        .exits(0)
        .says("refused: permission")
        .says("no MeshTrafficPermission permits this client")
        .says("permission.yaml:13")
        .says("| ")
        .says("spiffeID:");
    // Nothing that is not the repository's is shown.
    repo.meshc(&["explain", "permission;origin=\"/etc/passwd:1\""])
        .exits(0)
        .says("no such line here");
    repo.meshc(&["explain", "permision;inbound=\"http\""])
        .exits(2)
        .complains("did you mean `permission`?");
}

/// The shop in parts, so that a test can change one.
fn shop() -> Repo {
    Repo::shop_without(&["timeouts.yaml"])
}

#[test]
fn a_request_is_explained_whether_it_is_allowed_or_denied() {
    let repo = shop();
    let allowed = repo.meshc(&["explain", "--from", "web", "--to", "api", "GET", "/orders"]);
    allowed
        .exits(0)
        .says("web-1 to api:http, GET /orders: allowed")
        .says("permission.yaml:13")
        .says("90 %      to api-v1:http")
        .says("without     this line: denied");
    let denied = repo.meshc(&[
        "explain", "--from", "outsider", "--to", "api", "GET", "/orders",
    ]);
    denied
        .exits(0)
        .says("outsider-1 to api:http, GET /orders: denied")
        .says("with        this document: allowed");
    // What is proposed does what is said of it.
    let json = repo.meshc(&[
        "explain", "--from", "outsider", "--to", "api", "--format", "json",
    ]);
    let json: serde_json::Value = serde_json::from_str(&json.exits(0).stdout).expect("JSON");
    let yaml = json["answers"][0]["changes"][0]["with"].as_str();
    repo.write("proposed.yaml", yaml.expect("a document"));
    repo.meshc(&["explain", "--from", "outsider", "--to", "api"])
        .exits(0)
        .says("outsider-1 to api:http, GET /: allowed");
}

#[test]
fn connections_are_asked_about_without_a_request() {
    let repo = shop();
    repo.meshc(&["explain", "--from", "api", "--to", "db:sql"])
        .exits(0)
        .says("api-1, api-2 to db:sql: allowed");
    repo.meshc(&[
        "explain", "--from", "api", "--to", "db", "--port", "5432", "--mesh", "default",
    ])
    .exits(0)
    .says("api-1, api-2 to db:sql: allowed");
}

#[test]
fn what_is_proposed_is_what_new_writes() {
    let repo = shop();
    std::fs::remove_file(repo.path("permission.yaml")).expect("it is there");
    let json = repo.meshc(&[
        "explain", "--from", "web", "--to", "api", "--format", "json",
    ]);
    let json: serde_json::Value = serde_json::from_str(&json.exits(0).stdout).expect("JSON");
    let new = repo.meshc(&["new", "permission", "api", "--from", "web"]);
    assert_eq!(
        json["answers"][0]["changes"][0]["with"],
        new.exits(0).stdout.as_str()
    );
}

#[test]
fn what_cannot_be_answered_is_said() {
    let repo = shop();
    for (arguments, why) in [
        (&["--from", "wbe", "--to", "api"][..], "did you mean `web`?"),
        (&["--from", "web", "--to", "apy"], "did you mean `api`?"),
        (&["--from", "web"], "--to"),
        (
            &["--from", "web", "--to", "api", "orders"],
            "such as `GET /orders`",
        ),
        (
            &["--from", "web", "--to", "api", "GET", "orders"],
            "one begins with `/`",
        ),
        (
            &["--from", "web", "--to", "api", "--header", "x"],
            "name: value",
        ),
        (
            &["--from", "web", "--to", "api", "--mesh", "defualt"],
            "did you mean `default`?",
        ),
        (&["--from", "web", "--to", "api", "GET", "/a%2"], "path"),
        (&["GET", "/orders"], "--from and --to"),
    ] {
        let all: Vec<&str> = std::iter::once("explain")
            .chain(arguments.iter().copied())
            .collect();
        repo.meshc(&all).exits(2).complains(why);
    }
    repo.write("broken.yaml", "type: Mehs\nname: x\n");
    repo.meshc(&["explain", "--from", "web", "--to", "api"])
        .exits(2)
        .complains("unknown-kind")
        .complains("a repository with errors");
}

#[test]
fn a_revision_is_asked_as_it_was() {
    let repo = shop();
    repo.git(&["init", "--quiet", "--initial-branch=main"]);
    repo.git(&["add", "."]);
    repo.git(&["commit", "--quiet", "--message", "The shop"]);
    std::fs::remove_file(repo.path("permission.yaml")).expect("it is there");
    let now = ["explain", "--from", "web", "--to", "api"];
    repo.meshc(&now)
        .exits(0)
        .says("web-1 to api:http, GET /: denied");
    let before = ["explain", "--from", "web", "--to", "api", "--at", "HEAD"];
    repo.meshc(&before)
        .exits(0)
        .says("web-1 to api:http, GET /: allowed")
        .says("without     this line: denied");
    let inspect = ["inspect", ".", "api-1"];
    let permit = "permit      spiffe://default.default.mesh.local/workload/web";
    assert!(!repo.meshc(&inspect).exits(0).stdout.contains(permit));
    let inspect = ["inspect", ".", "api-1", "--at", "main"];
    repo.meshc(&inspect).exits(0).says(permit);
    repo.meshc(&["graph", ".", "--at", "main"]).exits(0);
    repo.meshc(&["test", ".", "--at", "nope"])
        .exits(2)
        .complains("there is no revision `nope`");
}
