//! What a `MeshTest` must say to be asked.
//!
//! Never asks it: what holds is a question to the whole mesh.

use crate::diag::{Code, Pointer};
use crate::kinds::mesh_timeout::TimeoutConf;
use crate::kinds::target_ref::TargetRef;
use crate::kinds::{Check, SERVICES, conf};

use super::{
    ClientKind, Clients, Expectation, Intent, MeshTest, RateExpectation, RouteExpectation,
    TestRequest,
};

impl MeshTest {
    /// Checks a test.
    pub(super) fn check(&self, check: &mut Check<'_>) {
        let at = Pointer::default().field("tests");
        if self.tests.is_empty() {
            check
                .missing(&at)
                .help("a test without `tests` asks nothing");
        }
        for (index, intent) in self.tests.iter().enumerate() {
            intent.check(&at.index(index), check);
        }
    }
}

impl Intent {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        let from_at = at.field("from");
        match &self.from {
            Some(from) => from.check(&from_at, check),
            None => {
                check
                    .missing(&from_at)
                    .help("`from: {kind: Dataplane, labels: {…}}`, or `{kind: Anybody}`");
            }
        }
        TargetRef::check_item(self.to.as_ref(), &at.field("to"), SERVICES, check);
        if let Some(request) = &self.request {
            request.check(&at.field("request"), check);
        }
        let expect_at = at.field("expect");
        let kind = self.from.as_ref().and_then(|from| from.kind);
        match &self.expect {
            Some(expect) => expect.check(kind, &expect_at, check),
            None => {
                check.missing(&expect_at).help("`expect: {access: Allow}`");
            }
        }
    }
}

impl Clients {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        let Some(kind) = self.kind else {
            check
                .missing(&at.field("kind"))
                .help("one of `Dataplane`, `SpiffeID`, `Plaintext`, `Anybody`");
            return;
        };
        let told = [
            ("labels", !self.labels.is_empty(), ClientKind::Dataplane),
            ("spiffeID", self.spiffe_id.is_some(), ClientKind::SpiffeId),
        ];
        for (field, set, wanted) in told {
            if set && kind != wanted {
                let message = format!("`{field}` says nothing about this kind of client");
                check.invalid(&at.field(field), message).help("remove it");
            }
        }
        if kind == ClientKind::SpiffeId && self.spiffe_id.is_none() {
            check
                .missing(&at.field("spiffeID"))
                .help("`spiffeID: {type: Exact, value: spiffe://…}`");
        }
        if let Some(id) = &self.spiffe_id {
            id.check_form(&at.field("spiffeID"), check);
        }
        for (index, id) in self.except.iter().enumerate() {
            id.check_form(&at.field("except").index(index), check);
        }
        if kind == ClientKind::Plaintext && !self.except.is_empty() {
            let message = "whoever comes without mesh TLS has no identity";
            check.invalid(&at.field("except"), message);
        }
    }
}

impl TestRequest {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        let upper = |method: &str| method.bytes().all(|byte| byte.is_ascii_uppercase());
        if let Some(method) = &self.method
            && (method.is_empty() || !upper(method))
        {
            let message = format!("`{method}` is not a method in upper case");
            check.invalid(&at.field("method"), message);
        }
        if let Some(path) = &self.path
            && !path.starts_with('/')
        {
            let message = format!("the path `{path}` does not begin with `/`");
            check.invalid(&at.field("path"), message);
        }
        for (index, header) in self.headers.iter().enumerate() {
            let at = at.field("headers").index(index);
            check.required(header.name.as_ref(), &at.field("name"));
            if header.value.is_none() {
                check.missing(&at.field("value"));
            }
        }
    }
}

impl Expectation {
    fn check(&self, kind: Option<ClientKind>, at: &Pointer, check: &mut Check<'_>) {
        let members = [
            ("access", self.access.is_some()),
            ("encrypted", self.encrypted.is_some()),
            ("route", self.route.is_some()),
            ("timeout", self.timeout.is_some()),
            ("retries", self.retries.is_some()),
            ("rate", self.rate.is_some()),
        ];
        conf::any_of(&members, at, check);
        if kind.is_some_and(|kind| kind != ClientKind::Dataplane) {
            self.check_without_proxy(at, check);
        }
        if let Some(route) = &self.route {
            route.check(&at.field("route"), check);
        }
        if let Some(timeout) = &self.timeout {
            TimeoutConf::check(Some(timeout), &at.field("timeout"), check);
        }
        if let Some(rate) = &self.rate {
            rate.check(&at.field("rate"), check);
        }
    }

    /// An identity has no proxy that could be asked.
    fn check_without_proxy(&self, at: &Pointer, check: &mut Check<'_>) {
        let timeout = self.timeout.clone().unwrap_or_default();
        let http = timeout.http.clone().unwrap_or_default();
        let of_proxies = [
            ("route", self.route.is_some()),
            ("retries", self.retries.is_some()),
            (
                "timeout.connectionTimeout",
                timeout.connection_timeout.is_some(),
            ),
            ("timeout.idleTimeout", timeout.idle_timeout.is_some()),
            (
                "timeout.http.maxStreamDuration",
                http.max_stream_duration.is_some(),
            ),
            (
                "timeout.http.maxConnectionDuration",
                http.max_connection_duration.is_some(),
            ),
            (
                "timeout.http.requestHeadersTimeout",
                http.request_headers_timeout.is_some(),
            ),
        ];
        for (field, set) in of_proxies {
            if set {
                let at = field.split('.').fold(at.clone(), |at, name| at.field(name));
                let message = format!("`{field}` is up to the proxy of a client");
                check
                    .invalid(&at, message)
                    .help("ask for `from: {kind: Dataplane}`");
            }
        }
    }
}

impl RouteExpectation {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        match (&self.backends, self.redirect) {
            (None, None) => {
                let message = "one of `backends` and `redirect` must be set";
                check.error(Code::MISSING_FIELD, at, message);
            }
            (Some(_), Some(_)) => {
                check.invalid(at, "a request that is redirected goes to no backend");
            }
            _ => {}
        }
        conf::between(self.redirect, (300, 399), &at.field("redirect"), check);
        for (index, share) in self.backends.iter().flatten().enumerate() {
            let at = at.field("backends").index(index);
            let target = TargetRef {
                kind: Some(share.target_kind()),
                labels: share.labels.clone(),
                section_name: share.section_name.clone(),
            };
            TargetRef::check_item(Some(&target), &at, SERVICES, check);
            if let Some(share) = &share.share {
                share.check(&at.field("share"), check);
            }
        }
    }
}

impl RateExpectation {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        let limited = self.num.is_some() || self.interval.is_some();
        match (self.disabled == Some(true), limited) {
            (true, true) => {
                check.invalid(
                    at,
                    "where nothing is limited there is no `num` or `interval`",
                );
            }
            (true, false) => {}
            (false, _) => {
                if self.num.is_none() {
                    check.missing(&at.field("num"));
                }
                if self.interval.is_none() {
                    check.missing(&at.field("interval"));
                }
            }
        }
        conf::above_zero(self.num, &at.field("num"), check);
    }
}
