//! `meshc init`: a repository to begin with, which passes `meshc check` and brings what judges it in a pipeline.
//!
//! Never writes over a file, and never leaves a part of a repository: where any of the files exists or cannot be written, none
//! is there afterwards.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};

use super::output::Output;
use super::template::{fill, name};
use super::{Outcome, file};
use crate::config::schema;
use crate::union;

/// The arguments.
#[derive(Debug, Args)]
pub(super) struct Init {
    /// The directory, which is made where it is missing.
    #[arg(default_value = ".")]
    directory: PathBuf,

    /// The name of the mesh.
    #[arg(long, value_name = "NAME", default_value = "default", value_parser = name)]
    mesh: String,

    /// Files for these pipelines.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "HOST", default_values = ["github", "gitlab"])]
    ci: Vec<HostArg>,

    /// List the files, and write nothing.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum HostArg {
    /// GitHub Actions.
    Github,
    /// GitLab CI.
    Gitlab,
    /// None.
    None,
}

/// A file of every new repository.
const FILES: [(&str, &str); 8] = [
    (
        "meshc.toml",
        include_str!("../../templates/init/meshc.toml"),
    ),
    ("mesh.yaml", include_str!("../../templates/init/mesh.yaml")),
    (
        "policies/defaults.yaml",
        include_str!("../../templates/init/defaults.yaml"),
    ),
    (
        "services/hello.yaml",
        include_str!("../../templates/init/hello.yaml"),
    ),
    (
        "tests/hello.yaml",
        include_str!("../../templates/init/tests.yaml"),
    ),
    (".gitignore", include_str!("../../templates/init/gitignore")),
    (
        ".pre-commit-config.yaml",
        include_str!("../../templates/init/pre-commit.yaml"),
    ),
    (
        ".vscode/settings.json",
        include_str!("../../templates/init/vscode.json"),
    ),
];

const GITHUB: (&str, &str) = (
    ".github/workflows/mesh.yaml",
    include_str!("../../templates/init/github.yaml"),
);

const GITLAB: (&str, &str) = (
    ".gitlab-ci.yml",
    include_str!("../../templates/init/gitlab.yaml"),
);

impl Init {
    pub(super) fn run(&self, output: &mut Output) -> Result<Outcome, anyhow::Error> {
        let files = self.files();
        let taken = |path: &&String| self.directory.join(path).symlink_metadata().is_ok();
        let taken: Vec<_> = files.iter().map(|(path, _)| path).filter(taken).collect();
        if let [first, rest @ ..] = taken.as_slice() {
            let more = match rest.len() {
                0 => String::new(),
                more => format!(" and {more} more of its files"),
            };
            let directory = self.directory.display();
            bail!("{directory} has {first}{more} already; nothing is written");
        }
        let directory = self.directory.display();
        if !self.dry_run {
            let mut made = Made::default();
            for (path, text) in &files {
                let written = made.write(&self.directory.join(path), text);
                if let Err(why) = written {
                    made.take_back();
                    return Err(why.context(format!("nothing is written into {directory}")));
                }
            }
        }
        for (path, _) in &files {
            output.tell(&format!("{path}\n"))?;
        }
        output.complain(&match self.dry_run {
            true => format!("would write {} files into {directory}\n", files.len()),
            false => format!(
                "wrote {} files; next: meshc check {directory}\n",
                files.len()
            ),
        });
        Ok(Outcome::Clean)
    }

    fn files(&self) -> Vec<(String, String)> {
        let hosts = [(HostArg::Github, GITHUB), (HostArg::Gitlab, GITLAB)];
        let hosts = hosts.into_iter().filter(|(host, _)| self.ci.contains(host));
        let files = FILES.into_iter().chain(hosts.map(|(_, file)| file));
        let values = [("mesh", self.mesh.as_str())];
        let files = files.map(|(path, text)| (path.to_owned(), fill(text, &values)));
        // Of this version: an editor needs no network, and says what this meshc says.
        let schemas = [("mesh", union()), ("meshc", schema())];
        let schemas = schemas
            .map(|(of, schema)| (format!(".vscode/{of}.schema.json"), format!("{schema:#}\n")));
        files.chain(schemas).collect()
    }
}

/// What was not there before.
#[derive(Default)]
struct Made {
    files: Vec<PathBuf>,
    /// Those that hold others come first.
    directories: Vec<PathBuf>,
}

impl Made {
    fn write(&mut self, path: &Path, text: &str) -> Result<(), anyhow::Error> {
        if let Some(parent) = path.parent() {
            let missing = parent.ancestors().take_while(|above| {
                let is_here = above.as_os_str().is_empty();
                !is_here && above.symlink_metadata().is_err()
            });
            let missing: Vec<_> = missing.map(Path::to_path_buf).collect();
            self.directories.extend(missing.into_iter().rev());
            std::fs::create_dir_all(parent)
                .with_context(|| format!("cannot make {}", parent.display()))?;
        }
        file::write(path, text.as_bytes())?;
        self.files.push(path.to_path_buf());
        Ok(())
    }

    /// Nobody has seen any of it: that something cannot be removed is no more than what is said already.
    fn take_back(self) {
        for file in self.files {
            let _ = std::fs::remove_file(file);
        }
        for directory in self.directories.into_iter().rev() {
            let _ = std::fs::remove_dir(directory);
        }
    }
}
