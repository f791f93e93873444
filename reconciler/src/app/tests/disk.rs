//! What a disk does to the state directory: every file, one by one, in every way that it can be lost.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Meshd;
use super::room::Room;
use crate::ca;
use crate::registry::Now;
use crate::revocation;
use crate::state::StateDir;

fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                found.insert(path.clone(), std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

fn restore(directory: &Path, kept: &BTreeMap<PathBuf, Vec<u8>>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => std::fs::remove_dir_all(path).unwrap(),
            false => std::fs::remove_file(path).unwrap(),
        }
    }
    for (path, bytes) in kept {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_file_is_lost_meshd_heals_or_says_which() {
    let (mut room, first) = Room::open().await;
    let token = room.for_workload("web");
    room.enroll(&token, None, None).await.unwrap();
    room.for_dataplane("api-1");
    let now = Now::read().unix;
    let state = StateDir::beside(room.state.path()).unwrap();
    revocation::revoke(&state, "shop", "api-9", now).unwrap();
    room.stop().await;
    let root = state.root().to_owned();
    let kept = files(&root);
    for (path, bytes) in &kept {
        let name = path.strip_prefix(&root).unwrap().display().to_string();
        let half = bytes.get(..bytes.len() / 2).unwrap_or_default();
        let zeros = vec![0; bytes.len()];
        for damage in [
            None,
            Some(&b""[..]),
            Some(half),
            Some(b"\0garbage{"),
            Some(&zeros),
        ] {
            match damage {
                None => std::fs::remove_file(path).unwrap(),
                Some(damage) => std::fs::write(path, damage).unwrap(),
            }
            let left = damage.map(<[u8]>::len);
            let what = format!("{name} with {left:?} of {} bytes", bytes.len());
            match room.start().await {
                Ok(()) => {
                    let status = room.settled(&first).await;
                    assert_eq!(status["revision"], first, "{what}: {status}");
                    room.stop().await;
                }
                Err(failure) => {
                    let text = failure.to_string();
                    let stops = ["ca/", "revoked/", "authorities", "anchors"];
                    let stops = stops.iter().any(|stop| name.starts_with(stop));
                    let file = path.file_name().unwrap().to_str().unwrap();
                    let stem = file.split('.').next().unwrap();
                    assert!(stops && text.contains(stem), "{what}: {text}");
                }
            }
            for (path, bytes) in kept
                .iter()
                .filter(|(path, _)| path.starts_with(root.join("ca")))
            {
                let after = std::fs::read(path).ok();
                let same =
                    after.is_none() || after.as_ref() == Some(bytes) || path.ends_with(&name);
                assert!(same, "{what}: {} was made again", path.display());
            }
            restore(&root, &kept);
        }
    }
    room.start().await.unwrap();
    room.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_cannot_be_written_is_told_at_once() {
    let room = Room::new();
    let file = room.state.path().join("file");
    std::fs::write(&file, "").unwrap();
    for place in [Path::new("/proc/meshd"), &file, &file.join("below")] {
        let mut config = room.config();
        config.state = place.to_owned();
        let failure = Meshd::start(config).await.err().unwrap().to_string();
        assert!(failure.contains(&place.display().to_string()), "{failure}");
        ca::control(place, 0).map(drop).unwrap_err();
    }
}
