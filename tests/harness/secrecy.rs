//! Whether a process has said what is secret: each line of each process, in every test.
//!
//! Never tells in a failure what was said, only which process, which line and whose secret it was.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::log::Log;

/// Shorter texts stand anywhere.
const SHORTEST: usize = 16;
/// Larger files hold something else.
const LARGEST: u64 = 64 << 10;
/// Begin what nobody may say, whosever it is.
const MARKS: [&str; 2] = ["PRIVATE KEY-----", "BEGIN PRIVATE KEY"];
/// Begins a join token.
const TOKEN: &str = "mesh1.";

/// What every process said that keeps its state below a directory.
static SAID: Mutex<Vec<(PathBuf, Log)>> = Mutex::new(Vec::new());

fn said() -> MutexGuard<'static, Vec<(PathBuf, Log)>> {
    SAID.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A process with its state there has begun to speak.
pub(crate) fn listens(state: &Path, log: &Log) {
    said().push((state.to_owned(), log.clone()));
}

/// What every process said whose state is below `directory`, held against what is secret there and in `repository`.
pub(crate) fn leak_of(directory: &Path, repository: &Path) -> Option<String> {
    let logs: Vec<Log> = {
        let mut said = said();
        let (ours, others) = std::mem::take(&mut *said)
            .into_iter()
            .partition(|(state, _)| state.starts_with(directory));
        *said = others;
        let ours: Vec<(PathBuf, Log)> = ours;
        ours.into_iter().map(|(_, log)| log).collect()
    };
    let mut secrets = BTreeMap::new();
    for root in [directory, repository] {
        collect(root, &mut secrets);
    }
    logs.iter().find_map(|log| leak_in(log, &secrets))
}

/// What nobody may say, whatever stands in whose directory.
pub(crate) fn mark_in(log: &Log) -> Option<String> {
    leak_in(log, &BTreeMap::new())
}

fn leak_in(log: &Log, secrets: &BTreeMap<String, PathBuf>) -> Option<String> {
    let lines = log.texts();
    lines.iter().enumerate().find_map(|(index, line)| {
        let whose = if MARKS.iter().any(|mark| line.contains(mark)) {
            "a private key".to_owned()
        } else if has_token(line) {
            "a join token".to_owned()
        } else {
            let secret = secrets.iter().find(|(secret, _)| line.contains(*secret));
            format!("what is secret in {}", secret?.1.display())
        };
        let name = log.name();
        Some(format!("line {} of {name} says {whose}", index + 1))
    })
}

/// Is there a whole token, with its signature?
fn has_token(line: &str) -> bool {
    line.split(TOKEN).skip(1).any(|rest| {
        let is_text = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        let (claims, rest) = rest.split_once('.').unwrap_or_default();
        let signature = rest.chars().take_while(|c| is_text(*c)).count();
        claims.len() > SHORTEST && claims.chars().all(is_text) && signature > SHORTEST
    })
}

/// Every secret below a directory, and the file that it is from.
fn collect(directory: &Path, secrets: &mut BTreeMap<String, PathBuf>) {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return;
    };
    for entry in entries.flatten() {
        let (path, kind) = (entry.path(), entry.file_type());
        let name = entry.file_name();
        if kind.as_ref().is_ok_and(std::fs::FileType::is_dir) {
            if name != ".git" && name != "objects" {
                collect(&path, secrets);
            }
            continue;
        }
        let is_small = entry
            .metadata()
            .is_ok_and(|it| it.is_file() && it.len() <= LARGEST);
        if let Some(text) = is_small
            .then(|| std::fs::read_to_string(&path).ok())
            .flatten()
        {
            for secret in secrets_of(&path, &text) {
                secrets.insert(secret, path.clone());
            }
        }
    }
}

