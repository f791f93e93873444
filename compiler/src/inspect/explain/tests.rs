//! Answers, line by line, and what would change them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::*;
use crate::compile::analyse;
use crate::model::Settings;
use crate::world::MemoryWorld;

const MESH: &str = include_str!("tests/mesh.yaml");

fn rule(list: &str, how: &str, id: &str) -> String {
    format!(
        "{{{list}: [{{spiffeID: {{type: {how}, value: 'spiffe://default.default.mesh.local{id}'}}}}]}}"
    )
}

fn permission(name: &str, rules: &[String]) -> String {
    let rules: Vec<String> = rules
        .iter()
        .map(|rule| format!("    - default: {rule}\n"))
        .collect();
    format!(
        "type: MeshTrafficPermission\nmesh: default\nname: {name}\nspec:\n  rules:\n{}",
        rules.concat()
    )
}

/// Each of the documents is a file of its own: `1.yaml`, `2.yaml`.
fn world(documents: &[String]) -> MemoryWorld {
    let mut files = BTreeMap::from([("mesh.yaml".to_owned(), MESH.as_bytes().to_vec())]);
    for (index, text) in documents.iter().enumerate() {
        files.insert(format!("{}.yaml", index + 1), text.clone().into_bytes());
    }
    MemoryWorld { files }
}

fn question(from: &str, to: &str, request: &str) -> Question {
    Question {
        from: from.to_owned(),
        to: to.to_owned(),
        port: None,
        mesh: None,
        request: Some(Request::new("GET", request)),
    }
}

#[track_caller]
fn told(documents: &[String], question: &Question, form: Form) -> String {
    let world = world(documents);
    let analysis = analyse(&world, &Settings::default());
    let found = &analysis.compiled.diagnostics;
    assert!(!found.has_errors(), "{:#?}", found.list);
    explain(&analysis, (Compiler::default(), &world), question, form).unwrap()
}

/// A line of the page: what is, and what says so.
#[track_caller]
fn says(page: &str, text: &str, note: &str) {
    let is_it = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words.join(" ") == format!("{text} {note}").trim()
    };
    assert!(
        page.lines().any(is_it),
        "no `{text}` by `{note}` in\n{page}"
    );
}

#[test]
fn an_allowance_names_its_line_and_falls_with_it() {
    let (web, other) = (
        rule("allow", "Exact", "/workload/web"),
        rule("allow", "Exact", "/workload/x"),
    );
    let page = told(
        &[permission("p", &[other, web])],
        &question("web", "api", "/"),
        Form::Human,
    );
    says(&page, "web-1 to api:http, GET /: allowed", "1.yaml:7");
    says(
        &page,
        "permit spiffe://default.default.mesh.local/workload/web",
        "1.yaml:7",
    );
    says(
        &page,
        "not permit spiffe://default.default.mesh.local/workload/x: about others",
        "1.yaml:6",
    );
    says(
        &page,
        "identity spiffe://default.default.mesh.local/workload/web",
        "mesh.yaml:5",
    );
    says(
        &page,
        "outbound 127.0.0.1:10001 -> api:http (port 80)",
        "mesh.yaml:40",
    );
    says(&page, "without this line: denied", "1.yaml:7");
}

#[test]
fn what_allows_it_twice_has_to_go_twice() {
    let web = || rule("allow", "Exact", "/workload/web");
    let everybody = permission("q", &[rule("allow", "Prefix", "/workload")]);
    let page = told(
        &[permission("p", &[web()]), everybody],
        &question("web", "api", "/"),
        Form::Human,
    );
    says(
        &page,
        "not permit spiffe://default.default.mesh.local/workload… (prefix): says the same",
        "2.yaml:6",
    );
    says(&page, "without these lines: denied", "1.yaml:6, 2.yaml:6");
}

#[test]
fn a_denial_is_answered_with_the_permission_that_it_lacks() {
    let other = rule("allow", "Exact", "/workload/x");
    let documents = [permission("api-clients", &[other])];
    let asked = question("web", "api", "/");
    let page = told(&documents, &asked, Form::Human);
    says(&page, "web-1 to api:http, GET /: denied", "1.yaml:6");
    says(&page, "deny everybody whom no rule is about", "1.yaml:6");
    says(&page, "with this document: allowed", "");
    // Written into the repository, it does what was said.
    let json: Value = serde_json::from_str(&told(&documents, &asked, Form::Json)).unwrap();
    let answer = &json["answers"][0];
    assert_eq!(answer["outcome"], "denied");
    let yaml = answer["changes"][0]["with"].as_str().unwrap().to_owned();
    assert!(
        yaml.contains("name: api-clients-2") && yaml.contains("app: api"),
        "{yaml}"
    );
    let [first] = documents;
    let page = told(&[first, yaml], &asked, Form::Human);
    says(&page, "web-1 to api:http, GET /: allowed", "2.yaml:13");
}

