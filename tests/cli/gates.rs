//! The gates of `meshc diff`: each one kept, and each one broken.
//!
//! Never reads the git configuration of whoever runs the tests.

use super::run::{Ran, Repo};

const PERMISSION: &str = include_str!("../../examples/shop/api/permission.yaml");
const WEB: &str = include_str!("../../examples/shop/web/dataplane.yaml");
const PAY: &str = "type: MeshExternalService\nmesh: default\nname: pay\nspec:\n  match: {type: HostnameGenerator, port: 443, protocol: tcp}\n  endpoints: [{address: pay.example.com, port: 443}]\n";

/// The shop by team, with these gates, as the only commit of `main`.
fn shop(gates: &str) -> Repo {
    let repo = Repo::with("meshc.toml", format!("[gates]\n{gates}"));
    repo.write("mesh.yaml", include_str!("../../examples/shop/mesh.yaml"));
    repo.write("web/web.yaml", WEB);
    repo.write(
        "api/services.yaml",
        include_str!("../../examples/shop/api/services.yaml"),
    );
    repo.write(
        "api/api.yaml",
        include_str!("../../examples/shop/api/dataplanes.yaml"),
    );
    repo.write(
        "api/timeouts.yaml",
        include_str!("../../examples/shop/api/timeouts.yaml"),
    );
    repo.write("api/permission.yaml", PERMISSION);
    repo.write("db/db.yaml", include_str!("../../examples/shop/db/db.yaml"));
    repo.committed()
}

fn outbound(port: u16, kind: &str, name: &str, to: u16) -> String {
    format!(
        "    - address: 127.0.0.11\n      port: {port}\n      backendRef: {{kind: {kind}, name: {name}, port: {to}}}\n"
    )
}

/// What `meshc diff` says of the work tree, and that it fails for one gate alone.
#[track_caller]
fn breaks(repo: &Repo, gate: &str, message: &str, cause: &str) -> Ran {
    let ran = repo.meshc(&["diff"]);
    ran.exits(1)
        .says(&format!("broken gate [{gate}]: {message}\n"))
        .says(&format!("  at {cause}\n"));
    assert_eq!(ran.stdout.matches("broken gate").count(), 1, "{ran:#?}");
    ran
}

#[test]
fn so_many_proxies_and_no_more() {
    let slower = include_str!("../../examples/shop/api/timeouts.yaml").replace("3s", "5s");
    for (gates, message) in [
        (
            "max-proxies = 0",
            "1 of 4 proxies get another configuration, more than 0",
        ),
        (
            "max-proxies-percent = 24",
            "1 of 4 proxies (25 %) get another configuration, more than 24 %",
        ),
    ] {
        let repo = shop(gates);
        repo.write("api/timeouts.yaml", &slower);
        breaks(&repo, "gate-proxies", message, "api/timeouts.yaml:13")
            .says("  gate: meshc.toml:2\n");
        repo.meshc(&["diff", "--no-gates"]).exits(0);
    }
    let repo = shop("max-proxies = 1\nmax-proxies-percent = 25");
    repo.write("api/timeouts.yaml", &slower);
    repo.meshc(&["diff"]).exits(0);
    // What means nothing breaks nothing.
    let repo = shop("max-proxies = 0");
    repo.write("api/permission.yaml", format!("# Moved.\n{PERMISSION}"));
    repo.meshc(&["diff"]).exits(0);
}

#[test]
fn no_new_destination_outside() {
    let repo = shop("allow-new-external = false");
    repo.write("api/pay.yaml", PAY);
    repo.meshc(&["diff"]).exits(0);
    let web = format!(
        "{WEB}{}",
        outbound(10443, "MeshExternalService", "pay", 443)
    );
    repo.write("web/web.yaml", &web);
    let message = "web may now reach pay.example.com:443 outside of the mesh";
    breaks(&repo, "gate-external", message, "api/pay.yaml:1");
    // Of what is open, more of the same is nothing new.
    repo.git(&["add", "."]);
    repo.git(&["commit", "--quiet", "--message", "Pay"]);
    let second = web
        .replace("web-1", "web-2")
        .replace("127.0.0.11", "127.0.0.12");
    repo.write("web/second.yaml", second);
    repo.meshc(&["diff"]).exits(0);
    repo.meshc(&["diff", "HEAD~1..HEAD"]).exits(1);
    let repo = shop("allow-new-external = true");
    repo.write("api/pay.yaml", PAY);
    repo.write("web/web.yaml", &web);
    repo.meshc(&["diff"]).exits(0);
}

#[test]
fn who_takes_much_away_says_why() {
    let repo = shop("max-removed-edges-percent = 49");
    repo.git(&["checkout", "--quiet", "-b", "work"]);
    repo.write(
        "api/permission.yaml",
        PERMISSION.replace("workload/web", "workload/other"),
    );
    let message = "1 of 2 edges (50 %) are removed, more than 49 %";
    breaks(&repo, "gate-removal", message, "api/permission.yaml:12")
        .says("`Mesh-Allow-Removal: REASON`");
    // A trailer without a reason is none, and so is one that stands in the text.
    let commit = |message: &str| {
        repo.git(&[
            "commit",
            "--quiet",
            "--all",
            "--allow-empty",
            "--message",
            message,
        ]);
    };
    commit("Close\n\nMesh-Allow-Removal: no\nis not said.\n\nMesh-Allow-Removal:");
    breaks(&repo, "gate-removal", message, "api/permission.yaml:12");
    commit("Say why\n\nMesh-Allow-Removal: web is gone");
    commit("Something else");
    let ran = repo.meshc(&["diff"]);
    ran.exits(0)
        .says("web is gone\n")
        .says("allowed: 1 of 2 edges");
    // The commit is not of this range.
    repo.meshc(&["diff", "main..HEAD~2"]).exits(1);
    let repo = shop("max-removed-edges-percent = 50");
    repo.write("api/permission.yaml", "");
    repo.meshc(&["diff"]).exits(0);
    let repo = shop("max-removed-edges-percent = 0\nremoval-trailer = \"Why\"");
    repo.write(
        "web/web.yaml",
        WEB.split("  outbound").next().expect("a head"),
    );
    breaks(
        &repo,
        "gate-removal",
        "1 of 2 edges (50 %) are removed, more than 0 %",
        "web/web.yaml:11",
    )
    .says("`Why: REASON`");
}

