//! The clock of meshd's machine is set ahead and back: traffic and commits go on, and nobody joins by a used token.

use std::sync::Arc;

use mesh_tests::{Clock, Line, Mesh, Options, Proxy, Token};

const HOUR: i64 = 3_600;

/// Somebody else with this token; returns why meshd does not let him in.
async fn refused(mesh: &Mesh, token: &std::path::Path, round: usize) -> String {
    let log = mesh.meshd().process().log().clone();
    let mark = log.mark();
    let state = mesh.directory().join(format!("stranger-{round}"));
    let meshd = mesh.meshd().delivery().to_string();
    let stranger = Proxy::new("web-1", &meshd, token, &state).with(&["--dataplane", "web-1"]);
    let process = stranger.launch();
    let of_it = |line: &Line| line.message() == "refused" && !line.field("remote").is_empty();
    let line = log.find(mark, "that it refused somebody", of_it).await;
    process.kill().await;
    line.field("reason")
}

#[tokio::test]
async fn a_clock_that_jumps_stops_nothing_and_lets_nobody_in_twice() {
    let Some(clock) = Clock::find() else {
        return;
    };
    let clock = Arc::new(clock);
    let mesh = Options::from_example("shop")
        .only(&["web-1", "api-1"])
        .with(|repo| repo.remove("api/canary.yaml"))
        .clock(&clock)
        .start()
        .await;
    // It lets in one proxy, which has come.
    let used = mesh.directory().join("web-1.token");
    let fresh = mesh.directory().join("fresh.token");
    mesh.meshd().token(Token::Dataplane("web-1"), &fresh).await;
    let jumps = [
        // Longer than the token is good for.
        (20 * HOUR, &used, "expired"),
        (0, &used, "used up"),
        (-2 * HOUR, &fresh, "from the future"),
        (0, &used, "used up"),
    ];
    for (round, (offset, token, why)) in jumps.into_iter().enumerate() {
        clock.set(offset);
        let text = format!("# Round {round}.\n");
        let settled = mesh
            .change(move |repo| repo.write("note.yaml", &text))
            .await;
        let conditions = settled.status["conditions"].to_string();
        assert!(conditions.contains("Published"), "{offset} s: {conditions}");
        assert_eq!(mesh.client("web-1", "api").get("/").await.status, 200);
        let reason = refused(&mesh, token, round).await;
        assert!(reason.contains(why), "{offset} s: {reason}");
    }
    for name in ["web-1", "api-1"] {
        let sessions = mesh.proxy(name).log().all(0, "connected", |_| true);
        assert_eq!(sessions.len(), 1, "{name} lost meshd");
    }
    // One that starts far ahead is believed by nobody, as its certificate is of tomorrow; what everybody has serves on.
    for (offset, note) in [(20 * HOUR, "# Ahead.\n"), (0, "# Right.\n")] {
        mesh.meshd().kill().await;
        clock.set(offset);
        let log = mesh.proxy("web-1").log();
        let mark = log.mark();
        mesh.meshd().start().await;
        assert_eq!(mesh.client("web-1", "api").get("/").await.status, 200);
        mesh.repo().write("note.yaml", note);
        let revision = mesh.repo().commit("After a start");
        if offset == 0 {
            log.says(mark, "connected", &[]).await;
        }
        let settled = mesh.meshd().settled(&revision).await;
        assert_eq!(
            settled.revision(),
            revision,
            "{offset} s: {}",
            settled.status
        );
    }
}
