//! What meshd wants to know of a commit beside its files.
//!
//! Never shows what somebody wrote into a commit without making one short line of it.

use mesh_compiler::world;

use super::LINE_LIMIT;

/// One commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// 40 hex digits.
    pub id: String,
    /// Name of the author, as the commit has it.
    pub author: String,
    /// Unix seconds of the committer.
    pub time: i64,
    /// First line of the message.
    pub subject: String,
    /// `Key: value` lines at the end of the message.
    pub trailers: Vec<(String, String)>,
    /// The tag object that it was found by, if that is its name.
    pub tag: Option<String>,
}

impl Commit {
    pub(super) fn read(commit: &git2::Commit<'_>) -> Self {
        Self {
            id: commit.id().to_string(),
            author: line(commit.author().name_bytes()),
            time: commit.time().seconds(),
            subject: line(commit.summary_bytes().unwrap_or_default()),
            trailers: trailers(commit.message_bytes()),
            tag: None,
        }
    }

    /// As the compiler describes it.
    pub(super) fn described(&self) -> world::Commit {
        world::Commit {
            id: self.id.clone(),
            author: self.author.clone(),
            time: self.time,
            subject: self.subject.clone(),
            trailers: self.trailers.clone(),
        }
    }

    /// Does a trailer of this name say `true`?
    #[must_use]
    pub fn says(&self, trailer: &str) -> bool {
        self.trailers
            .iter()
            .any(|(key, value)| key.eq_ignore_ascii_case(trailer) && value.trim() == "true")
    }
}

/// One line, not too long, of what somebody wrote.
pub(super) fn line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let plain = text.chars().take(LINE_LIMIT);
    plain
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

fn trailers(message: &[u8]) -> Vec<(String, String)> {
    let Ok(trailers) = git2::message_trailers_bytes(message) else {
        return Vec::new();
    };
    let show = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    trailers
        .iter()
        .map(|(key, value)| (show(key), show(value)))
        .collect()
}
