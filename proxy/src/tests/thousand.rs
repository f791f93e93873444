//! A thousand changes of everything that can change, under all that traffic can be.
//!
//! Never forgives: one request that fails, one stream that ends, one connection that is closed is a failure.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use mesh_bundle::resource::{
    CircuitBreaker, Detectors, Filter, HeaderModifier, HeaderPair, OutlierDetection, PathMatch,
    Protocol, RequestRetry, Retry, RetryOn,
};
use mesh_bundle::{Duration, ProxyConfig, Sourced};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::site::{Node, Site, WEB, address, allow, backend, endpoints, kri, route, service};
use super::wire::{
    AnyBody, Piped, client, client_two, fetch, full, get, mirror_workload, read, workload,
};

const CHANGES: usize = 1_000;
/// For one answer beside everything else that this machine does.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

/// How many answers each sort of traffic has had.
type Count = watch::Sender<u64>;

/// A gRPC server that sends back each message as it comes.
async fn echo(request: Request<Incoming>) -> Response<AnyBody> {
    let mut body = request.into_body();
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        while let Some(Ok(frame)) = body.frame().await {
            let Ok(data) = frame.into_data() else { break };
            if sender.send(Frame::data(data)).await.is_err() {
                return;
            }
        }
        let status = [("grpc-status".parse().unwrap(), "0".parse().unwrap())];
        let trailers = Frame::trailers(status.into_iter().collect());
        drop(sender.send(trailers).await);
    });
    let mut response = Response::new(Piped(receiver).boxed());
    let grpc = "application/grpc".parse().unwrap();
    response.headers_mut().insert("content-type", grpc);
    response
}

/// Requests with a body, one after the other on one connection that must never close.
async fn one_by_one(entry: SocketAddr, answered: Count) {
    let mut connection = client(entry).await;
    loop {
        connection.ready().await.expect("the connection was closed");
        let request = Request::post("/").header("host", "api");
        let request = request.body(full("x".repeat(3_000))).unwrap();
        let sent = timeout(PATIENCE, connection.send_request(request)).await;
        let (status, headers, text) = read(sent.unwrap().unwrap()).await;
        assert_eq!(status, StatusCode::OK, "{headers:?} {text}");
        assert!(text.ends_with(&"x".repeat(3_000)), "{text}");
        answered.send_modify(|count| *count += 1);
    }
}

/// The same on one stream of a connection of HTTP/2.
async fn streams(
    mut connection: hyper::client::conn::http2::SendRequest<AnyBody>,
    answered: Count,
) {
    loop {
        connection.ready().await.expect("the connection was closed");
        let sent = timeout(PATIENCE, connection.send_request(get("http://api/"))).await;
        let (status, headers, text) = read(sent.unwrap().unwrap()).await;
        assert_eq!(status, StatusCode::OK, "{headers:?} {text}");
        answered.send_modify(|count| *count += 1);
    }
}

/// One call that lasts as long as everything: each message must come back.
async fn call(entry: SocketAddr, answered: Count) {
    let mut connection = client_two(entry).await;
    let (sender, receiver) = mpsc::channel(1);
    let request =
        Request::post("http://api/Echo/Stream").header("content-type", "application/grpc");
    let request = request.body(Piped(receiver).boxed()).unwrap();
    let response = connection.send_request(request).await.unwrap();
    let mut body = response.into_body();
    loop {
        let message = Bytes::from_static(b"\0\0\0\0\x02hi");
        sender.send(Frame::data(message.clone())).await.unwrap();
        let frame = timeout(PATIENCE, body.frame()).await.unwrap();
        let frame = frame.expect("the call ended").expect("the call was cut");
        assert_eq!(frame.into_data().unwrap(), message);
        answered.send_modify(|count| *count += 1);
    }
}