#[test]
fn a_denial_by_a_rule_is_lifted_by_its_removal() {
    let (web, deny) = (
        rule("allow", "Exact", "/workload/web"),
        rule("deny", "Prefix", "/workload/w"),
    );
    let documents = [permission("p", &[web]), permission("q", &[deny])];
    let page = told(&documents, &question("web", "api", "/"), Form::Human);
    says(
        &page,
        "deny spiffe://default.default.mesh.local/workload/w… (prefix)",
        "2.yaml:6",
    );
    says(
        &page,
        "not permit spiffe://default.default.mesh.local/workload/web: a denial beats it",
        "1.yaml:6",
    );
    says(&page, "without this line: allowed", "2.yaml:6");
    // Nothing else allows it: both are needed.
    let page = told(&documents[1..], &question("web", "api", "/"), Form::Human);
    says(
        &page,
        "without what is named here, and with this document: allowed",
        "1.yaml:6",
    );
}

#[test]
fn a_shadow_denial_lets_it_in() {
    let shadow = rule("allowWithShadowDeny", "Exact", "/workload/web");
    let page = told(
        &[permission("p", &[shadow])],
        &question("web", "api", "/"),
        Form::Human,
    );
    says(&page, "web-1 to api:http, GET /: allowed", "1.yaml:6");
    says(
        &page,
        "shadow deny spiffe://default.default.mesh.local/workload/web",
        "1.yaml:6",
    );
}

const ROUTES: &str = "
type: MeshHTTPRoute
mesh: default
name: split
spec:
  to:
    - targetRef: {kind: MeshService, labels: {kuma.io/display-name: api}}
      rules:
        - matches: [{path: {type: Exact, value: /orders}, method: POST}]
          default: {}
        - matches: [{path: {type: Exact, value: /orders}, headers: [{name: x-user, value: '7'}]}]
          default: {}
        - matches: [{path: {type: PathPrefix, value: /moved}}]
          default: {filters: [{type: RequestRedirect, requestRedirect: {path: {type: ReplaceFullPath, replaceFullPath: /here}}}]}
        - matches: [{path: {type: PathPrefix, value: /orders}}]
          default:
            backendRefs:
              - {kind: MeshService, labels: {kuma.io/display-name: old}, port: 80, weight: 1}
              - {kind: MeshService, labels: {kuma.io/display-name: api}, port: 80, weight: 3}
";

#[test]
fn rules_that_were_tried_before_and_those_too_late_are_told() {
    let web = permission("p", &[rule("allow", "Exact", "/workload/web")]);
    let documents = [web, ROUTES.to_owned()];
    let page = told(&documents, &question("web", "api", "/orders"), Form::Human);
    for (text, note) in [
        (
            "not POST, = /orders (split rule_0): another method",
            "2.yaml:9",
        ),
        (
            "not = /orders, header x-user = 7 (split rule_1): header x-user is not so",
            "2.yaml:11",
        ),
        ("route 3 /orders[/*] (split rule_3)", "2.yaml:15"),
        ("25 % to old:http", "2.yaml:18"),
        ("75 % to api:http", "2.yaml:19"),
        ("too late /* (else)", "mesh.yaml:43"),
        ("at old-1: inbound http http", "mesh.yaml:31"),
    ] {
        says(&page, text, note);
    }
    let page = told(&documents, &question("web", "api", "/moved/x"), Form::Human);
    says(
        &page,
        "web-1 to api:http, GET /moved/x: answered by the client's proxy with a redirect",
        "2.yaml:13",
    );
    says(
        &page,
        "answer 302, location: http://127.0.0.1:10001/here",
        "2.yaml:13",
    );
}

