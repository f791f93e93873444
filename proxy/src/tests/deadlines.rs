//! The time that clients give their gRPC calls.

use std::time::{Duration, Instant};

use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt as _;

use mesh_bundle::resource::{Protocol, RequestRetry, Retry, RetryOn};
use mesh_bundle::{REFUSAL_HEADER, Sourced};
use tokio::sync::mpsc;

use super::site::{Site, service};
use super::wire::{AnyBody, Endless, client_two, full, workload};

/// Long before any limit of the mesh.
const SOON: Duration = Duration::from_secs(10);

/// What a workload was told of the time that is left.
type Told = mpsc::UnboundedReceiver<Vec<String>>;

fn millis(millis: u64) -> mesh_bundle::Duration {
    mesh_bundle::Duration::from_millis(millis)
}

fn told(request: &Request<hyper::body::Incoming>) -> Vec<String> {
    let values = request.headers().get_all("grpc-timeout").iter();
    values.map(|it| it.to_str().unwrap().to_owned()).collect()
}

/// A workload that never answers.
async fn waiting() -> (Site, Told) {
    let (tell, told_to) = mpsc::unbounded_channel();
    let answer = move |request: Request<hyper::body::Incoming>| {
        let _ = tell.send(told(&request));
        std::future::pending::<Response<AnyBody>>()
    };
    let site = Site::start(Protocol::Grpc, workload(true, answer).await).await;
    (site, told_to)
}

fn call(timeouts: &[&str]) -> Request<AnyBody> {
    let mut request = Request::post("http://api/svc/Method")
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    for timeout in timeouts {
        request = request.header("grpc-timeout", *timeout);
    }
    request.body(full("call")).unwrap()
}

async fn refused(site: &Site, request: Request<AnyBody>) -> HeaderMap {
    let mut client = client_two(site.entry).await;
    let answer = client.send_request(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.headers().clone()
}

fn code(headers: &HeaderMap) -> &str {
    let refusal = headers[REFUSAL_HEADER].to_str().unwrap();
    refusal.split(';').next().unwrap()
}

/// In microseconds, as this proxy writes what is left of less than a hundred seconds.
fn left(told: &[String]) -> Duration {
    let [told] = told else { panic!("{told:?}") };
    let (number, unit) = told.split_at(told.len() - 1);
    let number = number.parse().unwrap();
    match unit {
        "n" => Duration::from_nanos(number),
        "u" => Duration::from_micros(number),
        _ => panic!("{told}"),
    }
}

#[tokio::test]
async fn a_call_ends_when_its_client_waits_no_more() {
    let (site, mut told) = waiting().await;
    let began = Instant::now();
    let headers = refused(&site, call(&["150m"])).await;
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(150), "{took:?}");
    assert!(took < SOON, "{took:?}");
    assert_eq!(headers["grpc-status"], "4");
    assert_eq!(code(&headers), "deadline");
    let left = left(&told.recv().await.unwrap());
    assert!(left < Duration::from_millis(150), "{left:?}");
    let metrics = site.web.metrics.encode().unwrap();
    assert!(metrics.contains("refusal=\"deadline\"} 1"), "{metrics}");
}

#[tokio::test]
async fn the_lesser_limit_holds_and_is_told() {
    let (mut site, mut told) = waiting().await;
    let limit = Duration::from_millis(100);
    site.web
        .change(|config| {
            let destination = config.destinations.get_mut(&service("api")).unwrap();
            destination.timeouts.request = Sourced::built_in(millis(100));
        })
        .await;
    let headers = refused(&site, call(&["60S"])).await;
    assert_eq!(code(&headers), "request-timeout");
    let left = left(&told.recv().await.unwrap());
    assert!(left < limit, "{left:?}");
}

#[tokio::test]
async fn who_has_no_time_left_asks_nobody() {
    let (site, mut told) = waiting().await;
    let headers = refused(&site, call(&["0n"])).await;
    assert_eq!(code(&headers), "deadline");
    assert!(told.try_recv().is_err());
}

#[tokio::test]
async fn what_is_no_deadline_is_left_as_it_is() {
    let answer = |request: Request<hyper::body::Incoming>| async move {
        Response::new(full(told(&request).join("|")))
    };
    let site = Site::start(Protocol::Grpc, workload(true, answer).await).await;
    for values in [&["0"][..], &["123456789n"], &["1x"], &["0n", "0n"], &[]] {
        let mut client = client_two(site.entry).await;
        let answer = client.send_request(call(values)).await.unwrap();
        let text = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(text, values.join("|"));
    }
    // It is a word of gRPC.
    let request = Request::get("http://api/").header("grpc-timeout", "0n");
    let request = request.body(full("")).unwrap();
    let answer = client_two(site.entry).await.send_request(request).await;
    assert_eq!(answer.unwrap().status(), 200);
}

#[tokio::test]
async fn an_answer_that_has_begun_is_cut() {
    let answer = |_| async move { Response::new(Endless::default().boxed()) };
    let site = Site::start(Protocol::Grpc, workload(true, answer).await).await;
    let mut client = client_two(site.entry).await;
    let answer = client.send_request(call(&["200m"])).await.unwrap();
    let mut body = answer.into_body();
    let ended = tokio::time::timeout(SOON, async {
        while let Some(frame) = body.frame().await {
            if frame.is_err() {
                return;
            }
        }
        panic!("it ended cleanly");
    });
    ended.await.unwrap();
}

#[tokio::test]
async fn nothing_is_sent_again_when_the_time_is_over() {
    let (tell, mut told_to) = mpsc::unbounded_channel();
    let answer = move |request: Request<hyper::body::Incoming>| {
        let _ = tell.send(told(&request));
        async move { Response::builder().status(503).body(full("")).unwrap() }
    };
    let mut site = Site::start(Protocol::Grpc, workload(true, answer).await).await;
    site.web
        .change(|config| {
            let mut retry = RequestRetry::new(RetryOn::requests());
            retry.num_retries = Sourced::built_in(10_000);
            retry.back_off.base = Sourced::built_in(millis(20));
            retry.back_off.max = Sourced::built_in(millis(20));
            let destination = config.destinations.get_mut(&service("api")).unwrap();
            destination.retry = Some(Retry::Requests(Box::new(retry)));
        })
        .await;
    let headers = refused(&site, call(&["300m"])).await;
    assert_eq!(code(&headers), "deadline");
    let mut before = Duration::from_millis(300);
    let mut tries = 0;
    while let Ok(told) = told_to.try_recv() {
        let left = left(&told);
        assert!(left < before, "{left:?} after {before:?}");
        (before, tries) = (left, tries + 1);
    }
    assert!(tries > 1, "never sent again");
}
