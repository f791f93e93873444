//! A graph for programs.
//!
//! Never changes what a name means: fields are added, not renamed.

use serde_json::{Value, json};

use super::{Graph, Transport, Workload};
use crate::flow::Reach;

pub(super) fn render(graph: &Graph) -> String {
    let workloads = graph.workloads.iter();
    let workloads: Vec<Value> = workloads
        .map(|(workload, proxies)| {
            json!({ "mesh": workload.mesh, "name": workload.name, "proxies": proxies })
        })
        .collect();
    let ports = graph.ports.iter().map(|(port, behind)| {
        let behind: Vec<Value> = behind.iter().map(reference).collect();
        json!({ "port": port.to_string(), "name": graph.name(port), "workloads": behind })
    });
    let ports: Vec<Value> = ports.collect();
    let edges = graph.edges.iter().map(|((from, to), edge)| {
        let via: Vec<String> = edge.via.iter().map(ToString::to_string).collect();
        let verdict = match edge.verdict {
            Reach::Yes => "permitted",
            Reach::Partly => "partly",
            Reach::No => "refused",
        };
        let transport = match edge.transport {
            Transport::Mtls => "mtls",
            Transport::Plain => "plaintext",
            Transport::Mixed => "mixed",
            Transport::Outside => "outside",
        };
        json!({
            "from": reference(from),
            "to": to.to_string(),
            "via": via,
            "verdict": verdict,
            "transport": transport,
            "exact": edge.is_exact,
            "share": { "least": edge.share.0, "most": edge.share.1 },
        })
    });
    let edges: Vec<Value> = edges.collect();
    let whole = json!({ "workloads": workloads, "ports": ports, "edges": edges });
    format!("{whole:#}\n")
}

fn reference(workload: &Workload) -> Value {
    json!({ "mesh": workload.mesh, "name": workload.name })
}
