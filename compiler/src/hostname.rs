//! Hostnames of services (language 3.6).
//!
//! Never gives one name to two services of a mesh: the older one keeps it.

use std::collections::{BTreeMap, BTreeSet};

use crate::diag::{Code, Diagnostic, Diagnostics, Location, Pointer};
use crate::kinds::hostname_generator::{GeneratorSelector, HostnameGenerator, MatchLabels};
use crate::model::Meta;
use crate::policy::carries;
use crate::policy::target::{DISPLAY_NAME, NAMESPACE, TargetKind};
use crate::resolve::written;
use crate::service::Service;
use crate::template::{Template, Variable};

/// Gives names to the services of one kind that carry its labels.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Generator {
    name: String,
    kind: TargetKind,
    labels: BTreeMap<String, String>,
    template: Template,
    /// The template; `None` for one that is built in.
    at: Option<Location>,
    /// The selector; `None` for one that is built in.
    selector: Option<Location>,
}

/// A generator that is there without a document: its name, what it selects, its template.
type BuiltIn = (
    &'static str,
    TargetKind,
    &'static [(&'static str, &'static str)],
    &'static str,
);

/// Those that select what is in one repository (language 3.6): every multi-zone service is of all zones, whoever wrote it.
const BUILT_IN: [BuiltIn; 4] = [
    (
        "local-universal-mesh-service",
        TargetKind::MeshService,
        &[("kuma.io/origin", "zone"), ("kuma.io/env", "universal")],
        "{{ .DisplayName }}.svc.mesh.local",
    ),
    (
        "local-mesh-external-service",
        TargetKind::MeshExternalService,
        &[("kuma.io/origin", "zone")],
        "{{ .DisplayName }}.extsvc.mesh.local",
    ),
    (
        "synced-mesh-external-service",
        TargetKind::MeshExternalService,
        &[("kuma.io/origin", "global")],
        "{{ .DisplayName }}.extsvc.mesh.local",
    ),
    (
        "synced-mesh-multi-zone-service",
        TargetKind::MeshMultiZoneService,
        &[],
        "{{ .DisplayName }}.mzsvc.mesh.local",
    ),
];

/// The generators of the repository and, where none has their names, the built-in ones.
pub(crate) fn generators<'a>(
    documents: impl Iterator<Item = (&'a Meta, &'a HostnameGenerator)>,
) -> Vec<Generator> {
    let mut replaced = BTreeSet::new();
    let mut generators = Vec::new();
    for (meta, spec) in documents {
        replaced.insert(meta.kri.name());
        let template = spec.template.as_deref().map(Template::parse);
        // What does not parse, or selects no kind, has been reported.
        let selected = spec.selector.as_ref().and_then(selected);
        if let (Some((kind, services)), Some(Ok(template))) = (selected, template) {
            generators.push(Generator {
                name: meta.kri.name().to_owned(),
                kind,
                labels: services.match_labels.clone(),
                template,
                at: Some(meta.within(&Pointer::default().field("template"))),
                selector: Some(meta.within(&Pointer::default().field("selector"))),
            });
        }
    }
    for (name, kind, labels, template) in BUILT_IN {
        if replaced.contains(name) {
            continue;
        }
        let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        if let Ok(template) = Template::parse(template) {
            generators.push(Generator {
                name: name.to_owned(),
                kind,
                labels: labels.iter().map(pair).collect(),
                template,
                at: None,
                selector: None,
            });
        }
    }
    generators
}

/// Reports the generators of the repository that name nothing. `exists`: is there a service of this kind with these labels,
/// in any mesh?
pub(crate) fn idle(
    generators: &[Generator],
    exists: impl Fn(TargetKind, &BTreeMap<String, String>) -> bool,
    diagnostics: &mut Diagnostics,
) {
    for generator in generators {
        let Some(at) = generator.selector.as_ref() else {
            continue;
        };
        // Proxies that are in no file bring services with them.
        let computed = |label: &String| label.starts_with("kuma.io/");
        let live =
            generator.kind == TargetKind::MeshService && generator.labels.keys().all(computed);
        if live || exists(generator.kind, &generator.labels) {
            continue;
        }
        let kind = generator.kind.as_str();
        let message = match generator.labels.is_empty() {
            true => format!("there is no {kind}, so nothing is named"),
            false => format!(
                "no {kind} carries {}, so nothing is named",
                written(&generator.labels)
            ),
        };
        diagnostics.push(Diagnostic::new(Code::SELECTS_NOTHING, at.clone(), message));
    }
}

fn selected(selector: &GeneratorSelector) -> Option<(TargetKind, &MatchLabels)> {
    let kinds = [
        (TargetKind::MeshService, &selector.mesh_service),
        (
            TargetKind::MeshExternalService,
            &selector.mesh_external_service,
        ),
        (
            TargetKind::MeshMultiZoneService,
            &selector.mesh_multi_zone_service,
        ),
    ];
    kinds
        .into_iter()
        .find_map(|(kind, services)| Some((kind, services.as_ref()?)))
}

