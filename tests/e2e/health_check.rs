//! Instances are asked whether they are well before anybody sends them a request.

use std::collections::BTreeSet;

use mesh_tests::{Client, Mesh, Options, within};

const PATH: &str = "api/health.yaml";

fn policy(default: &str) -> String {
    format!(
        "type: MeshHealthCheck\nmesh: default\nname: api-health\nspec:\n  to:\n    - targetRef: {{kind: MeshService, labels: {{kuma.io/display-name: api}}}}\n      default: {default}\n"
    )
}

/// Half of the instances is not well, which is enough for the others to do without them.
async fn shop(default: &str) -> Mesh {
    let text = policy(default);
    let options = Options::from_example("shop").with(move |repo| {
        repo.remove("api/canary.yaml");
        repo.write(PATH, &text);
    });
    options.only(&["web-1", "api-1", "api-2"]).start().await
}

async fn serve(client: &Client) -> BTreeSet<String> {
    let mut by = BTreeSet::new();
    for _ in 0..8 {
        let answer = client.get("/").await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        by.insert(answer.by().to_owned());
    }
    by
}

/// Asks until exactly these serve.
async fn until(client: &Client, names: &[&str]) {
    let expected: BTreeSet<String> = names.iter().map(|name| (*name).to_owned()).collect();
    within("the right ones serve", async {
        while serve(client).await != expected {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn who_is_not_well_gets_no_request_until_it_is() {
    let often = "interval: 50ms, noTrafficInterval: 50ms, timeout: 5s, unhealthyThreshold: 2";
    let mesh = shop(&format!("{{{often}, http: {{path: /sick/api-2}}}}")).await;
    let client = mesh.client("web-1", "api");
    until(&client, &["api-1"]).await;

    // It has an answer to other questions.
    mesh.commit(PATH, &policy(&format!("{{{often}, http: {{path: /}}}}")))
        .await;
    until(&client, &["api-1", "api-2"]).await;
    mesh.proxy("web-1")
        .log()
        .says(0, "an instance is well again", &[])
        .await;

    // By TCP everybody is well whose proxy takes a connection.
    mesh.commit(PATH, &policy(&format!("{{{often}, tcp: {{}}}}")))
        .await;
    until(&client, &["api-1", "api-2"]).await;
}
