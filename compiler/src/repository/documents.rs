//! The documents of each mesh in the order of their KRIs, and what became of them since the last time.
//!
//! Never compares what documents say: one that was not read again is the same one.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mesh_bundle::Kri;

use crate::defaults;
use crate::kinds::Resource;
use crate::model::Settings;

/// Every document of a repository, default policies included.
#[derive(Debug, Default)]
pub(crate) struct Documents {
    /// In the order of the files, without default policies.
    written: Arc<Vec<Arc<Resource>>>,
    defaults: Vec<Arc<Resource>>,
    /// How many there are of each mesh; those of none under the empty name.
    counts: BTreeMap<String, usize>,
}

/// What was taken away from a list of documents, and what was added.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Both in the order of KRIs.
    pub(crate) gone: Vec<Arc<Resource>>,
    pub(crate) new: Vec<Arc<Resource>>,
}

impl Documents {
    /// Takes in what there is now, in the order of the files, and says what changed of each mesh.
    pub(crate) fn update(
        &mut self,
        resources: &Arc<Vec<Arc<Resource>>>,
        settings: &Settings,
    ) -> BTreeMap<String, Changes> {
        let mut changes = Changes::between(&self.written, resources);
        if changes.is_empty() {
            return BTreeMap::new();
        }
        self.written = Arc::clone(resources);
        let others = self.count(&changes);
        if others || changes.touch("m") || changes.rename(&defaults::KINDS) {
            let defaults = defaults::policies(&self.written, settings);
            let defaults: Vec<_> = defaults.into_iter().map(|made| self.known(made)).collect();
            let of_defaults = Changes::between(&self.defaults, &defaults);
            changes.gone.extend(of_defaults.gone);
            changes.new.extend(of_defaults.new);
            self.defaults = defaults;
        }
        changes.by_mesh()
    }

    /// Says whether there are other meshes now.
    fn count(&mut self, changes: &Changes) -> bool {
        let meshes = self.counts.len();
        for new in &changes.new {
            *self
                .counts
                .entry(new.meta.kri.mesh().to_owned())
                .or_default() += 1;
        }
        let with_new = self.counts.len();
        for gone in &changes.gone {
            if let Some(count) = self.counts.get_mut(gone.meta.kri.mesh()) {
                *count -= 1;
            }
        }
        self.counts.retain(|_, count| *count > 0);
        meshes != with_new || with_new != self.counts.len()
    }

    /// The same default policy as the last time, where there was one.
    fn known(&self, made: Resource) -> Arc<Resource> {
        let mut before = self.defaults.iter();
        match before.find(|known| ***known == made) {
            Some(known) => Arc::clone(known),
            None => Arc::new(made),
        }
    }
}

impl Changes {
    /// From one list to the other. Where both are in the order of places, this looks at little more than what differs.
    fn between(before: &[Arc<Resource>], after: &[Arc<Resource>]) -> Self {
        let place = |resource: &Arc<Resource>| {
            let at = &resource.meta.at;
            (at.file.clone(), at.document)
        };
        let mut changes = Self::default();
        let (mut before, mut after) = (before.iter().peekable(), after.iter().peekable());
        loop {
            let order = match (before.peek(), after.peek()) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(old), Some(new)) if Arc::ptr_eq(old, new) => {
                    before.next();
                    after.next();
                    continue;
                }
                (Some(old), Some(new)) => place(old).cmp(&place(new)),
            };
            if order.is_le() {
                changes.gone.extend(before.next().cloned());
            }
            if order.is_ge() {
                changes.new.extend(after.next().cloned());
            }
        }
        changes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.gone.is_empty() && self.new.is_empty()
    }

    /// Is a document of this kind among them? By its short name.
    pub(crate) fn touch(&self, short: &str) -> bool {
        let mut all = self.gone.iter().chain(&self.new);
        all.any(|resource| resource.meta.kri.kind() == short)
    }

    /// Are there names of these kinds now that there were not, or the other way round?
    fn rename(&self, shorts: &[&str]) -> bool {
        let names = |list: &[Arc<Resource>]| -> BTreeSet<Kri> {
            let kris = list.iter().map(|resource| &resource.meta.kri);
            kris.filter(|kri| shorts.contains(&kri.kind()))
                .cloned()
                .collect()
        };
        names(&self.gone) != names(&self.new)
    }

    /// The new documents of a kind, where each stands in the place of one of the same name and labels.
    pub(super) fn instead(&self, short: &str) -> Option<&[Arc<Resource>]> {
        let (gone, new) = (of_kind(&self.gone, short), of_kind(&self.new, short));
        let alike = |(gone, new): (&Arc<Resource>, &Arc<Resource>)| {
            let (old, new) = (&gone.meta, &new.meta);
            old.kri == new.kri && old.labels == new.labels && old.created == new.created
        };
        (gone.len() == new.len() && gone.iter().zip(new).all(alike)).then_some(new)
    }

    fn by_mesh(self) -> BTreeMap<String, Self> {
        let mut by_mesh: BTreeMap<String, Self> = BTreeMap::new();
        for gone in self.gone {
            let of = by_mesh.entry(gone.meta.kri.mesh().to_owned()).or_default();
            of.gone.push(gone);
        }
        for new in self.new {
            let of = by_mesh.entry(new.meta.kri.mesh().to_owned()).or_default();
            of.new.push(new);
        }
        for changes in by_mesh.values_mut() {
            for list in [&mut changes.gone, &mut changes.new] {
                list.sort_by(|a, b| {
                    let (a, b) = (&a.meta, &b.meta);
                    (&a.kri, &a.at).cmp(&(&b.kri, &b.at))
                });
            }
        }
        by_mesh
    }

    /// Makes them to documents in the order of their KRIs.
    pub(crate) fn apply(&self, documents: &mut Vec<Arc<Resource>>) {
        if !self.gone.is_empty() {
            let gone: BTreeSet<_> = self.gone.iter().map(Arc::as_ptr).collect();
            documents.retain(|document| !gone.contains(&Arc::as_ptr(document)));
        }
        let mut left = std::mem::take(documents).into_iter();
        documents.reserve(left.len() + self.new.len());
        for new in &self.new {
            let before = left
                .as_slice()
                .partition_point(|old| order(old, new).is_lt());
            documents.extend(left.by_ref().take(before));
            documents.push(Arc::clone(new));
        }
        documents.extend(left);
    }
}

fn order(a: &Resource, b: &Resource) -> Ordering {
    let by_kri = a.meta.kri.cmp(&b.meta.kri);
    by_kri.then_with(|| a.meta.at.cmp(&b.meta.at))
}

/// Those of one kind, by its short name, out of documents in the order of their KRIs.
pub(super) fn of_kind<'a>(documents: &'a [Arc<Resource>], short: &str) -> &'a [Arc<Resource>] {
    // As KRIs are ordered, which go on with `_` after the kind.
    let text = |kind: &str| kind.bytes().chain([b'_']).collect::<Vec<u8>>();
    let wanted = text(short);
    let order = |resource: &Arc<Resource>| text(resource.meta.kri.kind()).cmp(&wanted);
    let start = documents.partition_point(|resource| order(resource).is_lt());
    let rest = documents.get(start..).unwrap_or_default();
    let length = rest.partition_point(|resource| order(resource).is_eq());
    rest.get(..length).unwrap_or_default()
}
