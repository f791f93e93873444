//! Services as their clients see them, and who is behind them.
//!
//! Never tells the addresses of instances: they come and go.

use std::collections::BTreeMap;

use crate::Analysis;
use crate::inspect::page::Page;
use crate::inspect::words;
use crate::kinds::scalar::PortRef;

use super::text;

/// The texts of all services, by mesh and name.
pub(super) fn services(analysis: &Analysis) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut meshes: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for mesh in &analysis.meshes {
        for service in &mesh.services {
            let kri = &service.meta.kri;
            let kind = service.kind().as_str();
            let mut page = Page::default();
            page.line(0, &format!("{kind} {}", words::name(kri)));
            for host in &service.hostnames {
                page.line(1, &format!("hostname    {host}"));
            }
            if let Some(vip) = service.vip {
                page.line(1, &format!("virtual IP  {vip}"));
            }
            for port in &service.ports {
                let target = match &port.target {
                    PortRef::Number(number) => number.to_string(),
                    PortRef::Name(name) => name.clone(),
                };
                let (number, protocol) = (port.number, port.protocol.as_str());
                let text = format!(
                    "port        {number} {} -> {target} {protocol}",
                    port.section
                );
                page.line(1, &text);
            }
            let mut behind: Vec<String> = mesh
                .members(service)
                .map(|instance| words::name(&instance.meta.kri))
                .collect();
            behind.sort();
            for name in behind {
                page.line(1, &format!("proxy       {name}"));
            }
            for united in mesh.united(service) {
                page.line(1, &format!("service     {}", words::name(&united.meta.kri)));
            }
            let texts = meshes.entry(kri.mesh().to_owned()).or_default();
            // Kinds of services may share names, zones and namespaces as well.
            let name = match kind {
                "MeshService" => words::name(kri),
                kind => format!("{}.{kind}", words::name(kri)),
            };
            let name = match texts.contains_key(&name) {
                false => name,
                true => format!("{name}~{}", kri.zone()),
            };
            texts.insert(name, text(page));
        }
    }
    meshes
}
