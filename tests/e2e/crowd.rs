//! A thousand proxies that come at once, and hundreds that do not listen: others do not notice, and memory stays bounded.

use std::time::Instant;

use mesh_tests::{Crowd, Mesh, Options};

const SIZE: usize = 1_000;
const DEAF: usize = 300;
/// KiB that a few storms may leave behind, whatever the allocator keeps.
const LEFT: u64 = 24 << 10;

async fn open() -> (Mesh, Crowd) {
    let mesh = Options::from_example("shop")
        .only(&["web-1", "api-1"])
        .with(|repo| {
            repo.remove("api/canary.yaml");
            repo.write("crowd.yaml", &Crowd::documents(SIZE));
        })
        .start()
        .await;
    let authority = mesh.meshd().state().join("ca").join("control.pem");
    let authority = std::fs::read_to_string(authority).unwrap();
    let crowd = Crowd::come(SIZE, mesh.meshd().delivery(), &authority);
    crowd.connected().await;
    // All of them have answered.
    mesh.change(|repo| repo.write("note.yaml", "# One.\n"))
        .await;
    (mesh, crowd)
}

/// Changes what clients do and what servers do: the configuration of everybody.
fn timeout(seconds: usize) -> String {
    let limit = format!("connectionTimeout: {seconds}s");
    let head = "type: MeshTimeout\nmesh: default\nspec:\n  targetRef: {kind: Mesh}\n";
    format!(
        "{head}  to: [{{targetRef: {{kind: Mesh}}, default: {{{limit}}}}}]\nname: clients\n---\n\
         {head}  rules: [{{default: {{{limit}}}}}]\nname: servers\n"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_that_come_back_at_once_harm_nobody() {
    let (mesh, crowd) = open().await;
    let client = mesh.client("web-1", "api");
    let (given, _) = crowd.told();
    let mut resident = Vec::new();
    for storm in 1..=4 {
        let begin = Instant::now();
        mesh.meshd().kill().await;
        crowd.gone().await;
        mesh.meshd().start().await;
        // While they come a commit goes to everybody who is there, and requests are served.
        let text = format!("# Storm {storm}.\n");
        mesh.repo().write("note.yaml", &text);
        let revision = mesh.repo().commit("In the storm");
        for _ in 0..20 {
            assert_eq!(client.get("/").await.status, 200);
        }
        crowd.connected().await;
        let settled = mesh.meshd().settled(&revision).await;
        assert_eq!(settled.revision(), revision, "{}", settled.status);
        let kib = mesh.meshd().process().resident_kib().unwrap();
        println!(
            "storm {storm}: {SIZE} are back after {:?}, meshd has {kib} KiB",
            begin.elapsed()
        );
        resident.push(kib);
    }
    // Whoever holds what is wanted is given nothing.
    let (again, opened) = crowd.told();
    assert_eq!(again, given, "configurations were sent again");
    assert!(opened >= 5 * SIZE, "{opened}");
    let (first, last) = (resident[0], resident[3]);
    assert!(last < first + LEFT, "{first} KiB, then {last} KiB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundreds_that_do_not_listen_keep_nothing_from_the_others() {
    let (mesh, crowd) = open().await;
    crowd.deafen(DEAF);
    let process = mesh.meshd().process();
    let mut resident = Vec::new();
    for round in 1..=30 {
        mesh.repo().write("timeout.yaml", &timeout(round));
        let revision = mesh.repo().commit("For all");
        let log = mesh.proxy("web-1").log();
        log.says(0, "applied", &[("revision", &revision)]).await;
        resident.push(process.resident_kib().unwrap());
    }
    println!("of {SIZE} {DEAF} did not listen: meshd has {resident:?} KiB");
    assert_eq!(mesh.client("web-1", "api").get("/").await.status, 200);
    let (early, late) = (resident[4], resident[29]);
    assert!(late < early + LEFT, "{early} KiB, then {late} KiB");
    // They hear the last word alone.
    let (before, _) = crowd.told();
    crowd.deafen(0);
    let revision = mesh.head().await;
    let settled = mesh.meshd().settled(&revision).await;
    assert_eq!(settled.revision(), revision);
    let (after, _) = crowd.told();
    assert!(
        after - before < 10 * DEAF,
        "{} configurations",
        after - before
    );
}
