//! One meshd over the repositories of two teams, as processes: what becomes of one is no matter of the other, and a mesh comes from
//! one of them.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use mesh_tests::{Load, Mesh, Options, Repo};
use serde_json::Value;

const BANK: [(&str, &str); 2] = [
    ("mesh.yaml", "type: Mesh\nname: bank\n"),
    (
        "till.yaml",
        "type: Dataplane\nmesh: bank\nname: till-1\nlabels:\n  app: till\nnetworking:\n  address: 127.0.0.99\n  inbound:\n    - port: 9099\n",
    ),
];

/// A mesh that follows one repository, with its proxies, and the one that is to come beside it.
struct Two {
    mesh: Mesh,
    bank: Repo,
    settings: PathBuf,
}

fn source(name: &str, repo: &Repo) -> String {
    let path = repo.path().display();
    format!("[[source]]\nname = \"{name}\"\nrepository = \"{path}\"\npoll = \"1s\"\n\n")
}

impl Two {
    async fn open() -> Self {
        let options = Options::from_example("shop").configured(|repo| source("shop", repo));
        let mesh = options.start().await;
        let bank = Repo::from_files(&BANK);
        let settings = mesh.directory().join("meshd.toml");
        Self {
            mesh,
            bank,
            settings,
        }
    }

    /// Starts meshd again, over these.
    async fn again(&self, sources: &[String]) {
        std::fs::write(&self.settings, sources.concat()).expect("settings");
        self.mesh.meshd().kill().await;
        self.mesh.meshd().start().await;
    }

    fn shop(&self) -> String {
        source("shop", self.mesh.repo())
    }

    fn bank(&self) -> String {
        source("bank", &self.bank)
    }

