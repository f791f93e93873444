//! `MeshFaultInjection`: faults that a proxy makes on purpose (language 5.14).
//!
//! Never makes one of itself: every fault is a rule with a percentage.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::diag::{Code, Pointer};

use super::client_match::Match;
use super::received::{self, Words};
use super::scalar::{Percentage, TimeSpan};
use super::target_ref::TargetRef;
use super::{Body, Check, KindInfo, Scope, Spec, conf, read, schema};

/// What the registry knows.
pub(crate) const KIND: KindInfo = KindInfo {
    name: "MeshFaultInjection",
    short: "mfi",
    to: &[],
    example: include_str!("mesh_fault_injection/example.yaml"),
    scope: Scope::Mesh,
    body: Body::Spec,
    system_only: false,
    name_is_label: false,
    is_policy: true,
    schema: schema::of::<MeshFaultInjection>,
    parse: |body, check| {
        let spec: MeshFaultInjection = read::typed(body, check)?;
        spec.check(check);
        Some(Spec::MeshFaultInjection)
    },
};

/// Faults that the selected proxies make on purpose, in what their HTTP inbounds receive.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct MeshFaultInjection {
    /// Whose inbounds: `Mesh` or `Dataplane`, the latter with `sectionName` for one inbound. Default: `Mesh`.
    pub(crate) target_ref: Option<TargetRef>,
    /// Not supported: faults are made where requests are received.
    pub(crate) to: Option<Vec<serde_json::Value>>,
    /// The faults. At least one. Every rule that matches acts.
    #[serde(default)]
    pub(crate) rules: Vec<FaultRule>,
}

/// Faults for some clients.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct FaultRule {
    /// Which clients; any one may match. Default: all.
    #[serde(default)]
    pub(crate) matches: Vec<Match>,
    /// The faults. Required.
    pub(crate) default: Option<FaultConf>,
}

/// Faults.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct FaultConf {
    /// Each acts alone, in this order; delays add up.
    pub(crate) http: Option<Vec<Fault>>,
}

/// A fault.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct Fault {
    /// Answers instead of the workload.
    pub(crate) abort: Option<Abort>,
    /// Waits before the request is passed on.
    pub(crate) delay: Option<Delay>,
    /// Slows the response down.
    pub(crate) response_bandwidth: Option<Bandwidth>,
}

/// An answer instead of that of the workload.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct Abort {
    /// Its status, 100 to 599. Required. Below 200 it would be no answer, and is 503.
    pub(crate) http_status: Option<u32>,
    /// How many of the requests, 0 to 100. Required.
    pub(crate) percentage: Option<Percentage>,
}

/// A wait.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct Delay {
    /// How long. Required.
    pub(crate) value: Option<TimeSpan>,
    /// How many of the requests, 0 to 100. Required.
    pub(crate) percentage: Option<Percentage>,
}

/// A slow response.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct Bandwidth {
    /// How fast: a number and `kbps`, `Mbps` or `Gbps`, as in `50 kbps`. Required.
    pub(crate) limit: Option<String>,
    /// How many of the responses, 0 to 100. Required.
    pub(crate) percentage: Option<Percentage>,
}

const WORDS: Words = Words {
    noun: "a fault injection",
    sent: "faults are not made in what a proxy sends",
    instead: "make them where requests are received, with `rules`",
};

/// The least status that ends a request: those below say that an answer follows (RFC 9110, 15.2).
const LEAST_FINAL_STATUS: u32 = 200;

impl MeshFaultInjection {
    fn check(&self, check: &mut Check<'_>) {
        let (target, to) = (self.target_ref.as_ref(), self.to.as_ref());
        received::check_top(target, to, self.rules.len(), &WORDS, check);
        for (index, rule) in self.rules.iter().enumerate() {
            let at = received::check_clients(&rule.matches, index, check);
            let Some(faults) = &rule.default else {
                check.missing(&at);
                continue;
            };
            for (index, fault) in faults.http.iter().flatten().enumerate() {
                fault.check(&at.field("http").index(index), check);
            }
        }
    }
}

impl Fault {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        if let Some(abort) = &self.abort {
            let at = at.field("abort");
            let status = at.field("httpStatus");
            if abort.http_status.is_none() {
                check.missing(&status);
            }
            conf::between(abort.http_status, (100, 599), &status, check);
            let interim = |status: &u32| (100..LEAST_FINAL_STATUS).contains(status);
            if let Some(interim) = abort.http_status.filter(interim) {
                let message =
                    format!("no request ends with the status {interim}: 503 is sent in its place");
                check
                    .warn(Code::NO_EFFECT, &status, message)
                    .help("write the status that clients shall get, 200 to 599");
            }
            check_percentage(abort.percentage.as_ref(), &at, check);
        }
        if let Some(delay) = &self.delay {
            let at = at.field("delay");
            if delay.value.is_none() {
                check.missing(&at.field("value"));
            }
            check_percentage(delay.percentage.as_ref(), &at, check);
        }
        if let Some(bandwidth) = &self.response_bandwidth {
            let at = at.field("responseBandwidth");
            let limit_at = at.field("limit");
            if let Some(limit) = check.required(bandwidth.limit.as_ref(), &limit_at)
                && bits_per_second(limit).is_none()
            {
                check
                    .invalid(&limit_at, format!("`{limit}` is not a bandwidth"))
                    .help("a number above zero and `kbps`, `Mbps` or `Gbps`, as in `50 kbps`");
            }
            check_percentage(bandwidth.percentage.as_ref(), &at, check);
        }
    }
}

fn check_percentage(percentage: Option<&Percentage>, at: &Pointer, check: &mut Check<'_>) {
    let at = at.field("percentage");
    match percentage {
        Some(percentage) => percentage.check(&at, check),
        None => {
            check.missing(&at);
        }
    }
}

/// `50 kbps` in bits per second; `None` for what is no speed.
pub(crate) fn bits_per_second(text: &str) -> Option<u64> {
    let units = [
        ("kbps", 1_000),
        ("Mbps", 1_000_000),
        ("Gbps", 1_000_000_000),
    ];
    let (number, bits) = units
        .iter()
        .find_map(|(unit, bits)| Some((text.strip_suffix(unit)?.trim_end(), *bits)))?;
    if !number.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number: u64 = number.parse().ok()?;
    number.checked_mul(bits).filter(|bits| *bits > 0)
}
