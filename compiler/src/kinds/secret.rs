//! `Secret` and `GlobalSecret`: values that must not be seen (language 3.12).
//!
//! Never shows a value: not in findings, not in logs.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::diag::{Code, Pointer};

use super::{Body, Check, KindInfo, Scope, Spec, grammar, read, schema};

/// What the registry knows of the secrets of a mesh.
pub(crate) const KIND: KindInfo = KindInfo {
    name: "Secret",
    short: "secret",
    to: &[],
    example: include_str!("secret/example.yaml"),
    scope: Scope::Mesh,
    body: Body::Flat,
    system_only: true,
    name_is_label: false,
    is_policy: false,
    schema: schema::of::<Secret>,
    parse,
};

/// What the registry knows of the secrets of no mesh.
pub(crate) const GLOBAL: KindInfo = KindInfo {
    name: "GlobalSecret",
    short: "globalsecret",
    to: &[],
    example: include_str!("secret/global.yaml"),
    scope: Scope::Global,
    ..KIND
};

/// A secret value. On Kubernetes it is a core `Secret` of the type `system.kuma.io/secret`, or
/// `system.kuma.io/global-secret`, with the value under `data.value`.
#[derive(Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct Secret {
    /// The value, in base64.
    pub(crate) data: Option<String>,
}

fn parse(body: &serde_json::Value, check: &mut Check<'_>) -> Option<Spec> {
    let spec: Secret = read::typed(body, check)?;
    spec.check(check);
    Some(Spec::Secret(spec))
}

impl Secret {
    fn check(&self, check: &mut Check<'_>) {
        let name = check.meta.kri.name();
        let root = Pointer::default();
        if check.meta.kri.kind() == GLOBAL.short {
            check.not_implemented(&root, "nothing can refer to a secret of no mesh");
        } else if is_of_another_mesh(name) {
            let message =
                format!("`{name}` is a secret of Kuma's own, which this mesh has no use for");
            check
                .warn(Code::NO_EFFECT, &root, message)
                .help("remove it: meshd keeps its own keys");
        }
        let Some(data) = self.data.as_ref().filter(|data| !data.is_empty()) else {
            return;
        };
        let at = Pointer::default().field("data");
        let packed: String = data.split_ascii_whitespace().collect();
        if !grammar::is_base64(&packed) {
            check.invalid(&at, "the value is not in base64");
        }
        check
            .warn(
                Code::INLINE_SECRET,
                &at,
                "a secret stands in the repository",
            )
            .help("keep it where meshd finds it, and refer to it by name");
    }
}

/// Kuma keeps its signing keys and certificate authorities in secrets with these names.
fn is_of_another_mesh(name: &str) -> bool {
    let signing = [
        "dataplane-token-signing-key-",
        "user-token-signing-key-",
        "zone-token-signing-key-",
    ];
    name.contains(".ca-builtin-") || signing.iter().any(|prefix| name.starts_with(prefix))
}

/// Without the value.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}