/// What a commit may change at the client's proxy.
fn change_client(config: &mut ProxyConfig, turn: usize, more: SocketAddr) {
    let destination = config.destinations.get_mut(&service("api")).unwrap();
    let cluster = config.clusters.get_mut(&service("api")).unwrap();
    match turn % 6 {
        0 => {
            let request = Duration::from_secs(30 + turn as u64 % 7);
            destination.timeouts.request = Sourced::built_in(request);
            destination.timeouts.idle = Sourced::built_in(Duration::from_secs(1_000));
        }
        1 => {
            let mut retry = RequestRetry::new(RetryOn::requests());
            retry.num_retries = Sourced::built_in(turn as u32 % 3);
            destination.retry = Some(Retry::Requests(Box::new(retry)));
        }
        2 => {
            let mut breaker = CircuitBreaker::default();
            breaker.limits.max_requests = Sourced::built_in(100 + turn as u32 % 5);
            breaker.outlier_detection = turn.is_multiple_of(4).then(|| {
                let detectors = Detectors {
                    total_failures: Some(Sourced::built_in(3)),
                    ..Detectors::default()
                };
                Box::new(OutlierDetection {
                    detectors,
                    ..OutlierDetection::default()
                })
            });
            cluster.circuit_breaker = Some(Box::new(breaker));
        }
        3 => cluster.connect_timeout = Sourced::built_in(Duration::from_secs(3 + turn as u64 % 2)),
        4 => {
            let mesh_bundle::resource::Traffic::Http { routes } = &mut destination.traffic else {
                panic!("not HTTP")
            };
            let mut special = route(vec![backend("api", 1)]);
            special.matches.path = Some(PathMatch::Exact(format!("/special/{turn}")));
            let mut changed = route(vec![backend("api", 1 + turn as u32)]);
            changed.filters = vec![Filter::RequestHeaders(HeaderModifier {
                set: vec![HeaderPair {
                    name: "x-turn".to_owned(),
                    value: turn.to_string(),
                }],
                ..HeaderModifier::default()
            })];
            *routes = vec![special, changed];
        }
        // A listener comes and goes.
        _ => match config.outbounds.remove(&more.to_string()) {
            Some(_) => {}
            None => {
                let mut outbound = config.outbounds.values().next().unwrap().clone();
                (outbound.address, outbound.port) = (more.ip(), more.port());
                config.outbounds.insert(more.to_string(), outbound);
            }
        },
    }
}

/// What a commit may change at the server's proxy.
async fn change_server(api: &mut Node, turn: usize) {
    api.policy(|policy| {
        let mut permissions = allow(WEB);
        let others = (0..turn % 3).map(|other| format!("spiffe://td/workload/other-{other}"));
        let others = others.flat_map(|other| allow(&other).allow);
        permissions.allow.extend(others);
        policy.permissions = Some(permissions);
        policy.timeouts.request = Sourced::built_in(Duration::from_secs(4_000 + turn as u64 % 7));
    })
    .await;
}

