//! `meshc build`: the bundle of a repository, as a file.
//!
//! Never writes a bundle of a repository with errors, and never half of one.

use std::path::{Path, PathBuf};
use std::slice;

use anyhow::bail;
use clap::Args;

use super::output::Output;
use super::{Common, Outcome, file, open};

/// The arguments.
#[derive(Debug, Args)]
pub(super) struct Build {
    /// The file to write; `-` is standard output.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    /// The commit that the documents are of, noted in the bundle. Its digest does not depend on it.
    #[arg(long, value_name = "REVISION")]
    revision: Option<String>,

    #[command(flatten)]
    common: Common,
}

impl Build {
    pub(super) fn run(&self, output: &mut Output) -> Result<Outcome, anyhow::Error> {
        if self.common.path.is_file() {
            bail!(
                "cannot build {}: a bundle is made of a whole repository, give the directory",
                self.common.path.display()
            );
        }
        let Common { path, settings, .. } = &self.common;
        let findings = &self.common.findings;
        let opened = open::open_with(slice::from_ref(path), settings, findings.said())?;
        let mut compiled = opened.compiled();
        let found = (&mut compiled.diagnostics, &compiled.sources);
        let outcome = findings.complain(found, &opened, output)?;
        if outcome == Outcome::Findings {
            output.complain("nothing is written\n");
            return Ok(Outcome::Findings);
        }
        compiled.bundle.revision.clone_from(&self.revision);
        let bytes = compiled.bundle.encode()?;
        if self.output == Path::new("-") {
            output.bytes(&bytes)?;
            return Ok(Outcome::Clean);
        }
        file::write(&self.output, &bytes)?;
        output.tell(&format!("{}\n", compiled.bundle.digest))?;
        Ok(Outcome::Clean)
    }
}
