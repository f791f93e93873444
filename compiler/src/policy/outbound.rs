//! What is effective for the traffic that a proxy sends (language 4.9).
//!
//! A route entry is merged over the lookup of the service port that it is matched on, not instead of it.

use mesh_bundle::Kri;
use serde_json::Value;

use crate::diag::{Location, Pointer};

use super::applies::Subject;
use super::merge::Merged;
use super::order::Strength;
use super::{Source, Table};

/// What an item is about, resolved.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
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
    pub(crate) conf: Value,
    /// Where `conf` is written.
    pub(crate) at: Location,
}

/// The items that hold for one proxy, weakest first.
#[derive(Debug, Clone)]
pub(crate) struct Outbound<'a> {
    table: &'a Table,
    items: Vec<&'a Item>,
}

impl Towards {
    /// Does what is said about this hold for that?
    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Mesh, _) => true,
            (Self::Service(service), Self::Port(port)) => port.without_section() == *service,
            (this, other) => this == other,
        }
    }
}

impl Table {
    /// The `to` items of the policies that apply to a proxy.
    pub(crate) fn outbound(&self, subject: &Subject<'_>) -> Outbound<'_> {
        let applies: Vec<bool> = self.policies.iter().map(|p| p.applies(subject)).collect();
        let items = self
            .to
            .iter()
            .filter(|item| applies.get(item.policy).copied().unwrap_or(false))
            .collect();
        Outbound { table: self, items }
    }
}

#[cfg(test)]
impl Table {
    /// All items, whomever their policies are about.
    pub(crate) fn every_item(&self) -> Outbound<'_> {
        let items = self.to.iter().collect();
        Outbound { table: self, items }
    }
}

impl<'a> Outbound<'a> {
    /// The items, weakest first.
    #[cfg(test)]
    pub(crate) fn items(&self) -> &[&'a Item] {
        &self.items
    }

    /// Everything that covers a destination, weakest first.
    pub(crate) fn covering(&self, destination: &Towards) -> Vec<&'a Item> {
        let covers = |item: &&&Item| item.towards.iter().any(|t| t.covers(destination));
        self.items.iter().filter(covers).copied().collect()
    }

    /// What is effective for a service port.
    pub(crate) fn lookup(&self, port: &Kri) -> Merged {
        self.fold(&self.covering(&Towards::Port(port.clone())))
    }

    /// What is effective for requests to a service port that a route matched; `None` where no item names the route.
    pub(crate) fn lookup_route(&self, port: &Kri, route: &Kri) -> Option<Merged> {
        let route = Towards::Route(route.clone());
        let own = |item: &&&Item| item.towards.contains(&route);
        let own: Vec<&Item> = self.items.iter().filter(own).copied().collect();
        if own.is_empty() {
            return None;
        }
        let mut items = self.covering(&Towards::Port(port.clone()));
        items.extend(own);
        Some(self.fold(&items))
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
