//! What is effective for the traffic that a proxy sends (language 4.9).
//!
//! A route entry is merged over the lookup of the service port that it is matched on, not instead of it.

use mesh_bundle::Kri;

use crate::diag::{Location, Pointer};
use crate::json::Json;
use crate::model::Compat;

use super::applies::Subject;
use super::merge::Merged;
use super::order::Strength;
use super::{Source, Table};

/// What an item is about, resolved.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Towards {
    /// Every destination of the mesh.
    Mesh,
    /// Every port of a service.
    Service(Kri),
    /// One port: the service with its section name.
    Port(Kri),
    /// The traffic that a route matched.
    Route(Kri),
}

/// One item of `to`.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    /// Index into [`Table::policies`].
    pub(crate) policy: usize,
    pub(crate) strength: Strength,
    pub(crate) towards: Vec<Towards>,
    pub(crate) conf: Json,
    /// Where `conf` is written.
    pub(crate) at: Location,
}

/// The items that hold for one proxy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outbound<'a> {
    table: &'a Table,
    /// `None`: every item, whomever its policy is about.
    subject: Option<Subject<'a>>,
}

impl Table {
    /// The confs of all items, whomever they are about.
    pub(crate) fn confs(&self) -> impl Iterator<Item = &Json> {
        self.to.iter().map(|item| &item.conf)
    }

    /// The `to` items of the policies that apply to a proxy.
    pub(crate) fn outbound<'a>(&'a self, subject: &Subject<'a>) -> Outbound<'a> {
        let subject = Some(*subject);
        Outbound {
            table: self,
            subject,
        }
    }
}

#[cfg(test)]
impl Table {
    /// All items, whomever their policies are about.
    pub(crate) fn every_item(&self) -> Outbound<'_> {
        let subject = None;
        Outbound {
            table: self,
            subject,
        }
    }
}

impl<'a> Outbound<'a> {
    /// The items, weakest first.
    pub(crate) fn items(&self) -> Vec<&'a Item> {
        let items = self.table.to.iter();
        items.filter(|item| self.holds(item)).collect()
    }

    fn holds(&self, item: &Item) -> bool {
        let Some(subject) = &self.subject else {
            return true;
        };
        let policy = self.table.policies.get(item.policy);
        policy.is_some_and(|policy| policy.applies(subject))
    }

    /// The items that are about one of these, weakest first.
    fn about(&self, towards: &[&Towards]) -> Vec<&'a Item> {
        let numbers = self.numbers_about(towards).into_iter();
        numbers.filter_map(|item| self.table.to.get(item)).collect()
    }

    fn numbers_about(&self, towards: &[&Towards]) -> Vec<usize> {
        let mut found = Vec::new();
        let labels = self.subject.map(|subject| &subject.meta.labels);
        for about in towards {
            if let Some(selectors) = self.table.by_towards.get(about) {
                selectors.candidates(labels, &mut found);
            }
        }
        found.sort_unstable();
        found.dedup();
        found.retain(|item| {
            self.table
                .to
                .get(*item)
                .is_some_and(|item| self.holds(item))
        });
        found
    }

    /// Everything that covers a destination, weakest first.
    pub(crate) fn covering(&self, destination: &Towards) -> Vec<&'a Item> {
        let numbers = self.numbers(destination).into_iter();
        numbers.filter_map(|item| self.table.to.get(item)).collect()
    }

    /// What covers a destination, as numbers that mean the same for every proxy of the mesh.
    pub(crate) fn numbers(&self, destination: &Towards) -> Vec<usize> {
        match destination {
            Towards::Port(port) => {
                let service = Towards::Service(port.without_section());
                self.numbers_about(&[&Towards::Mesh, &service, destination])
            }
            _ => self.numbers_about(&[&Towards::Mesh, destination]),
        }
    }

    /// The numbers of the items that name this very thing.
    pub(crate) fn own(&self, towards: &Towards) -> Vec<usize> {
        self.numbers_about(&[towards])
    }

    /// The documents that items are written in.
    pub(crate) fn policies(&self, numbers: &[usize]) -> impl Iterator<Item = &'a Kri> {
        let items = numbers.iter().filter_map(|item| self.table.to.get(*item));
        let policies = items.filter_map(|item| self.table.policies.get(item.policy));
        policies.map(|policy| &policy.meta.kri)
    }

    /// What is effective for a service port.
    pub(crate) fn lookup(&self, port: &Kri) -> Merged {
        self.fold(&self.covering(&Towards::Port(port.clone())))
    }

    /// What is effective for requests to a service port that a route matched; `None` where no item names the route.
    pub(crate) fn lookup_route(&self, port: &Kri, route: &Kri) -> Option<Merged> {
        let own = !self.about(&[&Towards::Route(route.clone())]).is_empty();
        own.then(|| self.fold(&self.for_route(port, route)))
    }

    /// Everything that covers requests to a service port that a route matched, weakest first.
    pub(crate) fn for_route(&self, port: &Kri, route: &Kri) -> Vec<&'a Item> {
        let towards = Towards::Route(route.clone());
        let own = self.about(&[&towards]);
        let mut items = match self.table.compat {
            //
            Compat::Kuma if !own.is_empty() => return self.covering(&towards),
            _ => self.covering(&Towards::Port(port.clone())),
        };
        items.extend(own);
        items
    }

    /// Merges confs, weakest first.
    pub(crate) fn fold(&self, items: &[&Item]) -> Merged {
        let mut merged = Merged::default();
        for item in items {
            merged.layer(&item.conf, &|relative: &Pointer| {
                self.source(item, relative)
            });
        }
        merged
    }

    /// Who wrote the value at `relative` of an item's conf.
    pub(crate) fn source(&self, item: &Item, relative: &Pointer) -> Option<Source> {
        self.table
            .source(item.policy, &item.strength, &item.at, relative)
    }
}
