//! The waits between the tries of a request, as the one who is tried sees them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http::{Request, Response, StatusCode};
use mesh_bundle::Sourced;
use mesh_bundle::resource::{CircuitBreaker, Protocol, RequestRetry, Retry, RetryOn};
use tokio::task::JoinSet;

use super::site::{Site, service};
use super::wire::{client, full, workload};

const REQUESTS: usize = 40;
const RETRIES: u32 = 6;
const BASE: u64 = 100;
const MAX: u64 = 800;

/// The longest that each wait may be: what doubles, up to a bound.
const LONGEST: [u64; RETRIES as usize] = [100, 200, 400, 800, 800, 800];

fn millis(millis: u64) -> Sourced<mesh_bundle::Duration> {
    Sourced::built_in(mesh_bundle::Duration::from_millis(millis))
}

/// When each request arrived, each time.
type Arrivals = Arc<Mutex<BTreeMap<usize, Vec<Instant>>>>;

async fn failing() -> (Site, Arrivals) {
    let arrivals = Arrivals::default();
    let seen = Arc::clone(&arrivals);
    let answer = move |request: Request<hyper::body::Incoming>| {
        let number = request.headers()["x-number"].to_str().unwrap().parse();
        let mut seen = seen.lock().unwrap();
        seen.entry(number.unwrap())
            .or_default()
            .push(Instant::now());
        async move { Response::builder().status(503).body(full("")).unwrap() }
    };
    let mut site = Site::start(Protocol::Http, workload(false, answer).await).await;
    site.web
        .change(|config| {
            let mut retry = RequestRetry::new(RetryOn::requests());
            retry.num_retries = Sourced::built_in(RETRIES);
            retry.back_off.base = millis(BASE);
            retry.back_off.max = millis(MAX);
            let destination = config.destinations.get_mut(&service("api")).unwrap();
            destination.retry = Some(Retry::Requests(Box::new(retry)));
            // This is about waits alone.
            let mut breaker = CircuitBreaker::default();
            breaker.limits.max_retries = Sourced::built_in(1_000);
            breaker.limits.retry_budget.min_per_second = Sourced::built_in(1_000);
            let cluster = config.clusters.get_mut(&service("api")).unwrap();
            cluster.circuit_breaker = Some(Box::new(breaker));
        })
        .await;
    (site, arrivals)
}

/// The waits of one number before it, over all requests, from the shortest to the longest.
fn sorted(arrivals: &BTreeMap<usize, Vec<Instant>>, number: usize) -> Vec<Duration> {
    let wait = |at: &Vec<Instant>| at[number + 1] - at[number];
    let mut waits: Vec<_> = arrivals.values().map(wait).collect();
    waits.sort();
    waits
}

fn mean(waits: &[Duration]) -> u64 {
    let sum: Duration = waits.iter().sum();
    sum.as_millis() as u64 / waits.len() as u64
}

/// A machine that is busy makes waits longer, never shorter: lower bounds hold what must be waited, and what must not is
/// held by bounds that are far from what is right. 40 waits, each alike likely between 0 and `longest`, have a mean of
/// `longest / 2`, and its deviation is `longest / 22`.
#[tokio::test]
async fn waits_double_up_to_a_bound_and_are_drawn() {
    let (site, arrivals) = failing().await;
    let mut all = JoinSet::new();
    for number in 0..REQUESTS {
        let entry = site.entry;
        all.spawn(async move {
            let request = Request::get("/")
                .header("host", "api")
                .header("x-number", number.to_string());
            let request = request.body(full("")).unwrap();
            let answer = client(entry).await.send_request(request).await.unwrap();
            assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        });
    }
    while let Some(done) = all.join_next().await {
        done.unwrap();
    }
    let arrivals = arrivals.lock().unwrap();
    assert_eq!(arrivals.len(), REQUESTS);
    assert!(arrivals.values().all(|at| at.len() == LONGEST.len() + 1));
    let waits: Vec<_> = (0..LONGEST.len())
        .map(|number| sorted(&arrivals, number))
        .collect();
    let means: Vec<_> = waits.iter().map(|waits| mean(waits)).collect();
    for (mean, longest) in means.iter().zip(LONGEST) {
        assert!(mean * 10 >= longest * 3, "{means:?}: no wait, or too short");
    }
    // Without doubling they would be alike.
    assert!(means[0] * 2 < means[3], "{means:?}: no growth");
    // Without the bound the sixth would be 1,600 in the mean.
    assert!(means[5] * 2 < 32 * BASE * 3 / 4, "{means:?}: no bound");
    for waits in &waits[3..] {
        let (first, last) = (waits[0], waits[REQUESTS - 1]);
        let half = Duration::from_millis(MAX / 2);
        assert!(first < half && last - first > half, "{waits:?}: not drawn");
    }
}
