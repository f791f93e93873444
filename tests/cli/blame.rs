//! `meshc blame-edge`, in the history of a shop.
//!
//! Never reads the git configuration of whoever runs the tests.

use super::run::Repo;

const PERMISSION: &str = include_str!("../../examples/shop/api/permission.yaml");

/// The shop, in which nobody may call the API yet.
fn shop() -> Repo {
    Repo::shop_without(&[
        "outsider.yaml",
        "canary.yaml",
        "timeouts.yaml",
        "permission.yaml",
    ])
    .committed()
}

/// Commits everything, as this author.
fn commit(repo: &Repo, subject: &str, author: &str) {
    repo.git(&["add", "."]);
    let author = format!("--author={author} <{author}@example.test>");
    repo.git(&[
        "commit",
        "--quiet",
        "--allow-empty",
        "--message",
        subject,
        &author,
    ]);
}

#[test]
fn the_commit_that_opened_an_edge_is_named_with_its_line() {
    let repo = shop();
    repo.write("permission.yaml", PERMISSION);
    commit(&repo, "Open it for a day", "early");
    std::fs::remove_file(repo.path("permission.yaml")).expect("it is there");
    commit(&repo, "Close it again", "closer");
    let closed = repo.meshc(&["blame-edge", "web", "api"]);
    closed
        .exits(0)
        .says("web -> api:http: closed since commit ")
        .says("  Close it again\n  closer <closer@example.test>, ")
        .says("meshc explain --from web --to api:http");
    repo.write("broken.yaml", "type: Mehs\n");
    commit(&repo, "Break it", "breaker");
    repo.write("permission.yaml", PERMISSION);
    commit(&repo, "Open it while it is broken", "hasty");
    std::fs::remove_file(repo.path("broken.yaml")).expect("it is there");
    commit(&repo, "Mend it", "mender");
    commit(&repo, "Something else", "other");
    // The line moves, and the answer says where it was.
    repo.write("permission.yaml", format!("# Who may call.\n{PERMISSION}"));
    commit(&repo, "Say what it is", "other");
    let open = repo.meshc(&["blame-edge", "web", "api", "GET", "/orders"]);
    open.exits(0)
        .says("web -> api:http GET /orders: open since commit ")
        .says("  Mend it\n  mender <mender@example.test>, ")
        .says("  allowed by permission.yaml:13 then, by permission.yaml:14 now\n")
        .says("or since one of 2 before it, which have errors and could not be asked:")
        .says(" Open it while it is broken\n")
        .says(" Break it\n");
    let json = repo.meshc(&["blame-edge", "web", "api", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json.exits(0).stdout).expect("JSON");
    assert_eq!(json["open"], true);
    assert_eq!(json["before"], "otherwise");
    assert_eq!(json["since"]["subject"], "Mend it");
    assert_eq!(json["because"]["now"]["line"], 14);
    assert_eq!(json["unsure"].as_array().map(Vec::len), Some(2));
    // Asked of another revision, and no further than one wants to look.
    repo.meshc(&["blame-edge", "web", "api", "--at", "HEAD~5"])
        .exits(0)
        .says("closed since commit ");
    repo.meshc(&["blame-edge", "web", "api", "--max-count", "2"])
        .exits(0)
        .says("open, and was so in all 2 commits that were looked at");
}

#[test]
fn what_was_always_so_or_is_not_there_is_said() {
    let repo = shop();
    repo.meshc(&["blame-edge", "api", "db"])
        .exits(0)
        .says("api -> db:sql: open since the first commit, ")
        .says("  All of it\n")
        .says("  allowed by db.yaml:");
    commit(&repo, "Something else", "other");
    repo.meshc(&["blame-edge", "web", "api"])
        .exits(0)
        .says("web -> api:http: closed, and was never open in 2 commits\n");
    repo.meshc(&["blame-edge", "web", "apis"])
        .exits(2)
        .complains("did you mean `api`?");
    repo.meshc(&["blame-edge", "web", "api", "--at", "nope"])
        .exits(2)
        .complains("there is no revision `nope`");
    repo.write("broken.yaml", "type: Mehs\n");
    commit(&repo, "Break it", "breaker");
    repo.meshc(&["blame-edge", "web", "api"])
        .exits(2)
        .complains("HEAD has errors");
}

#[test]
fn a_merge_is_what_its_branch_was_before() {
    let repo = shop();
    repo.git(&["checkout", "--quiet", "-b", "topic"]);
    repo.write("permission.yaml", PERMISSION);
    commit(&repo, "On the branch", "author");
    repo.git(&["checkout", "--quiet", "main"]);
    repo.git(&[
        "merge",
        "--quiet",
        "--no-ff",
        "--message",
        "Merge the branch",
        "topic",
    ]);
    repo.meshc(&["blame-edge", "web", "api"])
        .exits(0)
        .says("  Merge the branch\n");
}
