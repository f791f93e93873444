//! The policies of one mesh, by kind.
//!
//! Never reads a table again whose documents are the same, and refer to what they referred to.

use std::sync::Arc;

use crate::kinds::{self, Resource};
use crate::model::{Compat, Settings};
use crate::parallel::{self, SMALL};
use crate::policy::{ConfAt, Descriptor, Shadows, Table, Written, references};

use super::{Changes, Frame, documents};

/// The policies of one mesh, by kind.
#[derive(Debug, Clone, Default)]
pub(crate) struct Policies {
    pub(crate) access_log: Arc<Table>,
    pub(crate) circuit_breaker: Arc<Table>,
    pub(crate) fault_injection: Arc<Table>,
    pub(crate) health_check: Arc<Table>,
    pub(crate) http_route: Arc<Table>,
    pub(crate) load_balancing: Arc<Table>,
    pub(crate) metric: Arc<Table>,
    pub(crate) passthrough: Arc<Table>,
    pub(crate) permission: Arc<Table>,
    pub(crate) rate_limit: Arc<Table>,
    pub(crate) retry: Arc<Table>,
    pub(crate) tcp_route: Arc<Table>,
    pub(crate) timeout: Arc<Table>,
    pub(crate) tls: Arc<Table>,
    pub(crate) trace: Arc<Table>,
}

impl Policies {
    /// Every kind.
    pub(crate) fn all(&self) -> [&Table; 15] {
        [
            &self.access_log,
            &self.circuit_breaker,
            &self.fault_injection,
            &self.health_check,
            &self.http_route,
            &self.load_balancing,
            &self.metric,
            &self.passthrough,
            &self.permission,
            &self.rate_limit,
            &self.retry,
            &self.tcp_route,
            &self.timeout,
            &self.tls,
            &self.trace,
        ]
    }

    /// Reads the tables of the kinds of which documents changed, and those in which something leads elsewhere than in the
    /// frame that was there before, where that was another.
    pub(super) fn update(
        &mut self,
        documents: &[Arc<Resource>],
        (frame, before): (&Frame, Option<&Frame>),
        changes: &Changes,
        settings: &Settings,
    ) {
        let shadows = match settings.with_shadow {
            true => Shadows::Active,
            false => Shadows::Listed,
        };
        let read = |descriptor, documents| read(descriptor, shadows, documents, frame);
        let mut wanted = Vec::new();
        self.each(|kind, conf, table| {
            let short = kinds::find(kind).map_or("", |kind| kind.short);
            let compat = settings.compat;
            let descriptor = Descriptor { kind, conf, compat };
            let renewed = |table: &mut Arc<Table>| {
                let new = changes.instead(short)?;
                Some(Arc::get_mut(table)?.renew(read(descriptor, new)))
            };
            let moved = |before: &Frame| {
                let documents = documents::of_kind(documents, short);
                changes.touch(short) || !lead_alike(documents, compat, (before, frame))
            };
            let another = table.kind != kind || before.is_some_and(moved);
            if another || changes.touch(short) && renewed(table) != Some(true) {
                wanted.push((descriptor, short));
            }
        });
        let made = parallel::map(&wanted, 1, |(descriptor, short)| {
            read(*descriptor, documents::of_kind(documents, short))
        });
        let mut made = made.into_iter().peekable();
        self.each(|kind, _, table| {
            if let Some(new) = made.next_if(|new| new.kind == kind) {
                *table = Arc::new(new);
            }
        });
    }

    /// Every kind, with the place of its confs.
    fn each(&mut self, mut visit: impl FnMut(&'static str, ConfAt, &mut Arc<Table>)) {
        use ConfAt::{Default, Rules};
        visit("MeshAccessLog", Default, &mut self.access_log);
        visit("MeshCircuitBreaker", Default, &mut self.circuit_breaker);
        visit("MeshFaultInjection", Default, &mut self.fault_injection);
        visit("MeshHealthCheck", Default, &mut self.health_check);
        visit("MeshHTTPRoute", Rules, &mut self.http_route);
        visit(
            "MeshLoadBalancingStrategy",
            Default,
            &mut self.load_balancing,
        );
        visit("MeshMetric", Default, &mut self.metric);
        visit("MeshPassthrough", Default, &mut self.passthrough);
        visit("MeshTrafficPermission", Default, &mut self.permission);
        visit("MeshRateLimit", Default, &mut self.rate_limit);
        visit("MeshRetry", Default, &mut self.retry);
        visit("MeshTCPRoute", Rules, &mut self.tcp_route);
        visit("MeshTimeout", Default, &mut self.timeout);
        visit("MeshTLS", Default, &mut self.tls);
        visit("MeshTrace", Default, &mut self.trace);
    }
}

/// Does each reference of these documents lead in one frame where it does in the other?
fn lead_alike(
    documents: &[Arc<Resource>],
    compat: Compat,
    (before, now): (&Frame, &Frame),
) -> bool {
    let (before, now) = (before.catalogue(), now.catalogue());
    let alike = parallel::map(documents, SMALL, |document| {
        let mut references = references(Written::of(document), compat);
        references.all(|(_, target)| before.towards(&target) == now.towards(&target))
    });
    alike.into_iter().all(|alike| alike)
}

fn read(
    descriptor: Descriptor,
    shadows: Shadows,
    documents: &[Arc<Resource>],
    frame: &Frame,
) -> Table {
    let catalogue = frame.catalogue();
    let written = documents.iter().map(|resource| Written::of(resource));
    let mut findings = Vec::new();
    let mut table = Table::read(descriptor, shadows, written, |target, at, _| {
        catalogue.towards(target).unwrap_or_else(|unresolved| {
            findings.push(unresolved.at(at.clone()));
            Vec::new()
        })
    });
    table.findings = findings;
    table
}
