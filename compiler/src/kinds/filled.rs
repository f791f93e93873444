//! Defaults that count as written: the `default`s of the schemas, put where a document says nothing (language 0).
//!
//! Never fills in what is built in: such a value is effective only where no policy says another.

use std::collections::BTreeMap;
use std::sync::{LazyLock, OnceLock};

use serde_json::Value;

use super::{KINDS, KindInfo, Resource};

/// A resource with its defaults.
pub(crate) fn resource(kind: &KindInfo, mut resource: Resource) -> Resource {
    if let Some(schema) = schema(kind) {
        let mut body = resource.body.to_value();
        Filling { root: schema }.fill(schema, &mut body);
        resource.body = body.into();
    }
    resource
}

/// A conf with its defaults, by the name of its kind and where a document of it keeps confs: `["to", "default"]`.
pub(crate) fn conf(kind: &str, place: &[&str], conf: &mut Value) {
    let Some(schema) = super::find(kind).and_then(schema) else {
        return;
    };
    let filling = Filling { root: schema };
    let at = place
        .iter()
        .try_fold(schema, |at, name| filling.inside(at, name));
    if let Some(at) = at {
        filling.fill(at, conf);
    }
}

/// Each schema is made once in a process.
fn schema(kind: &KindInfo) -> Option<&'static Value> {
    static SCHEMAS: LazyLock<BTreeMap<&str, OnceLock<Value>>> = LazyLock::new(|| {
        let cell = |kind: &&KindInfo| (kind.name, OnceLock::new());
        KINDS.iter().map(cell).collect()
    });
    let cell = SCHEMAS.get(kind.name)?;
    Some(cell.get_or_init(kind.schema))
}

struct Filling<'a> {
    root: &'a Value,
}

impl<'a> Filling<'a> {
    /// What a schema refers to, or the schema itself.
    fn resolved(&self, schema: &'a Value) -> &'a Value {
        let all = schema.get("allOf").and_then(Value::as_array);
        let schema = match all.map(Vec::as_slice) {
            Some([only]) => only,
            _ => schema,
        };
        let target = schema.get("$ref").and_then(Value::as_str);
        let target = target.and_then(|target| self.root.pointer(target.strip_prefix('#')?));
        target.unwrap_or(schema)
    }

    /// The schema of a property, or of the items of the list that it is.
    fn inside(&self, schema: &'a Value, name: &str) -> Option<&'a Value> {
        let property = self.resolved(schema).get("properties")?.get(name)?;
        let property = self.resolved(property);
        Some(property.get("items").unwrap_or(property))
    }

    fn fill(&self, schema: &'a Value, value: &mut Value) {
        let schema = self.resolved(schema);
        match value {
            Value::Array(items) => {
                if let Some(of_items) = schema.get("items") {
                    items.iter_mut().for_each(|item| self.fill(of_items, item));
                }
            }
            Value::Object(fields) => {
                let properties = schema.get("properties").and_then(Value::as_object);
                for (name, property) in properties.into_iter().flatten() {
                    match fields.get_mut(name) {
                        Some(field) => self.fill(property, field),
                        None => {
                            // An empty list or mapping stands for nothing at all.
                            let default = property.get("default");
                            let scalar =
                                default.filter(|value| !value.is_array() && !value.is_object());
                            if let Some(default) = scalar {
                                fields.insert(name.clone(), default.clone());
                            }
                        }
                    }
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn defaults_are_filled_in_where_something_holds_them() {
        let table = [
            (
                "MeshTrace",
                vec!["default"],
                json!({"backends": [{"type": "Zipkin", "zipkin": {"url": "http://z:1"}}]}),
                json!({"backends": [{"type": "Zipkin", "zipkin": {
                    "url": "http://z:1", "apiVersion": "httpJson", "sharedSpanContext": true, "traceId128bit": false,
                }}]}),
            ),
            (
                "MeshHTTPRoute",
                vec!["to"],
                json!({"rules": [{"default": {"backendRefs": [{"kind": "MeshService"}]}}]}),
                json!({"rules": [{"default": {"backendRefs": [{"kind": "MeshService", "weight": 1}]}}]}),
            ),
            (
                "MeshRetry",
                vec!["to", "default"],
                json!({"http": {}}),
                json!({"http": {}}),
            ),
            ("MeshTimeout", vec!["to", "default"], json!({}), json!({})),
            ("Nothing", vec![], json!({}), json!({})),
        ];
        for (kind, place, mut given, expected) in table {
            conf(kind, &place, &mut given);
            assert_eq!(given, expected, "{kind}");
        }
    }
}