#[test]
fn owners_answer_for_what_their_files_do() {
    let gates = "[gates.owners]\napi = { services = [\"api*\"], identities = [\"web\", \"api\"] }\nweb = { services = [\"*\"], identities = [\"web\"] }";
    let repo = shop(gates);
    // Its own service, for one of its clients.
    repo.write("api/permission.yaml", "");
    repo.meshc(&["diff"]).exits(0);
    repo.write(
        "api/permission.yaml",
        PERMISSION.replace("workload/web", "workload/other"),
    );
    breaks(
        &repo,
        "gate-owners",
        "a change in `api` affects identity `other`, which it may not",
        "api/permission.yaml:13",
    )
    .says("  gate: meshc.toml:3\n");
    // The same file selects the database now: its path says nothing of that, its effect does. What another team does in the
    // same change is not for it to answer for.
    let wide = PERMISSION.replace("kind: Dataplane\n    labels:\n      app: api", "kind: Mesh");
    repo.write("api/permission.yaml", wide);
    repo.write(
        "db/db.yaml",
        include_str!("../../examples/shop/db/db.yaml").replace("workload/api", "workload/batch"),
    );
    breaks(
        &repo,
        "gate-owners",
        "a change in `api` affects identity `db`, service `db:sql`, which it may not",
        "api/permission.yaml:11",
    );
    // A directory without a rule may do so.
    repo.git(&["checkout", "--quiet", "."]);
    repo.write("platform/web.yaml", "type: MeshTLS\nmesh: default\nname: open\nspec:\n  rules: [{default: {mode: Permissive}}]\n");
    repo.meshc(&["diff"]).exits(0);
    repo.write("web/tls.yaml", "type: MeshTLS\nmesh: default\nname: open-too\nspec:\n  rules: [{default: {mode: Permissive}}]\n");
    std::fs::remove_file(repo.path("platform/web.yaml")).expect("it is there");
    repo.meshc(&["diff"])
        .exits(1)
        .says("a change in `web` affects anybody without mesh TLS");
    // What moves from one team to another means nothing, so nobody answers for it.
    std::fs::remove_file(repo.path("web/tls.yaml")).expect("it is there");
    std::fs::rename(
        repo.path("api/permission.yaml"),
        repo.path("web/permission.yaml"),
    )
    .expect("moved");
    repo.meshc(&["diff"]).exits(0);
}

#[test]
fn who_shares_a_short_name_is_named_in_full() {
    let repo =
        shop("[gates.owners]\napi = { services = [\"api*\"], identities = [\"web\", \"api\"] }");
    let theirs = "spiffe://partner.example/workload/other";
    let ours = "spiffe://default.default.mesh.local/workload/other";
    let line = |id: &str| format!("          - spiffeID: {{type: Exact, value: \"{id}\"}}\n");
    let both = format!("{PERMISSION}{}{}", line(ours), line(theirs));
    repo.write("api/permission.yaml", both);
    let ran = repo.meshc(&["diff"]);
    ran.exits(1).says(&format!("affects identity `{ours}`"));
}

#[test]
fn a_workload_that_takes_the_name_of_another_is_an_effect() {
    let repo = shop("[gates.owners]\nweb = { identities = [\"web\"] }");
    repo.write(
        "web/second.yaml",
        WEB.replace("web-1", "web-2")
            .replace("127.0.0.11", "127.0.0.12")
            .replace("kuma.io/workload: web", "kuma.io/workload: db"),
    );
    repo.meshc(&["diff"])
        .exits(1)
        .says("broken gate [gate-owners]: a change in `web` affects identity `db`");
}

#[test]
fn a_change_cannot_lift_the_gates_that_it_has_to_pass() {
    let repo = shop("max-removed-edges-percent = 0");
    repo.write("meshc.toml", "");
    repo.write("api/permission.yaml", "");
    let ran = repo.meshc(&["diff", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&ran.exits(1).stdout).expect("JSON");
    let broken = &json["gates"]["broken"][0];
    assert_eq!(broken["code"], "gate-removal");
    assert_eq!(broken["causes"][0]["file"], "api/permission.yaml");
    assert_eq!(broken["rule"]["line"], 2);
    repo.meshc(&["diff", "--format", "markdown"])
        .exits(1)
        .says("### Broken gates");
}

#[test]
fn what_no_gate_is_is_refused() {
    let repo = shop("max-proxys = 3");
    repo.meshc(&["diff"])
        .exits(2)
        .complains("meshc.toml:2:1: there is no gate `max-proxys`")
        .complains("did you mean `max-proxies`?");
}
