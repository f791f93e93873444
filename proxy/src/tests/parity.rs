//! Random configurations and random requests: what two running proxies answer is what `decide` says.
//!
//! Never asks the proxies what to expect: the answer is put together from the pure functions and the words of the
//! language, and nothing of the data path is used for it. Copies of requests and limits of rates are not drawn, because
//! what becomes of one request depends there on others; `change.rs` and `traffic.rs` have them.

mod draw;
mod expect;

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use mesh_bundle::resource::{
    Balancer, Fault, HttpRoute, IndependentRule, Permissions, Protocol, RequestRetry, Retry,
    RetryBudget, SlowStart, Traffic,
};
use mesh_bundle::{REFUSAL_HEADER, RefusalNote, Sourced};
use proptest::test_runner::{Config, RngSeed, TestRunner};
use tokio::sync::Mutex;

use super::site::{Site, service};
use super::wire::{AnyBody, client, client_two, full, read, workload};

/// Behind mutual TLS and a proxy of its own.
const MESHED: &str = "api";
/// Reached as it is; one of three instances.
const PLAIN: &str = "plain";
/// Without an instance.
const EMPTY: &str = "empty";

/// Headers that are drawn, changed by filters, and looked at in answers.
const HEADERS: [&str; 3] = ["x-a", "x-b", "x-c"];
/// Tells a workload what to answer.
const STATUS: &str = "x-status";

/// One configuration, and what is asked of it.
#[derive(Debug, Clone)]
struct Case {
    routes: Vec<HttpRoute>,
    retry: Option<RequestRetry>,
    permissions: Permissions,
    faults: Vec<IndependentRule<Fault>>,
    balance: Balance,
    requests: Vec<Asked>,
}

/// How instances are chosen, which no answer may show, and how many requests may be sent again.
#[derive(Debug, Clone)]
struct Balance {
    balancer: Balancer,
    slow_start: Option<SlowStart>,
    budget: RetryBudget,
}

/// One request as the client's workload sends it.
#[derive(Debug, Clone)]
struct Asked {
    two: bool,
    method: Method,
    host: &'static str,
    path: String,
    query: Option<&'static str>,
    headers: Vec<(&'static str, &'static [u8])>,
    status: u16,
    body: &'static str,
}

/// What a client gets, as far as it is decided by configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    Refused {
        status: u16,
        code: String,
        origin: Option<String>,
        headers: Vec<String>,
    },
    Moved {
        status: u16,
        location: String,
        headers: Vec<String>,
    },
    Served {
        status: u16,
        /// The workload, how often it was asked, and with what.
        told: String,
        headers: Vec<String>,
    },
}

impl Asked {
    fn target(&self) -> String {
        match self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }

    fn request(&self) -> Request<AnyBody> {
        let mut request = Request::builder().method(self.method.clone());
        request = match self.two {
            true => request.uri(format!("http://{}{}", self.host, self.target())),
            false => request.uri(self.target()).header("host", self.host),
        };
        for (name, value) in &self.headers {
            request = request.header(*name, *value);
        }
        let request = request.header(STATUS, self.status);
        request.body(full(self.body)).unwrap()
    }
}

impl Answer {
    async fn of(response: Response<Incoming>) -> Self {
        let (status, headers, told) = read(response).await;
        let (status, shown) = (status.as_u16(), shown(&headers));
        let text = |name: &str| {
            let value = headers.get(name)?.as_bytes();
            Some(String::from_utf8_lossy(value).into_owned())
        };
        if let Some(note) = text(REFUSAL_HEADER) {
            let note: RefusalNote = note.parse().unwrap();
            return Self::Refused {
                status,
                code: note.code,
                origin: note.origin,
                headers: shown,
            };
        }
        match text("location") {
            Some(location) => Self::Moved {
                status,
                location,
                headers: shown,
            },
            None => Self::Served {
                status,
                told,
                headers: shown,
            },
        }
    }
}

/// The headers that filters may change, in the order of their names.
fn shown(headers: &HeaderMap) -> Vec<String> {
    let all = |name: &'static str| {
        let values = headers.get_all(name).iter();
        values.map(move |value| line(name, value.as_bytes()))
    };
    HEADERS.into_iter().flat_map(all).collect()
}

fn line(name: &str, value: &[u8]) -> String {
    format!("{name}: {}", value.escape_ascii())
}

/// What a workload tells of a request that it was sent so often.
fn told(by: &str, times: u32, head: &http::request::Parts, body: &[u8]) -> String {
    let mut headers: Vec<String> = head
        .headers
        .iter()
        // How a body is framed is not decided here, and that of clients differs.
        .filter(|(name, _)| *name != CONTENT_LENGTH)
        .map(|(name, value)| line(name.as_str(), value.as_bytes()))
        .collect();
    headers.sort();
    format!(
        "{by} was asked {times} times: {} {}\n{}\n\n{}",
        head.method,
        head.uri,
        headers.join("\n"),
        body.escape_ascii()
    )
}

