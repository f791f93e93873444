//! A graph in Mermaid, which code hosts draw in Markdown.
//!
//! Never lets a name be more than a name.

use std::collections::BTreeMap;

use super::Graph;
use crate::flow::Reach;

pub(super) fn render(graph: &Graph) -> String {
    let mut text = "flowchart LR\n".to_owned();
    let workloads: BTreeMap<_, _> = graph.workloads.keys().zip(0..).collect();
    let ports: BTreeMap<_, _> = graph.ports.keys().zip(0..).collect();
    for (workload, number) in &workloads {
        let name = quoted(&graph.workload_name(workload));
        text.push_str(&format!("  w{number}[{name}]\n"));
    }
    for (port, number) in &ports {
        text.push_str(&format!("  p{number}([{}])\n", quoted(&graph.name(port))));
    }
    let mut refused = Vec::new();
    let mut count = 0;
    for ((from, to), edge) in &graph.edges {
        let (Some(from), Some(to)) = (workloads.get(from), ports.get(to)) else {
            continue;
        };
        let words = quoted(&edge.words());
        let arrow = match edge.verdict {
            Reach::Yes | Reach::Partly => "-->",
            Reach::No => "-.->",
        };
        if edge.verdict == Reach::No {
            refused.push(count.to_string());
        }
        count += 1;
        text.push_str(&format!("  w{from} {arrow}|{words}| p{to}\n"));
    }
    for (port, behind) in &graph.ports {
        for workload in behind {
            if let (Some(port), Some(workload)) = (ports.get(port), workloads.get(workload)) {
                text.push_str(&format!("  p{port} --- w{workload}\n"));
            }
        }
    }
    if !refused.is_empty() {
        text.push_str(&format!(
            "  linkStyle {} stroke:#b00020\n",
            refused.join(",")
        ));
    }
    text
}

fn quoted(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('"', "&quot;");
    format!("\"{}\"", text.replace('<', "&lt;").replace('>', "&gt;"))
}
