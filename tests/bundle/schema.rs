//! From types to their JSON Schema, draft-07.
//!
//! Never knows a type of the bundle by name: what serde does is all there is to know.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use syn::{GenericArgument, PathArguments, Type};

use super::source::{Content, Field, Kind, Shape, Told, Variant};

/// The schema of one type and of all that it holds.
pub(super) fn of(kinds: &BTreeMap<String, Vec<Kind>>, root: &str) -> Value {
    let mut writer = Writer {
        kinds,
        definitions: Map::new(),
    };
    let reference = writer.named(root, "", &[]);
    let mut schema = json!({"$schema": "http://json-schema.org/draft-07/schema#", "title": root});
    schema["allOf"] = json!([reference]);
    schema["definitions"] = Value::Object(writer.definitions);
    schema
}

struct Writer<'a> {
    kinds: &'a BTreeMap<String, Vec<Kind>>,
    definitions: Map<String, Value>,
}

/// Where a type stands, and what its parameters stand for.
struct Bound<'a> {
    module: &'a str,
    /// What `Self` is called.
    own: &'a str,
    parameters: Vec<(&'a str, Value, String)>,
}

impl<'a> Writer<'a> {
    /// A reference to a type of the crate, which is written once. The one of the own module comes first.
    fn named(&mut self, name: &str, module: &str, arguments: &[(Value, String)]) -> Value {
        let kinds: &'a [Kind] = self.kinds.get(name).map_or(&[], Vec::as_slice);
        let kind = kinds.iter().find(|kind| kind.module == module);
        let kind = kind.unwrap_or_else(|| match kinds {
            [kind] => kind,
            [] => panic!("`{name}` is no type that serde writes"),
            _ => panic!("`{name}` in `{module}` may be several types"),
        });
        let own = match kinds.len() {
            1 => name.to_owned(),
            _ => format!("{}.{name}", kind.module),
        };
        let full: Vec<&str> = arguments.iter().map(|(_, name)| name.as_str()).collect();
        let full = [&[own.as_str()], full.as_slice()].concat().join(".");
        if !self.definitions.contains_key(&full) {
            // Types may hold themselves.
            self.definitions.insert(full.clone(), Value::Null);
            let parameters = kind.parameters.iter().zip(arguments);
            let bound = Bound {
                module: &kind.module,
                own: &full,
                parameters: parameters
                    .map(|(parameter, (schema, name))| {
                        (parameter.as_str(), schema.clone(), name.clone())
                    })
                    .collect(),
            };
            let mut schema = self.kind(kind, &bound);
            describe(&mut schema, &kind.told);
            self.definitions.insert(full.clone(), schema);
        }
        reference(&full)
    }

    fn kind(&mut self, kind: &Kind, bound: &Bound<'_>) -> Value {
        if kind.told.word("try_from") == Some("String") {
            return json!({"type": "string"});
        }
        match &kind.shape {
            Shape::Struct(Content::Named(fields)) if kind.told.flag("transparent") => {
                self.ty(&fields[0].ty, bound).0
            }
            Shape::Struct(Content::Named(fields)) => {
                self.object(fields, kind.told.word("rename_all"), bound)
            }
            Shape::Struct(Content::One(field)) => self.ty(&field.ty, bound).0,
            Shape::Struct(Content::Nothing) => json!({"type": "null"}),
            Shape::Enum(variants) => {
                let plain = |variant: &Variant| matches!(variant.fields, Content::Nothing);
                if kind.told.word("tag").is_none() && variants.iter().all(plain) {
                    let names: Vec<String> =
                        variants.iter().map(|v| v.called(&kind.told)).collect();
                    return json!({"type": "string", "enum": names});
                }
                let all: Vec<Value> = variants
                    .iter()
                    .map(|variant| self.variant(variant, &kind.told, bound))
                    .collect();
                json!({"oneOf": all})
            }
        }
    }

    fn variant(&mut self, variant: &Variant, told: &Told, bound: &Bound<'_>) -> Value {
        let name = variant.called(told);
        let inside = told.word("rename_all_fields");
        let content = match &variant.fields {
            Content::Nothing => None,
            Content::One(field) => Some(self.ty(&field.ty, bound).0),
            Content::Named(fields) => Some(self.object(fields, inside, bound)),
        };
        let mut schema = match (told.word("tag"), told.word("content"), content) {
            (Some(tag), Some(key), Some(content)) => {
                closed(&[(tag, json!({"const": name})), (key, content)])
            }
            (Some(tag), _, None) => closed(&[(tag, json!({"const": name}))]),
            (Some(tag), None, Some(content)) => self.tagged(tag, &name, &content),
            (None, _, Some(content)) => closed(&[(name.as_str(), content)]),
            (None, _, None) => json!({"const": name}),
        };
        describe(&mut schema, &variant.told);
        schema
    }

