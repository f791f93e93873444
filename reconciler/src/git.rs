//! Where commits come from: a repository on this machine, or a remote one kept in a bare cache.
//!
//! Never looks at a work tree, never runs git or a hook, and never writes to a repository that it did not make.

mod commit;
mod deadline;
mod https;
mod leftovers;
mod tree;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use git2::{Direction, FetchOptions, Oid, RemoteCallbacks, Repository};

pub use commit::Commit;
pub use tree::TreeWorld;

/// A whole fetch, from the first connection to the last byte that is indexed.
pub(crate) const FETCH_DEADLINE: Duration = Duration::from_secs(60);
/// The largest pack that is received, in bytes.
const PACK_LIMIT: usize = 2 << 30;
/// Objects in one pack.
const OBJECT_LIMIT: usize = 20_000_000;
/// Characters of an author or a subject that are kept: they are for a line of a log.
const LINE_LIMIT: usize = 200;
/// A commit with a longer message is refused.
const COMMIT_LIMIT: usize = 1 << 20;
/// Where the cache keeps what it last fetched.
const FETCHED: &str = "refs/meshd/fetched";

/// What to read, from the command line.
#[derive(Debug, Clone)]
pub struct SourceConfig {
    /// A path, or a `file://` or `https://` URL.
    pub repository: String,
    /// Branch, tag, or full reference name; `HEAD` for whatever the repository says.
    pub reference: String,
    /// The directory inside the repository that is the root of the mesh repository.
    pub path: Option<String>,
    /// Certificate authorities for `https://` beside those of the system: a PEM file.
    pub authorities: Option<PathBuf>,
    /// Where remote repositories are kept. meshd's own.
    pub cache: PathBuf,
    /// For a whole fetch of a remote repository.
    pub deadline: Duration,
}

/// A repository that commits are read from.
#[derive(Debug, Clone)]
pub struct Source {
    config: SourceConfig,
    place: Place,
}

