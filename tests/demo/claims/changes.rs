//! Claims about commits, good and bad.
//!
//! Never waits for time: a commit is live when every proxy has acknowledged it.

use mesh_tests::{Load, Mesh, meshc_check};

use super::{Proof, show_failures, show_share};

const CANARY: &str = "api/canary.yaml";
const TIMEOUTS: &str = "api/timeouts.yaml";

pub(super) async fn move_the_canary(mesh: &Mesh) -> Proof {
    let mut proof = Proof::default();
    let load = Load::start(mesh.client("web-1", "api"), "/", 4);
    load.more(200).await;
    let settled = mesh
        .change(|repo| {
            repo.replace(CANARY, "weight: 90", "weight: 50");
            repo.replace(CANARY, "weight: 10", "weight: 50");
        })
        .await;
    load.more(200).await;
    let tally = load.stop().await;
    let (same, other) = mesh.holders().await;
    proof.show(
        other.is_empty() && !same.is_empty(),
        format!(
            "{} is live {} ms after `git commit`: {} of {} proxies show the configuration that meshd wants of them",
            short(settled.revision()),
            settled.after.as_millis(),
            same.len(),
            same.len() + other.len(),
        ),
    );
    show_failures(&mut proof, "before, during and after it", &tally);
    let load = Load::start(mesh.client("web-1", "api"), "/", 8);
    load.more(1_000).await;
    let tally = load.stop().await;
    show_failures(&mut proof, "at 50/50", &tally);
    show_share(&mut proof, &tally, 0.5);
    proof
}

pub(super) async fn a_mistake(mesh: &Mesh) -> Proof {
    let mut proof = Proof::default();
    let good = mesh.head().await;
    let load = Load::start(mesh.client("web-1", "api"), "/", 4);
    let text = mesh.repo().read(TIMEOUTS);
    let (bad, settled) = mesh
        .try_change(|repo| repo.replace(TIMEOUTS, "requestTimeout", "requestTimeuot"))
        .await;
    proof.show(
        settled.revision() == good && bad != good,
        format!(
            "{} has the mistake, {} is served",
            short(&bad),
            short(settled.revision())
        ),
    );
    let (told, _) = meshc_check(mesh.repo().path());
    proof.show(
        !told.trim().is_empty() && told.trim() == settled.diagnostics().trim(),
        format!(
            "meshd says what `meshc check` says:\n{}",
            settled.diagnostics().trim()
        ),
    );
    load.more(200).await;
    show_failures(&mut proof, "meanwhile", &load.stop().await);
    let mended = mesh.commit(TIMEOUTS, &text).await;
    proof.show(
        mended.diagnostics().is_empty(),
        format!("{} mends it and is served", short(mended.revision())),
    );
    proof
}

fn short(revision: &str) -> &str {
    revision.get(..10).unwrap_or(revision)
}
