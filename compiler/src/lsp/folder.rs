//! One repository in the editor: a directory with what is open over it, and what it means. A document outside of every
//! directory is one of its own.
//!
//! Never compiles before it is asked what something means, and then the newest texts only.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::buffer::Buffer;
use super::disk::{Changed, Disk};
use super::meaning::Meaning;
use super::{Options, uri};
use crate::config::{self, Effective, FILE, Flaw};
use crate::diag::Paths;
use crate::incremental::Compiler;
use crate::source;
use crate::world::{ConfigFile, Overlay};

/// A repository.
#[derive(Debug)]
pub(super) struct Folder {
    /// The directory of the documents; `None`: there is one document, which is judged alone.
    pub(super) root: Option<PathBuf>,
    /// The same, without links on the way.
    absolute: PathBuf,
    /// From which the names of settings and patterns count.
    top: PathBuf,
    paths: Paths,
    disk: Option<Disk>,
    compiler: Compiler,
    /// The open documents, by the names of their files.
    pub(super) buffers: BTreeMap<String, Buffer>,
    /// The settings, where they are open in the editor.
    pub(super) settings: Option<Buffer>,
    effective: Effective,
    /// What is wrong with the settings; the last good ones count meanwhile.
    pub(super) flaws: Vec<Flaw>,
    /// What the newest texts mean; `None` where they are not compiled yet.
    current: Option<Meaning>,
    /// What it meant when every document could be read, where that is not so of one that is open now.
    before: Option<Meaning>,
    /// What the client was told, by the URI of the file: the version, and the findings.
    pub(super) told: BTreeMap<String, (Option<i32>, Vec<gen_lsp_types::Diagnostic>)>,
}

impl Folder {
    /// A directory.
    pub(super) fn open(root: &Path, options: &Options) -> Result<Self, String> {
        let top = (options.top)(root);
        let absolute = root.canonicalize().unwrap_or_else(|_| root.to_path_buf());
        let inside = top.as_ref().and_then(|top| absolute.strip_prefix(top).ok());
        let inside = inside.map(|inside| inside.to_string_lossy().replace('\\', "/"));
        Ok(Self {
            disk: Some(Disk::open(root)?),
            paths: Paths::under(&inside.unwrap_or_default()),
            top: top.unwrap_or_else(|| absolute.clone()),
            absolute,
            root: Some(root.to_path_buf()),
            ..Self::alone()
        })
    }

    /// For one document that is in no directory of the editor.
    pub(super) fn alone() -> Self {
        Self {
            root: None,
            absolute: PathBuf::new(),
            top: PathBuf::new(),
            paths: Paths::default(),
            disk: None,
            compiler: Compiler::default(),
            buffers: BTreeMap::new(),
            settings: None,
            effective: Effective::default(),
            flaws: Vec::new(),
            current: None,
            before: None,
            told: BTreeMap::new(),
        }
    }

    /// What a file is called in the repository; `None`: it is in none, or not in this one.
    pub(super) fn name(&self, path: &Path) -> Option<String> {
        let Some(root) = &self.root else {
            return path.file_name()?.to_str().map(str::to_owned);
        };
        let inside = path.strip_prefix(root);
        let inside = inside.or_else(|_| path.strip_prefix(&self.absolute)).ok()?;
        let parts: Option<Vec<&str>> = inside.iter().map(|part| part.to_str()).collect();
        Some(parts?.join("/"))
    }

    /// Is this a file of settings that count for it, if none is nearer?
    pub(super) fn has_settings_at(&self, path: &Path) -> bool {
        let directory = path.parent().map(|directory| directory.canonicalize());
        let (Some(Ok(directory)), Some(_)) = (directory, &self.root) else {
            return false;
        };
        path.file_name().is_some_and(|name| name == FILE)
            && self.absolute.starts_with(&directory)
            && directory.starts_with(&self.top)
    }

    /// The URI of a file, as the client writes it where it is open.
    pub(super) fn uri(&self, name: &str) -> String {
        match (self.buffers.get(name), &self.disk) {
            (Some(buffer), _) => buffer.uri.clone(),
            (None, Some(disk)) => uri::of(&disk.path(name)),
            (None, None) => uri::of(Path::new(name)),
        }
    }

