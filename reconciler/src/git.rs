//! Where commits come from: a repository on this machine, or a remote one kept in a bare cache.
//!
//! Never looks at a work tree, never runs git or a hook, and never writes to a repository that it did not make.

mod access;
mod cache;
mod commit;
mod deadline;
mod history;
mod https;
mod leftovers;
mod reference;
mod signed;
mod ssh;
mod transports;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use git2::{Oid, Repository};
use mesh_compiler::world::{self, GitWorld, History, Sizes, Unreadable};

pub use commit::Commit;
pub use signed::Verdict;

use crate::settings;
use access::Access;
use reference::{Names, Target, choose};
pub(crate) use ssh::Address;

/// The largest pack that is received, in bytes.
const PACK_LIMIT: usize = 2 << 30;
/// Objects in one pack.
const OBJECT_LIMIT: usize = 20_000_000;
/// Characters of an author or a subject that are kept: they are for a line of a log.
const LINE_LIMIT: usize = 200;
/// A commit with a longer message is refused.
const COMMIT_LIMIT: usize = 1 << 20;
/// What to read.
#[derive(Debug, Clone)]
pub struct SourceConfig {
    /// As the operator wrote it.
    pub source: settings::Source,
    /// Where a remote repository is kept. meshd's own.
    pub cache: PathBuf,
}

/// A repository that commits are read from.
#[derive(Debug, Clone)]
pub struct Source {
    config: SourceConfig,
    place: Place,
    /// Of the files of the last commit.
    sizes: Arc<Sizes>,
}

#[derive(Debug, Clone)]
enum Place {
    /// Read where it is, a `file://` too: nothing is copied.
    Local(PathBuf),
    /// Fetched into the cache, from this URL.
    Remote(String),
}

/// Why there is no commit to read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// May pass by itself: the network, a lock, a server.
    #[error("{0}")]
    Transient(String),
    /// Stays until a person changes something: a wrong path, a branch that is not there.
    #[error("{0}")]
    Stalled(String),
    /// What git holds is not whole. A push may mend it without a new commit.
    #[error("{0}")]
    Damaged(String),
    /// The server does not let meshd in, or what would prove who it is cannot be read. Looked at again: an operator may put
    /// another secret in its place.
    #[error("{0}")]
    Unauthorized(String),
    /// The server wants to be left alone for this time.
    #[error("{message}")]
    Busy {
        /// For people.
        message: String,
        /// From now on.
        after: Duration,
    },
}

impl Source {
    /// Checks what can be checked without I/O on a network.
    ///
    /// # Errors
    /// A repository that is not there, or a URL of a kind that is not supported.
    pub fn open(config: SourceConfig) -> Result<Self, Failure> {
        let source = Self::kept(config)?;
        if let Place::Remote(_) = source.place {
            transports::register();
            // What is wrong with the settings is told at once.
            Access::read(&source.config.source)?;
        }
        Ok(source)
    }

    /// To read what was fetched before: nothing that is needed to fetch has to be there.
    ///
    /// # Errors
    /// See [`Source::open`].
    pub fn kept(config: SourceConfig) -> Result<Self, Failure> {
        allow_any_owner();
        let text = config.source.repository.clone();
        if let Some(address) = Address::parse(&text) {
            address.map_err(Failure::Stalled)?;
            // Only the scheme matters: what is asked, and how, is handed to the transport as it was judged.
            let place = Place::Remote("ssh://".to_owned() + config.source.name.as_str());
            return Ok(Self::new(config, place));
        }
        let place = match text.split_once("://") {
            None => Place::Local(local(Path::new(&text))?),
            Some(("file", path)) => Place::Local(local(Path::new(path))?),
            Some(("https", rest)) => {
                let host = rest.split('/').next().unwrap_or_default();
                if host.is_empty() || host.contains('@') {
                    let why = "the URL must have a host, and no user or password: they would be shown in the list of processes";
                    return Err(Failure::Stalled(why.to_owned()));
                }
                Place::Remote(text.clone())
            }
            Some((scheme, _)) => return Err(unsupported(&text, scheme)),
        };
        Ok(Self::new(config, place))
    }

    fn new(config: SourceConfig, place: Place) -> Self {
        Self {
            config,
            place,
            sizes: Arc::default(),
        }
    }

    /// As the operator wrote it.
    #[must_use]
    pub fn describe(&self) -> String {
        self.config.source.repository.clone()
    }

