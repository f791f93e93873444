//! A remote repository on this machine: a bare repository of meshd's own, that holds what was fetched.
//!
//! Never believed when it is damaged: it is removed, and fetched again.

use std::path::Path;

use git2::{Direction, FetchOptions, Oid, ProxyOptions, RemoteCallbacks, Repository};

use super::reference::{Names, Target, choose};
use super::{Failure, OBJECT_LIMIT, PACK_LIMIT, SourceConfig, deadline, leftovers, transient};

/// Where the cache keeps what it last fetched.
pub(super) const FETCHED: &str = "refs/meshd/fetched";

/// Opens it, makes it where it is not there, and makes it anew where it is damaged.
pub(super) fn open(path: &Path) -> Result<Repository, Failure> {
    match Repository::open_bare(path) {
        Ok(repository) => Ok(repository),
        Err(_) if !path.exists() => {
            Repository::init_bare(path).map_err(|e| transient("making the cache", &e))
        }
        Err(error) => {
            let damage = error.message().to_owned();
            discard(path).map_err(|error| {
                let path = path.display();
                let what = format!("the cache `{path}` is damaged ({damage})");
                Failure::Transient(format!("{what}, and cannot be removed: {error}"))
            })?;
            Repository::init_bare(path).map_err(|e| transient("making the cache", &e))
        }
    }
}

/// Removes it.
pub(super) fn discard(path: &Path) -> std::io::Result<()> {
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

/// Fetches what is wanted, into a cache that is whole.
pub(super) fn fetch(config: &SourceConfig, from: &str) -> Result<(Repository, Target), Failure> {
    let path = &config.cache;
    leftovers::remove(path);
    let cache = open(path)?;
    if is_whole(&cache) {
        let fetched = fetch_into((config, from), &cache);
        if is_whole(&cache) {
            return fetched.map(|target| (cache, target));
        }
    }
    // git believes that it has what it does not have: from the beginning.
    drop(cache);
    discard(path).map_err(|error| Failure::Transient(error.to_string()))?;
    let cache = open(path)?;
    fetch_into((config, from), &cache).map(|target| (cache, target))
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

struct Listed(Vec<String>);

impl Names for Listed {
    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|listed| listed == name)
    }

    fn tags(&self) -> Vec<String> {
        let tags = self.0.iter().filter_map(|n| n.strip_prefix("refs/tags/"));
        // What an annotated tag points to is listed beside it.
        let tags = tags.filter(|name| !name.ends_with("^{}"));
        tags.map(str::to_owned).collect()
    }
}

fn fetch_into(
    (config, from): (&SourceConfig, &str),
    cache: &Repository,
) -> Result<Target, Failure> {
    let source = &config.source;
    let url = &source.repository;
    let failed = |error: &git2::Error| transient(&format!("fetching from `{url}`"), error);
    let mut remote = cache.remote_anonymous(from).map_err(|e| failed(&e))?;
    let names = {
        let connection = remote
            .connect_auth(Direction::Fetch, None, None)
            .map_err(|e| failed(&e))?;
        let heads = connection.list().map_err(|e| failed(&e))?;
        Listed(heads.iter().map(|head| head.name().to_owned()).collect())
    };
    let target = choose(&source.reference, &names, url)?;
    let wanted = match &target {
        Target::Name(name) => vec![format!("+{name}:{FETCHED}")],
        Target::Commit(id) if has_commit(cache, id) => return Ok(target),
        Target::Commit(_) => vec![
            "+refs/heads/*:refs/meshd/heads/*".to_owned(),
            "+refs/tags/*:refs/meshd/tags/*".to_owned(),
        ],
    };
    let mut callbacks = RemoteCallbacks::new();
    callbacks.transfer_progress(|progress| {
        progress.received_bytes() <= PACK_LIMIT
            && progress.total_objects() <= OBJECT_LIMIT
            && deadline::left().is_some()
    });
    let mut options = FetchOptions::new();
    options
        .remote_callbacks(callbacks)
        .proxy_options(ProxyOptions::new())
        .download_tags(git2::AutotagOption::None);
    if source.shallow {
        options.depth(1);
    }
    remote
        .fetch(&wanted, Some(&mut options), None)
        .map_err(|e| failed(&e))?;
    match &target {
        Target::Commit(id) if !has_commit(cache, id) => Err(Failure::Stalled(format!(
            "`{url}` has no commit `{id}` on a branch or tag"
        ))),
        _ => Ok(target),
    }
}

fn has_commit(cache: &Repository, id: &str) -> bool {
    Oid::from_str(id).is_ok_and(|id| cache.find_commit(id).is_ok())
}
