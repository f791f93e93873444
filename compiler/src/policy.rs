//! The policy machinery of language section 4, once for all kinds: whom a policy is about, in which order policies count,
//! how they merge, and what is effective for one proxy.
//!
//! Never knows a kind: a [`Descriptor`] says where a kind keeps its confs, the rest is JSON. Never looks at text: places
//! are [`Location`]s.

pub(crate) mod applies;
pub(crate) mod inbound;
pub(crate) mod merge;
pub(crate) mod order;
pub(crate) mod outbound;
pub(crate) mod proxy_wide;
mod renew;
pub(crate) mod target;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diag::{Diagnostic, Location, Pointer};
use crate::index::Selectors;
use crate::json::Json;
use crate::kinds::Resource;
use crate::lookup::Lookup;
use crate::model::{Compat, Meta};
use mesh_bundle::Kri;

use inbound::{Rule, read_match};
use mesh_bundle::resource::PeerMatch;
use order::{Class, Strength};
use outbound::{Item, Towards};
use proxy_wide::Whole;
use target::{Target, TargetKind};

/// What the machinery has to know of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Descriptor {
    /// As documents write it.
    pub(crate) kind: &'static str,
    /// Where an item of `to` keeps its conf.
    pub(crate) conf: ConfAt,
    /// Whose rules hold.
    pub(crate) compat: Compat,
}

/// Where an item of `to` keeps its conf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConfAt {
    /// Under `default`.
    Default,
    /// The item's `rules` are the conf: routes.
    Rules,
}

/// Who wrote a value, where, and how much that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    /// The document.
    pub(crate) resource: Kri,
    /// The value in it.
    pub(crate) at: Location,
    /// Made by the compiler.
    pub(crate) virtual_document: bool,
    /// Keys 0 to 6 of the order: what differs in nothing else is told apart by name only.
    pub(crate) class: Class,
}

/// One policy document, as the machinery sees it.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    pub(crate) meta: Arc<Meta>,
    /// Whose proxy is configured.
    pub(crate) target: Target,
}

/// All policies of one kind in one mesh, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    /// As documents write it.
    pub(crate) kind: &'static str,
    /// Whose rules hold.
    compat: Compat,
    /// Weakest first, shadow policies left out.
    pub(crate) policies: Vec<Policy>,
    /// What would be among them if it were no shadow, weakest first.
    pub(crate) shadows: Vec<Policy>,
    /// What items refer to that is not there.
    pub(crate) findings: Vec<Diagnostic>,
    /// `to` items, weakest first.
    to: Vec<Item>,
    /// `rules` items, weakest first.
    rules: Vec<Rule>,
    /// Confs for a proxy as a whole, weakest first.
    whole: Vec<Whole>,
    /// Items of `to` by what they are about, and of those the selectors of their policies.
    by_towards: Lookup<Towards, Selectors>,
    /// The selectors of the policies of `rules`.
    by_target: Selectors,
    /// The selectors of the policies of `whole`.
    by_whole: Selectors,
}

/// A document to be read into a [`Table`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Written<'a> {
    pub(crate) meta: &'a Arc<Meta>,
    /// The body as JSON: `spec`.
    pub(crate) body: &'a Json,
}

impl<'a> Written<'a> {
    pub(crate) fn of(resource: &'a Resource) -> Self {
        Self {
            meta: &resource.meta,
            body: &resource.body,
        }
    }
}

/// What becomes of policies with the label [`EFFECT`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shadows {
    /// They are checked and listed.
    Listed,
    /// They count like any other: to see what they would change.
    Active,
}

/// The label that keeps a policy from having any effect (language 4.12).
const EFFECT: &str = "kuma.io/effect";

