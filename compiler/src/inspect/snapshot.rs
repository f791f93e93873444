//! What a repository compiles to, as texts that are committed and reviewed: one of each class of proxies, one of each service.
//!
//! Never tells what changes without a meaning: no digests, no addresses of instances, no lines, and no names of policies. A
//! value that another policy says from now on is the same value.

mod class;
mod service;

use std::collections::BTreeMap;

use mesh_bundle::Digest;

use crate::Analysis;

use super::NotShown;
use super::page::{Page, Row};

/// What every snapshot begins with.
pub const SNAPSHOT: &str = "# meshc snapshot, format 1";

/// More files than this of one sort nobody reads: then each holds many.
const MOST_FILES: usize = 200;
/// How many files hold them then.
const BUCKETS: u8 = 64;

/// The texts, by their paths below the directory of snapshots: `default/proxies/web.snap`.
///
/// # Errors
/// The bundle does not hold what its manifests name: a defect of the compiler.
pub fn snapshots(analysis: &Analysis) -> Result<BTreeMap<String, String>, NotShown> {
    let mut files = BTreeMap::new();
    let sorts = [
        ("proxies", class::classes(&analysis.compiled.bundle)?),
        ("services", service::services(analysis)),
    ];
    for (sort, meshes) in sorts {
        for (mesh, texts) in meshes {
            for (name, texts) in filed(texts) {
                let text = format!("{SNAPSHOT}\n\n{}", texts.join("\n"));
                files.insert(format!("{mesh}/{sort}/{name}.snap"), text);
            }
        }
    }
    Ok(files)
}

/// Texts by the names of their files. Which of many files a text is in depends on its own name alone.
fn filed(texts: BTreeMap<String, String>) -> BTreeMap<String, Vec<String>> {
    let many = texts.len() > MOST_FILES;
    let mut files: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, text) in texts {
        let file = match many {
            false => name,
            true => {
                let [first, ..] = *Digest::of(name.as_bytes()).as_bytes();
                format!("part-{:02}", first % BUCKETS)
            }
        };
        files.entry(file).or_default().push(text);
    }
    files
}

/// A page without what says so.
fn text(page: Page) -> String {
    let rows = page.rows();
    rows.iter().map(Row::bare).collect()
}

#[cfg(test)]
mod tests;
