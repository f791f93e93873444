//! `--report FORMAT=FILE`: what a verb tells, in a file too.
//!
//! Never knows what a verb can tell: its formats are an argument.

use std::path::PathBuf;
use std::str::FromStr;

use super::format::Forms;

/// A file, and what is written into it.
#[derive(Debug, Clone)]
pub(super) struct ReportArg<F> {
    pub(super) format: F,
    pub(super) file: PathBuf,
}

impl<F: Forms> FromStr for ReportArg<F> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (format, file) = text
            .split_once('=')
            .filter(|(_, file)| !file.is_empty())
            .ok_or("it is written FORMAT=FILE, such as `sarif=mesh.sarif`")?;
        let format = F::named(format).ok_or_else(|| {
            let known = F::all().into_iter();
            let known: Vec<String> = known
                .map(|(own, _)| format!("`{}`", own.get_name()))
                .collect();
            let known = known.join(", ");
            format!("there is no format `{format}`; there are {known}")
        })?;
        Ok(Self {
            format,
            file: PathBuf::from(file),
        })
    }
}