    /// The fields of a mapping with the tag among them.
    fn tagged(&self, tag: &str, name: &str, content: &Value) -> Value {
        let target = content["$ref"].as_str();
        let target = target.and_then(|target| target.strip_prefix("#/definitions/"));
        let mut schema = target.map_or_else(
            || content.clone(),
            |target| self.definitions[target].clone(),
        );
        schema["properties"][tag] = json!({"const": name});
        let required = schema["required"].as_array_mut();
        required
            .expect("a mapping is what can carry a tag")
            .push(json!(tag));
        schema
    }

    fn object(&mut self, fields: &[Field], rename_all: Option<&str>, bound: &Bound<'_>) -> Value {
        let mut properties = Map::new();
        let mut required = Vec::new();
        for field in fields {
            let (mut schema, _) = self.ty(&field.ty, bound);
            if !field.told.text.is_empty() && schema.get("$ref").is_some() {
                schema = json!({"allOf": [schema]});
            }
            describe(&mut schema, &field.told);
            let renamed = field.told.word("rename").map(str::to_owned);
            let name = renamed.unwrap_or_else(|| cased(&field.name, rename_all));
            if !field.told.flag("skip_serializing_if") {
                required.push(json!(name));
            }
            properties.insert(name, schema);
        }
        json!({"type": "object", "additionalProperties": false, "required": required, "properties": properties})
    }

    /// The schema of a type, and a name for it.
    fn ty(&mut self, ty: &Type, bound: &Bound<'_>) -> (Value, String) {
        let Type::Path(path) = ty else {
            panic!("a type that has no name");
        };
        let last = path.path.segments.last().expect("a name");
        let name = last.ident.to_string();
        if let Some((_, schema, name)) = bound
            .parameters
            .iter()
            .find(|(parameter, ..)| *parameter == name)
        {
            return (schema.clone(), name.clone());
        }
        let arguments: Vec<(Value, String)> = match &last.arguments {
            PathArguments::AngleBracketed(arguments) => {
                let types = arguments.args.iter().filter_map(|argument| match argument {
                    GenericArgument::Type(ty) => Some(ty),
                    _ => None,
                });
                types.map(|ty| self.ty(ty, bound)).collect()
            }
            _ => Vec::new(),
        };
        let mut schemas = arguments.iter().map(|(schema, _)| schema.clone());
        let mut first = || schemas.next().expect("what it holds");
        let integer = |most: u64| json!({"type": "integer", "minimum": 0, "maximum": most});
        let schema = match name.as_str() {
            "String" => json!({"type": "string"}),
            "bool" => json!({"type": "boolean"}),
            "u8" => integer(u8::MAX.into()),
            "u16" => integer(u16::MAX.into()),
            "u32" => integer(u32::MAX.into()),
            "u64" => integer(u64::MAX),
            "f64" => json!({"type": "number"}),
            "IpAddr" => json!({"type": "string", "description": "An IP address."}),
            "Box" | "Arc" => first(),
            "Option" => json!({"anyOf": [first(), {"type": "null"}]}),
            "Vec" => json!({"type": "array", "items": first()}),
            "BTreeSet" => json!({"type": "array", "items": first(), "uniqueItems": true}),
            "BTreeMap" => {
                // Keys are strings in JSON, whatever they are.
                first();
                json!({"type": "object", "additionalProperties": first()})
            }
            "Self" => reference(bound.own),
            _ => self.named(&name, bound.module, &arguments),
        };
        let inside = arguments.iter().map(|(_, name)| name.as_str());
        let full: Vec<&str> = std::iter::once(name.as_str()).chain(inside).collect();
        (schema, full.join("."))
    }
}

impl Variant {
    fn called(&self, told: &Told) -> String {
        let renamed = self.told.word("rename").map(str::to_owned);
        renamed.unwrap_or_else(|| match told.word("rename_all") {
            Some("lowercase") => self.name.to_lowercase(),
            Some("camelCase") => {
                let (first, rest) = self.name.split_at(1);
                first.to_lowercase() + rest
            }
            Some(other) => panic!("`rename_all = \"{other}\"` is not known here"),
            None => self.name.clone(),
        })
    }
}

/// The name of a field as serde writes it.
fn cased(name: &str, rename_all: Option<&str>) -> String {
    match rename_all {
        None => name.to_owned(),
        Some("camelCase") => {
            let mut words = name.split('_');
            let first = words.next().unwrap_or_default().to_owned();
            words.fold(first, |all, word| {
                let (first, rest) = word.split_at(1);
                all + &first.to_uppercase() + rest
            })
        }
        Some(other) => panic!("`rename_all = \"{other}\"` is not known here"),
    }
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/definitions/{name}")})
}

fn closed(fields: &[(&str, Value)]) -> Value {
    let required: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    let properties = fields
        .iter()
        .map(|(name, schema)| ((*name).to_owned(), schema.clone()));
    let properties: Map<String, Value> = properties.collect();
    json!({"type": "object", "additionalProperties": false, "required": required, "properties": properties})
}

fn describe(schema: &mut Value, told: &Told) {
    if !told.text.is_empty() {
        schema["description"] = json!(told.text);
    }
}
