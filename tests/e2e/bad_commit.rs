//! A commit with a mistake changes nothing but what is said about it.

use mesh_tests::{Load, Mesh, meshc_check};

const CANARY: &str = "api/canary.yaml";

#[tokio::test]
async fn a_mistake_is_not_published_and_told_as_meshc_tells_it() {
    let mesh = Mesh::from_example("shop").await;
    let good = mesh.head().await;
    let load = Load::start(mesh.client("web-1", "api"), "/", 2);
    let (bad, settled) = mesh
        .try_change(|repo| repo.replace(CANARY, "weight: 10", "wieght: 10"))
        .await;
    assert_eq!(settled.revision(), good);
    assert_eq!(settled.status["seen"], bad);
    let (told, code) = meshc_check(mesh.repo().path());
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains(CANARY), "{told}");
    assert!(told.contains("did you mean `weight`"), "{told}");
    assert_eq!(settled.diagnostics().trim(), told.trim());
    let log = mesh.meshd().process().log().clone();
    let line = log.says(0, "not published", &[("revision", &bad)]).await;
    assert!(line.field("diagnostics").contains("wieght"), "{line}");
    load.more(50).await;
    for proxy in mesh.proxies() {
        assert_eq!(proxy.config().await["revision"], good, "{}", proxy.name());
    }

    let mended = mesh
        .change(|repo| repo.replace(CANARY, "wieght: 10", "weight: 20"))
        .await;
    assert_eq!(mended.diagnostics(), "");
    load.more(50).await;
    load.stop().await.assert_none_failed();
}

#[tokio::test]
async fn a_reference_to_nothing_is_a_mistake() {
    let mesh = Mesh::from_example("shop").await;
    let good = mesh.head().await;
    let (_, settled) = mesh
        .try_change(|repo| repo.replace(CANARY, "display-name: api-v2", "display-name: api-v3"))
        .await;
    assert_eq!(settled.revision(), good);
    assert!(
        settled.diagnostics().contains("dangling-ref"),
        "{}",
        settled.status
    );
    assert_eq!(mesh.client("web-1", "api").get("/").await.status, 200);
}

#[tokio::test]
async fn a_deleted_branch_takes_nothing_away() {
    let mesh = Mesh::from_example("shop").await;
    let good = mesh.head().await;
    let log = mesh.meshd().process().log().clone();
    let mark = log.mark();
    mesh.repo().git(&["checkout", "--quiet", "--detach"]);
    mesh.repo().git(&["branch", "--delete", "--force", "main"]);
    log.says(mark, "not published", &[]).await;
    assert_eq!(mesh.meshd().status().await.revision(), good);
    assert_eq!(mesh.client("web-1", "api").get("/").await.status, 200);

    mesh.repo().git(&["checkout", "--quiet", "-b", "main"]);
    mesh.change(|repo| repo.replace(CANARY, "weight: 10", "weight: 11"))
        .await;
}

#[tokio::test]
async fn a_commit_that_removes_nearly_everything_needs_a_word() {
    let mesh = Mesh::from_example("shop").await;
    let good = mesh.head().await;
    let (gone, settled) = mesh
        .try_change(|repo| {
            for file in repo.files() {
                if file.ends_with(".yaml") && file != "mesh.yaml" {
                    repo.remove(&file);
                }
            }
        })
        .await;
    assert_eq!(settled.revision(), good, "{}", settled.status);
    let log = mesh.meshd().process().log().clone();
    let fields = [("revision", gone.as_str()), ("reason", "PruneGuard")];
    let said = log.says(0, "not published", &fields).await;
    assert_eq!(mesh.client("web-1", "api").get("/").await.status, 200);

    // Going back is an ordinary commit.
    mesh.change(|repo| {
        repo.git(&["checkout", "--quiet", "HEAD~1", "--", "."]);
    })
    .await;
    assert_eq!(mesh.client("web-1", "api").get("/").await.status, 200);

    // And meaning it takes the word that the refusal names.
    let word = "Mesh-Allow-Prune: true";
    assert!(said.to_string().contains(word), "{said}");
    mesh.repo().git(&["checkout", "--quiet", &gone, "--", "."]);
    mesh.repo()
        .git(&["rm", "-r", "--quiet", "api", "db", "web", "outsider"]);
    let meant = mesh.repo().commit(&format!("Close the shop\n\n{word}"));
    assert_eq!(mesh.meshd().settled(&meant).await.revision(), meant);
}
