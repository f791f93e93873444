//! A graph, drawn: who calls on the left, service ports in the middle, who is behind them on the right.
//!
//! Never depends on fonts or on chance: equal graphs are equal bytes. Never says with a colour alone what it says: refused
//! edges are dashed too, and everything has a title.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use mesh_bundle::Kri;

use super::{Graph, Transport, Workload};
use crate::flow::Reach;

const ROW: usize = 44;
const BOX: (usize, usize) = (200, 28);
/// From the left edge of one column to that of the next.
const COLUMN: usize = 380;
const MARGIN: usize = 24;
/// Characters that fit into a box.
const FITTING: usize = 26;

type Rows<'g, T> = BTreeMap<&'g T, usize>;

pub(super) fn render(graph: &Graph) -> String {
    let rows = Placed::new(graph);
    let most = rows
        .callers
        .len()
        .max(rows.ports.len())
        .max(rows.servers.len());
    let width = 2 * (MARGIN + COLUMN) + BOX.0;
    let height = 2 * MARGIN + most.max(1) * ROW;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\" aria-labelledby=\"title summary\" font-family=\"sans-serif\" font-size=\"13\">\n"
    );
    let refused = graph
        .edges
        .values()
        .filter(|edge| edge.verdict == Reach::No);
    let mut put = |line: String| {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{line}");
    };
    put("<title id=\"title\">Who may call whom</title>".to_owned());
    put(format!(
        "<desc id=\"summary\">{} workloads, {} service ports, {} edges, {} of them refused</desc>",
        graph.workloads.len(),
        graph.ports.len(),
        graph.edges.len(),
        refused.count(),
    ));
    put(format!(
        "<rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>"
    ));
    for line in lines(graph, &rows) {
        put(line);
    }
    for (workload, row) in &rows.callers {
        put(node((0, *row), 4, &graph.workload_name(workload)));
    }
    for (port, row) in &rows.ports {
        put(node((1, *row), BOX.1 / 2, &graph.name(port)));
    }
    for (workload, row) in &rows.servers {
        put(node((2, *row), 4, &graph.workload_name(workload)));
    }
    text.push_str("</svg>\n");
    text
}

/// Edges, and who is behind which port.
fn lines(graph: &Graph, rows: &Placed<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    for ((from, to), edge) in &graph.edges {
        let (Some(from_row), Some(to_row)) = (rows.callers.get(from), rows.ports.get(to)) else {
            continue;
        };
        let color = match edge.verdict {
            Reach::Yes => "#1b5e20",
            Reach::Partly => "#9c5700",
            Reach::No => "#b00020",
        };
        let dashes = match (edge.verdict, edge.transport) {
            (Reach::No, _) => " stroke-dasharray=\"2 4\"",
            (_, Transport::Mtls) => "",
            _ => " stroke-dasharray=\"8 4\"",
        };
        let title = escaped(&format!(
            "{} to {}: {}",
            graph.workload_name(from),
            graph.name(to),
            edge.words()
        ));
        lines.push(curve(
            (0, *from_row),
            (1, *to_row),
            &format!("stroke=\"{color}\" stroke-width=\"1.5\"{dashes}"),
            &title,
        ));
    }
    for (port, behind) in &graph.ports {
        for workload in behind {
            let ends = rows.ports.get(port).zip(rows.servers.get(workload));
            if let Some((port_row, server_row)) = ends {
                let title = escaped(&format!(
                    "{} is behind {}",
                    graph.workload_name(workload),
                    graph.name(port)
                ));
                lines.push(curve(
                    (1, *port_row),
                    (2, *server_row),
                    "stroke=\"#767676\" stroke-width=\"1\"",
                    &title,
                ));
            }
        }
    }
    lines
}

/// The row of everything in its column.
struct Placed<'g> {
    callers: Rows<'g, Workload>,
    ports: Rows<'g, Kri>,
    servers: Rows<'g, Workload>,
}

impl<'g> Placed<'g> {
    /// Callers in the order of their names; the others each near what leads to them, so that few lines cross.
    fn new(graph: &'g Graph) -> Self {
        let calls = |workload: &&Workload| graph.edges.keys().any(|(from, _)| from == *workload);
        let serves =
            |workload: &Workload| graph.ports.values().any(|behind| behind.contains(workload));
        let callers = graph.workloads.keys();
        // Who does neither stands with those who call.
        let callers = callers.filter(|workload| calls(workload) || !serves(workload));
        let callers: Rows<'_, Workload> = callers.zip(0..).collect();
        let mut leading: BTreeMap<&Kri, Vec<usize>> = BTreeMap::new();
        for (from, to) in graph.edges.keys() {
            leading.entry(to).or_default().extend(callers.get(from));
        }
        let ports = near(graph.ports.keys(), &leading);
        let mut leading: BTreeMap<&Workload, Vec<usize>> = BTreeMap::new();
        for (port, behind) in &graph.ports {
            for workload in behind {
                leading.entry(workload).or_default().extend(ports.get(port));
            }
        }
        let servers = near(leading.keys().copied(), &leading);
        Self {
            callers,
            ports,
            servers,
        }
    }
}

/// In the order of the mean row of what leads to each, and of names where that is equal.
fn near<'g, T: Ord>(
    things: impl Iterator<Item = &'g T>,
    leading: &BTreeMap<&T, Vec<usize>>,
) -> Rows<'g, T> {
    let mean = |thing: &T| {
        let rows = leading.get(thing).map_or(&[] as &[usize], Vec::as_slice);
        // In thousandths: whole numbers are equal on every machine.
        rows.iter().sum::<usize>() * 1_000 / rows.len().max(1)
    };
    let mut things: Vec<_> = things.map(|thing| (mean(thing), thing)).collect();
    things.sort();
    things
        .into_iter()
        .map(|(_, thing)| thing)
        .zip(0..)
        .collect()
}

fn left((column, row): (usize, usize)) -> (usize, usize) {
    (MARGIN + column * COLUMN, MARGIN + row * ROW)
}

fn node(place: (usize, usize), round: usize, name: &str) -> String {
    let (x, y) = left(place);
    let (width, height) = BOX;
    let mut shown: String = name.chars().take(FITTING).collect();
    if name.chars().nth(FITTING).is_some() {
        shown.push('…');
    }
    format!(
        "<g><title>{}</title><rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"{round}\" fill=\"#f5f5f5\" stroke=\"#424242\"/><text x=\"{}\" y=\"{}\" text-anchor=\"middle\" fill=\"#212121\">{}</text></g>",
        escaped(name),
        x + width / 2,
        y + 19,
        escaped(&shown),
    )
}

fn curve(from: (usize, usize), to: (usize, usize), style: &str, title: &str) -> String {
    let ((x1, y1), (x2, y2)) = (left(from), left(to));
    let (x1, y1, y2) = (x1 + BOX.0, y1 + BOX.1 / 2, y2 + BOX.1 / 2);
    let middle = (x1 + x2) / 2;
    format!(
        "<path d=\"M{x1} {y1} C{middle} {y1} {middle} {y2} {x2} {y2}\" fill=\"none\" {style}><title>{title}</title></path>"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
