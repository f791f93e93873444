//! Dataplanes that joined at another meshd: there they were judged, here they are taken in.
//!
//! Never takes the place of one that joined here later.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use super::documents::{self, Registered};
use super::{Good, Rollout};
use crate::candidate::{self, Documents};
use crate::registry::Now;

type Key = (String, String);

impl Rollout {
    /// Begins to note what joins here, for the others, and returns what has joined so far. Reads the disk.
    pub(crate) fn share_registered(&self) -> BTreeMap<Key, Registered> {
        *self
            .shared
            .untold
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(BTreeMap::new());
        documents::registered(&self.shared.state)
    }

    /// What has joined since it was asked last.
    pub(crate) fn newly_registered(&self) -> BTreeMap<Key, Registered> {
        let mut untold = self
            .shared
            .untold
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        untold.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// It joined here now: later than whatever was known of it before.
    pub(super) fn registered_here(&self, key: &Key, document: &[u8], before: Option<u64>) {
        let after = before.map_or(0, |before| before.saturating_add(1));
        let at = Now::read().unix.max(after);
        documents::date(&self.shared.state, key, at);
        let mut untold = self
            .shared
            .untold
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let (Some(untold), Ok(document)) = (&mut *untold, str::from_utf8(document)) {
            let document = document.to_owned();
            untold.insert(key.clone(), Registered { at, document });
        }
        drop(untold);
        self.registry.tell_others();
    }

    /// Takes in what joined elsewhere.
    ///
    /// # Errors
    /// In words: it cannot be compiled or served.
    pub(crate) async fn adopt(&self, news: BTreeMap<Key, Registered>) -> Result<(), String> {
        let mut desk = self.desk().await;
        let settings = desk.good.as_ref().map(|good| good.settings.clone());
        let mut new = Documents::new();
        for (key, told) in news {
            let document = told.document.into_bytes();
            if self.joined().get(&key) == Some(&document)
                || documents::at(&self.shared.state, &key).is_some_and(|own| own >= told.at)
            {
                continue;
            }
            let is_named = match &settings {
                Some(settings) => candidate::identify(&document, settings)
                    .is_ok_and(|(name, _)| documents::is_named(&name, &key)),
                // It is judged with the first commit.
                None => documents::is_file_name(&key),
            };
            if !is_named {
                let (mesh, dataplane) = &key;
                tracing::warn!(
                    mesh,
                    dataplane,
                    "what another meshd says of it is of something else"
                );
                continue;
            }
            match documents::write(&self.shared.state, &key, &document) {
                Ok(()) => documents::date(&self.shared.state, &key, told.at),
                Err(failure) => {
                    tracing::error!(error = %failure, "a Dataplane that joined at another meshd cannot be kept");
                }
            }
            let (mesh, dataplane) = &key;
            tracing::info!(mesh, dataplane, "joined at another meshd");
            new.insert(key, document);
        }
        if new.is_empty() {
            return Ok(());
        }
        let good = match desk.good.clone() {
            Some(good) => Some(self.with(&good, &new).await?),
            None => None,
        };
        let next = match &desk.rolling {
            Some(rolling) => Some(self.with(&rolling.next, &new).await?),
            None => None,
        };
        self.joined().extend(new);
        match good {
            Some(good) => self.replace(&mut desk, good, next),
            // They come with the first commit.
            None => Ok(()),
        }
    }

    /// The same commit, with these beside whoever joined before.
    async fn with(&self, good: &Good, new: &Documents) -> Result<Good, String> {
        let mut others = self.documents();
        others.retain(|key, _| !new.contains_key(key));
        let (files, before) = (good.files.clone(), good.files.clone());
        let groups = vec![others, new.clone()];
        let compiled = self.compiled(
            move || Ok(files),
            good.revision.clone(),
            groups,
            (before, None),
        );
        let candidate = compiled.await.map_err(|trouble| trouble.message)?;
        for ((mesh, dataplane), why) in &candidate.left_out {
            tracing::warn!(mesh, dataplane, why, "it does not fit, and is left out");
        }
        self.good(candidate).map_err(|trouble| trouble.message)
    }
}
