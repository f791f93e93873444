//! A mesh that is left running: where to look, what to try, how to end it.
//!
//! Never leaves it in a bad state: what the claims broke is mended before a person looks.

use std::fmt::Write;

use mesh_tests::Mesh;

/// Mends what the claims broke, and says how to look around.
pub(crate) async fn look_around(mesh: &Mesh) -> String {
    if !mesh.meshd().process().runs() {
        mesh.meshd().start().await;
    }
    let mut text = String::from("\nthe mesh keeps running; try\n\n");
    let mut line = |what: &str, how: &str| {
        // Writing to a String does not fail.
        let _ = writeln!(text, "  {what:<34} {how}");
    };
    let web = mesh.outbound("web-1", "api");
    let outsider = mesh.outbound("outsider-1", "api");
    line("as web, call the API", &format!("curl http://{web}/"));
    line("as the outsider", &format!("curl -i http://{outsider}/"));
    let meshd = mesh.meshd().admin();
    let program = mesh_tests::binary("meshd");
    let asks = format!(
        "{} status --state-dir {}",
        program.display(),
        mesh.meshd().state().display()
    );
    line("what meshd serves and to whom", &asks);
    line("its metrics", &format!("curl http://{meshd}/metrics"));
    for proxy in mesh.proxies() {
        let admin = proxy.admin().await.address();
        line(
            &format!("what {} does", proxy.name()),
            &format!("curl http://{admin}/config   # and /metrics"),
        );
    }
    let repo = mesh.repo().path().display();
    line("the repository", &format!("cd {repo}"));
    line(
        "change something",
        "$EDITOR api/canary.yaml && git commit -am 'Move the canary'",
    );
    line(
        "see it arrive",
        &format!("{asks} --wait $(git rev-parse HEAD)"),
    );
    line("end it", "Ctrl-C");
    text.push('\n');
    text
}

/// Returns with Ctrl-C or SIGTERM.
pub(crate) async fn until_stopped() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
