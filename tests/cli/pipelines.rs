//! The files that a pipeline of somebody else takes from here: the GitHub action, the GitLab template, the hooks of
//! pre-commit. Each is read, and its commands are run on the example shop.
//!
//! Never builds meshc as those files would: the one of this build is on the path.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::init::{commented, pull_request, script, yaml};
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
    let run = |before: &str, number: &str| {
        let mut ends = Vec::new();
        for step in action["runs"]["steps"].as_array().expect("steps") {
            assert_eq!(step["shell"], "bash");
            let mut environment = vec![
                ("GITHUB_REPOSITORY".to_owned(), "us/mesh".to_owned()),
                ("RUNNER_TEMP".to_owned(), at("temp")),
                ("GITHUB_STEP_SUMMARY".to_owned(), at("summary.md")),
            ];
            for (name, value) in step["env"].as_object().into_iter().flatten() {
                let value = value.as_str().expect("a text");
                let wanted = value
                    .strip_prefix("${{ inputs.")
                    .and_then(|v| v.strip_suffix(" }}"));
                let value = match wanted.expect("an input") {
                    // What GitHub would make of its own words.
                    "before" => before.to_owned(),
                    "comment" => number.to_owned(),
                    "token" => "secret".to_owned(),
                    wanted => input(wanted),
                };
                assert!(!value.contains("${{"), "{value}");
                environment.push((name.clone(), value));
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
    for end in run("", "") {
        end.exits(0);
    }
    assert!(clone.join("mesh.sarif").exists());
    repo.write("clone/bad.yaml", "type: Mehs\n");
    let ends = run("", "");
    ends[1].exits(1).says("error[unknown-kind]");
    ends[2].exits(1).says("::error file=bad.yaml,line=1,");
    ends[6].exits(0);
    let summary = || std::fs::read_to_string(repo.path("summary.md")).expect("a summary");
    assert!(summary().contains("no problems") && summary().contains("error[unknown-kind]"));
    assert!(!summary().contains("<!-- meshc diff -->"));
    // A pull request.
    std::fs::remove_file(repo.path("clone/bad.yaml")).expect("removed");
    std::fs::remove_dir_all(repo.path("clone/.git")).expect("removed");
    pull_request(&clone);
    for comment in ["POST", "PATCH"] {
        let ends = run("HEAD^1", "7");
        ends[5]
            .exits(1)
            .says("::error file=slower.yaml,")
            .says("title=gate-proxies::");
        let asked = std::fs::read_to_string(clone.join(".bin/asked")).expect("asked");
        assert!(asked.contains(comment), "{asked}");
        ends[7].exits(0);
    }
    assert!(summary().contains("<!-- meshc diff -->"));
    commented(&clone, &at("temp/mesh-diff.md"));
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
        let environment = [("MESH_PATH", path), ("CI_MERGE_REQUEST_DIFF_BASE_SHA", "")];
        script(&repo.path("clone"), line, &environment).exits(0);
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
            // All that its pattern matches, as `pre-commit run --all-files` does.
            command.push_str(" api/permission.yaml .pre-commit-config.yaml mesh.yaml");
        }
        script(&repo.path("clone"), &command, &[]).exits(0);
    }
}