/// Names the services of one mesh; they are in the order of their KRIs.
pub(crate) fn assign(
    services: &mut [Service],
    generators: &[Generator],
    diagnostics: &mut Diagnostics,
) {
    let mut age: Vec<usize> = (0..services.len()).collect();
    let created = |index: &usize| services.get(*index)?.meta.created.clone();
    age.sort_by_key(|index| (created(index).is_none(), created(index)));
    let mut holders: BTreeMap<String, (String, Location)> = BTreeMap::new();
    for index in age {
        let Some(service) = services.get_mut(index) else {
            continue;
        };
        for generator in generators {
            let selects = service.kind() == generator.kind
                && carries(&service.meta.labels, &generator.labels);
            if !selects {
                continue;
            }
            let Some(hostname) = rendered(generator, service, diagnostics) else {
                continue;
            };
            match holders.get(&hostname) {
                None => {
                    let holder = (service.meta.kri.name().to_owned(), service.meta.at.clone());
                    holders.insert(hostname.clone(), holder);
                    service.hostnames.push(hostname);
                }
                Some(_) if service.hostnames.contains(&hostname) => {}
                Some((name, at)) => {
                    let message = format!(
                        "`{}` does not get the hostname `{hostname}`, which `{name}` has already",
                        service.meta.kri.name()
                    );
                    let own = service.meta.at.clone();
                    let mut diagnostic = Diagnostic::new(Code::CONFLICTING_HOSTNAMES, own, message);
                    diagnostic.related(at.clone(), format!("`{name}` keeps it"));
                    diagnostic.help(format!(
                        "let the template of `{}` tell the two apart, by a label for instance",
                        generator.name
                    ));
                    diagnostics.push(diagnostic);
                }
            }
        }
        service.hostnames.sort();
    }
}

fn rendered(
    generator: &Generator,
    service: &Service,
    diagnostics: &mut Diagnostics,
) -> Option<String> {
    let kri = &service.meta.kri;
    let value = |variable: &Variable| variable_of(&service.meta, variable);
    let problem = match generator.template.render(value) {
        Ok(hostname) if is_dns_name(&hostname) => return Some(hostname),
        Ok(hostname) => format!("`{hostname}`, which is no DNS name"),
        Err(variable) => format!("nothing, since it has no `{variable}`"),
    };
    let message = format!("`{}` makes of `{}` {problem}", generator.name, kri.name());
    let at = generator
        .at
        .clone()
        .unwrap_or_else(|| service.meta.at.clone());
    let mut diagnostic = Diagnostic::new(Code::UNUSABLE_HOSTNAME, at, message);
    diagnostic.related(service.meta.at.clone(), "this service gets no name of it");
    diagnostics.push(diagnostic);
    None
}

/// What a template can ask of a service.
pub(crate) fn variable_of(service: &Meta, variable: &Variable) -> Option<String> {
    let Meta { kri, labels, .. } = service;
    match variable {
        Variable::Label(key) => labels.get(key).cloned(),
        Variable::Field(name) => match name.as_str() {
            "DisplayName" => {
                let given = labels.get(DISPLAY_NAME).map(String::as_str);
                Some(given.unwrap_or(kri.name()).to_owned())
            }
            "Name" if kri.namespace().is_empty() => Some(kri.name().to_owned()),
            "Name" => Some(format!("{}.{}", kri.name(), kri.namespace())),
            "Namespace" => labels.get(NAMESPACE).cloned(),
            "Mesh" => Some(kri.mesh().to_owned()),
            "Zone" => labels.get("kuma.io/zone").cloned(),
            _ => None,
        },
    }
}

/// RFC 1123, lower case.
fn is_dns_name(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_dns_are_known() {
        let long = "a".repeat(64);
        let table = [
            ("api.svc.mesh.local", true),
            ("1", true),
            ("", false),
            ("a..b", false),
            ("-a.b", false),
            ("a-.b", false),
            ("A.b", false),
            ("a_b", false),
            (long.as_str(), false),
        ];
        for (text, expected) in table {
            assert_eq!(is_dns_name(text), expected, "{text}");
        }
    }

    #[test]
    fn the_older_service_keeps_a_name() {
        let generators = [Generator {
            name: "g".to_owned(),
            kind: TargetKind::MeshService,
            labels: BTreeMap::new(),
            template: Template::parse("{{ label \"app\" }}.mesh").unwrap(),
            at: None,
            selector: None,
        }];
        let mut services = [
            Service::sample("a", &[("app", "x")], &[]),
            Service::sample("b", &[("app", "x")], &[]),
            Service::sample("c", &[], &[]),
        ];
        services[1].meta.created = Some("2026-01-01T00:00:00Z".to_owned());
        let mut diagnostics = Diagnostics::default();
        assign(&mut services, &generators, &mut diagnostics);
        let names = services.map(|service| service.hostnames);
        assert_eq!(names, [vec![], vec!["x.mesh".to_owned()], vec![]]);
        let codes: Vec<Code> = diagnostics.list.iter().map(|found| found.code).collect();
        assert_eq!(
            codes,
            [Code::CONFLICTING_HOSTNAMES, Code::UNUSABLE_HOSTNAME]
        );
    }
}