#[test]
fn limits_are_those_of_the_client() {
    let web = permission("p", &[rule("allow", "Exact", "/workload/web")]);
    let limit = "
type: MeshRateLimit
mesh: default
name: few
spec:
  rules:
    - default: {local: {http: {requestRate: {num: 9, interval: 1s}}}}
    - matches: [{spiffeID: {type: Exact, value: 'spiffe://default.default.mesh.local/workload/web'}}]
      default: {local: {http: {requestRate: {num: 5, interval: 1s}}}}
---
type: MeshFaultInjection
mesh: default
name: faults
spec:
  rules:
    - matches: [{spiffeID: {type: Exact, value: 'spiffe://default.default.mesh.local/workload/x'}}]
      default: {http: [{abort: {httpStatus: 500, percentage: 50}}]}
    - default: {http: [{delay: {value: 5s, percentage: 10}}]}
";
    let page = told(
        &[web, limit.to_owned()],
        &question("web", "api", "/"),
        Form::Human,
    );
    says(&page, "requests 5", "2.yaml:9");
    says(&page, "instead of 9", "2.yaml:7");
    says(&page, "fault 10 % wait 5s, for everybody", "2.yaml:18");
    assert!(!page.contains("500"), "{page}");
}

#[test]
fn whoever_has_no_way_is_told_what_the_servers_say() {
    let web = permission("p", &[rule("allow", "Exact", "/workload/web")]);
    let page = told(
        std::slice::from_ref(&web),
        &question("web", "old", "/"),
        Form::Human,
    );
    says(
        &page,
        "web-1 to old:http: not sent: the client's proxy does not lead there",
        "",
    );
    says(&page, "but one to api:http", "mesh.yaml:40");
    says(
        &page,
        "permit spiffe://default.default.mesh.local/workload/web",
        "1.yaml:6",
    );
    let stranger = question("spiffe://default.default.mesh.local/workload/x", "old", "/");
    let page = told(&[web], &stranger, Form::Human);
    says(
        &page,
        "client spiffe://default.default.mesh.local/workload/x no declared proxy is given it",
        "",
    );
    says(
        &page,
        "spiffe://default.default.mesh.local/workload/x to old:http: denied",
        "1.yaml:6",
    );
}

#[test]
fn things_go_by_several_names() {
    let documents = [permission("p", &[rule("allow", "Exact", "/workload/web")])];
    let world = world(&documents);
    let analysis = analyse(&world, &Settings::default());
    let ask = |from: &str, to: &str| {
        explain(
            &analysis,
            (Compiler::default(), &world),
            &question(from, to, "/"),
            Form::Human,
        )
    };
    let expected = ask("web", "api").unwrap();
    for from in [
        "web-1",
        "Dataplane/web-1",
        "Workload/web",
        "kri_dp_default_default__web-1_",
        "spiffe://default.default.mesh.local/workload/web",
    ] {
        assert_eq!(ask(from, "api").as_ref(), Ok(&expected), "{from}");
    }
    for to in [
        "api:http",
        "api:80",
        "MeshService/api",
        "kri_msvc_default_default__api_http",
        "api.svc.mesh.local",
        "api.svc.mesh.local:80",
        "api-1",
    ] {
        assert_eq!(ask("web", to).as_ref(), Ok(&expected), "{to}");
    }
    for (from, to, why) in [
        (
            "wbe",
            "api",
            "there is no workload, Dataplane or service `wbe`, did you mean `web`?",
        ),
        (
            "web",
            "apy",
            "there is no service `apy`, did you mean `api`?",
        ),
        (
            "web",
            "api:htp",
            "`api` has no port `htp`, did you mean `http`?",
        ),
    ] {
        assert_eq!(
            ask(from, to).map_err(|error| error.to_string()),
            Err(why.to_owned())
        );
    }
}

#[test]
fn a_name_that_means_several_things_is_refused() {
    let both = "
type: Dataplane
mesh: default
name: api
labels: {app: x, kuma.io/workload: x}
networking: {address: 10.0.0.9}
";
    let world = world(&[both.to_owned()]);
    let analysis = analyse(&world, &Settings::default());
    let ask = |from: &str| {
        explain(
            &analysis,
            (Compiler::default(), &world),
            &question(from, "api", "/"),
            Form::Human,
        )
    };
    let error = ask("api").map_err(|error| error.to_string());
    let expected =
        "`api` means more than one thing: say `Dataplane/api`, `Workload/api` or `MeshService/api`";
    assert_eq!(error, Err(expected.to_owned()));
    assert!(ask("Dataplane/api").is_ok() && ask("Workload/api").is_ok());
}