    /// What a source says as soon as a commit has settled.
    async fn settled(&self, name: &str, revision: &str) -> Value {
        let path = format!("/v1/status?source={name}&settled={revision}&timeout=20s");
        let answer = self.mesh.meshd().ask("GET", &path, "").await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    /// What a command says, and its exit code.
    async fn told(&self, words: &[&str]) -> (Option<i32>, String) {
        let output = self.mesh.meshd().commanded(words).await;
        let said = [output.stdout, output.stderr].concat();
        (
            output.status.code(),
            String::from_utf8_lossy(&said).into_owned(),
        )
    }
}

fn reason(status: &Value) -> &str {
    status["conditions"][0]["reason"].as_str().unwrap_or("")
}

#[tokio::test]
async fn a_second_repository_comes_beside_the_first_and_takes_nothing_from_it() {
    let two = Two::open().await;
    let first = two.mesh.head().await;
    let load = Load::start(two.mesh.client("web-1", "api"), "/", 2);
    // It names a mesh that the first one serves, and begins before it in the settings.
    two.bank.write("taken.yaml", "type: Mesh\nname: default\n");
    let taking = two.bank.commit("Take");
    two.again(&[two.bank(), two.shop()]).await;
    let status = two.settled("bank", &taking).await;
    assert_eq!(reason(&status), "MeshOfAnotherSource", "{status}");
    assert_eq!(status["revision"], Value::Null, "{status}");
    let status = two.settled("shop", &first).await;
    assert_eq!(status["revision"], first, "{status}");
    load.more(20).await;
    // Mended, it is served beside the first one.
    two.bank.remove("taken.yaml");
    let mended = two.bank.commit("Give back");
    let status = two.settled("bank", &mended).await;
    assert_eq!(status["revision"], mended, "{status}");
    assert_eq!(status["proxies"][0]["mesh"], "bank", "{status}");
    // One is broken, the other goes on, to proxies that serve meanwhile.
    two.bank.write("till.yaml", "type: Datapalne\n");
    let broken = two.bank.commit("Break");
    assert_eq!(reason(&two.settled("bank", &broken).await), "CompileFailed");
    two.mesh
        .repo()
        .replace("api/canary.yaml", "weight: 10", "weight: 20");
    let second = two.mesh.repo().commit("More");
    let status = two.settled("shop", &second).await;
    assert_eq!(status["revision"], second, "{status}");
    let web = two.mesh.proxy("web-1");
    assert_eq!(web.config().await["revision"], second);
    // And after a kill both are served from the disk, although one repository is gone.
    std::fs::rename(two.bank.path().join(".git"), two.bank.path().join("away")).expect("moved");
    two.again(&[two.shop(), two.bank()]).await;
    let (code, said) = two.told(&["status"]).await;
    assert_eq!(code, Some(0), "{said}");
    for part in [
        "source shop\nserving",
        "source bank\nserving",
        second.as_str(),
        mended.as_str(),
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    load.more(20).await;
    load.stop().await.assert_none_failed();
}

#[tokio::test]
async fn commands_ask_for_the_name_where_there_are_several() {
    let two = Two::open().await;
    two.again(&[two.shop(), two.bank()]).await;
    let first = two.bank.git(&["rev-parse", "HEAD"]);
    two.settled("bank", &first).await;
    let lunch = ["--reason", "lunch", "--by", "ada"];
    for words in [
        &["history"][..],
        &["diff"],
        &["fleet"],
        &["rollout", "pause"],
        &[&["suspend"], &lunch[..]].concat(),
        &["resume"],
        &[&["rollback", &first], &lunch[..]].concat(),
        &["status", "--wait", &first, "--timeout", "60s"],
    ] {
        let begin = Instant::now();
        let (code, said) = two.told(words).await;
        assert_eq!(code, Some(2), "{words:?}: {said}");
        assert!(said.contains("`shop`, `bank`"), "{words:?}: {said}");
        assert!(begin.elapsed() < Duration::from_secs(30), "{words:?}");
    }
    let (code, said) = two.told(&["history", "--source", "till"]).await;
    assert_eq!(
        (code, said.contains("no source is named `till`")),
        (Some(2), true),
        "{said}"
    );
    let (_, said) = two.told(&["history", "--source", "a&b"]).await;
    assert!(said.contains("is no name"), "{said}");
    // By name, each is told alone.
    two.bank.write("note.yaml", "# A note.\n");
    let second = two.bank.commit("Note");
    let (code, said) = two
        .told(&["status", "--source", "bank", "--wait", &second])
        .await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(&second) && !said.contains("api-1"), "{said}");
    let back = [&["rollback", &first, "--source", "bank"], &lunch[..]].concat();
    let (code, said) = two.told(&back).await;
    assert_eq!(code, Some(0), "{said}");
    let (_, said) = two.told(&["history", "--source", "bank"]).await;
    assert!(said.contains("live (rollback)"), "{said}");
    let (_, said) = two.told(&["status", "--source", "shop"]).await;
    assert!(
        said.contains("Ready=True") && !said.contains("ada"),
        "{said}"
    );
    let (code, said) = two.told(&["reconcile"]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("shop is looked at;") && said.contains("bank is looked at;"),
        "{said}"
    );
    two.mesh
        .meshd()
        .command(&["resume", "--source", "bank"])
        .await;
    let status = two.settled("bank", &second).await;
    assert_eq!(status["revision"], second, "{status}");
}

#[tokio::test]
async fn a_mesh_moves_to_another_repository_while_it_serves() {
    let two = Two::open().await;
    two.again(&[two.shop(), two.bank()]).await;
    let load = Load::start(two.mesh.client("web-1", "api"), "/", 2);
    let files = two.mesh.repo().files();
    for file in files.iter().filter(|file| !file.starts_with(".git/")) {
        two.bank
            .write(&format!("shop/{file}"), &two.mesh.repo().read(file));
    }
    let taking = two.bank.commit("Take the shop over");
    let status = two.settled("bank", &taking).await;
    assert_eq!(reason(&status), "MeshOfAnotherSource", "{status}");
    let log = two.mesh.meshd().process().log().clone();
    let mark = log.mark();
    two.mesh.repo().git(&["rm", "--quiet", "-r", "."]);
    two.mesh
        .repo()
        .write("mesh.yaml", "type: Mesh\nname: spare\n");
    let given = two
        .mesh
        .repo()
        .commit("Give it up\n\nMesh-Allow-Prune: true\nMesh-Allow-Distrust: true");
    let status = two.settled("shop", &given).await;
    assert_eq!(status["revision"], given, "{status}");
    // The other one does not wait for its next look at git.
    log.says(mark, "published", &[("revision", &taking)]).await;
    let status = two.settled("bank", &taking).await;
    assert_eq!(status["revision"], taking, "{status}");
    // Its proxies come to it by themselves, with the certificates that they have, and follow it.
    two.bank
        .replace("shop/api/canary.yaml", "weight: 10", "weight: 20");
    let change = two.bank.commit("More");
    let status = two.settled("bank", &change).await;
    assert_eq!(status["revision"], change, "{status}");
    let log = two.mesh.proxy("web-1").log().clone();
    log.says(0, "applied", &[("revision", &change)]).await;
    load.more(50).await;
    load.stop().await.assert_none_failed();
}
