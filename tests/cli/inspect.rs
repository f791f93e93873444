//! `meshc inspect`: questions, names, the answers of others.
//!
//! Never looks at a whole page; that is for the golden files.

use serde_json::Value;

use super::run::{Ran, Repo};

const WORLD: &str = "
type: Mesh
name: default
---
type: Dataplane
mesh: default
name: web-1
labels: {app: web, kuma.io/workload: web}
networking:
  address: 10.0.0.1
  inbound: [{port: 8080, servicePort: 18080, name: http, protocol: http}]
  outbound: [{port: 10080, backendRef: {kind: MeshService, name: api, port: 80}}]
---
type: Dataplane
mesh: default
name: api-1
labels: {app: api, kuma.io/workload: api-v1}
networking:
  address: 10.0.0.2
  inbound: [{port: 8080, servicePort: 18080, name: http, protocol: http}]
---
type: MeshService
mesh: default
name: api
spec:
  selector: {dataplaneLabels: {matchLabels: {app: api}}}
  ports: [{port: 80, targetPort: http, name: http, appProtocol: http}]
---
type: MeshTimeout
mesh: default
name: calls
spec:
  to: [{targetRef: {kind: Mesh}, default: {http: {requestTimeout: 7s}}}]
";

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.exits(0).stdout).expect("JSON")
}

#[test]
fn every_question_is_answered_for_people_and_programs() {
    let repo = Repo::with("mesh.yaml", WORLD);
    for (question, said) in [
        (vec!["policies", "web-1"], "MeshTimeout"),
        (vec!["outbounds", "web-1"], "http.requestTimeout  7s"),
        (
            vec!["routes", "web-1", "api:http"],
            "anything else goes to api:http",
        ),
        (
            vec!["inbounds", "api-1"],
            "inbound http: 10.0.0.2:8080 http",
        ),
        (vec!["proxy-wide", "api-1"], "built in"),
        (vec!["identity", "api-1"], "plaintext only"),
        (vec!["hostnames", "api"], "api.svc.mesh.local"),
        (vec!["dataplanes", "api"], "api-1: http"),
        (vec!["dataplanes", "MeshTimeout/calls"], "web-1"),
    ] {
        let mut arguments = vec!["inspect"];
        arguments.extend(question);
        repo.meshc(&arguments).exits(0).says(said);
        arguments.extend([".", "--format", "json"]);
        assert!(json(&repo.meshc(&arguments)).is_object());
    }
    repo.meshc(&["inspect"]).exits(0).says("web-1");
    repo.meshc(&["inspect", ".", "web-1"])
        .exits(0)
        .says("proxy web-1");
}

#[test]
fn every_value_has_its_line_and_what_it_beat() {
    let repo = Repo::with("mesh.yaml", WORLD);
    let answer = json(&repo.meshc(&["inspect", "outbounds", "web-1", "--format", "json"]));
    let timeout = &answer["outbounds"][0]["policies"][0];
    assert_eq!(timeout["kind"], "MeshTimeout");
    assert_eq!(timeout["conf"]["http"]["requestTimeout"], "7s");
    let origin = timeout["origins"]
        .as_array()
        .and_then(|origins| origins.last());
    let origin = origin.expect("an origin");
    assert_eq!(origin["kri"], "kri_mt_default_default__calls_");
    assert_eq!(origin["ruleIndex"], 0);
    assert_eq!(origin["file"], "mesh.yaml");
    let values = timeout["values"].as_array().expect("values");
    let beaten = values
        .iter()
        .find(|leaf| leaf["path"] == "/http/requestTimeout");
    assert_eq!(beaten.expect("a value")["overridden"][0]["value"], "15s");
}

#[test]
fn a_name_that_means_nothing_or_two_things_is_refused() {
    let repo = Repo::with("mesh.yaml", WORLD);
    for (question, complaint) in [
        (
            vec!["policies", "wep-1"],
            "there is no Dataplane `wep-1`, did you mean `web-1`?",
        ),
        (
            vec!["routes", "web-1", "apj"],
            "there is no service `apj`, did you mean `api`?",
        ),
        (
            vec!["routes", "web-1", "api:htp"],
            "has no port `htp`, did you mean `http`?",
        ),
        (
            vec!["dataplanes", "call"],
            "there is no policy or service `call`, did you mean `calls`?",
        ),
    ] {
        let mut arguments = vec!["inspect"];
        arguments.extend(question);
        repo.meshc(&arguments).exits(2).complains(complaint);
    }
    repo.write(
        "twice.yaml",
        WORLD
            .split("---")
            .last()
            .expect("a policy")
            .replace("calls", "api"),
    );
    repo.meshc(&["inspect", "dataplanes", "api"])
        .exits(2)
        .complains("more than one policy or service is called `api`");
}

#[test]
fn a_repository_with_errors_has_no_answers() {
    let repo = Repo::with("mesh.yaml", WORLD);
    repo.write("bad.yaml", "type: Mesh\nname: Bad\n");
    repo.meshc(&["inspect", "policies", "web-1"])
        .exits(1)
        .complains("is not a name");
}

#[test]
fn paths_of_kumas_api_are_answered_with_kumas_json() {
    let repo = Repo::with("mesh.yaml", WORLD);
    let ask = |path: &str| repo.meshc(&["inspect", "--as", "kuma", path, "mesh.yaml"]);
    let layout = json(&ask("/meshes/default/dataplanes/api-1/_layout"));
    assert_eq!(
        layout["inbounds"][0]["proxyResourceName"],
        "self_inbound_dp_http"
    );
    // A proxy that is not there is refused as Kuma refuses it.
    let refused = ask("/meshes/default/dataplanes/nobody/_layout");
    let refused = refused.exits(2).complains("404 ").says("\"status\": 404");
    assert!(serde_json::from_str::<Value>(&refused.stdout).is_ok());
    ask("/meshes/default/dataplanes/api-1/_config")
        .exits(2)
        .complains("the configuration of Envoy");
    ask("/meshes/default/dataplanes/api-1/_layuot")
        .exits(2)
        .complains("did you mean `_layout`?");
}

#[test]
fn documents_of_kuma_pass_only_where_kuma_is_asked() {
    let legacy = WORLD.replace("app: api}}}", "app: api}}, dataplaneTags: {a: b}}");
    let legacy = legacy.replace(
        "protocol: http}]",
        "protocol: http, tags: {kuma.io/service: x}}]",
    );
    let repo = Repo::with("mesh.yaml", legacy);
    repo.meshc(&["check"]).exits(1);
    repo.meshc(&["inspect", "policies", "api-1"]).exits(1);
    repo.meshc(&["inspect", "policies", "api-1", "--as", "kuma"])
        .exits(0)
        .says("calls");
}