async fn change(site: &mut Site, turn: usize, more: SocketAddr) {
    if turn.is_multiple_of(2) {
        return change_server(&mut site.api, turn).await;
    }
    // An instance comes back under another name; and now and then there is a new certificate.
    if turn % 25 == 1 {
        let mut instances = endpoints(&[site.inbound], true);
        let named = |endpoint| {
            (
                kri(&format!("kri_dp_default_east__api-{turn}_http")),
                endpoint,
            )
        };
        instances.endpoints = instances.endpoints.into_values().map(named).collect();
        site.web.world.endpoints.insert(service("api"), instances);
    }
    if turn % 101 == 1 {
        site.web.world.svid = Some(site.authority.svid(WEB));
    }
    let turn = turn / 2;
    site.web
        .change(|config| change_client(config, turn, more))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_changes_cost_no_request_and_no_stream() {
    let mut http = Site::start(Protocol::Http, mirror_workload(false).await).await;
    let mut grpc = Site::start(Protocol::Grpc, workload(true, echo).await).await;
    for site in [&mut http, &mut grpc] {
        // The request that lasts as long as the test has no limit but that of the test.
        let off = || Sourced::built_in(Duration::ZERO);
        site.web
            .change(|config| {
                let destination = config.destinations.get_mut(&service("api")).unwrap();
                destination.timeouts.request = off();
            })
            .await;
        site.api
            .policy(|policy| policy.timeouts.request = off())
            .await;
    }
    let counts: [Count; 3] = std::array::from_fn(|_| watch::Sender::new(0));
    let mut lanes = JoinSet::new();
    let two = client_two(http.entry).await;
    for _ in 0..2 {
        lanes.spawn(one_by_one(http.entry, counts[0].clone()));
        lanes.spawn(streams(two.clone(), counts[1].clone()));
        lanes.spawn(call(grpc.entry, counts[2].clone()));
    }
    let more = address(10_080);
    let more_calls = address(10_080);
    for turn in 0..CHANGES {
        let mut answers = counts.each_ref().map(watch::Sender::subscribe);
        tokio::join!(
            change(&mut http, turn, more),
            change(&mut grpc, turn, more_calls)
        );
        // Each change meets traffic of every sort.
        let met = async {
            for answers in &mut answers {
                answers.changed().await.expect("a lane");
            }
        };
        tokio::select! {
            ended = lanes.join_next() => panic!("after {turn} changes: {ended:?}"),
            met = timeout(PATIENCE, met) => met.expect("traffic"),
        }
    }
    lanes.abort_all();
}

/// A workload that fails whenever it is asked; and how often that was.
async fn failing_workload() -> (SocketAddr, watch::Receiver<u64>) {
    let (asked, bad) = watch::channel(0);
    let failing = workload(false, move |_| {
        asked.send_modify(|count| *count += 1);
        async {
            let mut response = Response::new(full("broken"));
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            response
        }
    });
    (failing.await, bad)
}

/// Three failures in a row are enough for an hour without traffic, if it must be for everybody.
fn strict(panic: u32) -> Option<Box<CircuitBreaker>> {
    let detectors = Detectors {
        total_failures: Some(Sourced::built_in(3)),
        ..Detectors::default()
    };
    let detection = OutlierDetection {
        detectors,
        max_ejection_percent: Sourced::built_in(50),
        base_ejection_time: Sourced::built_in(Duration::from_secs(3_600)),
        ..OutlierDetection::default()
    };
    Some(Box::new(CircuitBreaker {
        healthy_panic_threshold: Sourced::built_in(panic),
        outlier_detection: Some(Box::new(detection)),
        ..CircuitBreaker::default()
    }))
}

/// Two instances of one service, one of which fails whenever it is asked.
async fn a_bad_one() -> (Site, watch::Receiver<u64>) {
    let good = mirror_workload(false).await;
    let (failing, bad) = failing_workload().await;
    let mut site = Site::start(Protocol::Http, good).await;
    site.web.cluster("both", &[good, failing], false).await;
    site.web
        .routes(|routes| routes[0].backends = vec![backend("both", 1)])
        .await;
    (site, bad)
}

#[tokio::test]
async fn who_was_left_out_stays_out_whatever_changes() {
    let (mut site, bad) = a_bad_one().await;
    for turn in 0..20 {
        site.web
            .change(|config| {
                let cluster = config.clusters.get_mut(&service("both")).unwrap();
                cluster.circuit_breaker = strict(1 + turn);
            })
            .await;
        for _ in 0..10 {
            fetch(site.entry, "/").await;
        }
    }
    // Three in a row were enough, and no change gave it another chance.
    assert_eq!(*bad.borrow(), 3);
}

#[tokio::test]
async fn who_was_left_out_stays_out_under_a_new_certificate() {
    let (failing, bad) = failing_workload().await;
    let mut site = Site::start(Protocol::Http, failing).await;
    site.web
        .change(|config| {
            let cluster = config.clusters.get_mut(&service("api")).unwrap();
            cluster.circuit_breaker = strict(0);
        })
        .await;
    for _ in 0..10 {
        site.web.world.svid = Some(site.authority.svid(WEB));
        site.web.apply().await.unwrap();
        let (status, ..) = fetch(site.entry, "/").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    }
    assert_eq!(*bad.borrow(), 3);
}

#[tokio::test]
async fn a_retry_that_waits_counts_under_the_next_configuration_too() {
    let (mut site, bad) = a_bad_one().await;
    let policy = |wait| {
        let mut retry = RequestRetry::new(RetryOn::requests());
        retry.num_retries = Sourced::built_in(1);
        retry.back_off.base = Sourced::built_in(wait);
        retry.back_off.max = Sourced::built_in(wait);
        Some(Retry::Requests(Box::new(retry)))
    };
    let long = Duration::from_secs(3_600);
    let failing = bad.clone();
    let only_bad = site.web.world.endpoints.get_mut(&service("both")).unwrap();
    only_bad.endpoints.pop_first();
    site.web
        .change(|config| {
            let destination = config.destinations.get_mut(&service("api")).unwrap();
            destination.retry = policy(long);
            let cluster = config.clusters.get_mut(&service("both")).unwrap();
            let mut breaker = CircuitBreaker::default();
            breaker.limits.max_retries = Sourced::built_in(1);
            cluster.circuit_breaker = Some(Box::new(breaker));
        })
        .await;
    let mut bad = bad;
    let entry = site.entry;
    let waiting = tokio::spawn(async move { fetch(entry, "/").await });
    bad.wait_for(|count| *count == 1).await.unwrap();
    // The first one waits for an hour, and for as long it has the only place.
    for turn in 0..5 {
        site.web
            .change(|config| {
                let destination = config.destinations.get_mut(&service("api")).unwrap();
                destination.retry = policy(Duration::from_millis(1 + turn));
            })
            .await;
        let (status, ..) = fetch(site.entry, "/").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    }
    assert_eq!(*failing.borrow(), 1 + 5, "something was sent again");
    waiting.abort();
}
