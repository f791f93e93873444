//! Signatures that git itself makes, with keys of OpenSSH.

use super::*;
use crate::settings::{Verify, VerifyMode};

struct Signed {
    origin: Origin,
    keys: tempfile::TempDir,
}

impl Signed {
    /// `None`, loudly, where OpenSSH's client is not installed. The first commit is signed.
    fn new() -> Option<Self> {
        if Command::new("ssh-keygen").arg("-?").output().is_err() {
            eprintln!("SKIPPED: ssh-keygen is not installed");
            return None;
        }
        let signed = Self {
            origin: Origin::new(),
            keys: tempfile::tempdir().unwrap(),
        };
        for name in ["dev", "other"] {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"])
                .arg(signed.keys.path().join(name))
                .status()
                .unwrap();
            assert!(made.success());
        }
        let public = std::fs::read_to_string(signed.keys.path().join("dev.pub")).unwrap();
        let line = format!("dev@example.com namespaces=\"git\" {public}");
        std::fs::write(signed.keys.path().join("allowed"), line).unwrap();
        signed.commit("dev");
        Some(signed)
    }

    fn git(&self, key: &str, arguments: &[&str]) {
        let key = self.keys.path().join(key);
        let key = format!("user.signingkey={}", key.display());
        let begin = ["-c", "gpg.format=ssh", "-c", &key];
        self.origin.git(&[&begin, arguments].concat());
    }

    /// Signed by this key, or by nobody; its identifier.
    fn commit(&self, key: &str) -> String {
        let how = match key {
            "" => "--no-gpg-sign",
            _ => "-S",
        };
        self.git(key, &["commit", "-q", "--allow-empty", how, "-m", "x"]);
        self.source(VerifyMode::Head, "main").0.fetch().unwrap().id
    }

    fn source(&self, mode: VerifyMode, reference: &str) -> (Source, PathBuf) {
        let allowed = self.keys.path().join("allowed");
        let path = self.origin.path().display().to_string();
        let mut config = self.origin.config(&path);
        config.source.reference = Reference::Named(reference.to_owned());
        config.source.verify = Some(Verify {
            mode,
            allowed_signers: allowed.clone(),
        });
        (Source::open(config).unwrap(), allowed)
    }

    /// What is said of the newest commit.
    fn verdict(&self, mode: VerifyMode, reference: &str, last: Option<&str>) -> String {
        let (source, _) = self.source(mode, reference);
        let commit = source.fetch().unwrap();
        match source.verify(&commit, last).unwrap() {
            Some(Verdict::Proven(who)) => format!("proven: {who}"),
            Some(Verdict::Unproven { reason, message }) => format!("{reason}: {message}"),
            None => panic!("nothing was asked for"),
        }
    }
}

fn said(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn the_newest_commit_must_be_signed_by_somebody_who_may() {
    let Some(signed) = Signed::new() else {
        return;
    };
    let head = || signed.verdict(VerifyMode::Head, "main", None);
    said(&head(), &["proven: commit", "dev@example.com, SHA256:"]);
    let id = signed.commit("other");
    said(&head(), &["UntrustedKey: ", &id, "not in the list"]);
    let id = signed.commit("");
    said(&head(), &["NotSigned: ", &id, "is not signed"]);
    signed.commit("dev");
    said(&head(), &["proven: "]);
    std::fs::write(signed.keys.path().join("allowed"), "").unwrap();
    said(&head(), &["AllowedSignersNotReadable: ", "names nobody"]);
    std::fs::remove_file(signed.keys.path().join("allowed")).unwrap();
    said(&head(), &["AllowedSignersNotReadable: "]);
}

#[test]
fn a_signed_commit_that_was_changed_does_not_count() {
    let Some(signed) = Signed::new() else {
        return;
    };
    let repository = Repository::open(signed.origin.path()).unwrap();
    let id = signed.commit("dev");
    let odb = repository.odb().unwrap();
    let text = odb
        .read(Oid::from_str(&id).unwrap())
        .unwrap()
        .data()
        .to_vec();
    let text = String::from_utf8(text)
        .unwrap()
        .replace("\n\nx\n", "\n\ny\n");
    let changed = odb
        .write(git2::ObjectType::Commit, text.as_bytes())
        .unwrap();
    signed
        .origin
        .git(&["update-ref", "refs/heads/main", &changed.to_string()]);
    let text = signed.verdict(VerifyMode::Head, "main", None);
    said(&text, &["InvalidSignature: ", "does not match its content"]);
}

#[test]
fn every_commit_since_the_last_good_one() {
    let Some(signed) = Signed::new() else {
        return;
    };
    let all = |last: &str| signed.verdict(VerifyMode::AllSinceLast, "main", Some(last));
    let first = signed.commit("dev");
    signed.commit("dev");
    said(&all(&first), &["proven: "]);
    let unsigned = signed.commit("");
    let last = signed.commit("dev");
    said(&all(&first), &["NotSigned: ", &unsigned]);
    // What was served already is not looked at again.
    said(&all(&unsigned), &["proven: "]);
    said(&all(&last), &["no commit since"]);
    // A branch that was merged is looked at too.
    signed.git("dev", &["checkout", "-q", "-b", "side", &last]);
    signed.git(
        "other",
        &["commit", "-q", "--allow-empty", "-S", "-m", "side"],
    );
    signed.git("dev", &["checkout", "-q", "main"]);
    signed.commit("dev");
    signed.git(
        "dev",
        &["merge", "-q", "--no-ff", "-S", "-m", "merge", "side"],
    );
    said(&all(&last), &["UntrustedKey: "]);
}

#[test]
fn a_tag_speaks_for_its_commit_under_its_own_name() {
    let Some(signed) = Signed::new() else {
        return;
    };
    let tag = |name: &str| signed.verdict(VerifyMode::Tag, name, None);
    signed.commit("");
    signed.git("dev", &["tag", "-s", "-m", "release", "v1"]);
    signed.git("other", &["tag", "-s", "-m", "release", "v2"]);
    signed.git("dev", &["tag", "-a", "--no-sign", "-m", "release", "v3"]);
    signed.git("dev", &["tag", "v4"]);
    // The signed tag, moved to another name.
    signed.git("dev", &["update-ref", "refs/tags/v5", "refs/tags/v1"]);
    said(&tag("v1"), &["proven: tag v1 ", "dev@example.com"]);
    said(&tag("v2"), &["UntrustedKey: tag v2"]);
    said(&tag("v3"), &["NotSigned: tag v3"]);
    said(&tag("v4"), &["NotSigned: it is not named by a tag"]);
    said(&tag("v5"), &["NotSigned: it is not named by a tag"]);
    said(&tag("main"), &["NotSigned: it is not named by a tag"]);
}
