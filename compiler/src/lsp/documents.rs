//! Everything that is open: the folders of the editor, and documents outside of them.
//!
//! Never has one document in two places, but for settings, which count wherever they are found.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use gen_lsp_types::{
    DidChangeTextDocumentParams, DidChangeWatchedFilesParams, DidChangeWorkspaceFoldersParams,
    DidCloseTextDocumentParams, DidOpenTextDocumentParams, DidSaveTextDocumentParams,
    PublishDiagnosticsParams,
};
use serde_json::Value;

use super::buffer::Buffer;
use super::client::Client;
use super::folder::Folder;
use super::position::Encoding;
use super::{Options, diagnostics, uri};

/// See above.
#[derive(Debug, Default)]
pub(super) struct Documents {
    folders: Vec<Folder>,
    /// By their URIs.
    alone: BTreeMap<String, Folder>,
    /// What was told of what is not open any more, and has to be taken back.
    gone: BTreeSet<String>,
}

impl Documents {
    /// Opens a folder of the editor.
    pub(super) fn add(&mut self, folder: &Path, options: &Options) -> Result<(), String> {
        let root = folder.join(&options.directory);
        // `.` would be part of every path.
        let root: std::path::PathBuf = root.components().collect();
        let opened = Folder::open(&root, options);
        let opened =
            opened.map_err(|reason| format!("cannot read {}: {reason}", root.display()))?;
        let buffers = self.close_all();
        self.folders.push(opened);
        // The nearest directory has a document.
        self.folders.sort_by_key(|folder| {
            let depth = folder.root.as_ref().map(|root| root.components().count());
            std::cmp::Reverse(depth)
        });
        buffers.into_iter().for_each(|buffer| self.open(buffer));
        Ok(())
    }

    fn remove(&mut self, folder: &Path, options: &Options) {
        let root: std::path::PathBuf = folder.join(&options.directory).components().collect();
        let buffers = self.close_all();
        let of_root = |folder: &Folder| folder.root.as_ref() == Some(&root);
        for gone in self.folders.iter().filter(|folder| of_root(folder)) {
            self.gone.extend(gone.told.keys().cloned());
        }
        self.folders.retain(|folder| !of_root(folder));
        buffers.into_iter().for_each(|buffer| self.open(buffer));
    }

    /// What a client says has happened. The error is for the log.
    pub(super) fn note(
        &mut self,
        method: &str,
        params: Value,
        client: &Client,
        options: &Options,
    ) -> Result<(), String> {
        fn read<P: serde::de::DeserializeOwned>(params: Value) -> Result<P, String> {
            serde_json::from_value(params).map_err(|error| error.to_string())
        }
        match method {
            "textDocument/didOpen" => {
                let params: DidOpenTextDocumentParams = read(params)?;
                self.open(Buffer::open(params.text_document));
            }
            "textDocument/didChange" => self.change(read(params)?, client.encoding)?,
            "textDocument/didClose" => {
                let params: DidCloseTextDocumentParams = read(params)?;
                self.close(params.text_document.uri.as_ref());
            }
            "textDocument/didSave" => {
                let params: DidSaveTextDocumentParams = read(params)?;
                self.saved(params.text_document.uri.as_ref(), client.watches);
            }
            "workspace/didChangeWatchedFiles" => {
                let params: DidChangeWatchedFilesParams = read(params)?;
                let uris = params.changes.iter().map(|change| change.uri.as_ref());
                self.changed_on_disk(uris);
            }
            "workspace/didChangeWorkspaceFolders" => {
                let DidChangeWorkspaceFoldersParams { event } = read(params)?;
                for path in event
                    .removed
                    .iter()
                    .filter_map(|it| uri::path(it.uri.as_ref()))
                {
                    self.remove(&path, options);
                }
                for path in event
                    .added
                    .iter()
                    .filter_map(|it| uri::path(it.uri.as_ref()))
                {
                    self.add(&path, options)?;
                }
            }
            // Others are about what we do not offer.
            _ => {}
        }
        Ok(())
    }

    fn open(&mut self, buffer: Buffer) {
        // What is in no file yet is judged when it is.
        let Some(path) = uri::path(&buffer.uri) else {
            return;
        };
        let mut settings = false;
        let reading = self.folders.iter_mut();
        for folder in reading.filter(|folder| folder.has_settings_at(&path)) {
            folder.settings = Some(buffer.clone());
            folder.touch();
            settings = true;
        }
        if settings {
            return;
        }
        let mut folders = self.folders.iter_mut();
        let found = folders.find_map(|folder| folder.name(&path).map(|name| (name, folder)));
        let (name, folder) = match found {
            Some(found) => found,
            None => {
                let folder = self.alone.entry(buffer.uri.clone());
                let folder = folder.or_insert_with(Folder::alone);
                let Some(name) = folder.name(&path) else {
                    return;
                };
                (name, folder)
            }
        };
        folder.buffers.insert(name, buffer);
        folder.touch();
    }

