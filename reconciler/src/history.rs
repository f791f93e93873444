//! Every bundle that proxies were given: of which commit, whose, and what became of it.
//!
//! Never holds a bundle: git has the commits, and a bundle is compiled again when somebody wants to see it.

mod archive;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mesh_bundle::Digest;
use serde::{Deserialize, Serialize};

use crate::event::{rfc3339, unix};
use crate::git::Commit;
use crate::registry::Now;
use crate::state::StateDir;

pub(crate) use archive::{Archive, Compared, Shape, differs, gone};

const FILE: &str = "history.json";
const FORMAT: u32 = 1;
/// Publications that are kept.
const KEPT: usize = 500;
/// As short as a prefix may be.
const SHORTEST: usize = 4;
/// Characters of why something was taken back.
const WHY_LIMIT: usize = 1_000;

/// What became of a publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// On its way, in waves.
    Rolling,
    /// Everybody is given it.
    Live,
    /// Another one took its place.
    Superseded,
    /// It was taken back from everybody.
    Returned,
}

/// One publication.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) revision: String,
    /// Of what `meshc build` makes of the commit.
    pub(crate) digest: Digest,
    pub(crate) author: String,
    pub(crate) subject: String,
    /// The commit, RFC 3339; empty where it is not known.
    pub(crate) committed: String,
    /// When the first proxy was given it.
    pub(crate) published: String,
    pub(crate) state: State,
    /// Everybody was given it.
    pub(crate) arrived: bool,
    /// When something else took its place, or it was taken back.
    pub(crate) ended: Option<String>,
    /// Why it was taken back.
    pub(crate) why: Option<String>,
    /// The digest of what was served before it.
    pub(crate) before: Option<Digest>,
    /// An operator went back to it; git did not bring it.
    pub(crate) rollback: bool,
}

/// What is known of a commit that is published.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct About {
    author: String,
    subject: String,
    committed: String,
    rollback: bool,
}

impl About {
    /// Of a bundle that another meshd went back to, and that was never published here.
    pub(crate) fn rollback() -> Self {
        Self {
            author: String::new(),
            subject: String::new(),
            committed: String::new(),
            rollback: true,
        }
    }
}

impl From<&Commit> for About {
    fn from(commit: &Commit) -> Self {
        Self {
            author: commit.author.clone(),
            subject: commit.subject.clone(),
            committed: rfc3339(u64::try_from(commit.time).unwrap_or_default()),
            rollback: false,
        }
    }
}

impl Entry {
    /// The same commit again, because an operator goes back to it.
    pub(crate) fn again(&self) -> About {
        About {
            author: self.author.clone(),
            subject: self.subject.clone(),
            committed: self.committed.clone(),
            rollback: true,
        }
    }

    /// Nobody was given it before.
    fn new((revision, digest): (&str, Digest), about: About, now: u64) -> Self {
        let mut entry = Self {
            revision: revision.to_owned(),
            digest,
            author: String::new(),
            subject: String::new(),
            committed: String::new(),
            published: rfc3339(now),
            state: State::Rolling,
            arrived: false,
            ended: None,
            why: None,
            before: None,
            rollback: false,
        };
        entry.tell(about);
        entry
    }

    fn tell(&mut self, about: About) {
        self.author = about.author;
        self.subject = about.subject;
        self.committed = about.committed;
        self.rollback = about.rollback;
    }

    fn is(&self, revision: &str, digest: Digest) -> bool {
        self.revision == revision && self.digest == digest
    }

    fn end(&mut self, state: State, why: Option<&str>, now: u64) {
        self.state = state;
        self.ended = Some(rfc3339(now));
        self.why = why.map(|why| why.chars().take(WHY_LIMIT).collect());
    }
}

/// All of them, the newest first.
#[derive(Debug)]
pub(crate) struct History {
    list: Mutex<VecDeque<Entry>>,
    state: Arc<StateDir>,
}

#[derive(Serialize, Deserialize)]
struct Text {
    format: u32,
    entries: VecDeque<Entry>,
}

