//! `meshc` reads files and writes text: no crate below it opens a connection.
//!
//! Never looks at what tests need: only at what is linked.

use std::collections::BTreeSet;
use std::process::Command;

use super::assert_tidy;
use super::tree::top;

/// git2 is not here: it is built without TLS and SSH, and `compiler/src/world/git.rs` only reads objects.
/// Runtimes, sockets, TLS and what speaks over them; each also as the beginning of a name, `hyper-util`.
/// Nor is mio, which waits for the files that `notify` watches: it has sockets only where its feature `net` is on.
const NETWORK: [&str; 22] = [
    "async-io",
    "async-std",
    "attohttpc",
    "axum",
    "curl",
    "gix",
    "h2",
    "h3",
    "hickory",
    "hyper",
    "isahc",
    "native-tls",
    "openssl",
    "polling",
    "quinn",
    "reqwest",
    "rustls",
    "smol",
    "socket2",
    "tokio",
    "tonic",
    "ureq",
];

fn complaints<'a>(linked: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let speaks = |name: &str| {
        let of = |network: &str| name.strip_prefix(network).is_some_and(ends);
        NETWORK.into_iter().any(of)
    };
    let linked = linked.into_iter().filter(|name| speaks(name));
    linked
        .map(|name| format!("meshc links {name}, which speaks to the network"))
        .collect()
}

/// The rest of a name whose beginning is another: `h2` is no part of `h264`.
fn ends(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('-')
}

/// The crates that are linked into `meshc`, as cargo resolves them; mio with sockets counts as one that has nothing else.
fn linked() -> BTreeSet<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut tree = Command::new(cargo);
    tree.args(["tree", "--package", "mesh-compiler", "--edges", "normal"]);
    tree.args(["--prefix", "none", "--format", "{p}|{f}", "--locked"]);
    let output = tree.current_dir(top()).output().expect("cargo tree runs");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    let names = text.lines().filter_map(|line| {
        let (package, features) = line.split_once('|')?;
        let name = package.split_whitespace().next()?;
        let sockets = features.split(',').any(|feature| feature == "net");
        Some(match (name, sockets) {
            ("mio", true) => "socket2".to_owned(),
            _ => name.to_owned(),
        })
    });
    names.collect()
}

#[test]
fn meshc_links_no_network() {
    let linked = linked();
    for known in ["mesh-bundle", "granit-parser", "serde_json"] {
        assert!(linked.contains(known), "{linked:?}");
    }
    assert_tidy(&complaints(linked.iter().map(String::as_str)));
}

#[test]
fn a_network_crate_is_found_by_the_beginning_of_its_name() {
    assert_eq!(
        complaints(["tokio", "hyper-util", "rustls-pki-types"]).len(),
        3
    );
    assert_eq!(complaints(["h264", "serde", "miow"]).len(), 0);
}
