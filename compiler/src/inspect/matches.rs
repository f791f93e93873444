//! Matches as documents write them, and the name that Kuma gives to those of a route.
//!
//! Never compares: whether two matches are the same is known where routes are merged.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mesh_bundle::resource::{PeerMatch, SpiffeMatch};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

/// Whom a rule is about.
pub(super) fn peer(peer: &PeerMatch) -> Value {
    let mut fields = Map::new();
    if let Some(id) = &peer.spiffe_id {
        let (how, id) = match id {
            SpiffeMatch::Exact(id) => ("Exact", id),
            SpiffeMatch::Prefix(id) => ("Prefix", id),
        };
        fields.insert("spiffeID".to_owned(), json!({"type": how, "value": id}));
    }
    if let Some(sni) = &peer.sni {
        fields.insert("sni".to_owned(), json!({"type": "Exact", "value": sni}));
    }
    Value::Object(fields)
}

/// The name of the matches of a rule: the SHA-256 of their JSON as Kuma writes it, in base64.
pub(super) fn hash(matches: &Value) -> String {
    let mut text = String::new();
    list(&mut text, matches, &|text, one| {
        object(text, one, &["path", "method", "queryParams", "headers"]);
    });
    STANDARD.encode(Sha256::digest(text.as_bytes()))
}

fn list(text: &mut String, value: &Value, each: &dyn Fn(&mut String, &Value)) {
    text.push('[');
    for (place, item) in value.as_array().into_iter().flatten().enumerate() {
        if place > 0 {
            text.push(',');
        }
        each(text, item);
    }
    text.push(']');
}

/// The fields that are there, in this order.
fn object(text: &mut String, value: &Value, order: &[&str]) {
    text.push('{');
    let fields = order
        .iter()
        .filter_map(|name| Some((name, value.get(*name)?)));
    for (place, (name, value)) in fields.enumerate() {
        if place > 0 {
            text.push(',');
        }
        text.push_str(&format!("\"{name}\":"));
        match value {
            Value::Object(_) => object(text, value, &["value", "type"]),
            Value::Array(_) => list(text, value, &|text, one| {
                object(text, one, &["type", "name", "value"]);
            }),
            value => text.push_str(&escaped(value)),
        }
    }
    text.push('}');
}

/// As Go writes JSON: what HTML would take for its own is escaped.
fn escaped(value: &Value) -> String {
    let text = value.to_string();
    let text = text.replace('&', "\\u0026");
    text.replace('<', "\\u003c").replace('>', "\\u003e")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_matches_does_not_depend_on_the_order_of_their_fields() {
        // Kuma's own answer.
        let known = "JNNc6//C3P17nUsOJm5f4kqG+U3v8pXhS0od9C3+oss=";
        for matches in [
            r#"[{"path": {"value": "/", "type": "Exact"}}]"#,
            r#"[{"path": {"type": "Exact", "value": "/"}}]"#,
        ] {
            assert_eq!(hash(&serde_json::from_str(matches).unwrap()), known);
        }
        assert_ne!(hash(&json!([])), known);
    }

    #[test]
    fn json_is_escaped_as_go_escapes_it() {
        assert_eq!(escaped(&json!("<a&b>")), "\"\\u003ca\\u0026b\\u003e\"");
    }

    #[test]
    fn peers_are_written_as_documents_write_them() {
        let written = json!({
            "spiffeID": {"type": "Prefix", "value": "spiffe://td/ns"},
            "sni": {"type": "Exact", "value": "a.b"},
        });
        let read = crate::policy::inbound::read_match(&written.clone().into()).unwrap();
        assert_eq!(peer(&read), written);
    }
}