#[derive(Debug, Clone)]
enum Place {
    /// Read where it is, a `file://` too: nothing is copied.
    Local(PathBuf),
    /// Fetched into the cache.
    Remote,
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
        allow_any_owner();
        let text = config.repository.clone();
        let place = match text.split_once("://") {
            None if looks_like_ssh(&text) => return Err(unsupported(&text, "ssh")),
            None => Place::Local(local(Path::new(&text))?),
            Some(("file", path)) => Place::Local(local(Path::new(path))?),
            Some(("https", rest)) => {
                let host = rest.split('/').next().unwrap_or_default();
                if host.is_empty() || host.contains('@') {
                    let why = "the URL must have a host, and no user or password: they would be shown in the list of processes";
                    return Err(Failure::Stalled(why.to_owned()));
                }
                https::register(&text, config.authorities.as_deref())?;
                Place::Remote
            }
            Some((scheme, _)) => return Err(unsupported(&text, scheme)),
        };
        Ok(Self { config, place })
    }

    /// As the operator wrote it.
    #[must_use]
    pub fn describe(&self) -> String {
        let SourceConfig {
            repository,
            reference,
            ..
        } = &self.config;
        format!("{repository} {reference}")
    }

    /// The newest commit of the reference; a remote repository is asked. Blocks.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn fetch(&self) -> Result<Commit, Failure> {
        match &self.place {
            Place::Local(path) => self.newest(&open(path)?, &self.config.reference),
            Place::Remote => {
                let limit = self.config.deadline;
                let (fetched, ended) = deadline::within(limit, || self.fetch_remote());
                match (fetched, ended.again) {
                    (Err(Failure::Transient(message)), Some(after)) => {
                        Err(Failure::Busy { message, after })
                    }
                    (Err(Failure::Transient(message)), None) if ended.late => Err(
                        Failure::Transient(format!("{message} (not done within {limit:?})")),
                    ),
                    (fetched, _) => self.newest(&fetched?, FETCHED),
                }
            }
        }
    }

    fn fetch_remote(&self) -> Result<Repository, Failure> {
        leftovers::remove(&self.config.cache);
        let mut cache = self.cache()?;
        let mut fetched = Ok(());
        if is_whole(&cache) {
            fetched = self.fetch_into(&cache);
        }
        if !is_whole(&cache) {
            // git believes that it has what it does not have: from the beginning.
            drop(cache);
            self.discard_cache()
                .map_err(|error| Failure::Transient(error.to_string()))?;
            cache = self.cache()?;
            fetched = self.fetch_into(&cache);
        }
        fetched.map(|()| cache)
    }

    fn newest(&self, repository: &Repository, name: &str) -> Result<Commit, Failure> {
        let SourceConfig {
            repository: place,
            reference: wanted,
            ..
        } = &self.config;
        let found = repository.resolve_reference_from_short_name(name);
        let reference = found.map_err(|error| match error.code() {
            git2::ErrorCode::NotFound | git2::ErrorCode::InvalidSpec => {
                Failure::Stalled(format!("`{place}` has no branch or tag `{wanted}`"))
            }
            _ => transient("reading the reference", &error),
        })?;
        let target = reference.resolve().ok().and_then(|r| r.target());
        let what = match target {
            Some(id) => format!("`{wanted}`, object {id}"),
            None => format!("`{wanted}`"),
        };
        if let (Some(id), Ok(odb)) = (target, repository.odb())
            && odb
                .read_header(id)
                .is_ok_and(|(size, _)| size > COMMIT_LIMIT)
        {
            let why = format!("{what}: it is larger than {COMMIT_LIMIT} bytes");
            return Err(Failure::Stalled(why));
        }
        let commit = reference.peel_to_commit().map_err(|e| damaged(&what, &e))?;
        Ok(Commit::read(&commit))
    }

    /// The files of a commit that [`Source::fetch`] returned. Blocks.
    ///
    /// # Errors
    /// The configured path is not in the commit, or the repository is damaged.
    pub fn world(&self, commit: &Commit) -> Result<TreeWorld, Failure> {
        let repository = match &self.place {
            Place::Local(path) => open(path)?,
            Place::Remote => self.cache()?,
        };
        let id = Oid::from_str(&commit.id).map_err(|e| transient("reading the commit", &e))?;
        TreeWorld::read(repository, id, self.config.path.as_deref())
    }

    /// The directory whose changes say that there may be a new commit; `None` for what can only be asked.
    #[must_use]
    pub fn watched(&self) -> Option<PathBuf> {
        let Place::Local(path) = &self.place else {
            return None;
        };
        Some(open(path).ok()?.commondir().to_owned())
    }

    fn cache(&self) -> Result<Repository, Failure> {
        let path = &self.config.cache;
        match Repository::open_bare(path) {
            Ok(repository) => Ok(repository),
            Err(_) if !path.exists() => {
                Repository::init_bare(path).map_err(|e| transient("making the cache", &e))
            }
            Err(error) => {
                let damage = error.message().to_owned();
                self.discard_cache().map_err(|error| {
                    let path = path.display();
                    let what = format!("the cache `{path}` is damaged ({damage})");
                    Failure::Transient(format!("{what}, and cannot be removed: {error}"))
                })?;
                Repository::init_bare(path).map_err(|e| transient("making the cache", &e))
            }
        }
    }

    /// Removes what was fetched of a remote repository: the next fetch brings it again. Does nothing to a local one.
    ///
    /// # Errors
    /// It is there and cannot be removed.
    pub fn discard_cache(&self) -> std::io::Result<()> {
        let path = &self.config.cache;
        if matches!(self.place, Place::Local(_)) {
            return Ok(());
        }
        tracing::warn!(path = %path.display(), "the cache of the repository is damaged, it is fetched anew");
        let removed = match path.is_dir() {
            true => std::fs::remove_dir_all(path),
            false => std::fs::remove_file(path),
        };
        match removed {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn fetch_into(&self, cache: &Repository) -> Result<(), Failure> {
        let SourceConfig {
            repository: url,
            reference,
            ..
        } = &self.config;
        let failed = |error: &git2::Error| transient(&format!("fetching from `{url}`"), error);
        let mut remote = cache.remote_anonymous(url).map_err(|e| failed(&e))?;
        let name = {
            let connection = remote
                .connect_auth(Direction::Fetch, None, None)
                .map_err(|e| failed(&e))?;
            let heads = connection.list().map_err(|e| failed(&e))?;
            let candidates = [
                format!("refs/heads/{reference}"),
                format!("refs/tags/{reference}"),
                reference.clone(),
            ];
            candidates
                .into_iter()
                .find(|name| heads.iter().any(|head| head.name() == name.as_str()))
        };
        let name = name.ok_or_else(|| {
            Failure::Stalled(format!("`{url}` has no branch or tag `{reference}`"))
        })?;
        let mut callbacks = RemoteCallbacks::new();
        callbacks.transfer_progress(|progress| {
            progress.received_bytes() <= PACK_LIMIT
                && progress.total_objects() <= OBJECT_LIMIT
                && deadline::left().is_some()
        });
        let mut options = FetchOptions::new();
        options
            .remote_callbacks(callbacks)
            .download_tags(git2::AutotagOption::None);
        remote
            .fetch(&[format!("+{name}:{FETCHED}")], Some(&mut options), None)
            .map_err(|e| failed(&e))
    }
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

/// Is what was fetched last there, if anything was?
fn is_whole(cache: &Repository) -> bool {
    match cache.find_reference(FETCHED) {
        Ok(reference) => reference
            .peel_to_commit()
            .is_ok_and(|commit| commit.tree().is_ok()),
        Err(error) => error.code() == git2::ErrorCode::NotFound,
    }
}

/// `host:path`, as git itself reads it.
fn looks_like_ssh(text: &str) -> bool {
    text.split_once(':')
        .is_some_and(|(host, _)| !host.is_empty() && !host.contains('/'))
}

fn unsupported(text: &str, scheme: &str) -> Failure {
    Failure::Stalled(format!(
        "`{text}`: `{scheme}` is not supported; use a path, `file://` or `https://`"
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
    let text = error.message().chars().take(LINE_LIMIT * 2);
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
mod tests;
