//! Who is behind each service: the proxies of its labels, the services that a multi-zone service is made of.
//!
//! Never looks at whether anybody of them is there: that is for whoever knows the live ones.

use std::collections::{BTreeMap, BTreeSet};

use mesh_bundle::{Kri, SpiffeId};

use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::identity;
use crate::lookup::Lookup;
use crate::model::Compat;
use crate::policy::carries;
use crate::policy::target::TargetKind;
use crate::service::{Instance, Selector, Service, generate};

use super::{Frame, MeshView};

impl Frame {
    /// The services that a multi-zone service is made of, in the order of their KRIs; of any other, none.
    pub(crate) fn united<'s>(&'s self, service: &'s Service) -> impl Iterator<Item = &'s Service> {
        let labels = match &service.selector {
            Selector::Services(labels) => Some(labels),
            _ => None,
        };
        labels.into_iter().flat_map(|labels| {
            let candidates = self.carriers.services.candidates(labels).iter();
            candidates
                .filter_map(|index| self.services.get(*index))
                .filter(|member| {
                    member.kind() == TargetKind::MeshService && carries(&member.meta.labels, labels)
                })
        })
    }

    /// The ports of multi-zone services that a port serves too.
    pub(crate) fn united_ports(&self, port: &Kri) -> &[Kri] {
        self.united.get(port).map_or(&[], Vec::as_slice)
    }

    pub(super) fn generate_services(
        &mut self,
        instances: &[Instance<'_>],
        compat: Compat,
        diagnostics: &mut Diagnostics,
    ) {
        // Kuma's are made by a control plane that runs, not by the answer to a question.
        if compat == Compat::Kuma {
            return;
        }
        let (generated, disagreements) = generate(instances, &self.services);
        for (odd, first) in disagreements {
            let workload = odd.workload().unwrap_or_default();
            let message = format!(
                "`{}` has other inbounds than `{}` of the same workload `{workload}`, whose ports the generated service has",
                odd.meta.kri.name(),
                first.meta.kri.name()
            );
            let at = odd.meta.at.clone();
            let mut diagnostic = Diagnostic::new(Code::UNEQUAL_WORKLOAD, at, message);
            diagnostic.related(first.meta.at.clone(), "the ports are those of this one");
            diagnostic.help(format!(
                "write a MeshService `{workload}` that says which ports it has"
            ));
            diagnostics.push(diagnostic);
        }
        self.services.extend(generated);
        self.services.sort_by(|a, b| a.meta.kri.cmp(&b.meta.kri));
    }

    /// After the proxies of every service are known.
    pub(super) fn find_united(&mut self) {
        let mut united: BTreeMap<Kri, Vec<Kri>> = BTreeMap::new();
        let mut servers: BTreeMap<Kri, BTreeSet<SpiffeId>> = BTreeMap::new();
        for service in &self.services {
            for member in self.united(service) {
                for port in &service.ports {
                    let Some(serving) = port.of_member(member).map(|port| member.kri(port)) else {
                        continue;
                    };
                    let own = service.kri(port);
                    let ids = self.servers.get(&serving).into_iter().flatten().cloned();
                    servers.entry(own.clone()).or_default().extend(ids);
                    united.entry(serving).or_default().push(own);
                }
            }
        }
        let servers = servers.into_iter();
        self.servers
            .extend(servers.map(|(port, ids)| (port, ids.into_iter().collect())));
        self.united = united;
    }
}

impl MeshView {
    /// Finds the proxies behind each service of a frame that is to be its own, and tells the frame who they are.
    pub(super) fn find_members(&mut self, frame: &mut Frame) {
        self.serving = vec![Vec::new(); self.dataplanes.len()];
        self.members = Lookup::default();
        let mut named: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, instance) in self.dataplanes.iter().enumerate() {
            let name = instance.meta.kri.name();
            named.entry(name).or_default().push(index);
        }
        for (place, service) in frame.services.iter().enumerate() {
            let candidates = match &service.selector {
                Selector::Nobody | Selector::Services(_) | Selector::Outside(_) => &[],
                Selector::Labels(labels) => self.labelled.candidates(labels),
                Selector::Name(name) => named.get(name.as_str()).map_or(&[][..], Vec::as_slice),
            };
            let selects = |index: &usize| {
                let instance = self.instance(*index);
                instance.is_some_and(|instance| service.selects(instance))
            };
            let members: Vec<usize> = candidates.iter().copied().filter(selects).collect();
            for member in &members {
                if let Some(serving) = self.serving.get_mut(*member) {
                    serving.push(place);
                }
            }
            for port in &service.ports {
                let serving = members
                    .iter()
                    .filter_map(|index| self.instance(*index))
                    .filter(|instance| port.inbounds(*instance).next().is_some());
                let ids: BTreeSet<SpiffeId> = serving
                    .flat_map(|instance| identity::announced(&frame.identities, instance.meta))
                    .collect();
                frame
                    .servers
                    .insert(service.kri(port), ids.into_iter().collect());
            }
            self.members.insert(service.meta.kri.clone(), members);
        }
    }
}
