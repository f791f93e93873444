//! Certificates in documents that are about to end, or have.
//!
//! Never looks at a clock: whoever asks says when it is, and where nobody does nothing is said. No bundle depends on it.

use crate::diag::{Code, Diagnostic, Diagnostics, Pointer};
use crate::kinds::certificate;
use crate::kinds::data_source::DataSource;
use crate::kinds::{Resource, Spec};
use crate::repository::MeshView;

/// A new CA has to be trusted everywhere before it signs anything: a month leaves time to review and roll out both steps.
const SOON: i64 = 30 * DAY;
const DAY: i64 = 86_400;

/// `now` in seconds since 1970.
pub(super) fn check(mesh: &MeshView, now: Option<i64>, diagnostics: &mut Diagnostics) {
    let Some(now) = now else {
        return;
    };
    let kinds = ["mtrust", "mid", "extsvc"].into_iter();
    for resource in kinds.flat_map(|kind| mesh.of_kind(kind)) {
        for (at, text) in certificates(resource) {
            for (number, period) in (1..).zip(certificate::periods(text)) {
                let Some(words) = words(period, now) else {
                    continue;
                };
                let message = format!("the certificate in block {number} {words}");
                let at = resource.meta.within(&at);
                let mut diagnostic = Diagnostic::new(Code::EXPIRING_TRUST, at, message);
                diagnostic.help(match period.until > now {
                    true => "add its successor beside it, and remove it when nothing is signed by it any more",
                    false => "remove it, or replace it by its successor",
                });
                diagnostics.push(diagnostic);
            }
        }
    }
}

fn words(period: certificate::Period, now: i64) -> Option<String> {
    let days = |seconds: i64| match seconds / DAY {
        0 => "less than a day".to_owned(),
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    };
    if period.until <= now {
        return Some(format!("expired {} ago", days(now - period.until)));
    }
    if period.from > now {
        return Some(format!("is valid in {} only", days(period.from - now)));
    }
    let left = period.until - now;
    (left < SOON).then(|| format!("expires in {}", days(left)))
}

/// The PEM texts of a document, with their places.
fn certificates(resource: &Resource) -> Vec<(Pointer, &str)> {
    let at = Pointer::default();
    let mut found = Vec::new();
    match &resource.spec {
        Spec::MeshTrust(spec) => {
            for (index, bundle) in spec.ca_bundles.iter().enumerate() {
                let text = bundle.pem.as_ref().and_then(|pem| pem.value.as_deref());
                let at = at.field("caBundles").index(index);
                found.extend(text.map(|text| (at.field("pem").field("value"), text)));
            }
        }
        Spec::MeshIdentity(spec) => {
            let bundled = spec.provider.as_ref().and_then(|p| p.bundled.as_ref());
            let ca = bundled.and_then(|bundled| bundled.ca.as_ref());
            let at = at.field("provider").field("bundled").field("ca");
            let source = ca.and_then(|ca| ca.certificate.as_ref());
            found.extend(inline(source, &at.field("certificate")));
        }
        Spec::MeshExternalService(spec) => {
            let tls = spec.tls.as_ref();
            let verification = tls.and_then(|tls| tls.verification.as_ref());
            let at = at.field("tls").field("verification");
            let ca = verification.and_then(|v| v.ca_cert.as_ref());
            let client = verification.and_then(|v| v.client_cert.as_ref());
            found.extend(inline(ca, &at.field("caCert")));
            found.extend(inline(client, &at.field("clientCert")));
        }
        _ => {}
    }
    found
}

fn inline<'a>(source: Option<&'a DataSource>, at: &Pointer) -> Option<(Pointer, &'a str)> {
    let text = source?.inline()?;
    Some((at.field("insecureInline").field("value"), text))
}
