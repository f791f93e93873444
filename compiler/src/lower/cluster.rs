//! The clusters where what a proxy sends ends.
//!
//! Never about who is alive there: addresses are of the registry, or of an external service.

use mesh_bundle::resource::Cluster;
use mesh_bundle::{Key, Kri, Resource};

use crate::model::Meta;
use crate::policy::outbound::Towards;
use crate::service::Selector;

use super::circuit_breaker::circuit_breaker;
use super::external::external;
use super::health_check::health_check;
use super::leaf::Leaves;
use super::load_balancing::{balancer, locality, slow_start};
use super::outbound::Sending;
use super::shared::{Ingredients, Made, Parts, Shared};

impl Sending<'_> {
    pub(super) fn cluster(&self, kri: &Kri, parts: &mut Parts<'_>) {
        let key = Key::Cluster(kri.clone());
        if parts.has(&key) {
            return;
        }
        let towards = Towards::Port(kri.clone());
        let kinds = [
            &self.timeout,
            &self.circuit_breaker,
            &self.health_check,
            &self.load_balancing,
        ];
        let items = kinds.map(|kind| kind.numbers(&towards));
        let own = match items.last().is_none_or(Vec::is_empty) {
            true => Vec::new(),
            false => self.compared(),
        };
        let ingredients = Ingredients {
            port: kri.clone(),
            items: items.into(),
            own,
        };
        let known = parts.shared.clusters.get(&ingredients);
        let made = known.or_else(|| {
            let made = self.make_cluster(kri, parts.shared)?;
            parts.shared.clusters.insert(ingredients, made.clone());
            Some(made)
        });
        if let Some(made) = made {
            parts.give(key, &made);
        }
    }

    /// What load balancing looks at of the proxy itself: its zone, and the labels that it may have in common with others.
    fn compared(&self) -> Vec<Option<String>> {
        let Meta { kri, labels, .. } = self.of.instance.meta;
        let compared = self.of.mesh.compared.iter();
        let labels = compared.map(|key| labels.get(key).cloned());
        std::iter::once(Some(kri.zone().to_owned()))
            .chain(labels)
            .collect()
    }

    fn make_cluster(&self, kri: &Kri, shared: &Shared) -> Option<Made> {
        let mesh = self.of.mesh;
        let service = mesh.service(&kri.without_section())?;
        let port = service.section(kri.section())?;
        let mut notes = shared.notes();
        let lines = self.of.lines;
        let connect = Leaves {
            merged: &self.timeout.lookup(kri),
            lines,
            notes: &mut notes,
            place: "",
        }
        .duration(&["connectionTimeout"], "connectTimeout");
        let mut cluster = Cluster::new(kri.clone(), port.protocol, service.origin.clone());
        cluster.identities = mesh.servers.get(kri).cloned().unwrap_or_default();
        if let Some(connect) = connect {
            cluster.connect_timeout = connect;
        }
        let mut balancing = Leaves {
            merged: &self.load_balancing.lookup(kri),
            lines: self.of.lines,
            notes: &mut notes,
            place: "",
        };
        cluster.balancer = balancer(&mut balancing).map(Box::new);
        let chosen = cluster.balancer.as_ref().map(|found| &found.value);
        cluster.slow_start = slow_start(&mut balancing, chosen);
        cluster.locality = locality(&mut balancing, self.of.instance.meta).map(Box::new);
        if let Selector::Outside(spec) = &service.selector {
            cluster.external = Some(Box::new(external(spec)));
        }
        cluster.circuit_breaker = circuit_breaker(Leaves {
            merged: &self.circuit_breaker.lookup(kri),
            lines,
            notes: &mut notes,
            place: "circuitBreaker",
        });
        let probes = Leaves {
            merged: &self.health_check.lookup(kri),
            lines,
            notes: &mut notes,
            place: "healthCheck",
        };
        cluster.health_check = health_check(probes, port.protocol);
        shared.make(Resource::Cluster(cluster), notes, Vec::new())
    }
}