    /// The newest commit of the reference; a remote repository is asked. Blocks.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn fetch(&self) -> Result<Commit, Failure> {
        match &self.place {
            Place::Local(path) => {
                let source = &self.config.source;
                let repository = open(path)?;
                let target = choose(&source.reference, &Here(&repository), &source.repository)?;
                self.newest(&repository, &target)
            }
            Place::Remote(url) => {
                let limit = self.config.source.timeout;
                let access = Access::read(&self.config.source)?;
                let fetch = || access.during(|| cache::fetch(&self.config, url));
                let (fetched, ended) = deadline::within(limit, fetch);
                match (fetched, ended.again) {
                    (Err(Failure::Transient(message)), Some(after)) => {
                        Err(Failure::Busy { message, after })
                    }
                    (Err(Failure::Transient(message)), None) if ended.unauthorized => {
                        Err(Failure::Unauthorized(message))
                    }
                    (Err(Failure::Transient(message)), None) if ended.late => Err(
                        Failure::Transient(format!("{message} (not done within {limit:?})")),
                    ),
                    (fetched, _) => {
                        let (cache, target) = fetched?;
                        self.newest(&cache, &target)
                    }
                }
            }
        }
    }

    fn newest(&self, repository: &Repository, target: &Target) -> Result<Commit, Failure> {
        let place = &self.config.source.repository;
        let (id, what) = match target {
            Target::Commit(id) => {
                let id = Oid::from_str(id).map_err(|e| transient("reading the commit", &e))?;
                if !repository.odb().is_ok_and(|odb| odb.exists(id)) {
                    return Err(Failure::Stalled(format!("`{place}` has no commit `{id}`")));
                }
                (id, format!("commit {id}"))
            }
            Target::Name(name) => {
                let reference = match self.place {
                    Place::Local(_) => repository.find_reference(name),
                    Place::Remote(_) => repository.find_reference(cache::FETCHED),
                };
                let reference = reference.and_then(|reference| reference.resolve());
                let reference = reference.map_err(|e| transient("reading the reference", &e))?;
                let id = reference.target().unwrap_or(Oid::ZERO_SHA1);
                let mut short = ["refs/heads/", "refs/tags/"].into_iter();
                let short = short.find_map(|prefix| name.strip_prefix(prefix));
                (id, format!("`{}`, object {id}", short.unwrap_or(name)))
            }
        };
        if let Ok(odb) = repository.odb()
            && odb
                .read_header(id)
                .is_ok_and(|(size, _)| size > COMMIT_LIMIT)
        {
            let why = format!("{what}: it is larger than {COMMIT_LIMIT} bytes");
            return Err(Failure::Stalled(why));
        }
        let object = repository
            .find_object(id, None)
            .map_err(|e| damaged(&what, &e))?;
        let commit = object.peel_to_commit().map_err(|e| damaged(&what, &e))?;
        let mut commit = Commit::read(&commit);
        commit.tag = object.as_tag().and_then(|tag| named(tag, target));
        Ok(commit)
    }

    /// The files of a commit that [`Source::fetch`] returned. Blocks.
    ///
    /// # Errors
    /// The configured path is not in the commit, or the repository is damaged.
    pub fn world(&self, commit: &Commit) -> Result<GitWorld, Failure> {
        self.world_of(&commit.id)
    }

    /// The same, of any commit that was fetched once: nothing is asked of a network. Blocks.
    ///
    /// # Errors
    /// See [`Source::world`].
    pub fn world_of(&self, commit: &str) -> Result<GitWorld, Failure> {
        let repository = self.repository()?;
        let id = Oid::from_str(commit).map_err(|e| transient("reading the commit", &e))?;
        let inside = self.config.source.path.as_deref().unwrap_or_default();
        GitWorld::open_after(&self.sizes, repository, id, inside).map_err(|why| match why {
            Unreadable::Refused(why) => Failure::Stalled(why),
            Unreadable::Damaged(why) => Failure::Damaged(one_line(&why)),
        })
    }

    /// Whether a commit has the signatures that the operator wants; `None` where none is wanted. Blocks.
    ///
    /// # Errors
    /// The repository cannot be read.
    pub fn verify(&self, commit: &Commit, last: Option<&str>) -> Result<Option<Verdict>, Failure> {
        let Some(wanted) = &self.config.source.verify else {
            return Ok(None);
        };
        signed::check(&self.repository()?, commit, last, wanted).map(Some)
    }

    /// Where what was fetched is read from.
    fn repository(&self) -> Result<Repository, Failure> {
        match &self.place {
            Place::Local(path) => open(path),
            Place::Remote(_) => cache::open(&self.config.cache),
        }
    }

    /// The directory that holds the documents, from the top of the repository.
    pub(crate) fn directory(&self) -> &str {
        let inside = self.config.source.path.as_deref().unwrap_or_default();
        inside.trim_matches('/')
    }

    /// The commits since `last`, with what they say of themselves; where that cannot be told, the newest alone: fewer of them
    /// allow less. Blocks.
    pub(crate) fn between(&self, last: &str, commit: &Commit) -> Vec<world::Commit> {
        let read = || History::open(self.repository().ok()?.path()).ok();
        let found = read().and_then(|history| history.between(last, &commit.id).ok());
        found.unwrap_or_else(|| vec![commit.described()])
    }

    /// What speaks against a commit taking the place of `last`, in words; `None`: it builds on it. Blocks.
    ///
    /// # Errors
    /// The history cannot be read.
    pub fn succeeds(&self, commit: &str, last: &str) -> Result<Option<String>, Failure> {
        let repository = self.repository()?;
        history::objection(&repository, &self.config.source.reference, commit, last)
    }

    /// The directory whose changes say that there may be a new commit; `None` for what can only be asked.
    #[must_use]
    pub fn watched(&self) -> Option<PathBuf> {
        let Place::Local(path) = &self.place else {
            return None;
        };
        Some(open(path).ok()?.commondir().to_owned())
    }

    /// Removes what was fetched of a remote repository: the next fetch brings it again. Does nothing to a local one.
    ///
    /// # Errors
    /// It is there and cannot be removed.
    pub fn discard_cache(&self) -> std::io::Result<()> {
        match self.place {
            Place::Local(_) => Ok(()),
            Place::Remote(_) => cache::discard(&self.config.cache),
        }
    }
}

