//! `meshc explain`: the page of a code.
//!
//! Never reads a repository.

use anyhow::bail;
use clap::Args;

use super::Outcome;
use super::output::Output;
use crate::diag::codes;
use crate::similar;

/// The arguments.
#[derive(Debug, Args)]
pub(super) struct Explain {
    /// The code, as it stands in brackets: `dangling-ref`. Without one, all of them are listed.
    code: Option<String>,
}

impl Explain {
    pub(super) fn run(&self, output: &mut Output) -> Result<Outcome, anyhow::Error> {
        let Some(code) = self.code.as_deref() else {
            let rows = codes()
                .iter()
                .map(|info| format!("{:24}{}\n", info.code.0, info.title));
            output.tell(&rows.collect::<String>())?;
            return Ok(Outcome::Clean);
        };
        if let Some(info) = codes().iter().find(|info| info.code.0 == code) {
            output.tell(info.page)?;
            return Ok(Outcome::Clean);
        }
        match similar::nearest(code, codes().iter().map(|info| info.code.0)) {
            Some(near) => bail!("there is no code `{code}`; did you mean `{near}`?"),
            None => bail!("there is no code `{code}`; `meshc explain` lists all"),
        }
    }
}