impl Table {
    /// Reads the policies of one kind and one mesh. `resolve` says what an item of `to` is about: the target reference
    /// with its place, and the policy that holds it.
    pub(crate) fn read<'a>(
        descriptor: Descriptor,
        shadows: Shadows,
        written: impl IntoIterator<Item = Written<'a>>,
        mut resolve: impl FnMut(&Target, &Location, &Meta) -> Vec<Towards>,
    ) -> Self {
        let mut written: Vec<(Strength, Written<'a>, Target)> = written
            .into_iter()
            .map(|policy| {
                let target = Target::read(policy.body.get("targetRef"));
                let strength = Strength::of(policy.meta, &target, None, descriptor.compat);
                (strength, policy, target)
            })
            .collect();
        written.sort_by(|a, b| a.0.cmp(&b.0));
        let mut table = Self {
            kind: descriptor.kind,
            compat: descriptor.compat,
            ..Self::default()
        };
        for (_, policy, target) in written {
            let listed = Policy {
                meta: Arc::clone(policy.meta),
                target: target.clone(),
            };
            if shadows == Shadows::Listed && is_shadow(policy.meta) {
                for (place, target) in references(policy, descriptor.compat) {
                    resolve(&target, &place, policy.meta);
                }
                table.shadows.push(listed);
                continue;
            }
            let index = table.policies.len();
            table.read_to(descriptor, index, policy, &target, &mut resolve);
            table.read_rules(index, policy, &target);
            table.read_whole(index, policy, &target);
            table.policies.push(listed);
        }
        table.to.sort_by(|a, b| a.strength.cmp(&b.strength));
        table.rules.sort_by(|a, b| a.strength.cmp(&b.strength));
        table.index();
        table
    }

    fn index(&mut self) {
        type Selector<'a> = (usize, &'a BTreeMap<String, String>);
        let everybody = BTreeMap::new();
        let wanted = |policy: usize| match self.policies.get(policy) {
            Some(policy) if policy.target.kind != TargetKind::Mesh => &policy.target.labels,
            _ => &everybody,
        };
        let mut towards: BTreeMap<&Towards, Vec<Selector<'_>>> = BTreeMap::new();
        for (index, item) in self.to.iter().enumerate() {
            for about in &item.towards {
                let items = towards.entry(about).or_default();
                items.push((index, wanted(item.policy)));
            }
        }
        let by_towards = towards.into_iter();
        let by_towards = by_towards.map(|(about, items)| (about.clone(), Selectors::of(&items)));
        let by_towards = by_towards.collect();
        let rules = self.rules.iter().enumerate();
        let rules: Vec<_> = rules
            .map(|(index, rule)| (index, wanted(rule.policy)))
            .collect();
        let whole = self.whole.iter().enumerate();
        let whole: Vec<_> = whole
            .map(|(index, whole)| (index, wanted(whole.policy)))
            .collect();
        self.by_whole = Selectors::of(&whole);
        self.by_target = Selectors::of(&rules);
        self.by_towards = by_towards;
    }

    fn read_to(
        &mut self,
        descriptor: Descriptor,
        policy: usize,
        written: Written<'_>,
        top: &Target,
        resolve: &mut impl FnMut(&Target, &Location, &Meta) -> Vec<Towards>,
    ) {
        let items = list(written.body.get("to")).iter().enumerate();
        for ((index, item), (place, target)) in items.zip(references(written, self.compat)) {
            let at = Pointer::default().field("to").index(index);
            let (conf, conf_at) = match descriptor.conf {
                ConfAt::Default => (item.get("default").cloned(), at.field("default")),
                ConfAt::Rules => {
                    let rules = item.get("rules").cloned();
                    let rules = rules.unwrap_or_else(|| Json::List([].into()));
                    (Some(Json::field("rules", rules)), at.clone())
                }
            };
            let towards = resolve(&target, &place, written.meta);
            self.to.push(Item {
                policy,
                strength: Strength::of(written.meta, top, Some(&target), self.compat).at(index),
                towards,
                conf: conf.unwrap_or_default(),
                at: written.meta.within(&conf_at),
            });
        }
    }

    fn read_rules(&mut self, policy: usize, written: Written<'_>, top: &Target) {
        for (index, rule) in list(written.body.get("rules")).iter().enumerate() {
            let at = Pointer::default().field("rules").index(index);
            let matches: Vec<Option<PeerMatch>> = match list(rule.get("matches")) {
                [] => vec![None],
                matches => matches.iter().filter_map(read_match).map(Some).collect(),
            };
            for peer in matches {
                self.rules.push(Rule {
                    policy,
                    strength: Strength::of(written.meta, top, None, self.compat).at(index),
                    peer,
                    conf: rule.get("default").cloned().unwrap_or_default(),
                    at: written.meta.within(&at.field("default")),
                });
            }
        }
    }

    /// Who wrote the value at `relative` of an item's conf.
    pub(crate) fn source(
        &self,
        policy: usize,
        strength: &Strength,
        conf: &Location,
        relative: &Pointer,
    ) -> Option<Source> {
        let meta = &self.policies.get(policy)?.meta;
        let mut at = conf.clone();
        at.pointer.steps.extend(relative.steps.iter().cloned());
        Some(Source {
            resource: meta.kri.clone(),
            at,
            virtual_document: meta.virtual_document,
            class: strength.class,
        })
    }
}

/// What each item of `to` refers to, and where it says so.
pub(crate) fn references(
    written: Written<'_>,
    compat: Compat,
) -> impl Iterator<Item = (Location, Target)> {
    let items = list(written.body.get("to")).iter().enumerate();
    items.map(move |(index, item)| {
        let mut target = Target::read(item.get("targetRef"));
        //
        if compat == Compat::Off {
            target.confine(written.meta);
        }
        let at = Pointer::default().field("to").index(index);
        (written.meta.within(&at.field("targetRef")), target)
    })
}

/// Validated and listed, but without effect.
pub(crate) fn is_shadow(meta: &Meta) -> bool {
    meta.labels
        .get(EFFECT)
        .is_some_and(|effect| effect == "shadow")
}

/// All pairs equal: the only selector of the language.
pub(crate) fn carries(
    labels: &BTreeMap<String, String>,
    wanted: &BTreeMap<String, String>,
) -> bool {
    wanted
        .iter()
        .all(|(key, value)| labels.get(key) == Some(value))
}

fn list(value: Option<&Json>) -> &[Json] {
    value.and_then(Json::as_array).unwrap_or_default()
}

#[cfg(test)]
mod conformance;
#[cfg(test)]
pub(crate) mod tests;
