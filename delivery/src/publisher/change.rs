//! One change of configuration, cut into frames.
//!
//! Never holds bytes longer than it takes to send them: what waits for an answer is a manifest.

use std::iter::Peekable;
use std::sync::Arc;
use std::vec::IntoIter;

use mesh_bundle::{Digest, Key, Manifest};

use super::Wanted;
use crate::bounds;
use crate::message::Update;

#[derive(Debug)]
pub(super) struct Change {
    pub(super) revision: String,
    pub(super) root: Digest,
    pub(super) manifest: Arc<Manifest>,
    frames: Option<Frames>,
}

#[derive(Debug)]
struct Frames {
    wanted: Arc<Wanted>,
    complete: bool,
    upserts: Peekable<IntoIter<(Key, Digest)>>,
    removals: Peekable<IntoIter<Key>>,
}

impl Change {
    /// From `base`, or from nothing.
    pub(super) fn new(base: Option<&Manifest>, wanted: Arc<Wanted>) -> Self {
        let new = wanted.manifest();
        let old = |key: &Key| base.and_then(|base| base.entries.get(key));
        let upserts: Vec<_> = new
            .entries
            .iter()
            .filter(|(key, digest)| old(key) != Some(*digest))
            .map(|(key, digest)| (key.clone(), *digest))
            .collect();
        let removals: Vec<_> = base
            .into_iter()
            .flat_map(|base| base.entries.keys())
            .filter(|key| !new.entries.contains_key(key))
            .cloned()
            .collect();
        Self {
            revision: wanted.revision().to_owned(),
            root: wanted.root(),
            manifest: new.clone(),
            frames: Some(Frames {
                complete: base.is_none(),
                upserts: upserts.into_iter().peekable(),
                removals: removals.into_iter().peekable(),
                wanted,
            }),
        }
    }

    /// Everything is sent.
    pub(super) fn is_sent(&self) -> bool {
        self.frames.is_none()
    }

    /// The next frame; the one that is marked as the last is the last.
    pub(super) fn next(&mut self) -> Option<Update> {
        let frames = self.frames.as_mut()?;
        let (mut upserts, mut removals) = (Vec::new(), Vec::new());
        let mut room = bounds::FRAME;
        while let Some(key) = frames.removals.peek() {
            let cost = key.to_string().len();
            if cost > room && room < bounds::FRAME {
                break;
            }
            room = room.saturating_sub(cost);
            removals.extend(frames.removals.next().map(String::from));
        }
        while let Some((key, digest)) = frames.upserts.peek() {
            let (key, resource) = (key.to_string(), frames.wanted.bytes(digest));
            let cost = key.len() + resource.len();
            // What is larger than a frame goes alone.
            if cost > room && room < bounds::FRAME {
                break;
            }
            room = room.saturating_sub(cost);
            upserts.push((key, resource));
            frames.upserts.next();
        }
        let update = Update {
            revision: self.revision.clone(),
            root: self.root,
            complete: frames.complete,
            upserts,
            removals,
            last: frames.upserts.peek().is_none() && frames.removals.peek().is_none(),
        };
        if update.last {
            self.frames = None;
        }
        Some(update)
    }
}