/// Answers with the status that the request wants and tells what it was asked; `count` begins at zero for each request.
async fn telling_workload(name: &'static str, count: &Arc<Mutex<u32>>) -> SocketAddr {
    let count = Arc::clone(count);
    let answer = move |request: Request<Incoming>| {
        let count = Arc::clone(&count);
        async move {
            let (head, body) = request.into_parts();
            let body: Bytes = body.collect().await.unwrap().to_bytes();
            let mut count = count.lock().await;
            *count += 1;
            let mut response = Response::new(full(told(name, *count, &head, &body)));
            let status = head.headers[STATUS].to_str().unwrap().parse().unwrap();
            *response.status_mut() = status;
            for (name, value) in expect::OF_WORKLOADS {
                response
                    .headers_mut()
                    .append(name, value.try_into().unwrap());
            }
            response
        }
    };
    workload(false, answer).await
}

/// The two proxies, and connections to them that outlive every change.
struct Running {
    site: Site,
    count: Arc<Mutex<u32>>,
    one: Option<http1::SendRequest<AnyBody>>,
    two: http2::SendRequest<AnyBody>,
}

impl Running {
    async fn start() -> Self {
        let count = Arc::default();
        let meshed = telling_workload(MESHED, &count).await;
        let mut plain = Vec::new();
        for _ in 0..3 {
            plain.push(telling_workload(PLAIN, &count).await);
        }
        let mut site = Site::start(Protocol::Http, meshed).await;
        site.web.cluster(PLAIN, &plain, false).await;
        site.web.cluster(EMPTY, &[], false).await;
        let two = client_two(site.entry).await;
        Self {
            site,
            count,
            one: None,
            two,
        }
    }

    /// The connection of the last request: some refusals end theirs.
    async fn one(&mut self) -> http1::SendRequest<AnyBody> {
        if let Some(mut kept) = self.one.take()
            && kept.ready().await.is_ok()
        {
            return kept;
        }
        client(self.site.entry).await
    }

    /// Applies the configuration of a case, and asks what it asks.
    async fn judge(&mut self, case: &Case) -> Result<(), String> {
        let Case {
            routes,
            retry,
            permissions,
            faults,
            balance,
            requests,
        } = case.clone();
        let policy = |policy: &mut mesh_bundle::resource::InboundPolicy| {
            policy.permissions = Some(permissions);
            policy.faults = faults;
        };
        self.site.api.policy(policy).await;
        self.site
            .web
            .change(|config| {
                let destination = config.destinations.get_mut(&service(MESHED)).unwrap();
                destination.traffic = Traffic::Http { routes };
                destination.retry = retry.map(|retry| Retry::Requests(Box::new(retry)));
                for cluster in config.clusters.values_mut() {
                    cluster.balancer = Some(Box::new(Sourced::built_in(balance.balancer.clone())));
                    cluster.slow_start = balance.slow_start.clone().map(Box::new);
                    let breaker = cluster.circuit_breaker.get_or_insert_default();
                    breaker.limits.retry_budget = balance.budget.clone();
                }
            })
            .await;
        let web = Arc::clone(&self.site.web.world.config);
        let api = Arc::clone(&self.site.api.world.config);
        let destination = &web.destinations[&service(MESHED)];
        let policy = &api.inbounds["http"].1;
        for asked in &requests {
            let expected = expect::answers(destination, policy, &case.balance.budget, asked);
            *self.count.lock().await = 0;
            let answer = if asked.two {
                self.two.ready().await.unwrap();
                self.two.send_request(asked.request()).await.unwrap()
            } else {
                let mut one = self.one().await;
                let answer = one.send_request(asked.request()).await.unwrap();
                self.one = Some(one);
                answer
            };
            let answer = Answer::of(answer).await;
            if !expected.contains(&answer) {
                return Err(format!(
                    "{asked:#?}\nwas answered {answer:#?}\nand not one of {expected:#?}"
                ));
            }
        }
        Ok(())
    }
}

#[test]
fn what_is_answered_is_what_was_decided() {
    let mut config = Config {
        max_shrink_iters: 4_096,
        failure_persistence: None,
        ..Config::default()
    };
    // The environment may say `PROPTEST_RNG_SEED` and `PROPTEST_CASES`.
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(RandomState::new().build_hasher().finish());
    }
    let seed = config.rng_seed;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let running = runtime.block_on(Running::start());
    let running = std::cell::RefCell::new(running);
    let judged = TestRunner::new(config).run(&draw::case(), |case| {
        let mut running = running.borrow_mut();
        let judged = runtime.block_on(running.judge(&case));
        judged.map_err(proptest::test_runner::TestCaseError::fail)
    });
    if let Err(why) = judged {
        panic!("with PROPTEST_RNG_SEED={seed}: {why}");
    }
}
