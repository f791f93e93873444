//! Which instance answers is what a commit says: by a hash, by what is near, by who has the least to do or is fastest,
//! and by who is new.

use std::collections::BTreeMap;

use mesh_tests::{Client, Mesh, Options, request, within};

const PATH: &str = "api/balancing.yaml";

/// A strategy towards `api`, with this `default`.
fn strategy(default: &str) -> String {
    format!(
        "type: MeshLoadBalancingStrategy\nmesh: default\nname: api-balancing\nspec:\n  to:\n    - targetRef: {{kind: MeshService, labels: {{kuma.io/display-name: api}}}}\n      default: {default}\n"
    )
}

/// Two instances of `api` without a canary between them; the client and the second one stand in the same rack.
async fn shop(default: &str) -> Mesh {
    let text = strategy(default);
    let options = Options::from_example("shop").with(move |repo| {
        repo.remove("api/canary.yaml");
        repo.write(PATH, &text);
        for (file, of) in [
            ("web/dataplane.yaml", "app: web\n"),
            ("api/dataplanes.yaml", "version: v2\n"),
        ] {
            let labelled = repo
                .read(file)
                .replacen(of, &format!("{of}  rack: r2\n"), 1);
            repo.write(file, &labelled);
        }
    });
    options.only(&["web-1", "api-1", "api-2"]).start().await
}