/// The lines of private keys, the signatures of tokens, whatever stands in files and documents for secrets.
fn secrets_of(path: &Path, text: &str) -> Vec<String> {
    let shown = path.to_string_lossy();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_secret = ["/secrets/", "secret", "passphrase"]
        .iter()
        .any(|part| shown.contains(part) && !name.ends_with(".yaml"));
    let is_token = name.ends_with(".token") || name == "admin-token";
    let (mut found, mut block) = (Vec::new(), "");
    for line in text.lines() {
        let line = line.trim();
        if let Some(label) = line.strip_prefix("-----BEGIN ") {
            block = if label.contains("PRIVATE KEY") {
                "key"
            } else {
                "other"
            };
        } else if line.starts_with("-----END ") {
            block = "";
        } else if block == "key" || (block.is_empty() && is_secret) {
            found.push(line.to_owned());
        } else if block.is_empty() && is_token {
            // Without its signature it lets nobody in.
            let last = line
                .rsplit_once('.')
                .map_or(line, |(_, signature)| signature);
            found.push(last.to_owned());
        }
    }
    if name.ends_with(".yaml") {
        found.extend(documents(text));
    }
    found.retain(|secret| secret.len() >= SHORTEST);
    found
}

/// What documents of the type `Secret` hold, as it stands there and as it is meant.
fn documents(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let secret = |document: &&str| document.lines().any(|line| line.trim() == "type: Secret");
    for document in text.split("\n---").filter(secret) {
        let data = document
            .lines()
            .find_map(|line| line.trim().strip_prefix("data:"));
        let data = data.unwrap_or_default().trim().trim_matches('"');
        found.push(data.to_owned());
        let meant = STANDARD.decode(data).unwrap_or_default();
        let meant = String::from_utf8_lossy(&meant).into_owned();
        let is_certificate = meant.contains("BEGIN CERTIFICATE");
        found.extend(meant.lines().filter(|_| !is_certificate).map(str::to_owned));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leak(line: &str, directory: &Path) -> Option<String> {
        let log = Log::new("meshd");
        log.push("listening".to_owned());
        log.push(line.to_owned());
        listens(&directory.join("meshd"), &log);
        leak_of(directory, &directory.join("repository"))
    }

    #[test]
    fn what_is_secret_is_found_in_what_was_said() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        for (file, text) in [
            (
                "web-1.token",
                "mesh1.eyJpZCI6IjEifQ.c2lnbmF0dXJlLW9mLWEtdG9rZW4\n",
            ),
            (
                "meshd/ca/control.pem",
                "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEG\n-----END PRIVATE KEY-----\n-----BEGIN CERTIFICATE-----\nMIIBpublicpublicpublic\n-----END CERTIFICATE-----\n",
            ),
            ("meshd/secrets/upstream", "correct horse battery\n"),
            (
                "repository/a.yaml",
                "type: Mesh\nname: default\n---\ntype: Secret\nmesh: default\nname: s\ndata: dHJvdWJhZG9yIGFuZCAzIHdvcmRz\n",
            ),
        ] {
            let path = root.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        for (line, whose) in [
            ("token c2lnbmF0dXJlLW9mLWEtdG9rZW4 seen", "web-1.token"),
            ("x MIGHAgEAMBMGByqGSM49AgEG y", "control.pem"),
            ("wrong password: correct horse battery", "secrets/upstream"),
            ("troubador and 3 words", "a.yaml"),
            ("dHJvdWJhZG9yIGFuZCAzIHdvcmRz", "a.yaml"),
            ("-----BEGIN EC PRIVATE KEY-----", "a private key"),
            (
                "mesh1.eyJpZCI6IjEyMzQ1Njc4OSJ9.c2lnbmF0dXJlLXNpZ25hdHVyZQ",
                "a join token",
            ),
        ] {
            let told = leak(line, root).unwrap();
            assert!(
                told.contains("line 2 of meshd") && told.contains(whose),
                "{told}"
            );
            assert!(!told.contains(line), "{told}");
        }
        for line in [
            "MIIBpublicpublicpublic",
            "mesh1. is how tokens begin",
            "web-1.token",
        ] {
            assert_eq!(leak(line, root), None, "{line}");
        }
    }
}
