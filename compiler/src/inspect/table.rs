//! All proxies, one line each.
//!
//! Never hides a proxy without identity: that is what one looks for in it.

use mesh_bundle::ProxyConfig;

use super::words;

const TITLES: [&str; 4] = ["PROXY", "IDENTITY", "INBOUNDS", "OUTBOUNDS"];

pub(super) fn render(configs: &[ProxyConfig]) -> String {
    let mut rows = vec![TITLES.map(str::to_owned)];
    rows.extend(configs.iter().map(row));
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths = [0, 1, 2, 3].map(width);
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(widths);
        let cells: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn row(config: &ProxyConfig) -> [String; 4] {
    let identity = config.proxy.identity.as_ref();
    let inbounds = config
        .inbounds
        .iter()
        .map(|(name, (inbound, _))| format!("{name} {}:{}", inbound.address, inbound.port));
    let (captured, explicit): (Vec<_>, Vec<_>) = config
        .outbounds
        .iter()
        .partition(|(_, outbound)| outbound.captured);
    let outbounds = explicit.into_iter();
    let outbounds = outbounds
        .map(|(address, outbound)| format!("{address} -> {}", words::port(&outbound.destination)));
    // As many as the mesh has ports.
    let captured = (!captured.is_empty()).then(|| format!("{} captured", captured.len()));
    let outbounds = outbounds.chain(captured);
    [
        words::name(&config.proxy.kri),
        identity.map_or("-".to_owned(), |identity| identity.spiffe_id.to_string()),
        list(inbounds),
        list(outbounds),
    ]
}

fn list(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    match items.is_empty() {
        true => "-".to_owned(),
        false => items.join(", "),
    }
}
