//! Commits: who made them, what they say, and which come before which.
//!
//! Never walks without bound, and never takes a name or a subject for more than text.

use git2::{Oid, Sort};

use super::{GitWorld, History, tree};

/// Commits of a range that are read; one of more is no change that anybody reviews.
const MOST_COMMITS: usize = 10_000;

/// What a commit says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// 40 hex digits.
    pub id: String,
    /// `Ada <ada@example.com>`
    pub author: String,
    /// Seconds since 1970 at which the author wrote it.
    pub time: i64,
    /// The first line.
    pub subject: String,
    /// The lines such as `Reviewed-by: Ada` at its end, in their order.
    pub trailers: Vec<(String, String)>,
}

/// A revision and those before it, the latest first: of a merge, only what the branch was before.
#[derive(Debug, Clone)]
pub struct Past {
    ids: Vec<Oid>,
    /// There are more, which were not looked at.
    pub is_cut: bool,
    /// Nobody knows whether there are more: the clone is shallow.
    pub is_shallow: bool,
}

impl Past {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Is there none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

impl History {
    /// The commits that are in one revision and not in another, the latest first.
    ///
    /// # Errors
    /// In words: they are not there, cannot be read, or are too many.
    pub fn between(&self, old: &str, new: &str) -> Result<Vec<Commit>, String> {
        let said = |error: git2::Error| error.message().to_owned();
        let mut walk = self.repository.revwalk().map_err(said)?;
        walk.set_sorting(Sort::TOPOLOGICAL).map_err(said)?;
        walk.push(self.commit(new)?).map_err(said)?;
        walk.hide(self.commit(old)?).map_err(said)?;
        let mut found = Vec::new();
        for id in walk {
            if found.len() >= MOST_COMMITS {
                return Err(format!(
                    "more than {MOST_COMMITS} commits are between `{old}` and `{new}`"
                ));
            }
            found.push(self.described(id.map_err(said)?)?);
        }
        Ok(found)
    }

    /// A revision and those before it, at most so many.
    ///
    /// # Errors
    /// In words.
    pub fn past(&self, revision: &str, most: usize) -> Result<Past, String> {
        let mut ids = Vec::new();
        let mut next = Some(self.commit(revision)?);
        while let Some(id) = next.filter(|_| ids.len() < most) {
            let commit = tree::commit(&self.repository, id).map_err(|why| why.to_string())?;
            ids.push(id);
            next = commit.parent_ids().next();
        }
        Ok(Past {
            ids,
            is_cut: next.is_some(),
            is_shallow: self.repository.is_shallow(),
        })
    }

    /// One of them, with what it says; `None` after the last.
    ///
    /// # Errors
    /// In words.
    pub fn visit(&self, past: &Past, place: usize) -> Result<Option<(Commit, GitWorld)>, String> {
        let Some(id) = past.ids.get(place) else {
            return Ok(None);
        };
        Ok(Some((self.described(*id)?, self.world(*id)?)))
    }

    fn described(&self, id: Oid) -> Result<Commit, String> {
        let said = |error: git2::Error| format!("commit {id}: {}", error.message());
        let commit = tree::commit(&self.repository, id).map_err(|why| why.to_string())?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let author = commit.author();
        let message = text(commit.message_bytes());
        let trailers = git2::message_trailers_strs(&message).map_err(said)?;
        let trailers = trailers.iter();
        Ok(Commit {
            id: id.to_string(),
            author: format!(
                "{} <{}>",
                text(author.name_bytes()),
                text(author.email_bytes())
            ),
            time: author.when().seconds(),
            subject: message.lines().next().unwrap_or_default().trim().to_owned(),
            trailers: trailers
                .map(|(key, value)| (key.to_owned(), value.trim().to_owned()))
                .collect(),
        })
    }
}
