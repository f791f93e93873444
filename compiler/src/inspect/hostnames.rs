//! `hostnames SERVICE`: the names of a service, and what gives them (language 12.6).
//!
//! Never shows a name that another service has already.

use mesh_bundle::Kri;
use serde::Serialize;

use crate::hostname::variable_of;
use crate::kinds::Spec;
use crate::policy::carries;
use crate::service::Service;
use crate::template::Template;

use super::asked::Asked;
use super::effective::Contribution;
use super::page::{Note, Page};
use super::{Answer, words};

/// The answer.
#[derive(Debug, Serialize)]
pub(super) struct Hostnames<'a> {
    service: &'a Kri,
    #[serde(skip_serializing_if = "Option::is_none")]
    vip: Option<String>,
    hostnames: Vec<Hostname>,
}

/// One name.
#[derive(Debug, Serialize)]
struct Hostname {
    hostname: String,
    /// The `HostnameGenerator`s that make it; none: one that is built in.
    generators: Vec<Contribution>,
}

impl<'a> Hostnames<'a> {
    pub(super) fn of(asked: &Asked<'a>, service: &'a Service) -> Self {
        let hostname = |hostname: &String| Hostname {
            generators: generators(asked, service, hostname),
            hostname: hostname.clone(),
        };
        Self {
            service: &service.meta.kri,
            vip: service.vip.map(|vip| vip.to_string()),
            hostnames: service.hostnames.iter().map(hostname).collect(),
        }
    }
}

/// The documents that make this name of a service.
pub(super) fn generators(
    asked: &Asked<'_>,
    service: &Service,
    hostname: &str,
) -> Vec<Contribution> {
    let documents = asked.analysis.resources.iter();
    let making = documents.filter_map(|document| {
        let Spec::HostnameGenerator(generator) = &document.spec else {
            return None;
        };
        let labels = generator.labels_for(service.meta.kri.kind())?;
        let template = Template::parse(generator.template.as_deref()?).ok()?;
        let made = template.render(|variable| variable_of(&service.meta, variable));
        let makes =
            carries(&service.meta.labels, labels) && made.is_ok_and(|made| made == hostname);
        makes.then(|| asked.analysis.lines().document(&document.meta).into())
    });
    making.collect()
}

impl Answer for Hostnames<'_> {
    fn show(&self, page: &mut Page) {
        page.line(0, &format!("hostnames of {}", words::name(self.service)));
        for Hostname {
            hostname,
            generators,
        } in &self.hostnames
        {
            let by = match generators.is_empty() {
                true => Note::from("built in"),
                false => Note::Lines(generators.iter().map(Contribution::origin).collect()),
            };
            page.noted(1, hostname, by);
        }
        if self.hostnames.is_empty() {
            page.line(1, "none: no HostnameGenerator selects it");
        }
        if let Some(vip) = &self.vip {
            page.line(1, vip);
        }
    }
}