/// The names of a repository on this machine.
struct Here<'a>(&'a Repository);

impl Names for Here<'_> {
    fn has(&self, name: &str) -> bool {
        // One that points to a branch which is not there yet is as good as none.
        let found = self.0.find_reference(name);
        found.is_ok_and(|reference| reference.resolve().is_ok())
    }

    fn tags(&self) -> Vec<String> {
        let Ok(names) = self.0.tag_names(None) else {
            return Vec::new();
        };
        let names = names.iter().flatten().flatten();
        names.map(str::to_owned).collect()
    }
}

/// A tag is signed with its name in it: under another one it says nothing.
fn named(tag: &git2::Tag<'_>, target: &Target) -> Option<String> {
    let Target::Name(name) = target else {
        return None;
    };
    let own = name.strip_prefix("refs/tags/")?;
    (own.as_bytes() == tag.name_bytes()).then(|| tag.id().to_string())
}

fn local(path: &Path) -> Result<PathBuf, Failure> {
    let stalled = |why: &dyn fmt::Display| {
        Failure::Stalled(format!(
            "`{}` is not a git repository: {why}",
            path.display()
        ))
    };
    let path = path.canonicalize().map_err(|error| stalled(&error))?;
    Repository::open(&path).map_err(|error| stalled(&error.message()))?;
    Ok(path)
}

fn open(path: &Path) -> Result<Repository, Failure> {
    Repository::open(path)
        .map_err(|error| transient(&format!("opening `{}`", path.display()), &error))
}

fn unsupported(text: &str, scheme: &str) -> Failure {
    Failure::Stalled(format!(
        "`{text}`: `{scheme}` is not supported; use a path, `file://`, `https://` or `ssh://`"
    ))
}

fn damaged(what: &str, error: &git2::Error) -> Failure {
    Failure::Damaged(format!("{what}: {}", line(error)))
}

fn transient(doing: &str, error: &git2::Error) -> Failure {
    Failure::Transient(format!("{doing}: {}", line(error)))
}

/// What libgit2 says may be what a server said: one line, not too long.
fn line(error: &git2::Error) -> String {
    one_line(error.message())
}

fn one_line(text: &str) -> String {
    let text = text.chars().take(LINE_LIMIT * 2);
    text.map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// libgit2 refuses repositories of other users, because git would run what their configuration names. meshd runs
/// nothing of a repository, reads only the one that its operator named, and often runs as a user of its own.
#[expect(unsafe_code, reason = "sets a flag in libgit2; see the safety comment")]
fn allow_any_owner() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        // SAFETY: the flag is read when a repository is opened, and none is opened before this has run once.
        let result = unsafe { git2::opts::set_verify_owner_validation(false) };
        if let Err(error) = result {
            tracing::warn!(%error, "repositories of other users will be refused");
        }
    });
}

#[cfg(test)]
pub(crate) use https::tests::server::{Fault, Manner, Server as GitServer};
#[cfg(test)]
mod tests;
