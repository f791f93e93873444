//! Only what is signed by whom the operator names is served, whatever is committed.

use std::path::Path;
use std::process::Command;

use mesh_tests::{Options, Repo};

/// A key of OpenSSH that commits of the repository are signed with from now on, and the line that lets it.
fn key(directory: &Path, name: &str) -> String {
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"])
        .arg(directory.join(name))
        .status()
        .expect("ssh-keygen");
    assert!(made.success());
    let public = std::fs::read_to_string(directory.join(format!("{name}.pub")));
    format!("{name}@example.test {}", public.expect("a public key"))
}

/// Status and reason of a condition.
fn condition(status: &serde_json::Value, kind: &str) -> String {
    let all = status["conditions"].as_array().expect("conditions").iter();
    let found = all.filter(|condition| condition["type"] == kind);
    let words = found.map(|condition| {
        let word = |field: &str| condition[field].as_str().unwrap_or_default().to_owned();
        word("status") + " " + &word("reason")
    });
    words.collect()
}

fn sign_with(repo: &Repo, key: &Path) {
    repo.git(&["config", "gpg.format", "ssh"]);
    repo.git(&["config", "user.signingkey", &key.to_string_lossy()]);
}

/// Commits something, signed or not.
fn commit(repo: &Repo, how: &str, text: &str) -> String {
    repo.write("note.yaml", text);
    repo.git(&["add", "--all"]);
    repo.git(&["commit", "--quiet", how, "--message", "Change"]);
    repo.git(&["rev-parse", "HEAD"])
}

#[tokio::test]
async fn only_commits_that_are_signed_are_served() {
    if Command::new("ssh-keygen").arg("-?").output().is_err() {
        eprintln!("SKIPPED: ssh-keygen is not installed");
        return;
    }
    let keys = tempfile::tempdir().expect("a directory");
    let allowed = key(keys.path(), "dev");
    key(keys.path(), "mallory");
    std::fs::write(keys.path().join("allowed"), allowed).expect("written");
    let options = Options::from_example("shop").with(|repo| {
        sign_with(repo, &keys.path().join("dev"));
    });
    let signers = keys.path().join("allowed");
    let options = options.configured(|repo| {
        format!(
            "[[source]]\nname = \"shop\"\nrepository = \"{}\"\nverify = {{ mode = \"all-since-last\", allowed-signers = \"{}\" }}\n",
            repo.path().display(),
            signers.display(),
        )
    });
    let mesh = options.start_meshd().await;
    let repo = mesh.repo();
    // It was made by who knows whom, and there is nothing before it.
    let first = mesh.meshd().status().await;
    assert_eq!(first.revision(), "");
    assert_eq!(
        condition(&first.status, "SourceVerified"),
        "False NotSigned"
    );

    let good = commit(repo, "--gpg-sign", "# signed\n");
    let served = mesh.meshd().settled(&good).await;
    assert_eq!(served.revision(), good);
    assert_eq!(
        condition(&served.status, "SourceVerified"),
        "True Succeeded"
    );

    let unsigned = commit(repo, "--no-gpg-sign", "# not signed\n");
    let refused = mesh.meshd().settled(&unsigned).await;
    assert_eq!(refused.revision(), good);
    assert_eq!(
        condition(&refused.status, "SourceVerified"),
        "False NotSigned"
    );
    assert_eq!(condition(&refused.status, "Stalled"), "True NotSigned");

    // Signed by somebody on top of it: the one before is still not.
    let on_top = commit(repo, "--gpg-sign", "# signed on top\n");
    assert_eq!(mesh.meshd().settled(&on_top).await.revision(), good);
    repo.git(&["reset", "--quiet", "--hard", &good]);
    sign_with(repo, &keys.path().join("mallory"));
    let stranger = commit(repo, "--gpg-sign", "# by a stranger\n");
    let refused = mesh.meshd().settled(&stranger).await;
    assert_eq!(
        condition(&refused.status, "SourceVerified"),
        "False UntrustedKey"
    );

    repo.git(&["reset", "--quiet", "--hard", &good]);
    sign_with(repo, &keys.path().join("dev"));
    let mended = commit(repo, "--gpg-sign", "# signed again\n");
    let served = mesh.meshd().settled(&mended).await;
    assert_eq!(served.revision(), mended);
    assert_eq!(condition(&served.status, "Ready"), "True Published");
}
