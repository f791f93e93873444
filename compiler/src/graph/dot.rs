//! A graph for Graphviz.
//!
//! Never lets a name be more than a name.

use std::fmt::Write as _;

use super::{Graph, Transport};
use crate::flow::Reach;

pub(super) fn render(graph: &Graph) -> String {
    let mut text = "digraph mesh {\n  rankdir=LR;\n  node [shape=box];\n".to_owned();
    for workload in graph.workloads.keys() {
        let name = graph.workload_name(workload);
        line(
            &mut text,
            &format!("{} [label={}]", id("w", &name), quoted(&name)),
        );
    }
    for (port, behind) in &graph.ports {
        let name = graph.name(port);
        let port = id("p", &name);
        line(
            &mut text,
            &format!("{port} [label={}, shape=ellipse]", quoted(&name)),
        );
        for workload in behind {
            let workload = id("w", &graph.workload_name(workload));
            line(
                &mut text,
                &format!("{port} -> {workload} [style=dotted, arrowhead=none]"),
            );
        }
    }
    for ((from, to), edge) in &graph.edges {
        let (from, to) = (
            id("w", &graph.workload_name(from)),
            id("p", &graph.name(to)),
        );
        let color = match edge.verdict {
            Reach::Yes => "black",
            Reach::Partly => "orange",
            Reach::No => "red",
        };
        let style = match edge.transport {
            Transport::Mtls => "solid",
            _ => "dashed",
        };
        let words = quoted(&edge.words());
        line(
            &mut text,
            &format!("{from} -> {to} [label={words}, color={color}, style={style}]"),
        );
    }
    text.push_str("}\n");
    text
}

fn line(text: &mut String, words: &str) {
    // Writing to a text cannot fail.
    let _ = writeln!(text, "  {words};");
}

fn id(kind: &str, name: &str) -> String {
    quoted(&format!("{kind} {name}"))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
