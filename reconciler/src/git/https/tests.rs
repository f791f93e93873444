//! Against git's own server side, `git http-backend`, behind TLS.

mod credentials;
mod hostile;
pub(crate) mod server;

use crate::git::{Failure, Source};
use server::Server;

#[test]
fn commits_arrive_over_https() {
    let Some(server) = Server::start() else {
        return;
    };
    server.commit("one");
    let source = server.source("mesh.git");
    let first = source.fetch().unwrap();
    assert_eq!(first.subject, "one");
    server.commit("two");
    assert_eq!(
        server.source("moved").fetch().unwrap().subject,
        "two",
        "redirected on the same host"
    );
    let second = source.fetch().unwrap();
    assert_eq!(second.subject, "two");
    let read =
        |commit| mesh_compiler::World::read(&source.world(commit).unwrap(), "a.yaml").unwrap();
    assert_eq!(
        (read(&first), read(&second)),
        (b"one".to_vec(), b"two".to_vec())
    );
}

#[test]
fn refusals_say_why() {
    let Some(server) = Server::start() else {
        return;
    };
    server.commit("one");
    for (path, expected) in [
        ("nothing.git", "no such repository (status 404"),
        ("private/x.git", "asks for credentials, or does not take"),
        ("website/x.git", "does not speak git's smart HTTP protocol"),
        ("elsewhere/x.git", "redirects to another place"),
    ] {
        let failure = server.source(path).fetch().unwrap_err();
        let refused = matches!(failure, Failure::Unauthorized(_));
        assert_eq!(refused, path.starts_with("private/"), "{failure:?}");
        assert!(
            refused || matches!(failure, Failure::Transient(_)),
            "{failure:?}"
        );
        assert!(failure.to_string().contains(expected), "{path}: {failure}");
    }
}

#[test]
fn a_server_that_nobody_vouches_for_is_refused() {
    let Some(server) = Server::start() else {
        return;
    };
    server.commit("one");
    let mut source = server.source("other.git");
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let path = server.directory.path().join("other.pem");
    std::fs::write(&path, other.cert.pem()).unwrap();
    source.config.source.ca = Some(path);
    let source = Source::open(source.config).unwrap();
    let failure = source.fetch().unwrap_err().to_string();
    assert!(failure.to_lowercase().contains("certificate"), "{failure}");
}

#[test]
fn a_damaged_cache_is_fetched_anew() {
    let Some(server) = Server::start() else {
        return;
    };
    server.commit("one");
    let source = server.source("mesh.git");
    let cache = source.config.cache.clone();
    let commit = source.fetch().unwrap();
    for damage in ["HEAD", "config"] {
        std::fs::write(cache.join(damage), b"\0garbage[[[").unwrap();
        assert_eq!(source.fetch().unwrap(), commit, "{damage}");
    }
    std::fs::remove_dir_all(&cache).unwrap();
    std::fs::write(&cache, b"not a directory").unwrap();
    assert_eq!(source.fetch().unwrap(), commit);
    std::fs::remove_dir_all(cache.join("objects")).unwrap();
    std::fs::create_dir(cache.join("objects")).unwrap();
    source.world(&commit).unwrap_err();
    assert_eq!(source.fetch().unwrap(), commit);
    source.world(&commit).unwrap();
}

#[test]
fn a_fetch_that_was_killed_is_not_in_the_way_of_the_next_one() {
    let Some(server) = Server::start() else {
        return;
    };
    server.commit("one");
    let source = server.source("mesh.git");
    source.fetch().unwrap();
    let cache = &source.config.cache;
    let left = [
        "HEAD.lock",
        "config.lock",
        "packed-refs.lock",
        "FETCH_HEAD.lock",
        "refs/meshd/fetched.lock",
        "objects/pack/pack_git2_0123456789abcdef",
    ];
    for file in left {
        std::fs::write(cache.join(file), "half").unwrap();
    }
    server.commit("two");
    assert_eq!(source.fetch().unwrap().subject, "two");
    for file in left {
        assert!(!cache.join(file).exists(), "{file}");
    }
}

#[test]
fn whatever_is_lost_of_the_cache_comes_back() {
    let Some(server) = Server::start() else {
        return;
    };
    server.commit("one");
    let source = server.source("mesh.git");
    source.fetch().unwrap();
    let pack = source.config.cache.join("objects/pack");
    for round in 0..2 {
        for kind in ["pack", "idx"] {
            server.commit(&format!("{round} {kind}"));
            source.fetch().unwrap();
            for entry in std::fs::read_dir(&pack).unwrap() {
                let path = entry.unwrap().path();
                if path.extension().is_some_and(|extension| extension == kind) {
                    // A map of the file must not be cut short under libgit2: another file takes its place.
                    let garbage = path.with_extension("new");
                    std::fs::write(&garbage, "garbage").unwrap();
                    std::fs::rename(garbage, path).unwrap();
                }
            }
            let read = || {
                let commit = source.fetch()?;
                let world = source.world(&commit)?;
                Ok::<_, Failure>(mesh_compiler::World::read(&world, "a.yaml").unwrap())
            };
            if read().is_err() {
                source.discard_cache().unwrap();
            }
            read().unwrap();
        }
    }
}