/// Who answers how many of these requests.
async fn spread(
    client: &Client,
    requests: u32,
    path: impl Fn(u32) -> String,
) -> BTreeMap<String, u32> {
    let mut by = BTreeMap::new();
    for number in 0..requests {
        let answer = client.get(&path(number)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        *by.entry(answer.by().to_owned()).or_default() += 1;
    }
    by
}

#[tokio::test]
async fn requests_of_one_user_go_to_one_instance() {
    let by = "hashPolicies: [{type: QueryParameter, queryParameter: {name: user}}]";
    for balancer in ["RingHash", "Maglev"] {
        let mesh = shop(&format!("{{loadBalancer: {{type: {balancer}}}, {by}}}")).await;
        let client = mesh.client("web-1", "api");
        let mut homes = BTreeMap::new();
        for user in 0..20 {
            let homes_of_one = spread(&client, 4, |_| format!("/?user={user}")).await;
            assert_eq!(homes_of_one.len(), 1, "{balancer} {user}: {homes_of_one:?}");
            homes.extend(homes_of_one);
        }
        assert_eq!(homes.len(), 2, "{balancer}: everybody is at one instance");
        // Who is nobody goes anywhere.
        assert_eq!(spread(&client, 40, |_| "/".to_owned()).await.len(), 2);
    }
}

#[tokio::test]
async fn a_client_comes_back_by_the_cookie_that_it_was_given() {
    let mesh = shop(
        "{loadBalancer: {type: RingHash}, hashPolicies: [{type: Cookie, cookie: {name: seat, ttl: 1h, path: /}}]}",
    )
    .await;
    let client = mesh.client("web-1", "api");
    for _ in 0..10 {
        let first = client.get("/").await;
        let set = first.header("set-cookie").to_owned();
        assert!(
            set.starts_with("seat=") && set.ends_with("; Max-Age=3600; Path=/; HttpOnly"),
            "{set}"
        );
        let cookie = set.split(';').next().unwrap_or_default();
        let mut again = request("GET", "/", "");
        let value = cookie.parse().expect("a header");
        again.headers_mut().insert("cookie", value);
        let again = client.send(again).await;
        assert_eq!((again.by(), again.header("set-cookie")), (first.by(), ""));
    }
}

#[tokio::test]
async fn what_is_near_is_preferred_until_a_commit_says_otherwise() {
    let near = "{localityAwareness: {localZone: {affinityTags: [{key: rack, weight: 9}]}}}";
    let mesh = shop(near).await;
    let client = mesh.client("web-1", "api");
    let shares = spread(&client, 300, |_| "/".to_owned()).await;
    // 270 are expected; a share that far off comes once in a million runs.
    assert!(shares["api-2"] > 240 && shares["api-2"] < 295, "{shares:?}");

    // A commit is enough for both to be alike again.
    let alike = strategy("{loadBalancer: {type: LeastRequest}}");
    mesh.commit(PATH, &alike).await;
    let shares = spread(&client, 300, |_| "/".to_owned()).await;
    assert!(shares["api-2"] > 105 && shares["api-2"] < 195, "{shares:?}");
}

#[tokio::test]
async fn who_is_slow_is_hardly_asked() {
    let mesh = shop("{loadBalancer: {type: RoundRobin}}").await;
    let client = mesh.client("web-1", "api");
    let slow = |_| "/slow/api-2/300".to_owned();
    let shares = spread(&client, 20, slow).await;
    assert_eq!(shares["api-2"], 10, "{shares:?}");

    // It answers once in 300 ms, or again when that is long ago; by turns it would answer 50.
    let fastest = strategy("{loadBalancer: {type: PeakEWMA}}");
    mesh.commit(PATH, &fastest).await;
    let shares = spread(&client, 100, slow).await;
    assert!(shares["api-1"] >= 95, "{shares:?}");

    // So it is with somebody who answers at once, but never well: 503 counts as a second.
    let sick = spread_whatever(&client, 100, "/sick/api-1").await;
    assert!(
        sick.get("api-1").copied().unwrap_or_default() <= 5,
        "{sick:?}"
    );
}

/// The same, where it does not matter what they say.
async fn spread_whatever(client: &Client, requests: u32, path: &str) -> BTreeMap<String, u32> {
    let mut by = BTreeMap::new();
    for _ in 0..requests {
        *by.entry(client.get(path).await.by().to_owned())
            .or_default() += 1;
    }
    by
}

#[tokio::test]
async fn who_is_new_begins_slowly() {
    let slowly =
        "{loadBalancer: {type: RoundRobin, slowStart: {window: 1h, minWeightPercent: 10}}}";
    let mesh = shop("{loadBalancer: {type: RoundRobin}}").await;
    let client = mesh.client("web-1", "api");
    mesh.commit(PATH, &strategy(slowly)).await;
    // Both were there before.
    let shares = spread(&client, 40, |_| "/".to_owned()).await;
    assert_eq!(shares["api-2"], 20, "{shares:?}");

    // One goes, and another comes in its place.
    let process = mesh.proxy("api-2").process();
    process.terminate();
    assert!(process.exited().await.success(), "{}", process.log());
    within("only one is left", async {
        while spread(&client, 8, |_| "/".to_owned()).await.len() > 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    mesh.proxy("api-2").start().await;
    within("it is there again", async {
        while spread(&client, 8, |_| "/".to_owned()).await.len() < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // A tenth of what the other gets: 27 are expected, by turns it were 150.
    let shares = spread(&client, 300, |_| "/".to_owned()).await;
    assert!(shares["api-2"] > 3 && shares["api-2"] < 70, "{shares:?}");

    // Without the policy it has its share at once.
    mesh.commit(PATH, &strategy("{loadBalancer: {type: RoundRobin}}"))
        .await;
    let shares = spread(&client, 40, |_| "/".to_owned()).await;
    assert_eq!(shares["api-2"], 20, "{shares:?}");
}

#[tokio::test]
async fn who_has_less_to_do_is_asked_and_chance_is_chance() {
    let mesh = shop("{loadBalancer: {type: LeastRequest}}").await;
    let client = mesh.client("web-1", "api");
    // One request that lasts, wherever it is.
    let held = tokio::spawn(async move { client.get("/hold").await });
    within("it has arrived", async {
        while ["api-1", "api-2"].map(|name| mesh.workload(name).arrived()) == [0, 0] {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let busy = match mesh.workload("api-1").arrived() {
        0 => "api-2",
        _ => "api-1",
    };
    let shares = spread(&client, 50, |_| "/".to_owned()).await;
    assert!(!shares.contains_key(busy), "{busy} is busy: {shares:?}");
    mesh.workload(busy).release();
    assert_eq!(held.await.unwrap().by(), busy);

    mesh.commit(PATH, &strategy("{loadBalancer: {type: Random}}"))
        .await;
    let mut drawn = Vec::new();
    for _ in 0..300 {
        drawn.push(client.get("/").await.by() == "api-1");
    }
    let first = drawn.iter().filter(|first| **first).count();
    assert!((106..=194).contains(&first), "{first}");
    // By turns no two in a row were the same; by chance half of them are.
    let same = drawn.windows(2).filter(|pair| pair[0] == pair[1]).count();
    assert!((106..=194).contains(&same), "{same}");
}
