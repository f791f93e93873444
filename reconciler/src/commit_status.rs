//! The outcome of a commit, written beside it at the forge: people see there whether it is served, and why not.
//!
//! Never keeps a pass waiting: what is to be written waits in a line of its own, which has an end.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;
use tokio::sync::Notify;
use zeroize::Zeroizing;

use crate::event::{self, Events, News};
use crate::https::Answer;
use crate::outgoing::{self, Letter};
use crate::reconcile::{Kind, Outcome, Trouble};
use crate::secret;
use crate::settings::{Forge, Label, Report};

/// Statuses that wait. More commits are not judged while a forge is away.
const WAITING: usize = 64;
/// GitHub refuses longer ones.
const DESCRIPTION_LIMIT: usize = 140;

/// How a commit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Pending,
    Success,
    Failure,
}

/// What is to be written beside a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statement {
    revision: String,
    state: State,
    description: String,
}

impl Statement {
    /// What a pass says of a commit; `None` where it says nothing of one.
    pub(crate) fn of(outcome: &Result<Outcome, Trouble>) -> Option<Self> {
        let (revision, state, description) = match outcome {
            Ok(outcome) => {
                let what = format!("published to {} proxies", outcome.proxies);
                (outcome.revision.clone(), State::Success, what)
            }
            Err(trouble) => {
                let state = match trouble.kind {
                    Kind::Stalled => State::Failure,
                    Kind::Waiting(_) | Kind::Busy(_) | Kind::Suspended | Kind::Transient => {
                        State::Pending
                    }
                };
                let what = format!("{}: {}", trouble.reason, trouble.message);
                (trouble.revision.clone()?, state, what)
            }
        };
        Some(Self {
            revision,
            state,
            description: short(&description),
        })
    }
}

impl Statement {
    /// Everybody has it.
    pub(crate) fn arrived(revision: &str, what: &str) -> Self {
        Self::said(revision, State::Success, what)
    }

    /// Somebody refuses it.
    pub(crate) fn refused(revision: &str, what: &str) -> Self {
        Self::said(revision, State::Failure, what)
    }

    /// The same, while it is not known whether it has arrived everywhere.
    pub(crate) fn on_its_way(self) -> Self {
        match self.state {
            State::Success => Self {
                state: State::Pending,
                ..self
            },
            State::Pending | State::Failure => self,
        }
    }

    fn said(revision: &str, state: State, what: &str) -> Self {
        Self {
            revision: revision.to_owned(),
            state,
            description: short(what),
        }
    }
}

/// One line that no forge finds too long.
fn short(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    if line.chars().count() <= DESCRIPTION_LIMIT {
        return line.to_owned();
    }
    let begin: String = line.chars().take(DESCRIPTION_LIMIT - 1).collect();
    begin + "…"
}

/// Statements of one source that wait to be written.
#[derive(Debug, Default)]
pub(crate) struct Statements {
    waiting: Mutex<VecDeque<Statement>>,
    more: Notify,
}

impl Statements {
    /// Puts one in the line: in the place of an earlier one about the same commit. Where the line is full, the oldest goes.
    pub(crate) fn say(&self, statement: Statement) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|earlier| earlier.revision != statement.revision);
        if waiting.len() >= WAITING
            && let Some(lost) = waiting.pop_front()
        {
            let revision = lost.revision;
            tracing::warn!(
                revision,
                "the forge is too slow: the status of a commit is not written"
            );
        }
        waiting.push_back(statement);
        self.more.notify_one();
    }

    async fn next(&self) -> Statement {
        loop {
            let first = {
                let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                waiting.pop_front()
            };
            match first {
                Some(statement) => return statement,
                None => self.more.notified().await,
            }
        }
    }
}

/// Writes the statements of a source, one after the other, for as long as it is run.
pub(crate) async fn write(
    source: Label,
    wanted: Report,
    statements: Arc<Statements>,
    events: Arc<Events>,
) {
    let mut before = None;
    loop {
        let statement = statements.next().await;
        // A look that finds the same: the forge knows.
        if before.as_ref() == Some(&statement) {
            continue;
        }
        let (name, to, said) = (source.clone(), wanted.clone(), statement.clone());
        let letter = move || letter(&name, &to, &said);
        match outgoing::send(wanted.ca.as_deref(), letter, is_known).await {
            Ok(()) => before = Some(statement),
            Err(why) => {
                let why = format!("the status of the commit is not written: {why}");
                let news = News::error("Source", source.as_str(), "ReportFailed", &why);
                event::record(&events, &news.of(Some(&statement.revision)));
            }
        }
    }
}

/// GitLab refuses to be told twice what it knows.
fn is_known(answer: &Answer) -> bool {
    let text = String::from_utf8_lossy(&answer.body);
    answer.status == 400 && text.contains("Cannot transition status")
}

fn letter(source: &Label, wanted: &Report, said: &Statement) -> Result<Letter, String> {
    let token = secret::read(&wanted.token_file)?;
    let (project, revision) = (wanted.project.as_str(), &said.revision);
    let state = match (wanted.kind, said.state) {
        (_, State::Pending) => "pending",
        (_, State::Success) => "success",
        (Forge::Gitlab, State::Failure) => "failed",
        (Forge::Github | Forge::Gitea, State::Failure) => "failure",
    };
    let name = match wanted.kind {
        Forge::Gitlab => "name",
        Forge::Github | Forge::Gitea => "context",
    };
    let mut body = json!({ "state": state, "description": said.description });
    if let Some(body) = body.as_object_mut() {
        body.insert(name.to_owned(), json!(format!("mesh/{source}")));
        if let Some(target) = &wanted.target_url {
            body.insert("target_url".to_owned(), json!(target.as_str()));
        }
    }
    let api = wanted.api();
    let statuses = format!("{api}/repos/{project}/statuses/{revision}");
    let bearer = |scheme: &str| Zeroizing::new(format!("{scheme} {}", token.as_str()));
    let (url, headers) = match wanted.kind {
        Forge::Github => {
            let version = Zeroizing::new("2022-11-28".to_owned());
            let headers = [
                ("authorization", bearer("Bearer")),
                ("x-github-api-version", version),
            ];
            (statuses, Vec::from(headers))
        }
        Forge::Gitea => (statuses, vec![("authorization", bearer("token"))]),
        Forge::Gitlab => {
            let project = project.replace('/', "%2F");
            let url = format!("{api}/projects/{project}/statuses/{revision}");
            (url, vec![("private-token", token)])
        }
    };
    Ok(Letter {
        url,
        headers,
        // Texts: this cannot fail.
        body: serde_json::to_vec(&body).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests;
