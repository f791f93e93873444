//! `meshc build`: the bundle of a repository, as a file.
//!
//! Never writes a bundle of a repository with errors, and never half of one.

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;

use super::open::AtArgs;
use super::output::Output;
use super::{Common, Outcome, file, open};

/// The arguments.
#[derive(Debug, Args)]
pub(super) struct Build {
    /// The file to write; `-` is standard output.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    #[command(flatten)]
    at: AtArgs,

    /// The commit that the documents are of, noted in the bundle; that of `--at`, without it. Its digest does not depend on it.
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
        let opened = open::open_at(path, &self.at, settings, findings.said())?;
        let mut compiled = opened.compiled();
        let found = (&mut compiled.diagnostics, &compiled.sources);
        let outcome = findings.complain(found, &opened, output)?;
        if outcome == Outcome::Findings {
            output.complain("nothing is written\n");
            return Ok(Outcome::Findings);
        }
        let commit = opened.commit().map(str::to_owned);
        compiled.bundle.revision = self.revision.clone().or(commit);
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
