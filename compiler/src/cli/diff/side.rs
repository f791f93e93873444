//! One side of a change, compiled; and what to do where it has errors.
//!
//! Never lets a side with errors pass for one that means nothing: what it would have meant, nobody knows.

use anyhow::anyhow;

use super::super::SettingsArgs;
use crate::config::Effective;
use crate::diag::{Diagnostics, Format, counted, render};
use crate::diff::gates::Side;
use crate::model::Settings;
use crate::source::Sources;
use crate::world::{Commit, History, World};
use crate::{Compiled, Compiler};

/// Errors that are shown of a revision that nobody has in the work tree.
const SHOWN: usize = 3;

/// Revisions that are compiled to find one without errors; so long nobody leaves the main branch broken.
const LOOKED: usize = 50;

/// One side, opened and compiled.
pub(super) struct Opened {
    pub(super) world: Box<dyn World + Sync>,
    pub(super) effective: Effective,
    pub(super) settings: Settings,
    pub(super) compiled: Compiled,
}

impl Opened {
    /// Each side is compiled as it says itself.
    pub(super) fn new(
        args: &SettingsArgs,
        compiler: &mut Compiler,
        world: Box<dyn World + Sync>,
    ) -> Result<Self, anyhow::Error> {
        let effective = args.effective(&*world, [])?;
        let settings = effective.settings();
        let compiled = compiler.compile(&*world, &settings);
        Ok(Self {
            world,
            effective,
            settings,
            compiled,
        })
    }

    pub(super) fn is_sound(&self) -> bool {
        !self.compiled.diagnostics.has_errors()
    }

    pub(super) fn side(&self) -> Side<'_> {
        Side {
            world: &*self.world,
            settings: &self.settings,
            compiled: &self.compiled,
        }
    }

    /// That it has errors, and the first ones.
    pub(super) fn unsound(&self, name: &str) -> anyhow::Error {
        let Compiled {
            diagnostics,
            sources,
            ..
        } = &self.compiled;
        let (errors, _) = diagnostics.count();
        let shown = first_errors(diagnostics, sources);
        let more = match errors.saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!("  and {more} more\n"),
        };
        let errors = counted(errors, "error");
        anyhow!("{name} has {errors}, so it means nothing that could be compared\n{shown}{more}")
    }
}

fn first_errors(diagnostics: &Diagnostics, sources: &Sources) -> String {
    let text = render(Format::Concise, diagnostics, sources);
    let errors = text.lines().filter(|line| line.contains(": error["));
    errors
        .take(SHOWN)
        .map(|line| format!("  {line}\n"))
        .collect()
}

/// The last revision, of the first parents of one, that has no errors.
pub(super) fn last_good(
    history: &History,
    (args, compiler): (&SettingsArgs, &mut Compiler),
    revision: &str,
) -> Result<Option<(Commit, Opened)>, anyhow::Error> {
    let past = history.past(revision, LOOKED).map_err(|why| anyhow!(why))?;
    for place in 0..past.len() {
        let visited = history.visit(&past, place).map_err(|why| anyhow!(why))?;
        let Some((commit, world)) = visited else {
            break;
        };
        // Settings that cannot be are as bad as documents that cannot.
        match Opened::new(args, compiler, Box::new(world)) {
            Ok(opened) if opened.is_sound() => return Ok(Some((commit, opened))),
            _ => {}
        }
    }
    Ok(None)
}

/// What helps where the side before has errors.
pub(super) fn way_out(good: Option<&Commit>, new: Option<&str>) -> String {
    let Some(commit) = good else {
        return format!(
            "  help: none of the {LOOKED} revisions up to it compiles; `--against REVISION` names one that does"
        );
    };
    let id: String = commit.id.chars().take(12).collect();
    let range = match new {
        Some(new) => format!("{id}..{new}"),
        None => format!("--against {id}"),
    };
    format!(
        "  help: {id} (`{}`) is the last revision before it that compiles: `meshc diff {range}` compares with that, and so does `--last-good`",
        commit.subject
    )
}
