//! A commit on its way to be published: compiled, counted, and with the Dataplanes that registered themselves.
//!
//! Never lets a registered Dataplane keep a commit from being published: what does not fit the commit is left out.

mod files;
pub(crate) mod gates;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use mesh_bundle::Kri;
use mesh_bundle::{Bundle, Digest};
use mesh_compiler::config::rollout;
use mesh_compiler::config::{Effective, Said, settle};
use mesh_compiler::diag::{Diagnostics, Format, Severity, render, summary};
use mesh_compiler::model::{Given, Settings};
use mesh_compiler::source::{Identity, Node, Sources};
use mesh_compiler::world::Overlay;
use mesh_compiler::{Compiled, Compiler, Labels, MemoryWorld, Secrets, World, compile};
use serde_json::Value;

pub(crate) use files::Files;
use files::Recorder;
use gates::{Asked, Base, Judge};

/// In a path of the compiled world, and in nobody's repository.
const REGISTERED: &str = "(registered)";

/// Documents that proxies brought with them, by mesh and name of the Dataplane.
pub(crate) type Documents = BTreeMap<(String, String), Vec<u8>>;

/// A commit without errors.
pub(crate) struct Candidate {
    pub(crate) revision: String,
    /// Of what `meshc build` makes of the commit.
    pub(crate) digest: Digest,
    /// With the registered Dataplanes.
    pub(crate) bundle: Bundle,
    /// Values that stand in documents.
    pub(crate) secrets: Secrets,
    /// What it was compiled with: of the command line, and of the commit itself.
    pub(crate) settings: Settings,
    /// Identifiers of join tokens that it ends.
    pub(crate) revoked_tokens: Arc<BTreeSet<String>>,
    /// In which waves it is to be given to the proxies; `None`: to all at once.
    pub(crate) rollout: Option<rollout::Rollout>,
    /// Of each Dataplane.
    pub(crate) labels: Labels,
    /// What it was compiled from.
    pub(crate) files: Files,
    /// What stands in the files.
    pub(crate) inventory: HashSet<Name>,
    /// Those that it names.
    pub(crate) meshes: Arc<BTreeSet<String>>,
    /// Gates that it would break, had nobody said that it is meant; each in a sentence.
    pub(crate) allowed: Vec<String>,
    /// Warnings, as `meshc check` prints them.
    pub(crate) warnings: Option<String>,
    /// Registered Dataplanes that are part of it.
    admitted: Documents,
    /// Registered Dataplanes that do not fit, with what the compiler says about each.
    pub(crate) left_out: BTreeMap<(String, String), String>,
}

impl fmt::Debug for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Candidate")
            .field("revision", &self.revision)
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

/// Why a commit is no candidate.
#[derive(Debug)]
pub(crate) struct Flawed {
    /// `CompileFailed`, or that of a gate.
    pub(crate) reason: &'static str,
    /// As `meshc check` prints it.
    pub(crate) text: String,
    /// The first of its errors, with its place, in one line.
    pub(crate) first: String,
}

impl From<String> for Flawed {
    fn from(text: String) -> Self {
        let first = text.lines().next().unwrap_or_default().to_owned();
        Self {
            reason: "CompileFailed",
            text,
            first,
        }
    }
}

/// What a document is called, in whatever zone. A copy costs nothing.
#[derive(Debug, Clone)]
pub(crate) struct Name {
    pub(crate) kind: &'static str,
    kri: Kri,
}

impl Name {
    pub(crate) fn mesh(&self) -> &str {
        self.kri.mesh()
    }

    /// The mesh that it is of, or is; `None`: it is of none.
    fn of_mesh(&self) -> Option<&str> {
        let mesh = match self.kind {
            "Mesh" => self.kri.name(),
            _ => self.kri.mesh(),
        };
        (!mesh.is_empty()).then_some(mesh)
    }

    pub(crate) fn namespace(&self) -> &str {
        self.kri.namespace()
    }

    pub(crate) fn name(&self) -> &str {
        self.kri.name()
    }

