//! The types of a crate that serde writes, as their source says them: names, fields, comments, and what serde is told.
//!
//! Never guesses: what it does not know how to read is a panic that says so.

use std::collections::BTreeMap;
use std::path::Path;

use syn::meta::ParseNestedMeta;
use syn::{Attribute, Expr, Fields, Item, Lit, Meta, Type};

/// What serde is told about a type, a variant or a field.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    /// `rename`, `rename_all`, `rename_all_fields`, `tag`, `content`, `try_from`.
    pub(super) words: BTreeMap<String, String>,
    /// `default`, `transparent`, `deny_unknown_fields`, `skip_serializing_if`, `into`.
    pub(super) flags: Vec<String>,
    /// The comment.
    pub(super) text: String,
}

/// A field, or the content of a variant without names.
#[derive(Clone)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) ty: Type,
    pub(super) told: Told,
}

/// One alternative.
#[derive(Clone)]
pub(super) struct Variant {
    pub(super) name: String,
    pub(super) fields: Content,
    pub(super) told: Told,
}

/// What is inside of a struct or a variant.
#[expect(
    clippy::large_enum_variant,
    reason = "a few hundred of them, in a test"
)]
#[derive(Clone)]
pub(super) enum Content {
    Nothing,
    One(Field),
    Named(Vec<Field>),
}

/// A type.
#[derive(Clone)]
pub(super) struct Kind {
    /// The file that it stands in, without extension.
    pub(super) module: String,
    /// Names of its parameters.
    pub(super) parameters: Vec<String>,
    pub(super) told: Told,
    pub(super) shape: Shape,
}

/// A struct or an enum.
#[expect(
    clippy::large_enum_variant,
    reason = "a few hundred of them, in a test"
)]
#[derive(Clone)]
pub(super) enum Shape {
    Struct(Content),
    Enum(Vec<Variant>),
}

/// All types below a directory that are written by serde, by name. Two modules may have types of one name.
pub(super) fn read(directory: &Path) -> BTreeMap<String, Vec<Kind>> {
    let mut kinds: BTreeMap<String, Vec<Kind>> = BTreeMap::new();
    let mut open = vec![directory.to_path_buf()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("a source");
                let file = syn::parse_file(&text).expect("Rust");
                let module = path.file_stem().expect("a name").to_string_lossy();
                let found = file.items.iter().filter_map(|item| kind(item, &module));
                for (name, kind) in found {
                    kinds.entry(name).or_default().push(kind);
                }
            }
        }
    }
    kinds
}

fn kind(item: &Item, module: &str) -> Option<(String, Kind)> {
    let (name, generics, attributes, shape) = match item {
        Item::Struct(item) if is_written(&item.attrs) => {
            let shape = Shape::Struct(content(&item.fields));
            (&item.ident, &item.generics, &item.attrs, shape)
        }
        Item::Enum(item) if is_written(&item.attrs) => {
            let variants = item.variants.iter().map(|variant| Variant {
                name: variant.ident.to_string(),
                fields: content(&variant.fields),
                told: told(&variant.attrs),
            });
            let shape = Shape::Enum(variants.collect());
            (&item.ident, &item.generics, &item.attrs, shape)
        }
        _ => return None,
    };
    let parameters = generics
        .type_params()
        .map(|parameter| parameter.ident.to_string());
    let kind = Kind {
        module: module.to_owned(),
        parameters: parameters.collect(),
        told: told(attributes),
        shape,
    };
    Some((name.to_string(), kind))
}

fn content(fields: &Fields) -> Content {
    let field = |field: &syn::Field| Field {
        name: field
            .ident
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        ty: field.ty.clone(),
        told: told(&field.attrs),
    };
    match fields {
        Fields::Unit => Content::Nothing,
        Fields::Named(fields) => Content::Named(fields.named.iter().map(field).collect()),
        Fields::Unnamed(fields) => {
            assert!(
                fields.unnamed.len() == 1,
                "a tuple has no names for its parts"
            );
            Content::One(field(&fields.unnamed[0]))
        }
    }
}

/// Is `Deserialize` derived? What is written is read too, but some of it is written by hand.
fn is_written(attributes: &[Attribute]) -> bool {
    let mut derived = false;
    for attribute in attributes.iter().filter(|a| a.path().is_ident("derive")) {
        let found = attribute.parse_nested_meta(|meta| {
            derived |= meta.path.is_ident("Deserialize");
            Ok(())
        });
        found.expect("a list of traits");
    }
    derived
}

fn told(attributes: &[Attribute]) -> Told {
    let mut told = Told::default();
    for attribute in attributes {
        if attribute.path().is_ident("serde") {
            let read = attribute.parse_nested_meta(|meta| told.hear(&meta));
            read.expect("what serde is told");
        }
        if let Meta::NameValue(meta) = &attribute.meta
            && meta.path.is_ident("doc")
            && let Expr::Lit(line) = &meta.value
            && let Lit::Str(line) = &line.lit
        {
            let separator = if told.text.is_empty() { "" } else { "\n" };
            told.text += &format!("{separator}{}", line.value().trim());
        }
    }
    told
}

impl Told {
    fn hear(&mut self, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
        let name = meta
            .path
            .get_ident()
            .map(ToString::to_string)
            .unwrap_or_default();
        match name.as_str() {
            "rename" | "rename_all" | "rename_all_fields" | "tag" | "content" | "try_from" => {
                let word: syn::LitStr = meta.value()?.parse()?;
                self.words.insert(name, word.value());
            }
            "default" | "transparent" | "deny_unknown_fields" => self.flags.push(name),
            "skip_serializing_if" | "into" => {
                let _: syn::LitStr = meta.value()?.parse()?;
                self.flags.push(name);
            }
            other => panic!("serde is told `{other}`, which the schema of a bundle cannot say yet"),
        }
        Ok(())
    }

    pub(super) fn word(&self, name: &str) -> Option<&str> {
        self.words.get(name).map(String::as_str)
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        self.flags.iter().any(|flag| flag == name)
    }
}
