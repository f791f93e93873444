//! Over the name of a document: whom a policy is about; what holds for a proxy, or a service, and who may call it.
//!
//! Never decides who may call: [`Flows`] asks `decide`.

use super::super::callers::{callers, proxies};
use super::super::cursor::Spot;
use super::super::meaning::Meaning;
use super::super::page::Page;
use super::super::question::Question;
use crate::flow::Flows;
use crate::inspect::{Form, Query, query};
use crate::kinds::{Resource, Spec};
use crate::policy::is_shadow;
use crate::service::Service;

/// See above.
pub(super) fn show(question: &Question<'_>, spot: &Spot, page: &mut Page) {
    let (Some(meaning), Some(document)) = (question.meaning(), question.resource(spot)) else {
        return;
    };
    if let Some(affected) = meaning.affected(document) {
        let mut count = format!("affects {}", proxies(affected.len()));
        if is_shadow(&document.meta) {
            count.push_str(", if it were no shadow");
        }
        page.add(count);
        let names = affected.iter().map(|instance| &instance.meta.kri);
        let names: Vec<String> = names.map(|kri| format!("`{}`", kri.name())).collect();
        page.list(names.into_iter());
        return;
    }
    if matches!(document.spec, Spec::Dataplane(_)) {
        proxy(meaning, document, page);
    } else if let Some(found) = meaning.service(&document.meta.kri) {
        service(meaning, found, page);
    }
}

fn proxy(meaning: &Meaning, document: &Resource, page: &mut Page) {
    let kri = &document.meta.kri;
    let asked = Query::Policies(kri.to_string());
    if let Ok(text) = query(&meaning.analysis, &asked, Form::Human) {
        page.text(&text);
    }
    let Some(view) = meaning.view(kri.mesh()) else {
        return;
    };
    let mut places = view.dataplanes.iter();
    if let Some(place) = places.position(|dataplane| dataplane.meta.kri == *kri) {
        for found in view.served_by(place) {
            may_call(meaning, found, page);
        }
    }
}

fn service(meaning: &Meaning, service: &Service, page: &mut Page) {
    if let Some(view) = meaning.view(service.meta.kri.mesh()) {
        let names = view.members(service);
        let names = names.map(|instance| format!("`{}`", instance.meta.kri.name()));
        let names: Vec<String> = names.collect();
        page.add(format!("{} behind it", proxies(names.len())));
        page.list(names.into_iter());
    }
    if !service.hostnames.is_empty() {
        page.add(format!("called {}", service.hostnames.join(", ")));
    }
    may_call(meaning, service, page);
}

fn may_call(meaning: &Meaning, service: &Service, page: &mut Page) {
    let flows = Flows::new(&meaning.analysis.compiled.bundle);
    let callers = callers(&flows, service);
    let name = service.meta.kri.name();
    if callers.servers == 0 {
        return;
    }
    if callers.anybody {
        page.add(format!(
            "`{name}` may be called by anybody, without mesh TLS too"
        ));
        return;
    }
    match callers.identities.is_empty() {
        true => page.add(format!(
            "`{name}` may be called by nobody of this repository"
        )),
        false => {
            page.add(format!("`{name}` may be called by"));
            let identities = callers.identities.iter().map(|id| format!("`{id}`"));
            page.list(identities);
        }
    }
}
