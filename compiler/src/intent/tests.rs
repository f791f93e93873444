//! The shop of the examples, with tests of every kind: each passes, and each fails where what it asks does not hold.

use std::collections::BTreeMap;

use mesh_bundle::Digest;

use super::*;
use crate::compile::analyse;
use crate::diag::Paths;
use crate::flow::tests::SHOP;
use crate::model::Settings;
use crate::world::MemoryWorld;

const ID: &str = "spiffe://default.default.mesh.local/workload";

/// The shop with one more file.
fn shop(added: &str) -> Analysis {
    let files = SHOP.iter().copied().chain([("added.yaml", added)]);
    let files: BTreeMap<_, _> = files
        .map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()))
        .collect();
    let analysis = analyse(&MemoryWorld { files }, &Settings::default());
    let found = &analysis.compiled.diagnostics;
    assert!(!found.has_errors(), "{found:#?}");
    analysis
}

/// One test in a document of its own, with more documents before it.
fn document(more: &str, test: &str) -> String {
    format!("{more}type: MeshTest\nname: t\nspec:\n  tests:\n    - {{{test}}}\n")
}

fn asked(more: &str, test: &str) -> Report {
    run(&shop(&document(more, test)), &Options::default())
}

/// What does not hold, each as `message (lines)`.
fn failures(report: &Report) -> Vec<String> {
    let all = report.results.iter().flat_map(|result| &result.failures);
    all.map(|failure| {
        let lines: Vec<String> = failure.because.iter().map(ToString::to_string).collect();
        format!("{} ({})", failure.message, lines.join(", "))
    })
    .collect()
}

fn holds(test: &str) {
    let report = asked("", test);
    assert_eq!(failures(&report), Vec::<String>::new(), "{test}");
    assert!(
        report.results.iter().all(|result| result.questions > 0),
        "{test}"
    );
}

fn fails(test: &str, expected: &[&str]) {
    let found = failures(&asked("", test));
    assert_eq!(found.len(), expected.len(), "{test}: {found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.contains(expected), "{test}: {found}");
    }
}

fn service(name: &str) -> String {
    format!("to: {{kind: MeshService, labels: {{kuma.io/display-name: {name}}}}}")
}

fn workload(app: &str) -> String {
    format!("from: {{kind: Dataplane, labels: {{app: {app}}}}}")
}

#[test]
fn who_is_allowed_and_who_is_not() {
    let (web, outsider) = (workload("web"), workload("outsider"));
    let api = service("api");
    holds(&format!("{web}, {api}, expect: {{access: Allow}}"));
    holds(&format!("{outsider}, {api}, expect: {{access: Deny}}"));
    fails(
        &format!("{outsider}, {api}, expect: {{access: Allow}}"),
        &[
            "`outsider-1` may not reach `api-v1:http` at `api-1`: no rule allows it (permission.yaml:",
            "`outsider-1` may not reach `api-v2:http` at `api-2`: no rule allows it (permission.yaml:",
        ],
    );
    fails(
        &format!("{web}, {api}, expect: {{access: Deny}}"),
        &["`web-1` may reach `api:http` at `api-1`: a rule allows it (permission.yaml:13)"],
    );
    // Who has no outbound is asked about at the door.
    let db = service("db");
    holds(&format!("{web}, {db}, expect: {{access: Deny}}"));
    fails(
        &format!("{web}, {db}, expect: {{access: Allow}}"),
        &["`web-1` has no outbound to"],
    );
}