impl History {
    /// What was kept. What cannot be read is lost with a line in the log: nothing is served from it.
    pub(crate) fn open(state: &Arc<StateDir>) -> Self {
        let mut list = read(state).unwrap_or_else(|error| {
            tracing::warn!(error, file = FILE, "the earlier history is lost");
            VecDeque::new()
        });
        list.truncate(KEPT);
        Self {
            list: Mutex::new(list),
            state: Arc::clone(state),
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Entry>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When it was published last, in seconds since 1970.
    pub(crate) fn since(&self, (revision, digest): (&str, Digest)) -> Option<u64> {
        let list = self.lock();
        let found = list.iter().find(|entry| entry.is(revision, digest))?;
        unix(&found.published)
    }

    /// The newest first.
    pub(crate) fn list(&self) -> Vec<Entry> {
        self.lock().iter().cloned().collect()
    }

    /// A commit begins its way.
    pub(crate) fn begins(&self, (revision, digest): (&str, Digest), about: About) {
        self.change(|list, now| {
            let before = live(list);
            for entry in list.iter_mut().filter(|it| it.state == State::Rolling) {
                entry.end(State::Superseded, None, now);
            }
            list.push_front(Entry {
                before,
                ..Entry::new((revision, digest), about, now)
            });
        });
    }

    /// Everybody is given it: at once, or at the end of its way.
    pub(crate) fn live(&self, (revision, digest): (&str, Digest), about: About) {
        self.change(|list, now| {
            let before = live(list);
            // After a restart the same is published again.
            let is_open = |it: &Entry| matches!(it.state, State::Live | State::Rolling);
            let is_it = |it: &Entry| {
                is_open(it) && it.is(revision, digest) && it.rollback == about.rollback
            };
            let known = list.iter().position(is_it);
            let mut entry = match known.and_then(|at| list.remove(at)) {
                Some(entry) => entry,
                None => Entry {
                    before,
                    ..Entry::new((revision, digest), about.clone(), now)
                },
            };
            for other in list.iter_mut().filter(|it| is_open(it)) {
                other.end(State::Superseded, None, now);
            }
            entry.state = State::Live;
            entry.arrived = true;
            if entry.author.is_empty() {
                entry.tell(about);
            }
            list.push_front(entry);
        });
    }

    /// It has arrived everywhere, in waves.
    pub(crate) fn arrived(&self, revision: &str, digest: Digest) {
        self.live((revision, digest), About::default());
    }

    /// It is served again after a restart; where the history was lost, it begins with it.
    pub(crate) fn restored(&self, revision: &str, digest: Digest) {
        let is_it = |it: &Entry| it.state == State::Live && it.is(revision, digest);
        let known = self.lock().iter().any(is_it);
        if !known {
            self.live((revision, digest), About::default());
        }
    }

    /// What is on its way is taken back from everybody.
    pub(crate) fn returned(&self, revision: &str, why: &str) {
        self.change(|list, now| {
            let mut rolling = list.iter_mut().filter(|it| it.state == State::Rolling);
            if let Some(entry) = rolling.find(|it| it.revision == revision) {
                entry.end(State::Returned, Some(why), now);
            }
        });
    }

    /// The last commit that git brought and everybody was given: what the next one has to build on.
    pub(crate) fn followed(&self) -> Option<String> {
        let list = self.lock();
        let entry = list.iter().find(|it| it.arrived && !it.rollback)?;
        Some(entry.revision.clone())
    }

    /// What a prefix of a revision or of a digest stands for.
    ///
    /// # Errors
    /// In words: nothing begins with it, or several do.
    pub(crate) fn find(&self, prefix: &str) -> Result<Entry, String> {
        let wanted = prefix.trim().to_ascii_lowercase();
        let bare = wanted.strip_prefix("sha256:").unwrap_or(&wanted);
        if bare.len() < SHORTEST {
            let least = SHORTEST;
            return Err(format!(
                "`{prefix}` is too short: a commit or digest has at least {least} characters"
            ));
        }
        let list = self.lock();
        let begins = |it: &&Entry| {
            let digest = it.digest.to_string();
            let digest = digest.strip_prefix("sha256:").unwrap_or(&digest);
            it.revision.starts_with(&wanted) || digest.starts_with(bare)
        };
        let mut found = list.iter().filter(begins);
        let Some(first) = found.next() else {
            return Err(format!(
                "no bundle in the history begins with `{prefix}`; `meshd history` shows all of them"
            ));
        };
        // The same commit may have been published several times.
        match found.find(|it| !it.is(&first.revision, first.digest)) {
            Some(other) if other.revision != first.revision => Err(format!(
                "`{prefix}` may be `{}` or `{}`",
                first.revision, other.revision
            )),
            _ => Ok(first.clone()),
        }
    }

    /// What is served, and what was served before it.
    ///
    /// # Errors
    /// In words: there is no such pair.
    pub(crate) fn newest(&self) -> Result<(Entry, Entry), String> {
        let live = {
            let list = self.lock();
            list.iter().find(|it| it.state == State::Live).cloned()
        };
        let live = live.ok_or("nothing is served yet")?;
        self.predecessor(&live).map(|before| (before, live))
    }

    /// What was served before it.
    ///
    /// # Errors
    /// In words: nothing was, or it is forgotten.
    pub(crate) fn predecessor(&self, entry: &Entry) -> Result<Entry, String> {
        let revision = &entry.revision;
        let before = entry.before.ok_or_else(|| {
            format!("`{revision}` is the first bundle of the history: there is nothing before it")
        })?;
        let list = self.lock();
        // Several may have one digest: a commit need not change what it compiles to.
        let older = list.iter().skip_while(|it| *it != entry).skip(1);
        let found = older.into_iter().find(|it| it.digest == before);
        found.cloned().ok_or_else(|| {
            format!("what was served before `{revision}` is not in the history any more")
        })
    }

    fn change(&self, change: impl FnOnce(&mut VecDeque<Entry>, u64)) {
        let text = {
            let mut list = self.lock();
            let before = list.clone();
            change(&mut list, Now::read().unix);
            list.truncate(KEPT);
            if *list == before {
                return;
            }
            Text {
                format: FORMAT,
                entries: list.clone(),
            }
        };
        // Texts and digests: this cannot fail.
        let bytes = serde_json::to_vec(&text).unwrap_or_default();
        if let Err(error) = self.state.write(FILE, &bytes) {
            tracing::warn!(%error, "the history is not kept: a restart would forget the last of it");
        }
    }
}

fn read(state: &StateDir) -> Result<VecDeque<Entry>, String> {
    let Some(bytes) = state.read(FILE).map_err(|error| error.to_string())? else {
        return Ok(VecDeque::new());
    };
    let text: Text = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
    match text.format {
        FORMAT => Ok(text.entries),
        other => Err(format!("it has format {other}")),
    }
}

/// What everybody is given.
fn live(list: &VecDeque<Entry>) -> Option<Digest> {
    let mut live = list.iter().filter(|it| it.state == State::Live);
    live.next().map(|it| it.digest)
}

#[cfg(test)]
mod tests;
