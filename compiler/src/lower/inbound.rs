//! Listeners for traffic to the workload, and what they permit and limit (language 4.10, 5.3, 5.5, 5.6).
//!
//! Never orders permissions: any denial wins, whoever wrote it.

use std::sync::Arc;

use mesh_bundle::resource::{
    Inbound, InboundPolicy, PeerMatch, PeerTimeouts, PermissionRule, Permissions, Protocol,
    TlsMode, WorkloadIdentity, WorkloadProbe,
};
use mesh_bundle::{Duration, Key, Origin, Resource, Sourced};
use serde_json::Value;

use crate::diag::Pointer;
use crate::json::Json;
use crate::kinds::dataplane::{self, InboundState, ServiceProbe};
use crate::kinds::scalar::TimeSpan;
use crate::policy::inbound::{self, Rule, read_match};
use crate::provenance::Notes;
use crate::service::{Instance, protocol};

use super::circuit_breaker::circuit_breaker;
use super::fault_injection::faults;
use super::leaf::Leaves;
use super::rate_limit::rate_limits;
use super::shared::Parts;
use super::timeouts::timeouts;
use super::{Lowering, access_log};

/// Adds the inbounds of a proxy.
pub(super) fn lower(of: Lowering<'_>, identity: Option<&WorkloadIdentity>, parts: &mut Parts<'_>) {
    for (index, inbound) in of.instance.inbounds() {
        let section = inbound.section();
        let Some(listener) = listener(of, index, inbound) else {
            // Without a usable port or address, which its own checks have reported.
            continue;
        };
        let mut notes = parts.shared.notes();
        let policy = policy(of, (&section, listener.protocol), identity, &mut notes);
        let key = Key::InboundPolicy(section.clone());
        parts.notes.insert(key.clone(), Arc::new(notes));
        parts.insert(key, Resource::InboundPolicy(policy));
        let key = Key::Inbound(section);
        parts.insert(key, Resource::Inbound(listener));
    }
}

/// Where peers reach an inbound.
pub(crate) fn address(instance: Instance<'_>, inbound: &dataplane::Inbound) -> Option<String> {
    let own = inbound.address.clone();
    own.or_else(|| instance.networking()?.address.clone())
}

/// Declared to be able to serve.
pub(super) fn is_healthy(inbound: &dataplane::Inbound) -> bool {
    let ready = inbound.health.as_ref().and_then(|health| health.ready);
    inbound.state.unwrap_or(InboundState::Ready) == InboundState::Ready && ready != Some(false)
}

fn listener(of: Lowering<'_>, index: usize, inbound: &dataplane::Inbound) -> Option<Inbound> {
    let address = address(of.instance, inbound)?;
    let port = u16::try_from(inbound.port?).ok()?;
    let workload_port = inbound.service_port.map(u16::try_from).transpose().ok()?;
    Some(Inbound {
        kri: of.instance.meta.kri.with_section(inbound.section()),
        workload_address: inbound
            .service_address
            .clone()
            .unwrap_or_else(|| address.clone()),
        workload_port: workload_port.unwrap_or(port),
        address,
        port,
        protocol: protocol(inbound.protocol.as_deref()),
        probe: inbound.service_probe.as_ref().and_then(probe),
        origin: of
            .lines
            .within(of.instance.meta, &of.instance.inbound_at(index)),
    })
}

/// `None`: without `tcp` it does not run.
fn probe(declared: &ServiceProbe) -> Option<WorkloadProbe> {
    let span = |declared: Option<TimeSpan>, seconds| {
        declared.map_or(Duration::from_secs(seconds), |span| span.0)
    };
    declared.tcp.as_ref().map(|_| WorkloadProbe {
        interval: span(declared.interval, 1),
        timeout: span(declared.timeout, 2),
        unhealthy_threshold: declared.unhealthy_threshold.unwrap_or(1),
        healthy_threshold: declared.healthy_threshold.unwrap_or(1),
    })
}

