//! `Workload`: the proxies with one value of the label `kuma.io/workload` (language 3.10).
//!
//! Never written by hand: it follows from the Dataplanes.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::diag::{Code, Pointer};

use super::{Body, Check, KindInfo, Scope, Spec, read, schema};

/// What the registry knows.
pub(crate) const KIND: KindInfo = KindInfo {
    name: "Workload",
    short: "wl",
    to: &[],
    example: include_str!("workload/example.yaml"),
    scope: Scope::Mesh,
    body: Body::Spec,
    system_only: false,
    name_is_label: false,
    is_policy: false,
    schema: schema::of::<Workload>,
    parse: |body, check| {
        let spec: Workload = read::typed(body, check)?;
        spec.check(check);
        Some(Spec::Workload(spec))
    },
};

/// The proxies of one workload. Read-only: it is computed from the labels of the Dataplanes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct Workload {}

impl Workload {
    #[expect(clippy::unused_self, reason = "the shape of every kind")]
    fn check(&self, check: &mut Check<'_>) {
        let message = "a Workload is computed: what is written is ignored";
        check
            .warn(Code::READ_ONLY_FIELD, &Pointer::default(), message)
            .help("remove it: it follows from the label `kuma.io/workload` of the Dataplanes");
    }
}
