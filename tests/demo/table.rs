//! How proofs look to a person.
//!
//! Never judges: a proof says itself whether it holds.

use mesh_tests::Mesh;

use crate::claims::Proof;

/// One claim, its verdict, and the evidence below it.
pub(crate) fn row(number: usize, claim: &str, proof: &Proof) -> String {
    let verdict = if proof.holds() { "ok" } else { "FAILED" };
    let mut text = format!("\n {number} │ {claim:<74} │ {verdict}\n");
    for (holds, evidence) in proof.evidence() {
        let mark = if *holds { "·" } else { "✗" };
        for (line, part) in (0..).zip(evidence.lines()) {
            let mark = if line == 0 { mark } else { " " };
            text.push_str(&format!("   │ {mark} {part}\n"));
        }
    }
    text
}

/// What the processes take, which belongs to the evidence of nothing but is worth knowing.
pub(crate) fn figures(mesh: &Mesh) -> String {
    let kib = |resident: Option<u64>| {
        resident.map_or_else(
            || "unknown".to_owned(),
            |kib| format!("{} MiB", kib / 1_024),
        )
    };
    let meshd = kib(mesh.meshd().process().resident_kib());
    let proxies = mesh.proxies().into_iter().map(|proxy| {
        let resident = kib(proxy.process().resident_kib());
        format!("{} {resident}", proxy.name())
    });
    let proxies: Vec<String> = proxies.collect();
    format!("\nresident memory: meshd {meshd}, {}\n", proxies.join(", "))
}
