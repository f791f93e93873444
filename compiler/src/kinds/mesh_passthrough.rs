//! `MeshPassthrough`: what may leave the mesh without being known to it (language 5.15).
//!
//! Never gives a destination a name: that is a `MeshExternalService`.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::diag::{Code, Pointer};

use super::target_ref::TargetRef;
use super::{Body, Check, KindInfo, Scope, Spec, grammar, read, schema};

/// What the registry knows.
pub(crate) const KIND: KindInfo = KindInfo {
    name: "MeshPassthrough",
    short: "mp",
    to: &[],
    example: include_str!("mesh_passthrough/example.yaml"),
    scope: Scope::Mesh,
    body: Body::Spec,
    system_only: false,
    name_is_label: false,
    is_policy: true,
    schema: schema::of::<MeshPassthrough>,
    parse: |body, check| {
        let spec: MeshPassthrough = read::typed(body, check)?;
        spec.check(check);
        Some(Spec::MeshPassthrough)
    },
};

/// What the workloads of the selected proxies may reach outside of the mesh. Needs transparent proxying.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct MeshPassthrough {
    /// Whose proxies: `Mesh` or `Dataplane`. Default: `Mesh`.
    pub(crate) target_ref: Option<TargetRef>,
    /// The settings.
    pub(crate) default: Option<PassthroughConf>,
}

/// What may leave.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct PassthroughConf {
    /// `All`, `Matched` or `None`. Default: `Matched`.
    pub(crate) passthrough_mode: Option<PassthroughMode>,
    /// With `Matched`: what may leave; the lists of all policies are taken together.
    pub(crate) append_match: Option<Vec<PassthroughMatch>>,
}

/// What may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum PassthroughMode {
    /// Everything.
    All,
    /// What is listed.
    Matched,
    /// Nothing.
    None,
}

/// A destination that may be reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct PassthroughMatch {
    /// `Domain`, `IP` or `CIDR`. Required.
    #[serde(rename = "type")]
    pub(crate) kind: Option<PassthroughType>,
    /// A DNS name, `*.` and a DNS name or `*`; an IP address; or an IP address, `/` and the length of a prefix. Required.
    pub(crate) value: Option<String>,
    /// 1 to 65535. Default: all.
    pub(crate) port: Option<u32>,
    /// `tcp`, `tls`, `http`, `http2`, `grpc` or `mysql`. Default: `tcp`.
    #[schemars(extend("default" = "tcp"))]
    pub(crate) protocol: Option<PassthroughProtocol>,
}

/// How a destination is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum PassthroughType {
    /// By its name.
    Domain,
    /// By its address.
    #[serde(rename = "IP")]
    Ip,
    /// By a range of addresses.
    #[serde(rename = "CIDR")]
    Cidr,
}

/// What is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PassthroughProtocol {
    /// Bytes.
    Tcp,
    /// TLS, by its server name.
    Tls,
    /// gRPC.
    Grpc,
    /// HTTP/1.1.
    Http,
    /// HTTP/2.
    Http2,
    /// The protocol of `MySQL`.
    Mysql,
}

