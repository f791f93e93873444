//! What the workload of a capturing proxy can reach (language 3.2.2).
//!
//! Never takes one of several: a reference is about everything that fits it.

use crate::kinds::dataplane::outbound::ReachableRef;
use crate::model::Meta;
use crate::policy::target::{DISPLAY_NAME, NAMESPACE};
use crate::service::{Port, Service};

use super::{Catalogue, Unresolved, kind_of, no_port};

impl<'a> Catalogue<'a> {
    /// The ports that a reference lets a proxy reach, never none. Ports that only some of the services have are fine.
    pub(crate) fn reachable(
        &self,
        one: &ReachableRef,
        from: &Meta,
    ) -> Result<Vec<(&'a Service, &'a Port)>, Unresolved> {
        let kind = one.kind.as_ref().map_or("", |kind| kind.as_str());
        let mut labels = one.labels.clone();
        if let Some(name) = &one.name {
            labels.insert(DISPLAY_NAME.to_owned(), name.clone());
            let own = Some(from.kri.namespace()).filter(|namespace| !namespace.is_empty());
            if let Some(namespace) = one.namespace.as_deref().or(own) {
                labels.insert(NAMESPACE.to_owned(), namespace.to_owned());
            }
        }
        let services = self.select(kind_of(kind), &labels)?;
        let wanted = |port: &&Port| {
            one.port
                .is_none_or(|number| u32::from(port.number) == number)
        };
        let ports: Vec<(&Service, &Port)> = services
            .iter()
            .flat_map(|service| {
                let ports = service.ports.iter().filter(wanted);
                ports.map(move |port| (*service, port))
            })
            .collect();
        match one.port {
            Some(port) if ports.is_empty() => Err(no_port(&services, &port.to_string())),
            _ => Ok(ports),
        }
    }
}
