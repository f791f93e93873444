//! `meshc init`: what it makes passes, works in a pipeline, and never takes the place of anything.
//!
//! Never starts a runner of a code host: the commands of its files are run as a runner would run them.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::run::{Ran, Repo, finish};

fn made(arguments: &[&str]) -> Repo {
    let repo = Repo::new();
    repo.meshc(&[&["init", "mesh"], arguments].concat())
        .exits(0);
    repo
}

/// A file of YAML, wherever it is.
pub(super) fn yaml(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).expect("a file");
    serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A script of a pipeline, with `meshc` on its path.
pub(super) fn script(directory: &Path, text: &str, environment: &[(&str, &str)]) -> Ran {
    let meshc = mesh_tests::binary("meshc");
    let path = std::env::var("PATH").expect("a path");
    let own = directory.join(".bin");
    let meshc = meshc.parent().expect("a directory");
    let path = format!("{}:{}:{path}", own.display(), meshc.display());
    let mut command = Command::new("bash");
    command
        .args(["-e", "-o", "pipefail", "-c", text])
        .current_dir(directory);
    command.env("PATH", path).envs(environment.iter().copied());
    finish(command)
}

#[test]
fn what_is_made_has_no_finding() {
    for arguments in [&[] as &[&str], &["--mesh", "shop", "--ci", "none"]] {
        let repo = made(arguments);
        repo.meshc(&["check", "mesh", "--fail-on", "warning"])
            .exits(0)
            .says("no problems in 11 documents");
        repo.meshc(&["build", "mesh", "-o", "bundle"]).exits(0);
        let shown = repo.meshc(&["config", "show", "mesh"]);
        shown.exits(0).says("default-policies = false");
        // Who calls is permitted.
        let proxy = repo.meshc(&["inspect", "mesh", "hello-1"]);
        proxy.exits(0).says("/workload/client");
    }
}

#[test]
fn the_policies_that_can_be_seen_are_the_ones_that_would_hold_without_them() {
    let repo = made(&[]);
    let outbounds = |flags: &[&str]| {
        let ran = repo.meshc(&[&["inspect", "outbounds", "client-1", "mesh"], flags].concat());
        let lines = ran.exits(0).stdout.lines().map(str::to_owned);
        // Where a value is from differs, what it is does not.
        let lines = lines.map(|line| line.split("  #").next().unwrap_or_default().to_owned());
        lines.collect::<Vec<_>>()
    };
    let visible = outbounds(&["--format", "json"]);
    std::fs::remove_file(repo.path("mesh/policies/defaults.yaml")).expect("removed");
    let bare = outbounds(&["--format", "json"]);
    repo.write("mesh/meshc.toml", "");
    let built_in = outbounds(&["--format", "json"]);
    let values = |lines: &[String]| {
        let text = lines.join("\n");
        let names = [
            "requestTimeout",
            "maxConnections",
            "numRetries",
            "idleTimeout",
        ];
        let number = |name: &&str| text.matches(*name).count();
        names.iter().map(number).collect::<Vec<_>>()
    };
    assert_eq!(values(&visible), values(&built_in));
    assert_ne!(values(&visible), values(&bare));
}

#[test]
fn nothing_is_written_over() {
    let repo = Repo::with("mesh/.gitignore", "mine");
    repo.meshc(&["init", "mesh"])
        .exits(2)
        .complains("mesh has .gitignore already; nothing is written");
    assert!(!repo.path("mesh/mesh.yaml").exists());
    // Half of a repository would be in the way of the next try.
    let repo = Repo::with("mesh/tests", "a file where a directory should be");
    repo.meshc(&["init", "mesh"])
        .exits(2)
        .complains("nothing is written into mesh: cannot make mesh/tests");
    let left = std::fs::read_dir(repo.path("mesh")).expect("a directory");
    assert_eq!(left.count(), 1);
    let dry = Repo::new();
    let ran = dry.meshc(&["init", "--dry-run"]);
    ran.exits(0)
        .says("mesh.yaml\n")
        .complains("would write 12 files");
    assert_eq!(
        std::fs::read_dir(dry.root()).expect("a directory").count(),
        0
    );
    dry.meshc(&["init", "--mesh", "My Mesh"]).exits(2);
}

/// Makes a clone of what a pull request is: a merge, whose first parent lets no proxy be touched. Beside it a `gh` that
/// writes down what it is asked, and has answered a comment before when it is asked again.
pub(super) fn pull_request(clone: &Path) {
    let text = r#"
        export HOME="$PWD" GIT_CONFIG_NOSYSTEM=1
        git init --quiet --initial-branch main .
        git config user.name me && git config user.email me@example.com && git config commit.gpgSign false
        printf '\n[gates]\nmax-proxies = 0\n' >> meshc.toml
        git add . && git commit --quiet --message before
        git checkout --quiet -b work
        printf 'type: MeshTimeout\nmesh: default\nname: a-slower\nspec:\n  to: [{targetRef: {kind: Mesh}, default: {connectionTimeout: 7s}}]\n' > slower.yaml
        git add slower.yaml && git commit --quiet --message slower
        git checkout --quiet main && git merge --quiet --no-ff --no-edit work
        mkdir .bin
        printf '#!/bin/sh\nprintf "%%s\\n" "$*" >> .bin/asked\ncase "$*" in *--paginate*) ! grep -q POST .bin/asked || echo 41;; esac\n' > .bin/gh
        chmod +x .bin/gh
    "#;
    script(clone, text, &[]).exits(0);
}