#[test]
fn everybody_there_could_ever_be() {
    let api = service("api");
    let anybody = |except: &str| format!("from: {{kind: Anybody, except: [{except}]}}");
    let exact = |name: &str| format!("{{type: Exact, value: '{ID}/{name}'}}");
    let prefix = |text: &str| format!("{{type: Prefix, value: '{text}'}}");
    holds(&format!(
        "{}, {api}, expect: {{access: Deny}}",
        anybody(&exact("web"))
    ));
    fails(
        &format!("{}, {api}, expect: {{access: Deny}}", anybody(&exact("db"))),
        &[&format!(
            "`{ID}/web` may reach `api:http` at `api-1`: a rule allows it"
        )],
    );
    // `web` is one of those that begin so, and every other is not allowed.
    let under = |text: &str| format!("from: {{kind: SpiffeID, spiffeID: {}}}", prefix(text));
    fails(
        &format!("{}, {api}, expect: {{access: Deny}}", under(ID)),
        &["/web` may reach"],
    );
    holds(&format!(
        "{}, {api}, expect: {{access: Deny}}",
        under(&format!("{ID}/web2"))
    ));
    holds(&format!(
        "from: {{kind: SpiffeID, spiffeID: {}}}, {api}, expect: {{access: Allow}}",
        exact("web")
    ));
    holds(&format!(
        "from: {{kind: Plaintext}}, {api}, expect: {{access: Deny}}"
    ));
    // Somebody whom a longer prefix than the excepted one allows is found, though no workload is called so.
    let allow = format!(
        "type: MeshTrafficPermission\nname: more\nspec:\n  targetRef: {{kind: Dataplane, labels: {{app: api}}}}\n  rules: [{{default: {{allow: [{{spiffeID: {}}}]}}}}]\n---\n",
        prefix(&format!("{ID}/batch"))
    );
    let test = format!(
        "{}, {api}, expect: {{access: Deny}}",
        anybody(&exact("web"))
    );
    let found = failures(&asked(&allow, &test));
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(
        found[0].contains("/batch*` may reach `api:http`"),
        "{found:#?}"
    );
    let both = format!("{}, {}", exact("web"), prefix(&format!("{ID}/batch")));
    let test = format!("{}, {api}, expect: {{access: Deny}}", anybody(&both));
    assert_eq!(failures(&asked(&allow, &test)), Vec::<String>::new());
}

#[test]
fn where_requests_go_and_what_holds_for_them() {
    let (web, api) = (workload("web"), service("api"));
    let asks = |expect: &str| format!("{web}, {api}, expect: {{{expect}}}");
    let backend = |name: &str, share: u32| {
        format!("{{labels: {{kuma.io/display-name: {name}}}, share: {share}}}")
    };
    let split = |a: u32, b: u32| {
        let (a, b) = (backend("api-v1", a), backend("api-v2", b));
        asks(&format!("route: {{backends: [{a}, {b}]}}"))
    };
    holds(&split(90, 10));
    fails(
        &split(80, 20),
        &[
            "90 % of `GET /` of `web-1` goes to `api-v1`, not 80 % (canary.yaml:12)",
            "10 % of `GET /` of `web-1` goes to `api-v2`, not 20 % (canary.yaml:12)",
        ],
    );
    fails(
        &asks(&format!("route: {{backends: [{}]}}", backend("api-v1", 90))),
        &["10 % of `GET /` of `web-1` goes to `api-v2:http` (canary.yaml:23)"],
    );
    fails(&asks("route: {redirect: 302}"), &["is not redirected"]);
    holds(&asks(
        "timeout: {connectionTimeout: 5s, http: {requestTimeout: 3s}}",
    ));
    fails(
        &asks("timeout: {http: {requestTimeout: 4s}}"),
        &["`requestTimeout` of `web-1` is 3s, not 4s (timeouts.yaml:"],
    );
    holds(&asks("retries: 5"));
    fails(
        &asks("retries: 0"),
        &["tries `api:http` again up to 5 times, not 0"],
    );
    holds(&asks("encrypted: true, rate: {disabled: true}"));
    fails(
        &asks("encrypted: false"),
        &["`web-1` speaks TLS to `api:http`"],
    );
    fails(
        &asks("rate: {num: 5, interval: 1s}"),
        &["`api-1` takes as many as come from `web-1` at `api:http`, not 5 in 1s"],
    );
    let limit = "type: MeshRateLimit\nname: l\nspec:\n  targetRef: {kind: Dataplane, labels: {app: api}}\n  rules: [{default: {local: {http: {requestRate: {num: 5, interval: 1s}}}}}]\n---\n";
    let limited = asked(limit, &asks("rate: {num: 5, interval: 1s}"));
    assert_eq!(failures(&limited), Vec::<String>::new());
}

