//! `meshc schema`: the JSON Schema of the documents, for editors and other tools.
//!
//! Never reads a repository.

use anyhow::bail;
use clap::Args;

use super::Outcome;
use super::output::Output;
use crate::similar;
use crate::{schemas, union};

/// The arguments.
#[derive(Debug, Args)]
pub(super) struct Schema {
    /// One kind, in universal format. Without it, one schema for every document in both formats.
    kind: Option<String>,
}

impl Schema {
    pub(super) fn run(&self, output: &mut Output) -> Result<Outcome, anyhow::Error> {
        let schema = match &self.kind {
            None => union(),
            Some(kind) => {
                let mut all = schemas();
                let names: Vec<_> = all.keys().map(ToString::to_string).collect();
                match all.remove(kind.as_str()) {
                    Some(schema) => schema,
                    None => match similar::nearest(kind, names.iter().map(String::as_str)) {
                        Some(near) => bail!("there is no kind `{kind}`; did you mean `{near}`?"),
                        None => bail!("there is no kind `{kind}`; there are {}", names.join(", ")),
                    },
                }
            }
        };
        output.tell(&format!("{schema:#}\n"))?;
        Ok(Outcome::Clean)
    }
}
