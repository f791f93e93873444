//! What may stand at a place of a document, by the schemas of the kinds: the same that the reference pages are made of.
//!
//! Never judges a document: that is the compiler.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde_json::Value;

use crate::diag::{Pointer, Step};
use crate::reference::{READ_ONLY, Remark, union};
use crate::source::Node;

/// Of all kinds in both formats. Made once: it takes a while.
static UNION: LazyLock<Value> = LazyLock::new(union);

/// Deeper than any schema refers.
const DEEPEST: usize = 16;

/// Everything that holds for one place.
#[derive(Debug, Clone, Default)]
pub(super) struct Shape {
    parts: Vec<&'static Value>,
}

/// One field of a mapping.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) remark: Remark,
    pub(super) shape: Shape,
    pub(super) required: bool,
}

/// Makes what takes a while, before anybody waits for it.
pub(super) fn prepare() {
    LazyLock::force(&UNION);
}

/// Every kind, sorted, each with what it is for.
pub(super) fn kinds() -> Vec<(&'static str, &'static str)> {
    let listed = |name: &str| {
        let path = format!("/else/properties/type/{name}");
        let list = UNION.pointer(&path).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str)
    };
    let mut kinds: Vec<_> = listed("enum").zip(listed("enumDescriptions")).collect();
    kinds.sort_unstable();
    kinds
}

/// The kind that a document says, in its own format.
pub(super) fn kind(root: &Node) -> Option<&str> {
    let key = match root.get("apiVersion") {
        Some(_) => "kind",
        None => "type",
    };
    root.get(key)?.as_str()
}

impl Field {
    /// Is it there for tools alone?
    pub(super) fn is_read_only(&self) -> bool {
        self.remark.text.ends_with(READ_ONLY)
    }
}

impl Shape {
    /// Of a document; of one that does not say its kind, what every document has.
    pub(super) fn of_document(root: &Node) -> Self {
        let kubernetes = root.get("apiVersion").is_some();
        let named = kind(root).and_then(|kind| {
            let name = match kubernetes {
                true => format!("Kubernetes.{kind}"),
                false => kind.to_owned(),
            };
            UNION.get("definitions")?.get(name)
        });
        let anything = match kubernetes {
            true => "/then/then",
            false => "/else",
        };
        let schema = named.or_else(|| UNION.pointer(anything));
        let mut shape = Self::default();
        if let Some(schema) = schema {
            shape.add(schema, DEEPEST);
        }
        shape
    }

    /// What holds at a place further inside.
    pub(super) fn at(&self, pointer: &Pointer) -> Self {
        let mut shape = self.clone();
        for step in &pointer.steps {
            shape = match step {
                Step::Field(name) | Step::Again(name) => shape.field(name),
                Step::Index(_) => shape.inside("items"),
                Step::Comment(_) => Self::default(),
            };
        }
        shape
    }

    fn field(&self, name: &str) -> Self {
        let mut shape = Self::default();
        for part in &self.parts {
            let field = part.get("properties").and_then(|fields| fields.get(name));
            match field {
                Some(field) => shape.add(field, DEEPEST),
                None => shape.extend(part, "additionalProperties"),
            }
        }
        shape
    }

    fn inside(&self, key: &str) -> Self {
        let mut shape = Self::default();
        for part in &self.parts {
            shape.extend(part, key);
        }
        shape
    }

    fn extend(&mut self, part: &'static Value, key: &str) {
        if let Some(schema) = part.get(key).filter(|schema| schema.is_object()) {
            self.add(schema, DEEPEST);
        }
    }

    /// A schema, with all that it refers to.
    fn add(&mut self, schema: &'static Value, depth: usize) {
        self.parts.push(schema);
        let Some(depth) = depth.checked_sub(1) else {
            return;
        };
        let target = schema.get("$ref").and_then(Value::as_str);
        let target = target.and_then(|target| UNION.pointer(target.strip_prefix('#')?));
        if let Some(target) = target {
            self.add(target, depth);
        }
        for key in ["allOf", "anyOf", "oneOf"] {
            let all = schema.get(key).and_then(Value::as_array);
            for one in all.into_iter().flatten() {
                // Which kind it is decides this, and that has been asked.
                if one.get("if").is_none() {
                    self.add(one, depth);
                }
            }
        }
    }

    /// What is said of it where it is used; of nothing else, what is said of its type.
    pub(super) fn remark(&self) -> Remark {
        let mut said = self.parts.iter();
        let said = said.find_map(|part| part.get("description")?.as_str());
        Remark::read(said.unwrap_or_default())
    }

