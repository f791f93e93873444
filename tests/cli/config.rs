//! `meshc.toml`, the environment and the command line: what counts, and that it acts.
//!
//! Never judges the table of settings itself; the compiler's own tests do.

use super::run::Repo;

const GOOD: &str = "type: Mesh\nname: default\n";
const WARNED: &str = "type: Mesh\nname: default\nstatus: {}\n";
const UNUSED: &str = "type: MeshTimeout\nmesh: default\nname: t\nspec: {targetRef: {kind: Dataplane, labels: {app: none}}, to: [{targetRef: {kind: Mesh}, default: {idleTimeout: 1h}}]}\n";

fn repo() -> Repo {
    let repo = Repo::with("top/mesh/prod/a.yaml", GOOD);
    repo.write("top/.git/HEAD", "ref: refs/heads/main\n");
    repo.write("meshc.toml", "zone = \"outside\"\n");
    repo
}

#[test]
fn the_nearest_file_below_the_top_of_the_work_tree_counts() {
    let repo = repo();
    let show = || repo.meshc(&["config", "show", "top/mesh/prod"]);
    let nothing = show();
    nothing.exits(0).says("zone = \"default\"");
    assert!(!nothing.stdout.contains("outside"), "{nothing:?}");
    repo.write(
        "top/meshc.toml",
        "\n\nzone = \"far\"\nfail-on = \"warning\"\n",
    );
    show().exits(0).says("zone = \"far\"");
    show()
        .says("# meshc.toml:3")
        .says("mode = \"zone\"")
        .says("# default");
    repo.write(
        "top/mesh/meshc.toml",
        "zone = \"near\"\n[lint]\nno-effect = \"off\"\n",
    );
    show().says("zone = \"near\"").says("# mesh/meshc.toml:1");
    // The nearest one alone: files are not mixed.
    show()
        .says("fail-on = \"error\"")
        .says("lint.no-effect = \"off\"");
    let of_file = repo.meshc(&["config", "show", "top/mesh/prod/a.yaml"]);
    of_file.exits(0).says("# mesh/meshc.toml:1");
    let environment = [("MESHC_ZONE", "variable"), ("MESHC_MODE", "")];
    let ran = repo.meshc_with(&["config", "show", "top/mesh/prod"], &environment);
    ran.exits(0)
        .says("zone = \"variable\"")
        .says("# MESHC_ZONE");
    let flags = [
        "config",
        "show",
        "top/mesh/prod",
        "--zone",
        "flag",
        "--format",
        "json",
    ];
    let ran = repo.meshc_with(&flags, &environment);
    let shown: serde_json::Value = serde_json::from_str(&ran.exits(0).stdout).expect("JSON");
    assert_eq!(shown["file"], "mesh/meshc.toml");
    let zone = &shown["settings"][0];
    assert_eq!(
        *zone,
        serde_json::json!({"name": "zone", "value": "flag", "from": "--zone", "ofBundle": true})
    );
}

#[test]
fn what_a_bundle_depends_on_is_read_from_the_tree() {
    let repo = Repo::new();
    // With proxies that have identities: a zone is part of those.
    repo.meshc(&["init"]).exits(0);
    repo.write("meshc.toml", "");
    let digest = |flags: &[&str]| {
        repo.meshc(&[&["build", "-o", "out"], flags].concat())
            .exits(0)
            .stdout
            .clone()
    };
    let plain = digest(&[]);
    let east = digest(&["--zone", "east"]);
    repo.write("meshc.toml", "zone = \"east\"\n");
    assert_ne!(plain, east);
    assert_eq!(digest(&[]), east);
    assert_eq!(digest(&["--zone", "default"]), plain);
    let bare = digest(&["--zone", "default", "--no-default-policies"]);
    repo.write("meshc.toml", "default-policies = false\n");
    assert_eq!(digest(&[]), bare);
}

#[test]
fn settings_that_cannot_be_are_no_findings() {
    let repo = Repo::with("a.yaml", GOOD);
    repo.write(
        "meshc.toml",
        "zon = \"east\"\n[lint]\ndangling-ref = \"off\"\n",
    );
    for verb in [
        &["check"] as &[&str],
        &["build", "-o", "x"],
        &["inspect"],
        &["config", "show"],
    ] {
        let ran = repo.meshc(verb);
        ran.exits(2)
            .complains("meshc.toml:1:1: there is no setting `zon`\n  help: did you mean `zone`?")
            .complains("meshc.toml:3:16: `dangling-ref` is an error whatever a setting says");
    }
    repo.write("meshc.toml", "");
    repo.meshc_with(&["check"], &[("MESHC_MODE", "gobal")])
        .exits(2)
        .complains("MESHC_MODE: `mode` cannot be `gobal`");
    std::fs::remove_file(repo.path("meshc.toml")).expect("removed");
    std::os::unix::fs::symlink("/etc/hostname", repo.path("meshc.toml")).expect("a link");
    repo.meshc(&["check"])
        .exits(2)
        .complains("meshc.toml: cannot be read: it is a symbolic link");
}

#[test]
fn warnings_weigh_what_the_repository_says() {
    let repo = Repo::with("mesh/a.yaml", WARNED);
    repo.write("mesh/old/b.yaml", UNUSED);
    repo.write(".git/HEAD", "ref: refs/heads/main\n");
    let check = || repo.meshc(&["check", "mesh"]);
    check().exits(0).says("2 warnings in 2 documents");
    repo.write(
        "meshc.toml",
        "fail-on = \"warning\"\nformat = \"concise\"\n",
    );
    let ran = check();
    ran.exits(1).complains("2 warnings");
    assert_eq!(ran.stdout.lines().count(), 2, "{ran:?}");
    repo.meshc(&["check", "mesh", "--fail-on", "error"])
        .exits(0);
    repo.write("meshc.toml", "[lint]\nread-only-field = \"error\"\n[lint.per-file]\n\"mesh/old/**\" = { selects-nothing = \"off\" }\n");
    check()
        .exits(1)
        .says("error[read-only-field]")
        .says("1 error in 2 documents, 1 suppressed");
    let build = repo.meshc(&["build", "mesh", "-o", "x"]);
    build.exits(1).complains("nothing is written");
}

#[test]
fn the_schema_of_settings_is_printed() {
    let ran = Repo::new().meshc(&["config", "schema"]);
    let schema: serde_json::Value = serde_json::from_str(&ran.exits(0).stdout).expect("JSON");
    assert_eq!(schema["properties"]["zone"]["type"], "string");
}