    fn change(
        &mut self,
        params: DidChangeTextDocumentParams,
        encoding: Encoding,
    ) -> Result<(), String> {
        let document = params.text_document;
        let uri = document.text_document_identifier.uri.to_string();
        let mut known = false;
        for folder in self.all() {
            if let Some(buffer) = folder.buffer(&uri) {
                buffer.change(document.version, params.content_changes.clone(), encoding);
                folder.touch();
                known = true;
            }
        }
        match known || uri::path(&uri).is_none() {
            true => Ok(()),
            false => Err(format!("{uri} is not open")),
        }
    }

    fn close(&mut self, uri: &str) {
        if let Some(folder) = self.alone.remove(uri) {
            self.gone.extend(folder.told.into_keys());
        }
        for folder in &mut self.folders {
            folder.close(uri);
        }
    }

    /// Takes out what is open, so that it finds its place again.
    fn close_all(&mut self) -> Vec<Buffer> {
        let mut buffers: BTreeMap<String, Buffer> = BTreeMap::new();
        for folder in self.all() {
            let open = std::mem::take(&mut folder.buffers).into_values();
            let open = open.chain(folder.settings.take());
            buffers.extend(open.map(|buffer| (buffer.uri.clone(), buffer)));
            folder.touch();
        }
        for folder in std::mem::take(&mut self.alone).into_values() {
            self.gone.extend(folder.told.into_keys());
        }
        buffers.into_values().collect()
    }

    fn saved(&mut self, uri: &str, watches: bool) {
        if watches {
            // It comes again as a change on the disk, whatever saved it.
            return;
        }
        let Some(path) = uri::path(uri) else { return };
        for folder in &mut self.folders {
            let inside = folder.name(&path).is_some() || folder.has_settings_at(&path);
            if inside {
                folder.look_at_all();
            }
        }
    }

    fn changed_on_disk<'u>(&mut self, uris: impl Iterator<Item = &'u str>) {
        let paths: Vec<_> = uris.filter_map(uri::path).collect();
        for folder in &mut self.folders {
            let settings = paths.iter().any(|path| folder.has_settings_at(path));
            let names = paths.iter().filter_map(|path| folder.name(path));
            let names: BTreeSet<String> = names.collect();
            if settings || !names.is_empty() {
                folder.look(&names);
            }
        }
    }

    /// How many are open.
    pub(super) fn count(&self) -> usize {
        let folders = self.folders.iter().chain(self.alone.values());
        folders.map(|folder| folder.buffers.len()).sum()
    }

    /// Is there a text that nobody has compiled, or something to be taken back?
    pub(super) fn are_stale(&self) -> bool {
        let mut folders = self.folders.iter().chain(self.alone.values());
        folders.any(Folder::is_stale) || !self.gone.is_empty()
    }

    /// Compiles what is not compiled.
    pub(super) fn settle(&mut self, options: &Options) {
        for folder in self.all() {
            folder.settle(options);
        }
    }

    /// What the client has to be told.
    pub(super) fn news(&mut self, encoding: Encoding) -> Vec<PublishDiagnosticsParams> {
        let mut gone = std::mem::take(&mut self.gone);
        let mut news = Vec::new();
        for folder in self.all() {
            news.extend(diagnostics::news(folder, encoding));
            gone.retain(|uri| !folder.told.contains_key(uri));
        }
        let nothing = |uri: String| PublishDiagnosticsParams {
            uri: uri.as_str().into(),
            version: None,
            diagnostics: Vec::new(),
        };
        news.extend(gone.into_iter().map(nothing));
        news
    }

    /// The folder that a document is open in, and what it is called there.
    pub(super) fn find(&self, uri: &str) -> Option<(&Folder, &str)> {
        let mut folders = self.folders.iter().chain(self.alone.values());
        folders.find_map(|folder| {
            let mut open = folder.buffers.iter();
            let (name, _) = open.find(|(_, buffer)| buffer.uri == uri)?;
            Some((folder, name.as_str()))
        })
    }

    fn all(&mut self) -> impl Iterator<Item = &mut Folder> {
        self.folders.iter_mut().chain(self.alone.values_mut())
    }
}
