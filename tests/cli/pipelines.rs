//! The files that a pipeline of somebody else takes from here: the GitHub action, the GitLab template, the hooks of
//! pre-commit. Each is read, and its commands are run on the example shop.
//!
//! Never builds meshc as those files would: the one of this build is on the path.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::init::{script, yaml};
use super::run::Repo;

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A clone of the shop, as a runner has one.
fn shop() -> Repo {
    let repo = Repo::new();
    let example = top().join("examples/shop").display().to_string();
    let copy = format!("cp -r {example} clone && mkdir clone/.git temp");
    script(repo.root(), &copy, &[]).exits(0);
    repo
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key]
        .as_str()
        .unwrap_or_else(|| panic!("no {key} in {value}"))
}

#[test]
fn the_github_action_judges_and_reports() {
    let action = yaml(&top().join("action.yml"));
    assert_eq!(action["runs"]["using"], "composite");
    let repo = shop();
    let clone = repo.path("clone");
    let at = |name: &str| repo.path(name).display().to_string();
    let input = |name: &str| text(&action["inputs"][name], "default").to_owned();
    let run = || {
        let mut ends = Vec::new();
        for step in action["runs"]["steps"].as_array().expect("steps") {
            assert_eq!(step["shell"], "bash");
            let mut environment = vec![
                ("RUNNER_TEMP".to_owned(), at("temp")),
                ("GITHUB_STEP_SUMMARY".to_owned(), at("summary.md")),
            ];
            for (name, value) in step["env"].as_object().into_iter().flatten() {
                let value = value.as_str().expect("a text");
                let wanted = value
                    .strip_prefix("${{ inputs.")
                    .and_then(|v| v.strip_suffix(" }}"));
                environment.push((name.clone(), input(wanted.expect("an input"))));
            }
            let environment: Vec<_> = environment
                .iter()
                .map(|(k, v)| (k.as_str(), v.as_str()))
                .collect();
            // No input is pasted into a script.
            assert!(!text(step, "run").contains("${{"), "{step}");
            ends.push(script(&clone, text(step, "run"), &environment));
        }
        ends
    };
    for end in run() {
        end.exits(0);
    }
    assert!(clone.join("mesh.sarif").exists());
    repo.write("clone/bad.yaml", "type: Mehs\n");
    let ends = run();
    ends[1].exits(1).says("::error file=bad.yaml,line=1,");
    ends[2].exits(0);
    let summary = std::fs::read_to_string(repo.path("summary.md")).expect("a summary");
    assert!(summary.contains("no problems") && summary.contains("error[unknown-kind]"));
}

#[test]
fn the_gitlab_template_judges_and_reports() {
    let whole = std::fs::read_to_string(top().join("deploy/ci/gitlab.yml")).expect("a file");
    let (inputs, jobs) = whole.split_once("\n---\n").expect("inputs, then jobs");
    let inputs: Value = serde_yaml::from_str(inputs).expect("YAML");
    let mut jobs = jobs.to_owned();
    for (name, input) in inputs["spec"]["inputs"].as_object().expect("inputs") {
        jobs = jobs.replace(&format!("$[[ inputs.{name} ]]"), text(input, "default"));
    }
    assert!(!jobs.contains("$[["), "{jobs}");
    let jobs: Value = serde_yaml::from_str(&jobs).expect("YAML");
    let job = &jobs["mesh"];
    let repo = shop();
    let path = text(&job["variables"], "MESH_PATH");
    for line in job["script"].as_array().expect("lines") {
        let line = line.as_str().expect("a line");
        script(&repo.path("clone"), line, &[("MESH_PATH", path)]).exits(0);
    }
    let report = text(&job["artifacts"]["reports"], "codequality");
    let report = std::fs::read_to_string(repo.path("clone").join(report)).expect("a report");
    assert!(serde_json::from_str::<Value>(&report).is_ok_and(|report| report.is_array()));
}

#[test]
fn the_hooks_of_pre_commit_run() {
    let hooks = yaml(&top().join(".pre-commit-hooks.yaml"));
    let repo = shop();
    for hook in hooks.as_array().expect("hooks") {
        for key in ["id", "name", "entry", "language", "files"] {
            assert!(!text(hook, key).is_empty());
        }
        let files = regex::Regex::new(text(hook, "files")).expect("a pattern");
        assert!(files.is_match("api/permission.yaml") && !files.is_match("src/main.rs"));
        let mut command = text(hook, "entry").to_owned();
        if hook["pass_filenames"] != false {
            command.push_str(" api/permission.yaml mesh.yaml");
        }
        script(&repo.path("clone"), &command, &[]).exits(0);
    }
}
