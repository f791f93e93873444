//! Kinds that are read and checked, and not acted on yet: what each mistake is called, and where it is shown.

use super::{check, check_under};

fn to(kind: &str, default: &str, errors: &[&str], warnings: &[&str]) {
    let body = format!("to: [{{targetRef: {{kind: Mesh}}, default: {default}}}]");
    check_under(kind, "spec.to[0].default", &body, errors, warnings);
}

fn rule(kind: &str, default: &str, errors: &[&str], warnings: &[&str]) {
    let body = format!("rules: [{{default: {default}}}]");
    check_under(kind, "spec.rules[0].default", &body, errors, warnings);
}

#[test]
fn external_services() {
    let check = |body: &str, errors: &[&str], warnings: &[&str]| {
        check("MeshExternalService", body, errors, warnings);
    };
    check(
        "match: {port: 443, protocol: http}\nendpoints: [{address: a.example, port: 443}]\ntls: {enabled: true}",
        &[],
        &[],
    );
    check(
        "match: {port: 0, protocol: udp}\nendpoints: [{address: 'unix:///x', priority: 129}]",
        &[
            "spec.match.port [invalid-value]",
            "spec.match.protocol [invalid-value]",
            "spec.endpoints[0].address [invalid-value]",
            "spec.endpoints[0].port [missing-field]",
            "spec.endpoints[0].priority [invalid-value]",
        ],
        &[],
    );
    check(
        "{}",
        &["spec.match [missing-field]"],
        &["spec.endpoints [no-effect]"],
    );
    let extended = |extension: &str, errors: &[&str]| {
        let body = format!("match: {{port: 443}}\nextension: {extension}");
        check(&body, errors, &[]);
    };
    extended("{type: x}", &["spec.extension [unsupported]"]);
    extended("{config: {a: b}}", &["spec.extension.type [missing-field]"]);
    extended(
        "{type: x}\ntls: {enabled: true, verification: {caCert: {type: File}}}",
        &["spec.tls.verification.caCert.type [invalid-value]"],
    );
    let tls = |tls: &str, errors: &[&str], warnings: &[&str]| {
        let body = format!(
            "match: {{port: 443}}\nendpoints: [{{address: a.example, port: 443}}]\ntls: {tls}"
        );
        check_under("MeshExternalService", "spec.tls", &body, errors, warnings);
    };
    tls(
        "{enabled: true, allowRenegotiation: true, version: {min: TLS13, max: TLS12}}",
        &[
            ".allowRenegotiation [unsupported]",
            ".version.min [invalid-value]",
        ],
        &[],
    );
    tls(
        "{enabled: true, verification: {serverName: A_b, clientKey: {type: InsecureInline, insecureInline: {value: k}}}}",
        &[
            ".verification.serverName [invalid-value]",
            ".verification.clientCert [missing-field]",
        ],
        &[".verification.clientKey [inline-secret]"],
    );
    tls(
        "{enabled: true, verification: {caCert: {type: File, file: {path: /a}}}}",
        &[".verification.caCert.type [invalid-value]"],
        &[],
    );
}

#[test]
fn services_of_zones() {
    check(
        "MeshMultiZoneService",
        "selector: {meshService: {matchLabels: {app: api}}}\nports: [{port: 80, name: http, appProtocol: HTTP}]",
        &[],
        &[],
    );
    check(
        "MeshMultiZoneService",
        "{}",
        &[
            "spec.selector.meshService.matchLabels [missing-field]",
            "spec.ports [missing-field]",
        ],
        &[],
    );
    check(
        "MeshZoneAddress",
        "address: 0.0.0.0\nport: 65536",
        &["spec.address [invalid-value]", "spec.port [invalid-value]"],
        &["spec [not-implemented]"],
    );
    check(
        "MeshZoneAddress",
        "address: a.example\nport: 10001",
        &[],
        &["spec [not-implemented]"],
    );
    check("Workload", "{}", &[], &["spec [read-only-field]"]);
    check("Zone", "enabled: false", &[], &[]);
    check("Zone", "enabled: 1", &["enabled [wrong-type]"], &[]);
    check("Secret", "data: aGk=", &[], &["data [inline-secret]"]);
    check(
        "GlobalSecret",
        "data: '{}'",
        &["data [invalid-value]"],
        &[" [not-implemented]", "data [inline-secret]"],
    );
}

