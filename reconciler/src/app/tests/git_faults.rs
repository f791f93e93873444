//! A git server that is away, slow, busy or damaged, and a branch that was forced back: what was served stays, the condition
//! says what is wrong, and when it is over the next commit is served.

use std::time::Duration;

use serde_json::Value;

use super::super::Meshd;
use super::config;
use super::room::Room;
use crate::git::{Fault, GitServer, Manner};
use crate::settings::Settings;

const MESH: &str = "type: Mesh\nname: one\n";

struct Story {
    server: GitServer,
    directory: tempfile::TempDir,
    meshd: Meshd,
}

impl Story {
    async fn begin() -> Option<Self> {
        let server = GitServer::start()?;
        server.commit(MESH);
        let directory = tempfile::tempdir().unwrap();
        let mut source = server.config("mesh.git").source;
        source.poll = Duration::from_secs(3_600);
        source.timeout = Duration::from_secs(2);
        let meshd = Meshd::start(config(
            Settings {
                sources: vec![source],
                ..Settings::default()
            },
            directory.path().join("state"),
        ));
        let meshd = meshd.await.unwrap();
        Some(Self {
            server,
            directory,
            meshd,
        })
    }

    fn head(&self) -> Option<String> {
        Some(self.server.git(&["rev-parse", "HEAD"]))
    }

    async fn ask(&self, method: &str, path: &str) -> Value {
        let state = self.directory.path().join("state");
        let (_, text) = Room::at(&state, (method, path)).await;
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Waits until the status is like this.
    async fn until(&self, what: &str, like: impl Fn(&Value) -> bool) -> Value {
        let mut changed = self.meshd.status().watch();
        let found = async {
            loop {
                let status = self.ask("GET", "/v1/status").await;
                if like(&status) {
                    return status;
                }
                changed.changed().await.unwrap();
            }
        };
        let found = tokio::time::timeout(Duration::from_secs(30), found).await;
        match found {
            Ok(status) => status,
            Err(_) => panic!("{what}: {}", self.ask("GET", "/v1/status").await),
        }
    }

    /// Looks at the repository, and waits for trouble like this.
    async fn fails(&self, (kind, reason): (&str, &str), said: &str) {
        let good = self.meshd.revision();
        self.ask("POST", "/v1/reconcile").await;
        let condition = |status: &Value| {
            let all = status["conditions"].as_array().cloned().unwrap_or_default();
            all.into_iter().find(|each| each["type"] == kind)
        };
        let wrong = |status: &Value| condition(status).is_some_and(|it| it["reason"] == reason);
        let status = self.until(reason, wrong).await;
        let message = condition(&status).unwrap_or_default()["message"].to_string();
        assert!(message.contains(said), "{message}");
        assert_eq!(self.meshd.revision(), good, "what was served stays");
    }

    /// Looks at the repository, and waits until its newest commit is served without a word.
    async fn recovers(&self) {
        self.ask("POST", "/v1/reconcile").await;
        let head = self.head().unwrap();
        let well = |status: &Value| status["revision"] == *head && well(status);
        self.until("it recovers", well).await;
    }
}

fn well(status: &Value) -> bool {
    status["conditions"][0]["status"] == "True" && status["conditions"][1] == Value::Null
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_fails_takes_nothing_away_and_is_followed_when_it_is_well() {
    let Some(story) = Story::begin().await else {
        return;
    };
    let failed = ("FetchFailed", "GitOperationFailed");
    for (number, (fault, said)) in [
        (Fault::Away, "fetching from"),
        (Fault::Hangs, "not done within 2s"),
        (Fault::Busy, "status 503"),
        (Fault::Corrupt, "fetching from"),
    ]
    .into_iter()
    .enumerate()
    {
        // There is something to fetch: of what is there already, nothing could be corrupt.
        let noise: String = (0..4_000).map(|at| format!("# {at} {number}\n")).collect();
        story.server.commit(&format!("{MESH}{noise}"));
        let manner = Manner {
            fault,
            ..Manner::default()
        };
        story.server.behave(manner);
        story.fails(failed, said).await;
        story.server.behave(Manner::default());
        story.recovers().await;
    }
    let state = story.directory.path().join("state");
    let (_, metrics) = Room::at(&state, ("GET", "/metrics")).await;
    let failed =
        "meshd_git_request_duration_seconds_count{op=\"fetch\",result=\"GitOperationFailed\"} ";
    let count = metrics.lines().find_map(|line| line.strip_prefix(failed));
    let count: u32 = count
        .and_then(|count| count.parse().ok())
        .unwrap_or_default();
    assert!(count >= 4, "{metrics}");
    story.meshd.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_counts_no_more_is_told_as_one() {
    let Some(story) = Story::begin().await else {
        return;
    };
    story.server.commit(&format!("{MESH}# More.\n"));
    story.server.behave(Manner {
        authorization: Some("Bearer word".to_owned()),
        ..Manner::default()
    });
    let failed = ("FetchFailed", "AuthenticationFailed");
    story.fails(failed, "asks for credentials").await;
    story.server.behave(Manner::default());
    story.recovers().await;
    story.meshd.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_is_rewritten_at_the_server_is_not_followed() {
    let Some(story) = Story::begin().await else {
        return;
    };
    story.server.commit(&format!("{MESH}# Good.\n"));
    story.recovers().await;
    let good = story.head().unwrap();
    story.server.git(&["reset", "-q", "--hard", "HEAD~1"]);
    story
        .fails(("Stalled", "HistoryRewritten"), "git revert")
        .await;
    story.server.git(&["checkout", "-q", "--orphan", "other"]);
    story.server.git(&["branch", "-q", "-D", "main"]);
    story.server.git(&["branch", "-q", "-m", "main"]);
    story.server.commit(&format!("{MESH}# Another history.\n"));
    story
        .fails(("Stalled", "HistoryRewritten"), "git revert")
        .await;
    story.server.git(&["reset", "-q", "--hard", &good]);
    story.server.commit(&format!("{MESH}# Built on it.\n"));
    story.recovers().await;
    story.meshd.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_huge_commit_is_refused_and_the_next_one_is_served() {
    let Some(story) = Story::begin().await else {
        return;
    };
    let huge = "# It has no end.\n".repeat(1 << 20);
    story.server.commit(&format!("{MESH}# Huge.\n"));
    let file = story.server.git(&["rev-parse", "--show-toplevel"]);
    std::fs::write(std::path::Path::new(&file).join("huge.yaml"), huge).unwrap();
    story.server.git(&["add", "-A"]);
    story.server.git(&["commit", "-q", "-m", "huge"]);
    story.fails(("Stalled", "CompileFailed"), "huge.yaml").await;
    story.server.git(&["rm", "-q", "huge.yaml"]);
    story.server.git(&["commit", "-q", "-m", "mend"]);
    story.recovers().await;
    story.meshd.end().await;
}