fn policy(
    of: Lowering<'_>,
    (section, protocol): (&str, Protocol),
    identity: Option<&WorkloadIdentity>,
    notes: &mut Notes,
) -> InboundPolicy {
    let policies = &of.mesh.policies;
    let limits = policies.timeout.inbound(&of.subject, section);
    InboundPolicy {
        tls: match identity {
            None => Sourced::built_in(TlsMode::Disabled),
            Some(_) => tls(of, section, notes),
        },
        permissions: identity.map(|identity| permissions(of, section, identity)),
        timeouts: Box::new(timeouts(Leaves {
            merged: &limits.base(),
            lines: of.lines,
            notes,
            place: "timeouts",
        })),
        peer_timeouts: peer_timeouts(of, &limits, notes),
        rate_limits: rate_limits(of, (section, protocol), notes),
        faults: match protocol.is_http() {
            true => faults(of, section),
            false => Vec::new(),
        },
        access_logs: access_log::inbound(of, section),
        circuit_breaker: circuit_breaker(Leaves {
            merged: &policies
                .circuit_breaker
                .inbound(&of.subject, section)
                .base(),
            lines: of.lines,
            notes,
            place: "circuitBreaker",
        }),
    }
}

fn tls(of: Lowering<'_>, section: &str, notes: &mut Notes) -> Sourced<TlsMode> {
    let read = |mode: &Value| {
        Some(match mode.as_str() {
            Some("Permissive") => TlsMode::Permissive,
            _ => TlsMode::Strict,
        })
    };
    let mode = Leaves {
        merged: &of.mesh.policies.tls.inbound(&of.subject, section).base(),
        lines: of.lines,
        notes,
        place: "",
    }
    .read(&["mode"], "tls", read, |mode| {
        read(mode).map_or_else(String::new, |mode| words(mode).to_owned())
    });
    mode.unwrap_or(Sourced::built_in(TlsMode::Strict))
}

/// A mode as people say it.
pub(crate) fn words(mode: TlsMode) -> &'static str {
    match mode {
        TlsMode::Disabled => "disabled",
        TlsMode::Permissive => "permissive",
        TlsMode::Strict => "strict",
    }
}

fn permissions(of: Lowering<'_>, section: &str, identity: &WorkloadIdentity) -> Permissions {
    let applied = of.mesh.policies.permission.inbound(&of.subject, section);
    // The policy that is closest to this inbound is named first; for the decision the order means nothing.
    let rules: Vec<&Rule> = applied.rules.iter().rev().copied().collect();
    let list = |name: &str| -> Vec<PermissionRule> {
        let entries = rules
            .iter()
            .flat_map(|rule| entries(of, &applied, rule, name));
        entries.collect()
    };
    let origin = |rule: &Rule, at: &Pointer| -> Option<Origin> {
        Some(of.lines.source(&applied.source(rule, at)?))
    };
    let allowing = rules.iter().find_map(|rule| {
        let listed = rule.conf.get("allow")?.as_array()?;
        let at = Pointer::default().field("allow");
        origin(rule, &at).filter(|_| !listed.is_empty())
    });
    let any = || {
        rules
            .first()
            .and_then(|rule| origin(rule, &Pointer::default()))
    };
    Permissions {
        deny: list("deny"),
        allow: list("allow"),
        allow_with_shadow_deny: list("allowWithShadowDeny"),
        unmatched: allowing
            .or_else(any)
            .unwrap_or_else(|| identity.origin.clone()),
    }
}

fn entries(
    of: Lowering<'_>,
    applied: &inbound::Inbound<'_>,
    rule: &Rule,
    name: &str,
) -> Vec<PermissionRule> {
    let listed = rule.conf.get(name).and_then(Json::as_array);
    let listed = listed.unwrap_or_default();
    let entry = |(index, entry): (usize, &Json)| {
        let at = Pointer::default().field(name).index(index);
        Some(PermissionRule {
            peer: read_match(entry)?,
            origin: of.lines.source(&applied.source(rule, &at)?),
        })
    };
    listed.iter().enumerate().filter_map(entry).collect()
}

fn peer_timeouts(
    of: Lowering<'_>,
    limits: &inbound::Inbound<'_>,
    notes: &mut Notes,
) -> Vec<PeerTimeouts> {
    let mut list = Vec::new();
    for peer in limits.peers() {
        let mut leaves = Leaves {
            merged: &limits.lookup(peer),
            lines: of.lines,
            notes,
            place: &format!("peerTimeouts/{}", list.len()),
        };
        let built_in = mesh_bundle::resource::Timeouts::default();
        let request = leaves.duration(&["http", "requestTimeout"], "request");
        let stream_idle = leaves.duration(&["http", "streamIdleTimeout"], "streamIdle");
        list.push(PeerTimeouts {
            request: request.unwrap_or(built_in.request),
            stream_idle: stream_idle.unwrap_or(built_in.stream_idle),
            peer: PeerMatch::clone(peer),
        });
    }
    list
}