#[test]
fn telemetry_backends() {
    let check = |body: &str, errors: &[&str], warnings: &[&str]| {
        check("MeshOpenTelemetryBackend", body, errors, warnings);
    };
    check("endpoint: {address: otel.example, port: 4317}", &[], &[]);
    check(
        "endpoint: {address: 'http://x', port: 0, path: /a}",
        &[
            "spec.endpoint.address [invalid-value]",
            "spec.endpoint.port [invalid-value]",
            "spec.endpoint.path [invalid-value]",
        ],
        &[],
    );
    check(
        "protocol: http\nendpoint: {path: /a?b}\nenv: {mode: Required}",
        &["spec.endpoint.path [invalid-value]"],
        &[],
    );
}

#[test]
fn retries() {
    let retry = |default: &str, errors: &[&str], warnings: &[&str]| {
        to("MeshRetry", default, errors, warnings);
    };
    retry(
        "{http: {numRetries: 0, retryOn: [5xx, '429', HttpMethodGet]}, tcp: {maxConnectAttempt: 1}}",
        &[],
        &[],
    );
    retry("{}", &[" [missing-field]"], &[]);
    retry(
        "{http: {}, tcp: {maxConnectAttempt: 0}, grpc: {backOff: {}}}",
        &[
            ".http [missing-field]",
            ".tcp.maxConnectAttempt [invalid-value]",
            ".grpc.backOff [missing-field]",
        ],
        &[],
    );
    retry(
        "{http: {retryOn: ['999', 503, reset]}, grpc: {retryOn: [500]}}",
        &[
            ".http.retryOn[0] [invalid-value]",
            ".http.retryOn[1] [invalid-value]",
            ".http.retryOn[2] [invalid-value]",
            ".grpc.retryOn[0] [invalid-value]",
        ],
        &[],
    );
    retry(
        "{http: {retryOn: [5xx, Http3PostConnectFailure]}}",
        &[],
        &[".http.retryOn[1] [no-effect]"],
    );
    retry(
        "{http: {rateLimitedBackOff: {}, hostSelection: [{predicate: OmitHostsWithTags}]}}",
        &[
            ".http.rateLimitedBackOff.resetHeaders [missing-field]",
            ".http.hostSelection[0].tags [missing-field]",
        ],
        &[],
    );
    check(
        "MeshRetry",
        "targetRef: {kind: Dataplane, labels: {a: b}, sectionName: x}",
        &["spec.targetRef.sectionName [invalid-value]"],
        &["spec.to [no-effect]"],
    );
}

#[test]
fn breakers() {
    let breaker = |default: &str, errors: &[&str], warnings: &[&str]| {
        to("MeshCircuitBreaker", default, errors, &[]);
        rule("MeshCircuitBreaker", default, errors, warnings);
    };
    breaker("{connectionLimits: {maxConnections: 1}}", &[], &[]);
    breaker("{}", &[" [missing-field]"], &[]);
    breaker(
        "{connectionLimits: {maxRequests: 0}, outlierDetection: {interval: 1s}}",
        &[
            ".connectionLimits.maxRequests [invalid-value]",
            ".outlierDetection.detectors [missing-field]",
        ],
        &[".outlierDetection [not-implemented]"],
    );
    breaker(
        "{outlierDetection: {maxEjectionPercent: 101, detectors: {successRate: {standardDeviationFactor: '0'}}}}",
        &[
            ".outlierDetection.maxEjectionPercent [invalid-value]",
            ".outlierDetection.detectors.successRate.standardDeviationFactor [invalid-value]",
        ],
        &[".outlierDetection [not-implemented]"],
    );
    check("MeshCircuitBreaker", "{}", &["spec [missing-field]"], &[]);
}

#[test]
fn health_checks() {
    let health = |default: &str, errors: &[&str], warnings: &[&str]| {
        to("MeshHealthCheck", default, errors, warnings);
    };
    health("{interval: 5s, http: {path: /healthz}, tcp: {}}", &[], &[]);
    health("{}", &[" [missing-field]"], &[]);
    health(
        "{timeout: 0s, healthyThreshold: 0, eventLogPath: x, http: {path: '', expectedStatuses: [99]}, tcp: {send: '?'}}",
        &[
            ".timeout [invalid-value]",
            ".healthyThreshold [invalid-value]",
            ".eventLogPath [invalid-value]",
            ".http.path [missing-field]",
            ".http.expectedStatuses[0] [invalid-value]",
            ".tcp.send [invalid-value]",
        ],
        &[],
    );
    health("{grpc: {}}", &[], &[]);
}

