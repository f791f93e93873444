//! `meshc graph`: the shop, drawn.
//!
//! Never judges who may call whom; the tests of `flow` do.

use std::path::Path;

use serde_json::Value;

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