    fn parts(&self) -> (&str, &str, &str, &str) {
        (self.kind, self.mesh(), self.namespace(), self.name())
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for Name {}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

impl Candidate {
    /// Compiles a commit, with the settings that stand in it; what the command line says counts more. What did not change
    /// is taken from what was served `before`.
    ///
    /// # Errors
    /// What is wrong with the settings, or the diagnostics, as `meshc check` prints them.
    pub(crate) fn compile(
        compiler: &mut Compiler,
        world: &dyn World,
        revision: String,
        said: &[Said],
        before: &Files,
    ) -> Result<Self, Flawed> {
        Self::judged(compiler, world, revision, said, (before, None))
    }

    /// The same; where there is something before it, by the gates.
    ///
    /// # Errors
    /// Beside those: gates that are broken, or cannot be read.
    pub(crate) fn judged(
        compiler: &mut Compiler,
        world: &dyn World,
        revision: String,
        said: &[Said],
        (before, asked): (&Files, Option<(&Asked, &Base)>),
    ) -> Result<Self, Flawed> {
        let recorder = Recorder::new(world);
        let effective = effective(&recorder, said)?;
        let settings = &settings(&effective);
        let revoked = effective.revoked_tokens.iter();
        let revoked = revoked.map(|told| told.value.clone()).collect();
        let judge = match asked {
            Some(asked) => Judge::begin(asked, (&effective, &recorder), compiler)?,
            None => None,
        };
        let compiled = compiler.compile(&recorder, settings);
        if compiled.diagnostics.has_errors() {
            return Err(flawed(&compiled));
        }
        let files = recorder.files(&compiled.sources, before)?;
        let allowed = match judge {
            Some(judge) => judge.judge(&files, (settings, &compiled), compiler)?,
            None => Vec::new(),
        };
        let inventory = inventory(&compiled.sources);
        let meshes = inventory.iter().filter_map(Name::of_mesh);
        let meshes = meshes.map(str::to_owned).collect();
        Ok(Self {
            revision,
            allowed,
            files,
            digest: compiled.bundle.digest,
            meshes: Arc::new(meshes),
            inventory,
            warnings: (!compiled.diagnostics.list.is_empty()).then(|| text(&compiled)),
            bundle: compiled.bundle,
            secrets: compiled.secrets,
            labels: compiled.labels,
            rollout: effective.rollout,
            settings: settings.clone(),
            revoked_tokens: Arc::new(revoked),
            admitted: Documents::new(),
            left_out: BTreeMap::new(),
        })
    }

    /// Adds the registered Dataplanes that fit beside those that were added before, the first ones first.
    pub(crate) fn admit(&mut self, compiler: &mut Compiler, registered: &Documents) {
        let all: Vec<_> = registered.keys().cloned().collect();
        let mut waiting = vec![all];
        // Halves of what does not fit as a whole: one misfit among thousands is found in a few steps.
        while let Some(mut group) = waiting.pop() {
            if group.is_empty() {
                continue;
            }
            let mut documents = self.admitted.clone();
            let added = group
                .iter()
                .filter_map(|key| Some((key.clone(), registered.get(key)?.clone())));
            documents.extend(added);
            let mut world = Overlay::new(&self.files);
            world.files = files_of(&documents);
            let compiled = compiler.compile(&world, &self.settings);
            if !compiled.diagnostics.has_errors() {
                self.bundle = compiled.bundle;
                self.secrets = compiled.secrets;
                self.labels = compiled.labels;
                self.admitted = documents;
            } else if let [misfit] = group.as_slice() {
                self.left_out.insert(misfit.clone(), text(&compiled));
            } else {
                let second = group.split_off(group.len() / 2);
                waiting.extend([second, group]);
            }
        }
    }
}

/// What counts for a commit.
fn effective(world: &dyn World, said: &[Said]) -> Result<Effective, String> {
    let effective = settle(world, said.iter().cloned());
    effective.map_err(|flaws| format!("{flaws}\n"))
}

/// What it is compiled with.
fn settings(effective: &Effective) -> Settings {
    Settings {
        // meshd speaks for one zone, whether or not anybody has named it.
        given: Given {
            zone: true,
            system_namespace: true,
        },
        ..effective.settings()
    }
}

/// What one registered document is, before anything is known about whether it fits: its name, and what it says.
///
/// # Errors
/// In words, for whoever sent it.
pub(crate) fn identify(document: &[u8], settings: &Settings) -> Result<(Name, Value), String> {
    const FILE: &str = "dataplane.yaml";
    let files = BTreeMap::from([(FILE.to_owned(), document.to_vec())]);
    let alone = Settings {
        partial: true,
        ..settings.clone()
    };
    let compiled = compile(&MemoryWorld { files }, &alone);
    let mut names = inventory(&compiled.sources).into_iter();
    match (names.next(), names.next()) {
        (Some(name), None) if name.kind == "Dataplane" => {
            let trees = compiled.sources.trees(FILE);
            let tree = trees.iter().flatten().next();
            Ok((name, tree.map(Node::to_json).unwrap_or_default()))
        }
        (_, None) if compiled.diagnostics.has_errors() => Err(text(&compiled)),
        _ => Err("the document must be one Dataplane, and nothing else".to_owned()),
    }
}

/// Files of a mesh and a name go here; the parts are checked before anything is registered.
fn path((mesh, name): &(String, String)) -> String {
    format!("{REGISTERED}/{mesh}/{name}.yaml")
}

fn files_of(documents: &Documents) -> BTreeMap<String, Vec<u8>> {
    let documents = documents.iter();
    documents
        .map(|(key, bytes)| (path(key), bytes.clone()))
        .collect()
}

/// As `meshc check` prints it.
fn text(compiled: &Compiled) -> String {
    let Compiled {
        diagnostics,
        sources,
        ..
    } = compiled;
    let findings = render(Format::Human { color: false }, diagnostics, sources);
    findings + &summary(diagnostics, sources) + "\n"
}

fn flawed(compiled: &Compiled) -> Flawed {
    let Compiled {
        diagnostics,
        sources,
        ..
    } = compiled;
    let mut list = diagnostics.list.iter();
    let first = list.find(|finding| finding.severity == Severity::Error);
    let first = Diagnostics {
        list: first.into_iter().cloned().collect(),
        ..Diagnostics::default()
    };
    let first = render(Format::Concise, &first, sources);
    Flawed {
        reason: "CompileFailed",
        text: text(compiled),
        first: first.trim_end().to_owned(),
    }
}

/// The names of everything that stands in a repository, documents of other tools left out.
fn inventory(sources: &Sources) -> HashSet<Name> {
    let documents = sources.files().flat_map(|(_, file)| &file.documents);
    documents
        .filter_map(|document| match &document.identity {
            Identity::Resource { kind, kri } => Some(Name {
                kind,
                kri: kri.clone(),
            }),
            Identity::Unknown | Identity::Foreign | Identity::Converted => None,
        })
        .collect()
}

#[cfg(test)]
mod tests;
