//! What a change does that nobody may do alone: the gates of `meshc.toml`, asked of the effect and never of the path.
//!
//! Never stops anything: it says which gates are broken, by which lines, and what to do. Whoever asks decides.

mod effect;
mod findings;
mod owners;
mod part;
mod removal;

use std::collections::{BTreeMap, BTreeSet};

use mesh_bundle::{Kri, Origin};

use super::words;
use super::{Difference, Outside, Setting};
use crate::config::{Gates, Told};
use crate::model::Settings;
use crate::source::{Identity, Sources};
use crate::world::{Commit, World};
use crate::{Code, Compiled, Compiler};

pub use findings::findings;

/// Lines that are named as the cause of one broken gate.
const CAUSES: usize = 4;

/// A change, with everything that gates ask about.
#[derive(Clone, Copy)]
pub struct Change<'a> {
    /// What was.
    pub before: Side<'a>,
    /// What is.
    pub after: Side<'a>,
    /// What that means.
    pub difference: &'a Difference,
    /// What the change says about itself.
    pub commits: &'a [Commit],
    /// What the directory of the documents is called from the top of the repository: nothing, or with a `/` at its end.
    pub directory: &'a str,
}

/// One side of a change.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    /// Its files.
    pub world: &'a (dyn World + Sync),
    /// What it was compiled with.
    pub settings: &'a Settings,
    /// What came out, without errors.
    pub compiled: &'a Compiled,
}

impl std::fmt::Debug for Change<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Change")
            .field("directory", &self.directory)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Side<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Side").finish_non_exhaustive()
    }
}

/// What gates say of a change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Those that are broken, sorted.
    pub broken: Vec<Broken>,
    /// What would be broken, had nobody said that it is meant; each in a sentence.
    pub allowed: Vec<String>,
}

/// A gate that is broken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Broken {
    /// Which one.
    pub gate: Gate,
    /// One line: what the change does, and what it may do.
    pub message: String,
    /// The lines by which it does so, the most important first; never very many.
    pub causes: Vec<Place>,
    /// The line that says what it may do, in the settings.
    pub rule: Place,
    /// What to do.
    pub help: String,
}

/// The kinds of gates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gate {
    /// Whom the changes of a directory may affect.
    Owners,
    /// Destinations outside of the mesh.
    External,
    /// Edges that go.
    Removal,
    /// How many proxies get another configuration.
    Proxies,
}

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// From the directory of the documents; of settings, from the top of the repository.
    pub file: String,
    /// From 1; 0 for all of it.
    pub line: u32,
    /// The resource that the line is in, or was; `None` for settings.
    pub resource: Option<Kri>,
}

impl Gate {
    /// Its code in reports.
    #[must_use]
    pub fn code(self) -> Code {
        match self {
            Self::Owners => Code::GATE_OWNERS,
            Self::External => Code::GATE_EXTERNAL,
            Self::Removal => Code::GATE_REMOVAL,
            Self::Proxies => Code::GATE_PROXIES,
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}", self.file),
        }
    }
}

impl From<&Origin> for Place {
    fn from(origin: &Origin) -> Self {
        Self {
            file: origin.file.clone(),
            line: origin.line,
            resource: Some(origin.resource.clone()),
        }
    }
}

/// Asks every gate. The compiler should know both sides: what it is asked to compile is most of one of them.
#[must_use]
pub fn judge(gates: &Gates, change: &Change<'_>, compiler: &mut Compiler) -> Verdict {
    let mut verdict = Verdict::default();
    if change.difference.is_empty() {
        return verdict;
    }
    proxies(gates, change, &mut verdict);
    external(gates, change, &mut verdict);
    removal::judge(gates, change, &mut verdict);
    owners::judge(gates, change, compiler, &mut verdict);
    verdict.broken.sort();
    verdict
}

fn rule<T>(gates: &Gates, told: &Told<T>) -> Place {
    Place {
        file: gates.file.clone(),
        line: told.line,
        resource: None,
    }
}