    /// The fields that it has, in the order of their names.
    pub(super) fn fields(&self) -> Vec<Field> {
        let fields = self.parts.iter();
        let fields = fields.filter_map(|part| part.get("properties")?.as_object());
        let names: BTreeSet<&'static str> =
            fields.flatten().map(|(name, _)| name.as_str()).collect();
        let required = self.parts.iter();
        let required = required.filter_map(|part| part.get("required")?.as_array());
        let required: BTreeSet<&str> = required.flatten().filter_map(Value::as_str).collect();
        let field = |name: &'static str| {
            let shape = self.field(name);
            let remark = shape.remark();
            Field {
                required: remark.required || required.contains(name),
                name,
                remark,
                shape,
            }
        };
        names.into_iter().map(field).collect()
    }

    /// The words of which it is one; of several lists, the shortest.
    pub(super) fn words(&self) -> Vec<&'static str> {
        let lists = self.parts.iter().filter_map(|part| {
            let list = part.get("enum")?.as_array()?;
            let words: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
            Some(words)
        });
        let fixed = self.parts.iter();
        let fixed = fixed.filter_map(|part| Some(vec![part.get("const")?.as_str()?]));
        lists.chain(fixed).min_by_key(Vec::len).unwrap_or_default()
    }

    /// May it be of this type of JSON?
    pub(super) fn is(&self, name: &str) -> bool {
        self.parts.iter().any(|part| match part.get("type") {
            Some(Value::Array(types)) => types.iter().any(|one| one == name),
            Some(one) => one == name,
            None => false,
        })
    }

    /// Is it a mapping with keys of the user's own?
    pub(super) fn is_map(&self) -> bool {
        let mut parts = self.parts.iter();
        parts.any(|part| {
            part.get("additionalProperties")
                .is_some_and(Value::is_object)
        })
    }

    /// What may stand there, in words.
    pub(super) fn noun(&self) -> String {
        let words = self.words();
        if !words.is_empty() {
            let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
            return words.join(" ");
        }
        let mut formats = self.parts.iter().filter_map(|part| part.get("format"));
        if formats.any(|format| format == "go-duration") {
            return "duration".to_owned();
        }
        let nouns = [
            ("array", "list"),
            ("object", "mapping"),
            ("string", "string"),
            ("integer", "integer"),
            ("number", "number"),
            ("boolean", "boolean"),
        ];
        let nouns = nouns.into_iter().filter(|(name, _)| self.is(name));
        let nouns: Vec<&str> = nouns.map(|(_, noun)| noun).collect();
        nouns.join(" or ")
    }

    /// Does it say anything?
    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::trees;

    fn shape(text: &str, at: &str) -> Shape {
        let tree = trees(text).remove(0).unwrap();
        let step = |part: &str| match part.parse() {
            Ok(index) => Step::Index(index),
            Err(_) => Step::Field(part.to_owned()),
        };
        let steps = at.split('/').filter(|part| !part.is_empty()).map(step);
        Shape::of_document(&tree).at(&Pointer {
            steps: steps.collect(),
        })
    }

    #[test]
    fn a_place_of_either_format_has_the_same_shape() {
        let universal = "type: MeshTimeout";
        let kubernetes = "apiVersion: kuma.io/v1alpha1\nkind: MeshTimeout";
        for text in [universal, kubernetes] {
            let field = shape(text, "spec/to/0/default/http/requestTimeout");
            assert_eq!(field.noun(), "duration", "{text}");
            assert!(
                field.remark().text.starts_with("The whole request"),
                "{text}"
            );
            let kinds = shape(text, "spec/targetRef/kind").words();
            assert_eq!(kinds, ["Mesh", "Dataplane"], "{text}");
            assert!(shape(text, "spec/targetRef/labels").is_map(), "{text}");
            assert!(shape(text, "spec/nothing").is_empty(), "{text}");
        }
    }

    #[test]
    fn what_must_be_set_is_known() {
        let fields = shape("type: MeshTimeout", "").fields();
        let required: Vec<&str> = fields
            .iter()
            .filter(|field| field.required)
            .map(|field| field.name)
            .collect();
        assert_eq!(required, ["name", "spec", "type"]);
    }

    #[test]
    fn every_kind_is_listed_with_what_it_is_for() {
        let kinds = kinds();
        assert_eq!(kinds.len(), crate::kinds::KINDS.len());
        assert!(
            kinds.iter().all(|(_, purpose)| !purpose.is_empty()),
            "{kinds:?}"
        );
    }
}
