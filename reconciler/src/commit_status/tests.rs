use std::time::Duration;

use super::*;

fn wanted(text: &str, directory: &std::path::Path) -> Report {
    let file = directory.join("token");
    std::fs::write(&file, "secret-word\n").unwrap();
    let text = format!("token-file = \"{}\"\n{text}", file.display());
    toml::from_str(&text).unwrap()
}

fn said(state: State) -> Statement {
    Statement {
        revision: "c3d1f00".to_owned(),
        state,
        description: "words".to_owned(),
    }
}

#[test]
fn each_forge_is_asked_in_its_own_way() {
    let directory = tempfile::tempdir().unwrap();
    let source = Label::try_from("shop".to_owned()).unwrap();
    for (text, url, (header, value), states) in [
        (
            "kind = \"github\"\nproject = \"team/mesh\"",
            "https://api.github.com/repos/team/mesh/statuses/c3d1f00",
            ("authorization", "Bearer secret-word"),
            ["pending", "success", "failure"],
        ),
        (
            "kind = \"github\"\nproject = \"team/mesh\"\napi = \"https://ghe.example/api/v3/\"",
            "https://ghe.example/api/v3/repos/team/mesh/statuses/c3d1f00",
            ("authorization", "Bearer secret-word"),
            ["pending", "success", "failure"],
        ),
        (
            "kind = \"gitlab\"\nproject = \"group/team/mesh\"",
            "https://gitlab.com/api/v4/projects/group%2Fteam%2Fmesh/statuses/c3d1f00",
            ("private-token", "secret-word"),
            ["pending", "success", "failed"],
        ),
        (
            "kind = \"forgejo\"\nproject = \"team/mesh\"\napi = \"https://forge.example/api/v1\"",
            "https://forge.example/api/v1/repos/team/mesh/statuses/c3d1f00",
            ("authorization", "token secret-word"),
            ["pending", "success", "failure"],
        ),
    ] {
        let wanted = wanted(text, directory.path());
        let name = match wanted.kind {
            Forge::Gitlab => "name",
            Forge::Github | Forge::Gitea => "context",
        };
        for (state, expected) in [State::Pending, State::Success, State::Failure]
            .into_iter()
            .zip(states)
        {
            let letter = letter(&source, &wanted, &said(state)).unwrap();
            assert_eq!(letter.url, url);
            let sent = letter.headers.iter().find(|(name, _)| *name == header);
            assert_eq!(sent.unwrap().1.as_str(), value, "{url}");
            let body: serde_json::Value = serde_json::from_slice(&letter.body).unwrap();
            let whole = json!({ "state": expected, "description": "words", name: "mesh/shop" });
            assert_eq!(body, whole, "{url}");
        }
    }
}

#[tokio::test]
async fn of_a_commit_the_last_word_waits_and_the_line_has_an_end() {
    let statements = Statements::default();
    statements.say(said(State::Pending));
    for number in 0..WAITING {
        let revision = number.to_string();
        statements.say(Statement {
            revision,
            ..said(State::Success)
        });
    }
    statements.say(said(State::Failure));
    let mut waiting = Vec::new();
    while let Ok(next) = tokio::time::timeout(Duration::ZERO, statements.next()).await {
        waiting.push(next);
    }
    assert_eq!(waiting.len(), WAITING);
    let revisions: Vec<_> = waiting.iter().map(|said| said.revision.as_str()).collect();
    assert_eq!(revisions.first(), Some(&"1"), "the oldest two are gone");
    assert_eq!(waiting.last(), Some(&said(State::Failure)));
}

#[test]
fn what_a_pass_says_of_a_commit() {
    let trouble = |kind: fn() -> Trouble| Statement::of(&Err(kind().about("c3d1f00")));
    let stalled = trouble(|| Trouble::stalled("CompileFailed", "a.yaml:1:1: error[x] no\nmore"));
    let stalled = stalled.unwrap();
    assert_eq!(stalled.state, State::Failure);
    assert_eq!(
        stalled.description,
        "CompileFailed: a.yaml:1:1: error[x] no"
    );
    let waiting = || Trouble::waiting(Duration::ZERO, "RollingOut", "x".repeat(200));
    let waiting = trouble(waiting).unwrap();
    assert_eq!(waiting.state, State::Pending);
    assert_eq!(waiting.description.chars().count(), DESCRIPTION_LIMIT);
    let away = Trouble::transient("GitOperationFailed", "no route");
    assert_eq!(Statement::of(&Err(away)), None, "it is about no commit");
}
