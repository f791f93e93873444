//! `MeshRateLimit`: how much a proxy lets in (language 5.8).
//!
//! Never counts over several proxies: each inbound of each proxy counts alone.

use mesh_bundle::Duration;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::diag::Pointer;

use super::client_match::Match;
use super::mesh_http_route::filter::HeaderChanges;
use super::received::{self, Words};
use super::scalar::TimeSpan;
use super::target_ref::TargetRef;
use super::{Body, Check, KindInfo, Scope, Spec, conf, read, schema};

/// What the registry knows.
pub(crate) const KIND: KindInfo = KindInfo {
    name: "MeshRateLimit",
    short: "mrl",
    to: &[],
    example: include_str!("mesh_rate_limit/example.yaml"),
    scope: Scope::Mesh,
    body: Body::Spec,
    system_only: false,
    name_is_label: false,
    is_policy: true,
    schema: schema::of::<MeshRateLimit>,
    parse: |body, check| {
        let spec: MeshRateLimit = read::typed(body, check)?;
        spec.check(check);
        Some(Spec::MeshRateLimit)
    },
};

/// How much the selected proxies let in, per inbound.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct MeshRateLimit {
    /// Whose inbounds: `Mesh` or `Dataplane`, the latter with `sectionName` for one inbound. Default: `Mesh`.
    pub(crate) target_ref: Option<TargetRef>,
    /// Not supported: what is sent is not limited.
    pub(crate) to: Option<Vec<serde_json::Value>>,
    /// The limits. At least one.
    #[serde(default)]
    pub(crate) rules: Vec<RateRule>,
}

/// A limit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct RateRule {
    /// Which clients; any one may match. Default: all. With a `spiffeID` only `http` can be limited.
    #[serde(default)]
    pub(crate) matches: Vec<Match>,
    /// The limit. Required.
    pub(crate) default: Option<RateConf>,
}

/// A limit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct RateConf {
    /// Counted by the proxy. Required.
    pub(crate) local: Option<LocalRate>,
}

/// A limit that the proxy counts. At least one section.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct LocalRate {
    /// Requests.
    pub(crate) http: Option<HttpRate>,
    /// Connections.
    pub(crate) tcp: Option<TcpRate>,
}

/// How many requests. At least one field.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct HttpRate {
    /// No limit, whatever weaker policies say. Default: `false`.
    pub(crate) disabled: Option<bool>,
    /// How many.
    pub(crate) request_rate: Option<Rate>,
    /// What a request gets that is too many.
    pub(crate) on_rate_limit: Option<OnRateLimit>,
}

/// How many connections. At least one field.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct TcpRate {
    /// No limit, whatever weaker policies say. Default: `false`.
    pub(crate) disabled: Option<bool>,
    /// How many.
    pub(crate) connection_rate: Option<Rate>,
}

/// A bucket of tokens.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct Rate {
    /// How many, more than zero. Required.
    pub(crate) num: Option<u32>,
    /// In how long, more than `50ms`. Required.
    pub(crate) interval: Option<TimeSpan>,
}

/// The answer to what is too many.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct OnRateLimit {
    /// Its status, 400 to 599. Default: 429.
    pub(crate) status: Option<u32>,
    /// Its headers.
    pub(crate) headers: Option<HeaderChanges>,
}

/// Intervals up to this one cannot be held (language 5.8).
const LEAST_INTERVAL: Duration = Duration::from_millis(50);

const WORDS: Words = Words {
    noun: "a rate limit",
    sent: "what a proxy sends is not limited",
    instead: "limit it where it is received, with `rules`",
};

impl MeshRateLimit {
    fn check(&self, check: &mut Check<'_>) {
        let (target, to) = (self.target_ref.as_ref(), self.to.as_ref());
        received::check_top(target, to, self.rules.len(), &WORDS, check);
        for (index, rule) in self.rules.iter().enumerate() {
            let at = received::check_clients(&rule.matches, index, check);
            rule.check(&at, check);
        }
    }
}

impl RateRule {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        let at = at.field("local");
        let Some(local) = self.default.as_ref().and_then(|conf| conf.local.as_ref()) else {
            check.missing(&at);
            return;
        };
        let sections = [("tcp", local.tcp.is_some()), ("http", local.http.is_some())];
        conf::any_of(&sections, &at, check);
        if let Some(http) = &local.http {
            http.check(&at.field("http"), check);
        }
        if let Some(tcp) = &local.tcp {
            let at = at.field("tcp");
            tcp.check(&at, check);
            if self.matches.iter().any(|one| one.spiffe_id.is_some()) {
                let message = "`tcp` cannot depend on who the client is";
                check
                    .invalid(&at, message)
                    .help("use a rule without `matches`");
            }
        }
    }
}

impl HttpRate {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        let fields = [
            ("disabled", self.disabled.is_some()),
            ("requestRate", self.request_rate.is_some()),
            ("onRateLimit", self.on_rate_limit.is_some()),
        ];
        conf::any_of(&fields, at, check);
        if let Some(rate) = &self.request_rate {
            rate.check(&at.field("requestRate"), check);
        }
        let Some(answer) = &self.on_rate_limit else {
            return;
        };
        let at = at.field("onRateLimit");
        conf::between(answer.status, (400, 599), &at.field("status"), check);
        if let Some(headers) = &answer.headers {
            headers.check(&at.field("headers"), check);
        }
    }
}

impl TcpRate {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        let fields = [
            ("disabled", self.disabled.is_some()),
            ("connectionRate", self.connection_rate.is_some()),
        ];
        conf::any_of(&fields, at, check);
        if let Some(rate) = &self.connection_rate {
            rate.check(&at.field("connectionRate"), check);
        }
    }
}

impl Rate {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        let number = at.field("num");
        match self.num {
            None => {
                check.missing(&number);
            }
            Some(_) => conf::above_zero(self.num, &number, check),
        }
        let interval = at.field("interval");
        match self.interval {
            None => {
                check.missing(&interval);
            }
            Some(span) if span.0 <= LEAST_INTERVAL => {
                let message = format!("`{}` is too short: more than `50ms` is needed", span.0);
                check.invalid(&interval, message);
            }
            Some(_) => {}
        }
    }
}
