//! Another authority, while requests are under way: every one of them is answered.

use mesh_tests::{Line, Load, Log, Mesh, Options, Probe};

const PROXIES: [&str; 3] = ["web-1", "api-1", "db-1"];

/// Certificates that live for a minute, the shortest that there is.
async fn short_lived() -> Mesh {
    let options = Options::from_example("shop").only(&PROXIES).with(|repo| {
        repo.remove("api/canary.yaml");
        repo.replace(
            "mesh.yaml",
            "autogenerate:\n        enabled: true",
            "certificateParameters: {expiry: 1m}\n      autogenerate:\n        enabled: true",
        );
    });
    options.meshd(&["--poll", "2s"]).start().await
}

/// An authority below the root that a directory keeps, from the request to its first look.
async fn vouched(mesh: &Mesh) {
    let file = |name: &str| mesh.directory().join(name).to_string_lossy().into_owned();
    let (root, asked, chain) = (file("root.pem"), file("meshd.csr"), file("meshd.pem"));
    let meshd = mesh.meshd();
    let identity = ["--identity", "identity"];
    meshd
        .command(&[&["ca", "request", "--output", &asked][..], &identity].concat())
        .await;
    meshd
        .alone(&[
            "ca",
            "sign",
            "--root",
            &root,
            "--request",
            &asked,
            "--output",
            &chain,
        ])
        .await;
    meshd
        .command(&[&["ca", "install", "--chain", &chain][..], &identity].concat())
        .await;
    meshd.command(&["reconcile"]).await;
}

/// Returns when every proxy holds a certificate that was signed after this, by another key than before.
async fn resigned(mesh: &Mesh) {
    let inbound = mesh.inbound("api-1");
    let before = Probe::at(inbound).knock().await.signed_by;
    vouched(mesh).await;
    let marks = PROXIES.map(|name| (name, mesh.proxy(name).log().mark()));
    for (name, mark) in marks {
        mesh.proxy(name).renewed_since(mark).await;
    }
    let after = Probe::at(inbound).knock().await.signed_by;
    assert_ne!(before, after, "the old authority still signs");
}

async fn told(log: &Log, mark: usize, reason: &str) {
    let is_it = |line: &Line| line.field("reason") == reason;
    log.find(mark, reason, is_it).await;
}

#[tokio::test]
async fn a_root_elsewhere_takes_over_and_what_it_vouches_for_is_renewed() {
    let mesh = short_lived().await;
    let root = mesh.directory().join("root.pem");
    let words = ["ca", "root", "--trust-domain", "default.default.mesh.local"];
    let output = ["--output", &root.to_string_lossy()];
    mesh.meshd().alone(&[&words[..], &output].concat()).await;
    let load = Load::start(mesh.client("web-1", "api"), "/", 2);
    let mut tunnel = mesh.client("api-1", "db").open().await;
    tunnel.hear("db-1 ready\n").await;

    // From the authority that meshd has made to one below the root.
    resigned(&mesh).await;
    load.more(50).await;
    let log = mesh.meshd().process().log().clone();
    for reason in ["AuthoritySigns", "AuthorityRetires"] {
        told(&log, 0, reason).await;
    }
    // Its successor below the same root: nothing changes in whom proxies trust.
    let mark = log.mark();
    resigned(&mesh).await;
    let lines = log.texts();
    let signs = |line: &&String| line.contains("AuthoritySigns");
    assert_eq!(lines.iter().skip(mark).find(signs), None);
    tunnel.say("still here").await;
    tunnel.hear("still here").await;
    // The first one has signed nothing for longer than its certificates live.
    told(&log, mark, "AuthorityForgotten").await;
    load.more(200).await;

    let tally = load.stop().await;
    tally.assert_none_failed();
    assert!(tally.sent > 1_000, "{} requests", tally.sent);
    // Somebody new, who has heard of the root alone.
    mesh.fresh("web-1").await;
    assert_eq!(mesh.client("web-1", "api").get("/").await.status, 200);
}

/// Ends meshd and starts it again; returns when every proxy is connected again, without having been enrolled again.
async fn restarted(mesh: &Mesh) {
    let marks = PROXIES.map(|name| (name, mesh.proxy(name).log().mark()));
    mesh.meshd().kill().await;
    mesh.meshd().start().await;
    for (name, mark) in marks {
        let log = mesh.proxy(name).log();
        log.says(mark, "connected", &[]).await;
        assert_eq!(log.all(mark, "enrolled", |_| true).len(), 0, "{name}");
    }
}

#[tokio::test]
async fn proxies_follow_another_control_authority_without_being_enrolled_again() {
    let mesh = short_lived().await;
    let load = Load::start(mesh.client("web-1", "api"), "/", 2);
    mesh.meshd().command(&["ca", "rotate-control"]).await;
    // Proxies know the one before, which vouches for this one.
    restarted(&mesh).await;
    let marks = PROXIES.map(|name| (name, mesh.proxy(name).log().mark()));
    for (name, mark) in marks {
        let proxy = mesh.proxy(name);
        proxy.renewed_since(mark).await;
        let learnt = "meshd is known by another authority from now on";
        proxy.log().says(mark, learnt, &[]).await;
        // And is known to it by what this one has signed.
        let renewed = "control certificate renewed";
        proxy.log().says(mark, renewed, &[]).await;
    }
    // The one before goes: they know this one.
    let former = mesh.meshd().state().join("ca/control.former.pem");
    std::fs::remove_file(former).expect("the one before");
    restarted(&mesh).await;
    load.more(50).await;
    load.stop().await.assert_none_failed();
    // And whoever joins now.
    mesh.fresh("web-1").await;
    assert_eq!(mesh.client("web-1", "api").get("/").await.status, 200);
}