impl MeshPassthrough {
    fn check(&self, check: &mut Check<'_>) {
        TargetRef::check_top(self.target_ref.as_ref(), false, check);
        let at = Pointer::default().field("default");
        let Some(conf) = &self.default else {
            check.warn(
                Code::NO_EFFECT,
                &at,
                "a policy without `default` does nothing",
            );
            return;
        };
        let at = at.field("appendMatch");
        let matches = conf.append_match.as_deref().unwrap_or_default();
        let matched = conf
            .passthrough_mode
            .is_none_or(|mode| mode == PassthroughMode::Matched);
        if !matched && !matches.is_empty() {
            let message = "the list has an effect with `passthroughMode: Matched` only";
            check.warn(Code::NO_EFFECT, &at, message);
        }
        let mut known = BTreeSet::new();
        let mut spoken: BTreeMap<Option<u32>, PassthroughProtocol> = BTreeMap::new();
        for (index, one) in matches.iter().enumerate() {
            let at = at.index(index);
            one.check(&at, check);
            let protocol = one.protocol.unwrap_or(PassthroughProtocol::Tcp);
            if protocol.is_http() {
                let first = *spoken.entry(one.port).or_insert(protocol);
                if first != protocol {
                    let message = "on one port only one of `grpc`, `http`, `http2` can be spoken";
                    check
                        .invalid(&at.field("port"), message)
                        .help("use another port, or the same protocol");
                }
            }
            if let Some(value) = &one.value
                && !known.insert((one.port, protocol, value))
            {
                let message = format!("`{value}` is listed twice for this port and protocol");
                check
                    .invalid(&at.field("value"), message)
                    .help("remove one");
            }
        }
    }
}

impl PassthroughProtocol {
    fn is_http(self) -> bool {
        matches!(self, Self::Http | Self::Http2 | Self::Grpc)
    }
}

impl PassthroughMatch {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        check.port(self.port, &at.field("port"));
        let Some(kind) = self.kind else {
            check
                .missing(&at.field("type"))
                .help("one of `Domain`, `IP`, `CIDR`");
            return;
        };
        let value_at = at.field("value");
        let Some(value) = check.required(self.value.as_ref(), &value_at) else {
            return;
        };
        match kind {
            PassthroughType::Ip if !grammar::is_ip(value) => {
                check.invalid(&value_at, format!("`{value}` is not an IP address"));
            }
            PassthroughType::Cidr if !is_range(value) => {
                check
                    .invalid(&value_at, format!("`{value}` is not a range of addresses"))
                    .help("an IP address, `/` and the length of the prefix, as in `10.0.0.0/8`");
            }
            PassthroughType::Domain => check_domain(value, &value_at, check),
            PassthroughType::Ip | PassthroughType::Cidr => {}
        }
        self.check_protocol(kind, value, at, check);
    }

    fn check_protocol(
        &self,
        kind: PassthroughType,
        value: &str,
        at: &Pointer,
        check: &mut Check<'_>,
    ) {
        let protocol = self.protocol.unwrap_or(PassthroughProtocol::Tcp);
        let domain = kind == PassthroughType::Domain;
        let nameless = [PassthroughProtocol::Tcp, PassthroughProtocol::Mysql];
        if domain && nameless.contains(&protocol) {
            let message = "a domain cannot be seen in this protocol";
            check
                .invalid(&at.field("protocol"), message)
                .help("use `tls`, `http`, `http2` or `grpc`, or an `IP` or `CIDR`");
        }
        if self.port.is_some() {
            return;
        }
        let at = at.field("port");
        if protocol == PassthroughProtocol::Mysql {
            let message = "`port` must be set with the protocol `mysql`";
            check.error(Code::MISSING_FIELD, &at, message);
        } else if domain && value.starts_with('*') && protocol.is_http() {
            let message = "`port` must be set for a wildcard in a protocol of requests";
            check.error(Code::MISSING_FIELD, &at, message);
        }
    }
}

fn check_domain(value: &str, at: &Pointer, check: &mut Check<'_>) {
    let name = value.strip_prefix("*.").unwrap_or(value);
    if value == "*" || grammar::is_subdomain(name) {
        return;
    }
    let partial = value.contains('*');
    let finding = check.invalid(at, format!("`{value}` is not a DNS name in lower case"));
    if partial {
        finding.help("a wildcard stands for whole labels in front: `*.example.com`");
    }
}

fn is_range(value: &str) -> bool {
    let Some((address, length)) = value.split_once('/') else {
        return false;
    };
    let most = if address.contains(':') { 128 } else { 32 };
    grammar::is_ip(address) && length.parse::<u8>().is_ok_and(|length| length <= most)
}