/// A comment was written, with this file.
pub(super) fn commented(clone: &Path, file: &str) {
    let asked = std::fs::read_to_string(clone.join(".bin/asked")).expect("asked");
    let wanted =
        format!("api --silent --method POST /repos/us/mesh/issues/7/comments --field body=@{file}");
    assert!(asked.contains(&wanted), "{asked}");
}

/// A step of the workflow, run.
fn step(directory: &Path, name: &str, since: &str) -> Ran {
    let workflow = yaml(&directory.join(".github/workflows/mesh.yaml"));
    let steps = workflow["jobs"]["check"]["steps"].as_array();
    let mut steps = steps.expect("steps").iter();
    let step = steps.find(|step| step["name"] == name).expect("a step");
    let summary = directory.join("summary.md").display().to_string();
    let environment = [
        ("GITHUB_STEP_SUMMARY", summary.as_str()),
        ("GITHUB_REPOSITORY", "us/mesh"),
        ("NUMBER", "7"),
        ("SINCE", since),
    ];
    let text = step["run"].as_str().expect("a script");
    script(directory, text, &environment)
}

#[test]
fn pipelines_of_a_pull_request_ask_its_gates_and_say_what_it_means() {
    let repo = made(&[]);
    let directory = repo.path("mesh");
    let run = |name: &str| step(&directory, name, "HEAD^1");
    let read = |name: &str| std::fs::read_to_string(directory.join(name)).expect("a file");
    let pipeline = yaml(&directory.join(".gitlab-ci.yml"));
    let job = &pipeline["mesh"];
    pull_request(&directory);
    run("annotations").exits(0);
    run("change")
        .exits(1)
        .says("::error file=slower.yaml,")
        .says("title=gate-proxies::");
    run("summary").exits(0);
    assert!(read("summary.md").contains("<!-- meshc diff -->"));
    run("comment").exits(0);
    commented(&directory, "mesh-diff.md");
    let base = script(&directory, "git rev-parse HEAD^1", &[]);
    let base = base.exits(0).stdout.trim();
    let line = job["script"].as_array().expect("lines").last();
    let line = line.and_then(Value::as_str).expect("a line");
    script(
        &directory,
        line,
        &[("CI_MERGE_REQUEST_DIFF_BASE_SHA", base)],
    )
    .exits(1);
    assert!(read("mesh-gates.xml").contains("name=\"gate-proxies\""));
    assert!(read("mesh-diff.md").contains("### Broken gates"));
}

#[test]
fn the_files_of_pipelines_do_what_they_say() {
    let repo = made(&[]);
    let directory = repo.path("mesh");
    let run = |name: &str| step(&directory, name, "");
    run("have meshc").exits(0).says("meshc");
    for step in ["check", "annotations", "layout", "tests", "snapshots"] {
        run(step).exits(0);
    }
    // Whoever keeps snapshots hears of what they do not say.
    let nobody = [("CI", ""), ("TF_BUILD", "")];
    repo.meshc_with(&["snapshot", "accept", "mesh"], &nobody)
        .exits(0);
    run("snapshots").exits(0);
    let kept = directory.join("snapshots/default/services/hello.snap");
    let text = std::fs::read_to_string(&kept).expect("a snapshot");
    std::fs::write(&kept, text.replace("http", "tcp")).expect("written");
    run("snapshots").exits(1).says("+");
    std::fs::remove_dir_all(directory.join("snapshots")).expect("removed");
    run("summary").exits(0);
    let read = |name: &str| std::fs::read_to_string(directory.join(name)).expect("a file");
    assert!(read("summary.md").contains("no problems in 11 documents"));
    assert!(read("mesh.sarif").contains("\"version\": \"2.1.0\""));
    let pipeline = yaml(&directory.join(".gitlab-ci.yml"));
    let job = &pipeline["mesh"];
    for line in job["script"].as_array().expect("lines") {
        let none = [("CI_MERGE_REQUEST_DIFF_BASE_SHA", "")];
        script(&directory, line.as_str().expect("a line"), &none).exits(0);
    }
    for report in ["codequality", "junit"] {
        let name = job["artifacts"]["reports"][report].as_str();
        let name = name.expect("a name").replace('*', "-tests");
        assert!(!read(&name).is_empty());
    }
    let hooks = yaml(&directory.join(".pre-commit-config.yaml"));
    let hooks = hooks["repos"][0]["hooks"].as_array().expect("hooks");
    for hook in hooks {
        let mut command = hook["entry"].as_str().expect("a command").to_owned();
        if hook["pass_filenames"] != false {
            // All that its pattern matches, as `pre-commit run --all-files` does.
            command.push_str(" .gitlab-ci.yml .pre-commit-config.yaml .github/workflows/mesh.yaml");
            command.push_str(" mesh.yaml services/hello.yaml");
        }
        script(&directory, &command, &[]).exits(0);
    }
    let entry = hooks[0]["entry"].as_str().expect("a command");
    // What pipelines wrote is no document.
    script(&directory, entry, &[])
        .exits(0)
        .says("no problems in 11 documents");
    repo.write("mesh/bad.yaml", "type: Mehs\n");
    run("check").exits(1).says("error[unknown-kind]");
    run("annotations")
        .exits(1)
        .says("::error file=bad.yaml,line=1");
    run("summary").exits(0);
    assert!(read("summary.md").contains("error[unknown-kind]"));
    script(&directory, entry, &[]).exits(1);
    let settings = read(".vscode/settings.json");
    let settings: Value = serde_json::from_str(&settings).expect("JSON");
    for schema in settings["yaml.schemas"]
        .as_object()
        .expect("schemas")
        .keys()
    {
        let _: Value = serde_json::from_str(&read(schema)).expect("JSON");
    }
}
