//! Which proxies, and which of their inbounds, a policy is about (language 4.3).
//!
//! A proxy without inbounds is a proxy like any other.

use crate::model::Meta;

use super::order::{Role, role};
use super::target::{NAMESPACE, Target, TargetKind};
use super::{Policy, carries};

/// A proxy, as far as policies look at it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    /// Its Dataplane.
    pub(crate) meta: &'a Meta,
    /// The section names of its inbounds.
    pub(crate) sections: &'a [String],
}

const ZONE: &str = "kuma.io/zone";
const ORIGIN: &str = "kuma.io/origin";

/// Whom a policy is about, without the rest of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Selection<'a> {
    /// Its document.
    pub(crate) meta: &'a Meta,
    pub(crate) target: &'a Target,
}

impl Policy {
    pub(crate) fn selection(&self) -> Selection<'_> {
        Selection {
            meta: &self.meta,
            target: &self.target,
        }
    }

    /// See [`Selection::applies`].
    pub(crate) fn applies(&self, subject: &Subject<'_>) -> bool {
        self.selection().applies(subject)
    }

    /// See [`Selection::applies_to_inbound`].
    pub(crate) fn applies_to_inbound(&self, subject: &Subject<'_>, section: &str) -> bool {
        self.selection().applies_to_inbound(subject, section)
    }

    /// As [`Policy::applies`], in whatever zone the proxy is.
    pub(crate) fn selects(&self, subject: &Subject<'_>) -> bool {
        self.selection().selects(subject)
    }
}

impl Selection<'_> {
    /// Does it configure anything of this proxy? With a section name, the proxy must have that inbound.
    pub(crate) fn applies(self, subject: &Subject<'_>) -> bool {
        let section = self.target.section.as_ref();
        self.reaches(subject.meta)
            && section.is_none_or(|section| subject.sections.contains(section))
    }

    /// Does it configure this inbound of the proxy?
    pub(crate) fn applies_to_inbound(self, subject: &Subject<'_>, section: &str) -> bool {
        let wanted = self.target.section.as_ref();
        self.reaches(subject.meta) && wanted.is_none_or(|wanted| wanted == section)
    }

    fn selects(self, subject: &Subject<'_>) -> bool {
        let section = self.target.section.as_ref();
        self.reaches_across_zones(subject.meta)
            && section.is_none_or(|section| subject.sections.contains(section))
    }

    /// As [`Selection::applies`], whatever inbounds the proxy has.
    pub(crate) fn reaches(self, proxy: &Meta) -> bool {
        self.reaches_across_zones(proxy) && self.in_zone(role(self.meta), proxy)
    }

    fn reaches_across_zones(self, proxy: &Meta) -> bool {
        let selected = match self.target.kind {
            TargetKind::Mesh => true,
            _ => carries(&proxy.labels, &self.target.labels),
        };
        self.meta.kri.mesh() == proxy.kri.mesh()
            && self.in_namespace(role(self.meta), proxy)
            && selected
    }

    /// What originates in a zone stays there, except towards the clients of a producer.
    fn in_zone(self, role: Role, proxy: &Meta) -> bool {
        let labels = &self.meta.labels;
        let zonal = labels.get(ORIGIN).is_some_and(|origin| origin == "zone");
        match labels.get(ZONE) {
            Some(zone) if zonal && role != Role::Producer => proxy.labels.get(ZONE) == Some(zone),
            _ => true,
        }
    }

    fn in_namespace(self, role: Role, proxy: &Meta) -> bool {
        match role {
            Role::System | Role::Producer => true,
            Role::Consumer | Role::WorkloadOwner => {
                proxy.labels.get(NAMESPACE) == self.meta.labels.get(NAMESPACE)
            }
        }
    }
}
