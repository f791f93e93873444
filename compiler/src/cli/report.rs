//! `--report FORMAT=FILE`: what a verb tells, in a file too.
//!
//! Never knows what a verb can tell: its formats are an argument.

use std::path::PathBuf;
use std::str::FromStr;

use clap::ValueEnum;

/// A file, and what is written into it.
#[derive(Debug, Clone)]
pub(super) struct ReportArg<F> {
    pub(super) format: F,
    pub(super) file: PathBuf,
}

impl<F: ValueEnum> FromStr for ReportArg<F> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (format, file) = text
            .split_once('=')
            .filter(|(_, file)| !file.is_empty())
            .ok_or("it is written FORMAT=FILE, such as `sarif=mesh.sarif`")?;
        let format = F::from_str(format, false).map_err(|_| {
            let known = F::value_variants().iter();
            let known = known
                .filter_map(|known| Some(format!("`{}`", known.to_possible_value()?.get_name())));
            let known: Vec<_> = known.collect();
            format!(
                "there is no format `{format}`; there are {}",
                known.join(", ")
            )
        })?;
        Ok(Self {
            format,
            file: PathBuf::from(file),
        })
    }
}
