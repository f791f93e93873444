//! What meshc says of itself: rules, schemas, completions, manual pages, its version; and that all of it can be found.
//!
//! Never needs a repository.

use mesh_compiler::diag::codes;
use serde_json::Value;

use super::run::Repo;

#[test]
fn rules_are_listed_for_people_programs_and_documents() {
    let repo = Repo::new();
    let human = repo.meshc(&["rules"]);
    let markdown = repo.meshc(&["rules", "--format", "markdown"]);
    let json = repo.meshc(&["rules", "--format", "json"]);
    let json: Value = serde_json::from_str(&json.exits(0).stdout).expect("JSON");
    assert_eq!(json.as_array().map(Vec::len), Some(codes().len()));
    assert_eq!(human.exits(0).stdout.lines().count(), codes().len());
    assert_eq!(markdown.exits(0).stdout.lines().count(), codes().len() + 2);
    for (info, rule) in codes().iter().zip(json.as_array().expect("rules")) {
        assert_eq!(rule["code"], info.code.0);
        human.says(info.title);
        markdown.says(&format!(
            "| `{}` | {}",
            info.code.0,
            rule["severity"].as_str().expect("a text")
        ));
    }
    human.says("header-case                 warning  fix  ");
}

#[test]
fn schemas_of_documents_are_printed() {
    let repo = Repo::new();
    let union: Value =
        serde_json::from_str(&repo.meshc(&["schema"]).exits(0).stdout).expect("JSON");
    assert!(union["$schema"].is_string());
    let kind = repo.meshc(&["schema", "MeshTimeout"]);
    let kind: Value = serde_json::from_str(&kind.exits(0).stdout).expect("JSON");
    assert!(jsonschema::validator_for(&kind).is_ok());
    repo.meshc(&["schema", "MeshTimout"])
        .exits(2)
        .complains("did you mean `MeshTimeout`?");
}

#[test]
fn shells_get_completions_that_they_can_read() {
    let repo = Repo::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let ran = repo.meshc(&["completions", shell]);
        ran.exits(0).says("meshc").says("deny-warnings");
    }
    let ran = repo.meshc(&["completions", "bash"]);
    let check = std::process::Command::new("bash")
        .args(["-n", "-c", &ran.stdout])
        .output();
    assert!(check.expect("bash").status.success());
    repo.meshc(&["completions", "tcsh"]).exits(2);
}

#[test]
fn fish_completes_verbs_after_help_and_values_that_stand_alone() {
    let repo = Repo::new();
    let ran = repo.meshc(&["completions", "fish"]);
    repo.write("meshc.fish", &ran.exits(0).stdout);
    let complete = |typed: &str| {
        let script = format!("source meshc.fish; complete -C '{typed}'");
        let mut fish = std::process::Command::new("fish");
        fish.args(["--no-config", "-c", &script]);
        fish.current_dir(repo.root()).env("HOME", repo.root());
        let offered = fish.output().ok()?.stdout;
        Some(String::from_utf8(offered).expect("text"))
    };
    let Some(verbs) = complete("meshc ") else {
        eprintln!("SKIPPED: there is no fish on the path");
        return;
    };
    assert!(verbs.contains("blame-edge\t"), "{verbs}");
    for (typed, wanted) in [
        ("meshc help ", "check\t"),
        ("meshc help new ", "canary\t"),
        ("meshc completions ", "elvish"),
        ("meshc check --format ", "sarif\t"),
    ] {
        let offered = complete(typed).expect("fish");
        assert!(offered.contains(wanted), "{typed:?}: {offered}");
    }
}

#[test]
fn there_is_a_manual_page_for_every_verb() {
    let repo = Repo::new();
    repo.meshc(&["man"])
        .exits(0)
        .says(".TH MESHC 1")
        .says("Exit codes");
    repo.meshc(&["man", "share/man"]).exits(0);
    let page = |name: &str| {
        std::fs::read_to_string(repo.path(&format!("share/man/{name}.1"))).expect(name)
    };
    assert!(page("meshc-check").contains("fail\\-on"));
    assert!(page("meshc-config-show").contains("meshc"));
    for verb in verbs(&repo, &[]) {
        page(&format!("meshc-{verb}"));
    }
}

#[test]
fn the_version_says_what_is_made() {
    let repo = Repo::new();
    let version = env!("CARGO_PKG_VERSION");
    repo.meshc(&["version"])
        .exits(0)
        .says(&format!("meshc {version}\nbundle format "));
    let json = repo.meshc(&["version", "--format", "json"]);
    let json: Value = serde_json::from_str(&json.exits(0).stdout).expect("JSON");
    assert_eq!(json["meshc"], version);
}

/// What the bundle depends on beside documents, whichever verb is asked.
const SETTINGS: [&str; 4] = [
    "--zone",
    "--mode",
    "--system-namespace",
    "--no-default-policies",
];

/// The subcommands that a help lists, under whatever heading.
fn verbs(repo: &Repo, path: &[&str]) -> Vec<String> {
    let ran = repo.meshc(&[path, &["--help"]].concat());
    let lines = ran.exits(0).stdout.lines().map(str::to_owned);
    let lines = lines.take_while(|line| line != "Options:");
    let words = lines.filter_map(|line| {
        let line = line.strip_prefix("  ")?;
        let verb = line.split_whitespace().next()?;
        // A line that goes on is indented further, and arguments are written large.
        let listed = line.starts_with(|first: char| first.is_ascii_lowercase());
        (listed && verb != "help").then(|| verb.to_owned())
    });
    words.collect()
}

/// Flags under the heading of settings that are none.
fn strange(help: &str) -> Vec<&str> {
    let settings = help.split("Settings that a bundle depends on").nth(1);
    let settings = settings.unwrap_or_default().lines();
    let flags = settings.filter_map(|line| line.trim_start().split([' ', '=', '[']).next());
    flags
        .filter(|flag| flag.starts_with("--") && !SETTINGS.contains(flag))
        .collect()
}

#[test]
fn everything_can_be_reached_from_the_help_in_two_steps() {
    let repo = Repo::new();
    let first = verbs(&repo, &[]);
    for verb in [
        "check",
        "fmt",
        "test",
        "diff",
        "graph",
        "lsp",
        "build",
        "inspect",
        "explain",
        "config",
        "rules",
        "schema",
        "init",
        "new",
        "completions",
        "man",
        "version",
    ] {
        assert!(
            first.iter().any(|known| known == verb),
            "no {verb} in {first:?}"
        );
    }
    for verb in &first {
        let help = repo.meshc(&[verb, "--help"]);
        help.exits(0).says("Usage: meshc");
        let same = repo.meshc(&["help", verb]);
        assert_eq!(same.exits(0).stdout, help.stdout);
        assert_eq!(strange(&help.stdout), Vec::<&str>::new(), "{verb}");
        for second in verbs(&repo, &[verb]) {
            repo.meshc(&[verb, &second, "--help"])
                .exits(0)
                .says("Usage: meshc");
        }
    }
}
