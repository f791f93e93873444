//! How many bytes meshd has sent to each of its peers, TLS included, as the kernel counts them.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::Result;

use crate::process::run;

/// By the address of the peer. Needs `ss` (Debian: iproute2).
pub(crate) fn sent(port: u16) -> Result<BTreeMap<String, f64>> {
    let mut command = Command::new("ss");
    command.args([
        "-tinH",
        "state",
        "established",
        "sport",
        "=",
        &format!(":{port}"),
    ]);
    let text = run(&mut command)?;
    let mut sent = BTreeMap::new();
    let mut peer = None;
    for line in text.lines() {
        // A line for the addresses, an indented one for what is known of the connection.
        if !line.starts_with(char::is_whitespace) {
            peer = line.split_whitespace().nth(3).map(str::to_owned);
            continue;
        }
        let bytes = line
            .split_whitespace()
            .find_map(|word| word.strip_prefix("bytes_sent:")?.parse().ok());
        if let (Some(peer), Some(bytes)) = (peer.take(), bytes) {
            sent.insert(peer, bytes);
        }
    }
    Ok(sent)
}

/// What was sent to each peer between two looks, in the order of amounts; those that got nothing are left out.
pub(crate) fn between(before: &BTreeMap<String, f64>, after: &BTreeMap<String, f64>) -> Vec<f64> {
    let grown = after.iter().filter_map(|(peer, bytes)| {
        let more = bytes - before.get(peer)?;
        (more > 0.0).then_some(more)
    });
    crate::report::sorted(grown)
}
