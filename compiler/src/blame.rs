//! Since which commit an edge is open, or closed.
//!
//! Never halves: an edge may have been opened and closed many times, so each revision is asked, the latest first, until one
//! answers otherwise. Never asks one that has errors, and never hides that.

mod told;

use crate::Compiler;
use crate::inspect::{Edge, NotShown, Question, edge};
use crate::model::Settings;
use crate::world::{Commit, GitWorld, History};

pub use told::{human, json};

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blame {
    /// How it is.
    pub now: Edge,
    /// The oldest revision since which it has always been so.
    pub since: Commit,
    /// How it was then.
    pub then: Edge,
    /// What is known of the time before.
    pub before: Before,
    /// Revisions right before `since` that have errors: each of them may have made it so. The latest first.
    pub unsure: Vec<Commit>,
    /// All revisions that were looked at.
    pub looked: usize,
}

/// What was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// It was the other way round.
    Otherwise,
    /// Nothing: it is the first commit.
    Nothing,
    /// Revisions that were not looked at.
    Unknown,
    /// Revisions that are not here: the clone is shallow.
    Shallow,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoBlame {
    /// The history cannot be read, or a revision says something of itself that cannot be.
    #[error("{0}")]
    Unreadable(String),
    /// The revision that is asked about has errors.
    #[error("{0} has errors, so nobody knows who reaches what in it: `meshc check` shows them")]
    Unsound(String),
    /// It cannot be asked so.
    #[error(transparent)]
    NotAsked(#[from] NotShown),
}

/// What one revision says.
enum Answer {
    Edge(Box<Edge>),
    /// One of both is not there.
    Nobody,
    Errors,
}

/// Asks a revision and those before it, at most so many. `settings` are those of a revision.
///
/// # Errors
/// See [`NoBlame`].
pub fn blame(
    history: &History,
    (revision, most): (&str, usize),
    question: &Question,
    settings: impl Fn(&GitWorld) -> Result<Settings, String>,
) -> Result<Blame, NoBlame> {
    let past = history.past(revision, most);
    let past = past.map_err(NoBlame::Unreadable)?;
    let mut compiler = Compiler::default();
    let mut question = question.clone();
    let mut found: Option<Blame> = None;
    // Directories that are equal say the same.
    let mut last_tree = String::new();
    for place in 0..past.len() {
        let visited = history.visit(&past, place).map_err(NoBlame::Unreadable)?;
        let Some((commit, world)) = visited else {
            break;
        };
        let is_same_tree = last_tree == world.tree;
        last_tree.clone_from(&world.tree);
        let Some(blame) = &mut found else {
            let settings = settings(&world).map_err(NoBlame::Unreadable)?;
            let analysis = compiler.analyse(&world, &settings);
            if analysis.compiled.diagnostics.has_errors() {
                return Err(NoBlame::Unsound(revision.to_owned()));
            }
            let now = edge(&analysis, &question)?;
            // What the words mean now is what is asked of the past.
            question.to = now.port.as_str().to_owned();
            question.port = None;
            found = Some(Blame {
                then: now.clone(),
                now,
                since: commit,
                before: Before::Nothing,
                unsure: Vec::new(),
                looked: 1,
            });
            continue;
        };
        blame.looked += 1;
        if is_same_tree {
            match blame.unsure.is_empty() {
                true => blame.since = commit,
                false => blame.unsure.push(commit),
            }
            continue;
        }
        match ask(&mut compiler, &world, &question, &settings) {
            Answer::Errors => blame.unsure.push(commit),
            Answer::Edge(then) if then.is_open == blame.now.is_open => {
                blame.unsure.clear();
                blame.since = commit;
                blame.then = *then;
            }
            Answer::Nobody if !blame.now.is_open => {
                blame.unsure.clear();
                blame.since = commit;
            }
            Answer::Edge(_) | Answer::Nobody => {
                blame.before = Before::Otherwise;
                break;
            }
        }
    }
    let mut blame =
        found.ok_or_else(|| NoBlame::Unreadable(format!("{revision} has no commits")))?;
    if blame.before == Before::Nothing {
        blame.before = match (past.is_cut, past.is_shallow) {
            (true, _) => Before::Unknown,
            (false, true) => Before::Shallow,
            (false, false) => Before::Nothing,
        };
    }
    Ok(blame)
}

fn ask(
    compiler: &mut Compiler,
    world: &GitWorld,
    question: &Question,
    settings: &impl Fn(&GitWorld) -> Result<Settings, String>,
) -> Answer {
    // Settings that cannot be are as bad as documents that cannot.
    let Ok(settings) = settings(world) else {
        return Answer::Errors;
    };
    let analysis = compiler.analyse(world, &settings);
    if analysis.compiled.diagnostics.has_errors() {
        return Answer::Errors;
    }
    match edge(&analysis, question) {
        Ok(edge) => Answer::Edge(Box::new(edge)),
        Err(NotShown::Unknown { .. } | NotShown::NoPort { .. }) => Answer::Nobody,
        Err(_) => Answer::Errors,
    }
}
