//! `meshc graph`: the shop, drawn.
//!
//! Never judges who may call whom; the tests of `flow` do.

use std::path::Path;

use serde_json::Value;

use super::init::script;
use super::run::{Ran, Repo};

fn graph(arguments: &[&str]) -> Ran {
    let shop = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/shop");
    let shop = shop.display().to_string();
    Repo::new().meshc(&[&["graph", &shop], arguments].concat())
}

#[test]
fn every_edge_says_whether_how_and_how_much() {
    let json = graph(&["--format", "json"]);
    let json: Value = serde_json::from_str(&json.exits(0).stdout).expect("JSON");
    let edges = json["edges"].as_array().expect("edges");
    let edge = |from: &str, to: &str| {
        let found = edges.iter().find(|edge| {
            edge["from"]["name"] == from
                && edge["to"].as_str().is_some_and(|port| port.contains(to))
        });
        found.unwrap_or_else(|| panic!("no edge from {from} to {to}: {json:#}"))
    };
    let canary = edge("web", "_api-v2_");
    assert_eq!(canary["verdict"], "permitted");
    assert_eq!(canary["transport"], "mtls");
    assert_eq!(
        canary["share"],
        serde_json::json!({"least": 10, "most": 10})
    );
    assert_eq!(edge("web", "_api-v1_")["share"]["most"], 90);
    assert_eq!(edge("outsider", "_api-v1_")["verdict"], "refused");
    assert_eq!(edge("api", "_db_")["verdict"], "permitted");
}

#[test]
fn it_is_drawn_in_equal_bytes_and_for_those_who_do_not_see_it() {
    let svg = graph(&["--format", "svg"]).exits(0).stdout.clone();
    assert_eq!(svg, graph(&["--format", "svg"]).stdout);
    let drawn = roxmltree::Document::parse(&svg).expect("XML");
    let root = drawn.root_element();
    assert_eq!(root.attribute("role"), Some("img"));
    let titles = drawn
        .descendants()
        .filter(|node| node.has_tag_name("title"));
    let titles: Vec<_> = titles.filter_map(|node| node.text()).collect();
    let said = |text: &str| titles.iter().any(|title| title.starts_with(text));
    assert!(
        said("web to api-v2:http: permitted, mTLS, 10 %"),
        "{titles:#?}"
    );
    assert!(said("outsider to api-v1:http: refused"), "{titles:#?}");
    let shapes = drawn.descendants().filter(|node| node.has_tag_name("path"));
    assert!(shapes.clone().count() > 4);
    assert!(
        shapes
            .into_iter()
            .all(|path| path.children().any(|node| node.has_tag_name("title")))
    );
}

#[test]
fn other_tools_can_read_it_and_a_part_can_be_asked_for() {
    let mermaid = graph(&[]);
    mermaid
        .exits(0)
        .says("flowchart LR\n")
        .says("-->|\"permitted, mTLS, 10 %\"|");
    mermaid.says("-.->|\"refused");
    let dot = graph(&["--format", "dot"]);
    dot.exits(0)
        .says("digraph mesh {")
        .says("\"w web\" -> \"p api-v2:http\"");
    let db = graph(&["--about", "db", "--format", "dot"]);
    db.exits(0).says("\"w api\"");
    assert!(!db.stdout.contains("outsider"), "{db:?}");
    graph(&["--about", "nobody"])
        .exits(2)
        .complains("there is no workload and no service `nobody`");
    let repo = Repo::with("a.yaml", "type: Mehs\n");
    repo.meshc(&["graph"])
        .exits(1)
        .complains("error[unknown-kind]");
    repo.write("a.yaml", "type: Mesh\nname: default\n");
    repo.meshc(&["graph", "-o", "out.svg", "--format", "svg"])
        .exits(0);
    assert!(repo.path("out.svg").exists());
}

#[test]
fn where_routes_tell_too_much_apart_each_rule_is_asked_and_that_is_said() {
    let shop = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/shop");
    let repo = Repo::new();
    let copy = format!("cp -r {} shop", shop.display());
    script(repo.root(), &copy, &[]).exits(0);
    // Each rule halves every class that is left; only the last one leads to the second version alone.
    let rules = (0..20).map(|number| {
        let service = if number < 19 { "api-v1}, port: 80" } else { "api-v2}, port: 80" };
        format!("        - matches: [{{path: {{type: PathPrefix, value: /}}, headers: [{{name: a{number}, type: Present}}, {{name: b{number}, type: Present}}]}}]\n          default: {{backendRefs: [{{kind: MeshService, labels: {{kuma.io/display-name: {service}}}]}}\n")
    });
    let rules: String = rules.collect();
    repo.write("shop/wide.yaml", format!("type: MeshHTTPRoute\nmesh: default\nname: wide\nspec:\n  targetRef: {{kind: Dataplane, labels: {{app: web}}}}\n  to:\n    - targetRef: {{kind: MeshService, labels: {{kuma.io/display-name: api}}}}\n      rules:\n{rules}"));
    let ran = repo.meshc(&["graph", "shop", "--format", "json"]);
    ran.exits(0)
        .complains("the routes to api:http tell too many requests apart: only some were asked\n");
    let json: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let edges = json["edges"].as_array().expect("edges");
    let from_web = edges.iter().filter(|edge| edge["from"]["name"] == "web");
    let told: Vec<_> = from_web
        .map(|edge| (edge["to"].as_str().unwrap_or_default(), edge))
        .collect();
    let inexact = |(_, edge): &(&str, &Value)| edge["exact"] == Value::Bool(false);
    assert!(told.iter().all(inexact), "{told:?}");
    // Some of the requests all go there.
    let whole =
        |(to, edge): &(&str, &Value)| to.contains("_api-v2_") && edge["share"]["most"] == 100;
    assert!(told.iter().any(whole), "{told:?}");
    repo.meshc(&["graph", "shop"])
        .exits(0)
        .says("of the requests that were asked");
}
