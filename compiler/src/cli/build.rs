//! `meshc build`: the bundle of a repository, as a file.
//!
//! Never writes a bundle of a repository with errors, and never half of one.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;

use super::check::judge;
use super::output::Output;
use super::{Common, Outcome, open};
use crate::diag::{render, summary};

/// The arguments.
#[derive(Debug, Args)]
pub(super) struct Build {
    #[command(flatten)]
    common: Common,

    /// The file to write; `-` is standard output.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    /// The commit that the documents are of, noted in the bundle. Its digest does not depend on it.
    #[arg(long, value_name = "REVISION")]
    revision: Option<String>,
}

impl Build {
    pub(super) fn run(&self, output: &mut Output) -> Result<Outcome, anyhow::Error> {
        let mut compiled = open::compiled(&self.common.path, &self.common.settings)?;
        if self.common.path.is_file() {
            bail!(
                "cannot build {}: a bundle is made of a whole repository, give the directory",
                self.common.path.display()
            );
        }
        let text = render(
            self.common.format(),
            &compiled.diagnostics,
            &compiled.sources,
        );
        output.complain(&text);
        output.complain(&(summary(&compiled.diagnostics, &compiled.sources) + "\n"));
        if judge(&compiled.diagnostics, self.common.deny_warnings) == Outcome::Findings {
            output.complain("nothing is written\n");
            return Ok(Outcome::Findings);
        }
        compiled.bundle.revision.clone_from(&self.revision);
        let bytes = compiled.bundle.encode()?;
        if self.output == Path::new("-") {
            output.bytes(&bytes)?;
            return Ok(Outcome::Clean);
        }
        write(&self.output, &bytes)
            .with_context(|| format!("cannot write {}", self.output.display()))?;
        output.tell(&format!("{}\n", compiled.bundle.digest))?;
        Ok(Outcome::Clean)
    }
}

/// The whole file appears at once, or the old one stays.
fn write(path: &Path, bytes: &[u8]) -> Result<(), std::io::Error> {
    let name = path
        .file_name()
        .ok_or_else(|| std::io::Error::other("it has no file name"))?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}", std::process::id()));
    let beside = path.with_file_name(hidden);
    let written = std::fs::File::create_new(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    let renamed = written.and_then(|()| std::fs::rename(&beside, path));
    if renamed.is_err() {
        // What remains of it is of no use to anybody.
        let _ = std::fs::remove_file(&beside);
    }
    renamed
}