#[test]
fn rate_limits() {
    let limit = |default: &str, errors: &[&str]| rule("MeshRateLimit", default, errors, &[]);
    limit(
        "{local: {http: {requestRate: {num: 1, interval: 51ms}}}}",
        &[],
    );
    limit("{}", &[".local [missing-field]"]);
    limit("{local: {}}", &[".local [missing-field]"]);
    limit(
        "{local: {http: {requestRate: {num: 0, interval: 50ms}, onRateLimit: {status: 200}}, tcp: {}}}",
        &[
            ".local.http.requestRate.num [invalid-value]",
            ".local.http.requestRate.interval [invalid-value]",
            ".local.http.onRateLimit.status [invalid-value]",
            ".local.tcp [missing-field]",
        ],
    );
    check(
        "MeshRateLimit",
        "rules: [{matches: [{spiffeID: {type: Exact, value: spiffe://td/a}}], default: {local: {tcp: {disabled: true}}}}]",
        &["spec.rules[0].default.local.tcp [invalid-value]"],
        &[],
    );
    check(
        "MeshRateLimit",
        "to: [{targetRef: {kind: Mesh}}]",
        &["spec.to [unsupported]"],
        &[],
    );
}

#[test]
fn faults() {
    let fault = |default: &str, errors: &[&str]| rule("MeshFaultInjection", default, errors, &[]);
    fault(
        "{http: [{abort: {httpStatus: 503, percentage: '0.5'}}]}",
        &[],
    );
    fault(
        "{http: [{abort: {httpStatus: 600, percentage: 101}}, {delay: {}}, {responseBandwidth: {limit: 1 bps, percentage: 1}}]}",
        &[
            ".http[0].abort.httpStatus [invalid-value]",
            ".http[0].abort.percentage [invalid-value]",
            ".http[1].delay.value [missing-field]",
            ".http[1].delay.percentage [missing-field]",
            ".http[2].responseBandwidth.limit [invalid-value]",
        ],
    );
}

#[test]
fn balancing() {
    let balance = |target: &str, default: &str, errors: &[&str]| {
        let body = format!("to: [{{targetRef: {target}, default: {default}}}]");
        check_under(
            "MeshLoadBalancingStrategy",
            "spec.to[0].default",
            &body,
            errors,
            &[],
        );
    };
    let service = "{kind: MeshService, labels: {a: b}}";
    let route = "{kind: MeshHTTPRoute, labels: {a: b}}";
    balance(
        service,
        "{loadBalancer: {type: LeastRequest, leastRequest: {choiceCount: 4, activeRequestBias: '1.3'}}}",
        &[],
    );
    balance(
        service,
        "{loadBalancer: {type: PeakEWMA, peakEWMA: {decayTime: 5s, failurePenalty: 0s}, slowStart: {window: 30s, aggression: 2, minWeightPercent: 100}}}",
        &[],
    );
    balance(
        service,
        "{loadBalancer: {type: PeakEWMA, peakEWMA: {choiceCount: 1, decayTime: 0s}, slowStart: {aggression: 0, minWeightPercent: 0}}}",
        &[
            ".loadBalancer.peakEWMA.choiceCount [invalid-value]",
            ".loadBalancer.peakEWMA.decayTime [invalid-value]",
            ".loadBalancer.slowStart.window [missing-field]",
            ".loadBalancer.slowStart.aggression [invalid-value]",
            ".loadBalancer.slowStart.minWeightPercent [invalid-value]",
        ],
    );
    balance(
        service,
        "{localityAwareness: {crossZone: {}}}",
        &[".localityAwareness.crossZone [invalid-value]"],
    );
    balance(
        route,
        "{loadBalancer: {type: Random}, localityAwareness: {}}",
        &[
            ".loadBalancer [invalid-value]",
            ".localityAwareness [invalid-value]",
        ],
    );
    balance(
        service,
        "{loadBalancer: {type: Maglev, maglev: {tableSize: 4096}}, hashPolicies: [{type: Header}, {type: Cookie, cookie: {path: a}}]}",
        &[
            ".loadBalancer.maglev.tableSize [invalid-value]",
            ".hashPolicies[0].header [missing-field]",
            ".hashPolicies[1].cookie.name [missing-field]",
            ".hashPolicies[1].cookie.path [invalid-value]",
        ],
    );
    balance(
        "{kind: Mesh}",
        "{localityAwareness: {localZone: {affinityTags: [{key: a, weight: 1}, {key: b}]}, crossZone: {failover: [{from: {}, to: {type: Only}}, {to: {type: Any, zones: [a]}}, {}], failoverThreshold: {percentage: '0'}}}}",
        &[
            ".localityAwareness.localZone.affinityTags [invalid-value]",
            ".localityAwareness.crossZone.failover[0].from.zones [missing-field]",
            ".localityAwareness.crossZone.failover[0].to.zones [missing-field]",
            ".localityAwareness.crossZone.failover[1].to.zones [invalid-value]",
            ".localityAwareness.crossZone.failover[2].to [missing-field]",
            ".localityAwareness.crossZone.failoverThreshold.percentage [invalid-value]",
        ],
    );
}
