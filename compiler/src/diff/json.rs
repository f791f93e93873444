//! A difference for programs: all of it, nothing grouped.
//!
//! Never leaves out a name: whoever reads it counts for himself.

use serde_json::{Value, json};

use super::gates::{Place, Verdict};
use super::{Difference, Edge, Outside, Setting, grouped, words};
use crate::flow::callers::Caller;

/// For programs.
#[must_use]
pub fn json(difference: &Difference, verdict: Option<&Verdict>) -> Value {
    let proxies = &difference.proxies;
    let changed = proxies
        .changed
        .iter()
        .map(|proxy| json!({"proxy": proxy.kri, "growth": proxy.growth, "sent": proxy.sent}));
    json!({
        "empty": difference.is_empty(),
        "edges": difference.edges.iter().map(edge).collect::<Vec<_>>(),
        "outside": difference.outside.iter().map(outside).collect::<Vec<_>>(),
        "settings": difference.settings.iter().map(|own| setting(difference, own)).collect::<Vec<_>>(),
        "proxies": {
            "added": proxies.added,
            "removed": proxies.removed,
            "changed": changed.collect::<Vec<_>>(),
            "moved": proxies.moved,
        },
        "gates": verdict.map(gates),
    })
}

fn gates(verdict: &Verdict) -> Value {
    let place = |place: &Place| json!({"file": place.file, "line": place.line});
    let broken = verdict.broken.iter().map(|broken| {
        json!({
            "code": broken.gate.code().0,
            "message": broken.message,
            "causes": broken.causes.iter().map(place).collect::<Vec<_>>(),
            "rule": place(&broken.rule),
            "help": broken.help,
        })
    });
    json!({"broken": broken.collect::<Vec<_>>(), "allowed": verdict.allowed})
}

fn edge(edge: &Edge) -> Value {
    let kind = match edge.caller {
        Caller::Plain => "plain",
        Caller::Named(_) => "identity",
        Caller::Under { .. } => "prefix",
        Caller::Other { .. } => "other",
    };
    let traffic = edge.traffic.iter().map(|traffic| {
        json!({
            "requests": traffic.requests,
            "example": traffic.example.to_string(),
            "before": words::reach(traffic.before),
            "after": words::reach(traffic.after),
        })
    });
    json!({
        "caller": {"kind": kind, "text": edge.caller.to_string(), "identity": edge.caller.identity()},
        "port": edge.port,
        "access": {"before": words::reach(edge.access.0), "after": words::reach(edge.access.1)},
        "traffic": traffic.collect::<Vec<_>>(),
        "all": edge.is_whole,
        "exact": edge.is_exact,
        "cause": edge.cause,
    })
}

fn outside(outside: &Outside) -> Value {
    json!({
        "destination": outside.destination,
        "opened": outside.opened,
        "newly": outside.newly.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "closed": outside.closed,
        "cause": outside.cause,
    })
}

fn setting(difference: &Difference, setting: &Setting) -> Value {
    json!({
        "subject": grouped::subject(&difference.names, &setting.subject),
        "path": setting.path,
        "before": {"value": setting.before, "origin": setting.before_origin},
        "after": {"value": setting.after, "origin": setting.after_origin},
        "proxies": setting.proxies,
    })
}
