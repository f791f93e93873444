//! The filters of a rule: the same five as those of the mesh, with two ways less to write them.
//!
//! Never drops one without a word.

use serde_json::Number;

use crate::diag::{Code, Pointer};
use crate::source::{Node, NodeKind};

use super::tree::{each, fields, lower, mapping, text};
use super::{Told, rule};

/// Types of the Gateway API that nothing here does.
const STRANGE: [&str; 3] = ["CORS", "ExtensionRef", "ExternalAuth"];

pub(super) fn filter(
    one: &Node,
    at: &Pointer,
    namespace: &str,
    told: &mut Told<'_>,
) -> Option<Node> {
    let kind = one.get("type").and_then(Node::as_str).unwrap_or_default();
    if STRANGE.contains(&kind) {
        let message = format!("the filter `{kind}` is not one of the mesh");
        told.tell(Code::UNSUPPORTED, &at.field("type"), message)
            .help("the filters are RequestHeaderModifier, ResponseHeaderModifier, RequestRedirect, URLRewrite and RequestMirror");
        return None;
    }
    Some(fields(one, |key, value| match key {
        "requestHeaderModifier" | "responseHeaderModifier" => headers(value),
        "requestMirror" => mirror(value, &at.field("requestMirror"), namespace, told),
        _ => value.clone(),
    }))
}

/// Names of headers are in lower case.
fn headers(modifier: &Node) -> Node {
    let named = |header: &Node| {
        fields(header, |key, value| match key {
            "name" => lower(value),
            _ => value.clone(),
        })
    };
    fields(modifier, |key, value| match key {
        "set" | "add" => each(value, |(_, header)| Some(named(header))),
        "remove" => each(value, |(_, name)| Some(lower(name))),
        _ => value.clone(),
    })
}

/// A share in percent or as a fraction.
fn mirror(mirror: &Node, at: &Pointer, namespace: &str, told: &mut Told<'_>) -> Node {
    told.only(mirror, at, &["backendRef", "percent", "fraction"]);
    let key = |name: &str| {
        mirror
            .entry(name)
            .map_or(mirror.span, |entry| entry.key_span)
    };
    let mut made = Vec::new();
    if let Some(backend) = mirror.get("backendRef") {
        let backend = rule::backend(backend, &at.field("backendRef"), namespace, told);
        made.extend(backend.map(|backend| ("backendRef", key("backendRef"), backend)));
    }
    if let Some(percent) = mirror.get("percent") {
        made.push(("percentage", key("percent"), percent.clone()));
    } else if let Some(fraction) = mirror.get("fraction") {
        match share(fraction) {
            Some(share) => made.push(("percentage", key("fraction"), share)),
            None => {
                let message = "a fraction is a `numerator` of at most its `denominator`, which is 100 unless it is given";
                told.invalid(&at.field("fraction"), message);
            }
        }
    }
    mapping(made, mirror.span)
}

fn share(fraction: &Node) -> Option<Node> {
    let number = |name: &str| fraction.get(name).map(|node| node.to_json().as_u64());
    let numerator = number("numerator")??;
    let denominator = match number("denominator") {
        Some(given) => given?,
        None => 100,
    };
    let millionths = numerator
        .checked_mul(100_000_000)?
        .checked_div(denominator)?;
    let (whole, rest) = (millionths / 1_000_000, millionths % 1_000_000);
    if whole > 100 || (whole == 100 && rest > 0) {
        return None;
    }
    Some(match rest {
        0 => Node {
            kind: NodeKind::Number(Number::from(whole)),
            span: fraction.span,
        },
        rest => text(&format!("{whole}.{rest:06}"), fraction.span),
    })
}
