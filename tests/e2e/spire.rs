//! Identities of a SPIRE agent beside each proxy, instead of those of meshd.

use std::collections::BTreeMap;
use std::path::Path;

use mesh_tests::{Agent, Authority, Load, Mesh, Options};

const DOMAIN: &str = "default.default.mesh.local";

/// The identity of everybody is one of SPIRE, and this authority is trusted for it.
fn identities(trusted: &Authority) -> String {
    let lines = trusted.certificate.lines();
    let pem: String = lines.map(|line| format!("          {line}\n")).collect();
    format!(
        "type: Mesh\nname: default\n---\ntype: MeshIdentity\nmesh: default\nname: identity\nspec:\n  selector: {{dataplane: {{matchLabels: {{}}}}}}\n  provider:\n    type: Spire\n    spire: {{agent: {{timeout: 3s}}}}\n---\ntype: MeshTrust\nmesh: default\nname: spire\nspec:\n  trustDomain: {DOMAIN}\n  caBundles:\n    - type: Pem\n      pem:\n        value: |\n{pem}"
    )
}

/// Of the workload of a Dataplane: `api-1` is one of `api`.
fn id(proxy: &str) -> String {
    let workload = proxy.rsplit_once('-').map_or(proxy, |(name, _)| name);
    format!("spiffe://{DOMAIN}/workload/{workload}")
}

type Agents = BTreeMap<String, Agent>;

fn start(directory: &Path, mesh: &Mesh, by: &Authority, bundle: &[&Authority]) -> Agents {
    let names = mesh.dataplanes().map(|dataplane| dataplane.name.clone());
    let agents = names.map(|name| {
        let socket = directory.join(format!("{name}.sock"));
        let agent = Agent::start(&socket, &id(&name), by, bundle);
        (name, agent)
    });
    agents.collect()
}

async fn shop(by: &Authority) -> (Mesh, Agents, tempfile::TempDir) {
    let identities = identities(by);
    let options = Options::from_example("shop").with(move |repo| {
        repo.write("mesh.yaml", &identities);
    });
    let mesh = options.start_meshd().await;
    mesh.start_workloads().await;
    let directory = tempfile::tempdir().unwrap();
    let agents = start(directory.path(), &mesh, by, &[by]);
    mesh.start_proxies_as(|proxy| {
        let endpoint = agents[proxy.name()].endpoint();
        proxy.with(&["--spiffe-socket", &endpoint])
    })
    .await;
    (mesh, agents, directory)
}

/// Everybody has taken over what its agent gives now.
async fn taken_over(mesh: &Mesh, change: impl Fn()) {
    let proxies = mesh.proxies();
    let marks: Vec<_> = proxies.iter().map(|proxy| proxy.log().mark()).collect();
    change();
    for (proxy, mark) in proxies.iter().zip(marks) {
        let words = "certificate of the SPIFFE agent taken over";
        proxy.log().says(mark, words, &[]).await;
    }
}

#[tokio::test]
async fn a_mesh_lives_on_what_spire_gives() {
    let (first, second) = (Authority::new(DOMAIN), Authority::new(DOMAIN));
    let (mesh, agents, _directory) = shop(&first).await;
    let answer = mesh.client("web-1", "api").get("/").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let told = answer.json()["headers"]["x-forwarded-client-cert"].clone();
    assert_eq!(told, format!("URI={}", id("web-1")), "{}", answer.text());
    assert_eq!(mesh.client("outsider-1", "api").get("/").await.status, 403);

    // Another authority of SPIRE: believed first, then it signs. The repository does not change for it.
    let load = Load::start(mesh.client("web-1", "api"), "/", 4);
    load.more(100).await;
    for (by, bundle) in [
        (&first, vec![&first, &second]),
        (&second, vec![&first, &second]),
        (&second, vec![&second]),
    ] {
        taken_over(&mesh, || {
            for (name, agent) in &agents {
                agent.renew(&id(name), by, &bundle);
            }
        })
        .await;
        load.more(100).await;
    }

    // meshd has no part in it.
    mesh.meshd().kill().await;
    taken_over(&mesh, || {
        for (name, agent) in &agents {
            agent.renew(&id(name), &second, &[&second]);
        }
    })
    .await;
    load.more(100).await;
    load.stop().await.assert_none_failed();
    let proxy = mesh.proxy("web-1");
    proxy.kill().await;
    proxy.launch();
    proxy.ready().await;
    let answer = mesh.client("web-1", "api").get("/").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[tokio::test]
async fn without_its_agent_a_proxy_says_so_and_is_nobody() {
    let authority = Authority::new(DOMAIN);
    let (mesh, mut agents, directory) = shop(&authority).await;
    // What it has is good until it ends.
    drop(agents.remove("web-1"));
    let proxy = mesh.proxy("web-1");
    proxy.log().says(0, "the SPIFFE agent is away", &[]).await;
    assert_eq!(mesh.client("web-1", "api").get("/").await.status, 200);
    // After a restart it has nothing, and what it calls says why.
    std::fs::remove_file(directory.path().join("web-1.sock")).unwrap();
    proxy.kill().await;
    let process = proxy.launch();
    let words = "the SPIFFE agent gives no certificate: mTLS fails until it does";
    let line = process.log().says(0, words, &[]).await;
    assert!(
        line.field("reason").contains("web-1.sock"),
        "{}",
        line.field("reason")
    );
    let holds = |config: &serde_json::Value| config["revision"].is_string();
    proxy.configured("what is on its disk", holds).await;
    let answer = mesh.client("web-1", "api").get("/").await;
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(
        answer
            .header("x-mesh-refusal")
            .starts_with("no-certificate")
    );
    // An agent that gives somebody else's changes nothing; the right one does.
    let socket = directory.path().join("web-1.sock");
    let agent = Agent::start(&socket, &id("api-1"), &authority, &[&authority]);
    let words =
        "the SPIFFE agent gives no certificate; what was given before is used until it ends";
    let line = process.log().says(0, words, &[]).await;
    assert!(!line.field("reason").is_empty());
    agent.renew(&id("web-1"), &authority, &[&authority]);
    proxy.ready().await;
    assert_eq!(mesh.client("web-1", "api").get("/").await.status, 200);
}