    /// The URI of a file of settings, which is named from the top of the work tree.
    pub(super) fn settings_uri(&self, path: &str) -> String {
        match &self.settings {
            Some(buffer) => buffer.uri.clone(),
            None => uri::of(&self.top.join(path)),
        }
    }

    /// An open document, or the settings.
    pub(super) fn buffer(&mut self, uri: &str) -> Option<&mut Buffer> {
        let open = self.buffers.values_mut().chain(&mut self.settings);
        let mut open = open.filter(|buffer| buffer.uri == uri);
        open.next()
    }

    /// From now on the disk says what is in a file.
    pub(super) fn close(&mut self, uri: &str) {
        if self.buffer(uri).is_none() {
            return;
        }
        self.settings.take_if(|settings| settings.uri == uri);
        let gone: Vec<_> = self
            .buffers
            .extract_if(.., |_, buffer| buffer.uri == uri)
            .collect();
        // What was saved last may not have been seen.
        self.look(&gone.into_iter().map(|(name, _)| name).collect());
    }

    /// Says that a text has changed.
    pub(super) fn touch(&mut self) {
        if let Some(meaning) = self.current.take().filter(Meaning::is_whole) {
            self.before = Some(meaning);
        }
    }

    /// Looks at the disk again.
    pub(super) fn look(&mut self, changed: &BTreeSet<String>) {
        if let Some(disk) = &mut self.disk {
            disk.look(&Changed::Files(changed.clone()));
            self.touch();
        }
    }

    /// Looks at everything on the disk again.
    pub(super) fn look_at_all(&mut self) {
        if let Some(disk) = &mut self.disk {
            disk.look(&Changed::All);
            self.touch();
        }
    }

    /// Is there a text that nobody has compiled?
    pub(super) fn is_stale(&self) -> bool {
        self.current.is_none()
    }

    /// Compiles the newest texts, where they are not compiled.
    pub(super) fn settle(&mut self, options: &Options) {
        if self.current.is_some() {
            return;
        }
        let open = self.buffers.iter();
        let world = Overlay {
            under: self.disk.as_ref(),
            files: open.map(|(name, buffer)| (name.clone(), buffer)).collect(),
            config: self.config(),
        };
        match config::settle(&world, options.said.iter().cloned()) {
            Ok(effective) => {
                self.effective = effective;
                self.flaws.clear();
            }
            Err(flaws) => self.flaws = flaws.list,
        }
        let mut open = self.buffers.values();
        if open.all(|buffer| source::is_whole(buffer.text())) {
            // Nobody will ask for it; and what it was made of would have to be copied before it is brought up to date.
            self.before = None;
        }
        let mut settings = self.effective.settings();
        settings.partial = self.root.is_none();
        settings.now = Some((options.now)());
        let mut analysis = self.compiler.analyse(&world, &settings);
        let findings = &mut analysis.compiled.diagnostics;
        let paths = &self.paths;
        self.effective.lint.apply(findings, |file| paths.of(file));
        let meaning = Meaning::new(analysis);
        if meaning.is_whole() {
            self.before = None;
        }
        self.current = Some(meaning);
    }

    /// What the newest texts mean, where they are compiled.
    pub(super) fn current(&self) -> Option<&Meaning> {
        self.current.as_ref()
    }

    /// The last meaning in which every document could be read; else the newest.
    pub(super) fn meaning(&self) -> Option<&Meaning> {
        let whole = self.current.as_ref().filter(|meaning| meaning.is_whole());
        whole.or(self.before.as_ref()).or(self.current.as_ref())
    }

    /// The settings as they are in the editor.
    fn config(&self) -> Option<ConfigFile> {
        let buffer = self.settings.as_ref()?;
        let path = uri::path(&buffer.uri)?;
        let absolute = path.canonicalize().unwrap_or(path);
        let inside = absolute.strip_prefix(&self.top).unwrap_or(&absolute);
        let path = inside.to_string_lossy().replace('\\', "/");
        let nearest = self.disk.as_ref().and_then(Disk::nearest);
        // Another one may be nearer to the documents.
        if nearest.is_some_and(|nearest| nearest.len() > path.len()) {
            return None;
        }
        let bytes = buffer.text().as_bytes().to_vec();
        Some(ConfigFile { path, bytes })
    }
}