#[test]
fn a_test_that_asks_nothing_fails() {
    let allow = "expect: {access: Allow}";
    fails(
        &format!("{}, {}, {allow}", workload("nobody"), service("api")),
        &["`from` selects no Dataplane"],
    );
    fails(
        &format!("{}, {}, {allow}", workload("web"), service("apo")),
        &["no port of a MeshService is `apo`"],
    );
}

#[test]
fn a_bundle_is_the_same_with_tests() {
    let digest = |added: &str| -> Digest { shop(added).compiled.bundle.digest };
    let test = format!(
        "{}, {}, expect: {{access: Allow}}",
        workload("web"),
        service("api")
    );
    assert_eq!(digest(""), digest(&document("", &test)));
}

#[test]
fn rules_that_nobody_touches_and_changes_that_nobody_notices() {
    let options = Options {
        coverage: true,
        mutate: true,
        ..Options::default()
    };
    let told = |test: &str| {
        let report = run(&shop(&document("", test)), &options);
        let coverage = report.coverage.expect("somebody asked");
        let mutations = report.mutations.expect("somebody asked");
        let untouched = coverage.untouched.iter();
        let unnoticed = mutations.unnoticed.iter();
        (
            untouched
                .map(|rule| format!("{} {}", rule.at, rule.what))
                .collect::<Vec<_>>(),
            unnoticed
                .map(|change| format!("{} {}", change.at, change.change))
                .collect::<Vec<_>>(),
        )
    };
    let (web, api) = (workload("web"), service("api"));
    let (untouched, unnoticed) = told(&format!("{web}, {api}, expect: {{access: Allow}}"));
    assert_eq!(untouched, ["db.yaml:44 allow", "timeouts.yaml:13 timeout"]);
    // Both versions serve the front, and so does the service itself: it does not matter which one does.
    assert_eq!(
        unnoticed,
        [
            "canary.yaml:12 without this rule",
            "canary.yaml:18 without this backend",
            "canary.yaml:23 without this backend",
            "db.yaml:44 without this `allow`",
            "timeouts.yaml:13 with a second more",
        ]
    );
    let expect = "access: Allow, timeout: {http: {requestTimeout: 3s}}, route: {backends: [{labels: {kuma.io/display-name: api-v1}, share: 90}, {labels: {kuma.io/display-name: api-v2}, share: 10}]}";
    let (untouched, unnoticed) = told(&format!("{web}, {api}, expect: {{{expect}}}"));
    assert_eq!(untouched, ["db.yaml:44 allow"]);
    assert_eq!(unnoticed, ["db.yaml:44 without this `allow`"]);
}

#[test]
fn reports_name_every_test_and_escape_what_they_are_called() {
    let test = format!(
        "name: 'a <b> # & c', {}, {}, expect: {{access: Allow}}",
        workload("outsider"),
        service("api")
    );
    let report = asked("", &test);
    let paths = Paths::under("mesh");
    let written = |form| render(form, &report, &paths);
    let human = written(Form::Human);
    assert!(
        human.starts_with("FAIL t: a <b> # & c\n     at mesh/added.yaml:5\n"),
        "{human}"
    );
    let junit = written(Form::Junit);
    assert!(
        junit.contains(
            "name=\"a &lt;b&gt; # &amp; c\" classname=\"t\" file=\"mesh/added.yaml\" line=\"5\""
        ),
        "{junit}"
    );
    assert!(junit.contains("tests=\"1\" failures=\"1\""), "{junit}");
    let tap = written(Form::Tap);
    assert!(tap.starts_with("TAP version 14\n1..1\nnot ok 1 - t: a <b> \\# & c\n  ---\n  at: \"mesh/added.yaml:5\"\n"), "{tap}");
    let json: serde_json::Value = serde_json::from_str(&written(Form::Json)).expect("JSON");
    assert_eq!(json["failed"], 1);
    assert_eq!(json["results"][0]["at"]["line"], 5);
}