fn proxies(gates: &Gates, change: &Change<'_>, verdict: &mut Verdict) {
    let whose = &change.difference.proxies;
    let touched = whose.added.len() + whose.removed.len() + whose.changed.len();
    let all = change.before.compiled.bundle.proxies.len() + whose.added.len();
    let help = "split the change into several that are merged one after the other, or let whoever looks after the gates raise this one first";
    if let Some(most) = &gates.max_proxies
        && touched > most.value as usize
    {
        verdict.broken.push(Broken {
            gate: Gate::Proxies,
            message: format!(
                "{touched} of {all} proxies get another configuration, more than {}",
                most.value
            ),
            causes: widest(change),
            rule: rule(gates, most),
            help: help.to_owned(),
        });
    }
    if let Some(most) = &gates.max_proxies_percent
        && exceeds(touched, all, most.value)
    {
        verdict.broken.push(Broken {
            gate: Gate::Proxies,
            message: format!(
                "{touched} of {all} proxies ({} %) get another configuration, more than {} %",
                percent(touched, all),
                most.value
            ),
            causes: widest(change),
            rule: rule(gates, most),
            help: help.to_owned(),
        });
    }
}

/// Is a part of a whole more than so many percent of it?
fn exceeds(part: usize, whole: usize, most: u32) -> bool {
    part as u64 * 100 > whole as u64 * u64::from(most)
}

/// Rounded up, so that what exceeds a limit never looks as if it met it.
fn percent(part: usize, whole: usize) -> usize {
    (part * 100).div_ceil(whole.max(1))
}

/// The lines that concern the most proxies.
fn widest(change: &Change<'_>) -> Vec<Place> {
    let mut whose: BTreeMap<Place, BTreeSet<&Kri>> = BTreeMap::new();
    for setting in &change.difference.settings {
        if let Some(origin) = cause(setting) {
            let known = whose.entry(Place::from(origin)).or_default();
            known.extend(&setting.proxies);
        }
    }
    let proxies = &change.difference.proxies;
    let sides = [
        (&proxies.added, change.after),
        (&proxies.removed, change.before),
    ];
    for (list, side) in sides.into_iter().filter(|(list, _)| !list.is_empty()) {
        for (kri, place) in written(&side.compiled.sources, list) {
            whose.entry(place).or_default().insert(kri);
        }
    }
    let mut places: Vec<_> = whose.into_iter().collect();
    places.sort_by_key(|(_, proxies)| std::cmp::Reverse(proxies.len()));
    let places = places.into_iter().map(|(place, _)| place);
    places.take(CAUSES).collect()
}

/// Where resources are written.
fn written<'k>(sources: &Sources, wanted: &'k [Kri]) -> Vec<(&'k Kri, Place)> {
    let wanted: BTreeMap<&Kri, &'k Kri> = wanted.iter().map(|kri| (kri, kri)).collect();
    let files = sources.files().flat_map(|(path, file)| {
        file.documents
            .iter()
            .map(move |document| (path, file, document))
    });
    let found = files.filter_map(|(path, file, document)| match &document.identity {
        Identity::Resource { kri, .. } => {
            let place = Place {
                file: path.to_owned(),
                line: file.place(document.span).line,
                resource: Some(kri.clone()),
            };
            Some((*wanted.get(kri)?, place))
        }
        _ => None,
    });
    found.collect()
}

/// The line that says a setting now, or said it.
fn cause(setting: &Setting) -> Option<&Origin> {
    let origins = [&setting.after_origin, &setting.before_origin];
    origins.into_iter().flatten().next()
}

fn external(gates: &Gates, change: &Change<'_>, verdict: &mut Verdict) {
    let Some(allowed) = gates.allow_new_external.as_ref().filter(|said| !said.value) else {
        return;
    };
    for outside in &change.difference.outside {
        let Outside {
            destination,
            newly,
            cause,
            ..
        } = outside;
        if newly.is_empty() {
            continue;
        }
        let who: BTreeSet<String> = newly
            .iter()
            .map(|caller| change.difference.names.caller(caller))
            .collect();
        verdict.broken.push(Broken {
            gate: Gate::External,
            message: format!(
                "{} may now reach {destination} outside of the mesh",
                words::listed(&who)
            ),
            causes: cause.iter().map(Place::from).collect(),
            rule: rule(gates, allowed),
            help: "leave it closed, or let whoever looks after the gates allow it with `allow-new-external = true` first".to_owned(),
        });
    }
}
