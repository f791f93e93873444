//! Promises of the README, kept by real processes over real sockets: one file a promise.

#[cfg(test)]
mod e2e {
    mod access_log;
    mod authority;
    mod bad_commit;
    mod bundles;
    mod canary;
    mod captured;
    mod circuit_breaker;
    mod clock;
    mod collector_environment;
    mod crash;
    mod crowd;
    mod day0;
    mod disk;
    mod drain;
    mod enrolment;
    mod envoy;
    mod exhaustion;
    mod external_tls;
    mod failover;
    mod faults;
    mod gates;
    mod health_check;
    mod history;
    mod identity;
    mod load_balancing;
    mod mesh_metric;
    mod mesh_trace;
    mod metrics;
    mod migration;
    mod other_issuers;
    mod outage;
    mod permissions;
    mod protocols;
    mod rate_limit;
    mod refusals;
    mod remote;
    mod retries;
    mod revocation;
    mod rotation;
    mod routes;
    mod secrets;
    mod signed;
    mod sources;
    mod spire;
    mod ssh;
    mod timeouts;
    mod tls_mode;
    mod told;
    mod traffic;
    mod vm;
    mod waves;
}
