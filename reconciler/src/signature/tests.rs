//! Against signatures that OpenSSH makes.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;

/// `None`, loudly, where OpenSSH's client is not installed.
fn keygen(arguments: &[&str]) -> Option<()> {
    let done = Command::new("ssh-keygen").args(arguments).output();
    let Ok(done) = done else {
        eprintln!("SKIPPED: ssh-keygen is not installed");
        return None;
    };
    assert!(done.status.success(), "{arguments:?}: {done:?}");
    Some(())
}

struct Key {
    path: PathBuf,
    public: String,
}

impl Key {
    fn make(directory: &Path, kind: &[&str], name: &str) -> Option<Self> {
        let path = directory.join(name);
        let file = path.to_str().unwrap();
        let arguments = [kind, &["-q", "-N", "", "-C", "", "-f", file]].concat();
        keygen(&arguments)?;
        let public = std::fs::read_to_string(directory.join(format!("{name}.pub"))).unwrap();
        Some(Self { path, public })
    }

    fn sign(&self, content: &[u8], options: &[&str]) -> String {
        let file = self.path.with_extension("content");
        let signature = self.path.with_extension("content.sig");
        let _ = std::fs::remove_file(&signature);
        std::fs::write(&file, content).unwrap();
        let key = self.path.to_str().unwrap();
        let begin = ["-q", "-Y", "sign", "-f", key];
        keygen(&[&begin, options, &[file.to_str().unwrap()]].concat()).unwrap();
        std::fs::read_to_string(signature).unwrap()
    }

    fn allowed(&self, options: &str) -> AllowedSigners {
        AllowedSigners::parse(&format!("dev@example.com {options} {}", self.public)).unwrap()
    }
}

const GIT: &[&str] = &["-n", "git"];
/// 2026-11-28, noon.
const NOW: u64 = 1_795_867_200;

#[test]
fn every_kind_of_key_that_people_have() {
    let directory = tempfile::tempdir().unwrap();
    for (name, kind) in [
        ("ed25519", &["-t", "ed25519"][..]),
        ("p256", &["-t", "ecdsa", "-b", "256"]),
        ("p384", &["-t", "ecdsa", "-b", "384"]),
        ("p521", &["-t", "ecdsa", "-b", "521"]),
        ("rsa", &["-t", "rsa", "-b", "2048"]),
    ] {
        let Some(key) = Key::make(directory.path(), kind, name) else {
            return;
        };
        let allowed = key.allowed("");
        // Numbers of ECDSA are now and then shorter than the curve.
        for round in 0..8 {
            let content = format!("tree {round}");
            for hash in [&["-O", "hashalg=sha256"][..], &[]] {
                let signature = key.sign(content.as_bytes(), &[GIT, hash].concat());
                let signer = verify(&signature, content.as_bytes(), &allowed, NOW).unwrap();
                assert_eq!(signer.principals, "dev@example.com");
                let other = verify(&signature, b"tree x", &allowed, NOW).unwrap_err();
                assert!(matches!(other, Unproven::Wrong { .. }), "{name}: {other}");
            }
        }
        let shown = Command::new("ssh-keygen")
            .arg("-lf")
            .arg(&key.path)
            .output()
            .unwrap();
        let shown = String::from_utf8(shown.stdout).unwrap();
        let fingerprint = verify(&key.sign(b"x", GIT), b"x", &allowed, NOW)
            .unwrap()
            .fingerprint;
        assert!(shown.contains(&fingerprint), "{shown} {fingerprint}");
    }
}

#[test]
fn only_who_may_sign_what_and_when_counts() {
    let directory = tempfile::tempdir().unwrap();
    let Some(key) = Key::make(directory.path(), &["-t", "ed25519"], "a") else {
        return;
    };
    let other = Key::make(directory.path(), &["-t", "ed25519"], "b").unwrap();
    let signature = key.sign(b"x", GIT);
    for (allowed, expected) in [
        (key.allowed("namespaces=\"git\""), "right"),
        (key.allowed("namespaces=\"file,g*\""), "right"),
        (key.allowed("namespaces=\"file\""), "other namespaces"),
        (
            key.allowed("valid-after=\"20261128\",valid-before=\"20261129\""),
            "right",
        ),
        (
            key.allowed("valid-after=\"20261129\""),
            "later commits only",
        ),
        (
            key.allowed("valid-before=\"202611281200Z\""),
            "earlier commits only",
        ),
        (other.allowed(""), "not in the list"),
    ] {
        let said = match verify(&signature, b"x", &allowed, NOW) {
            Ok(_) => "right".to_owned(),
            Err(why) => why.to_string(),
        };
        assert!(said.contains(expected), "{said}");
    }
    let both = format!("{}\n{}", "# nobody yet", key.public);
    assert!(
        AllowedSigners::parse(&both).is_err(),
        "a line without principals"
    );
}

#[test]
fn what_is_no_signature_of_git_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let Some(key) = Key::make(directory.path(), &["-t", "ed25519"], "a") else {
        return;
    };
    let allowed = key.allowed("");
    let good = key.sign(b"x", GIT);
    let blob = unarmor(&good).unwrap();
    let armor = |blob: &[u8]| format!("{BEGIN}\n{}\n{END}\n", STANDARD.encode(blob));
    assert!(verify(&armor(&blob), b"x", &allowed, NOW).is_ok());
    let file = key.sign(b"x", &["-n", "file"]);
    for (text, expected) in [
        (file, "namespace `git`"),
        (String::new(), "no frame"),
        (
            "-----BEGIN PGP SIGNATURE-----\nx\n-----END PGP SIGNATURE-----".to_owned(),
            "OpenPGP",
        ),
        (format!("{BEGIN}\n!\n{END}"), "not base64"),
        (armor(&[&blob[..], b"x"].concat()), "longer than it says"),
        (armor(b"SSHSIX"), "cut off"),
        ("x".repeat(MOST_BYTES + 1), "too large"),
    ] {
        let why = verify(&text, b"x", &allowed, NOW).unwrap_err().to_string();
        assert!(why.contains(expected), "{text}: {why}");
    }
    // Wherever it is cut or changed, it does not count, and nothing breaks.
    for at in 0..blob.len() {
        assert!(
            verify(&armor(&blob[..at]), b"x", &allowed, NOW).is_err(),
            "{at}"
        );
        let mut changed = blob.clone();
        changed[at] ^= 0x41;
        assert!(
            verify(&armor(&changed), b"x", &allowed, NOW).is_err(),
            "{at}"
        );
    }
}

#[test]
fn the_signature_of_a_tag_is_at_its_end() {
    let text = format!("object x\n\nmessage\n{BEGIN}\nAAAA\n{END}\n");
    let (begin, signature) = trailing(text.as_bytes()).unwrap();
    assert_eq!(text.get(..begin).unwrap(), "object x\n\nmessage\n");
    assert!(signature.starts_with(BEGIN));
    assert_eq!(trailing(b"object x\n\nmessage\n"), None);
    assert_eq!(trailing(format!("quoted {BEGIN}\n").as_bytes()), None);
}
