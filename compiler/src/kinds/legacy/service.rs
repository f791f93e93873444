//! Selectors by tags, and the sources of certificates (language 8.1).
//!
//! Never shows what stands inline: it may be a private key.

use serde_json::{Value, json};

use crate::diag::Change;
use crate::yaml;

use super::{Form, Forms, Place, labels_of};

/// The forms of a `MeshService` or `MeshExternalService`.
pub(super) fn find(spec: &Place<'_>, forms: &mut Forms) {
    if let Some(tags) = spec.path(&["selector", "dataplaneTags"]) {
        let labels = labels_of(&super::pairs(tags.node));
        let help = match labels.is_empty() {
            true => "use `dataplaneLabels: {matchLabels: {<label>: <value>}}`".to_owned(),
            false => format!(
                "use `dataplaneLabels: {{matchLabels: {}}}`",
                yaml::mapping(&labels)
            ),
        };
        let form = Form::field(tags.at.clone(), "selector.dataplaneTags", help);
        let labels: serde_json::Map<String, Value> = labels
            .into_iter()
            .map(|(key, value)| (key, value.into()))
            .collect();
        // Whether the Dataplanes carry these labels is for them to say.
        let form = form.unsafely(vec![
            Change::Rename(tags.at.clone(), "dataplaneLabels".to_owned()),
            Change::Replace(tags.at, json!({ "matchLabels": labels })),
        ]);
        forms.add(form.covering(spec.at.field("selector")));
    }
    let Some(verification) = spec.path(&["tls", "verification"]) else {
        return;
    };
    for name in ["caCert", "clientCert", "clientKey"] {
        if let Some(source) = verification.field(name) {
            data_source(&source, name, forms);
        }
    }
}

fn data_source(source: &Place<'_>, name: &str, forms: &mut Forms) {
    let old = ["secret", "inline", "inlineString"];
    let Some(key) = old.into_iter().find(|key| source.node.entry(key).is_some()) else {
        return;
    };
    let help = match (key, source.text("secret")) {
        ("secret", secret) => {
            let secret = yaml::scalar(secret.unwrap_or("<name>"));
            format!("use `{name}: {{type: Secret, secretRef: {{kind: Secret, name: {secret}}}}}`")
        }
        ("inline", _) => format!(
            "use `{name}: {{type: InsecureInline, insecureInline: {{value: …}}}}`, where the value is not in base64 any more"
        ),
        _ => format!("use `{name}: {{type: InsecureInline, insecureInline: {{value: …}}}}`"),
    };
    let form = Form::field(source.at.field(key), &format!("{name}.{key}"), help);
    let value = source
        .text(key)
        .filter(|_| source.node.entries().len() == 1);
    let modern = match (key, value) {
        ("secret", Some(name)) => {
            Some(json!({ "type": "Secret", "secretRef": { "kind": "Secret", "name": name } }))
        }
        ("inlineString", Some(value)) => {
            Some(json!({ "type": "InsecureInline", "insecureInline": { "value": value } }))
        }
        _ => None,
    };
    let form = match modern {
        Some(modern) => form.safely(vec![Change::Replace(source.at.clone(), modern)]),
        None => form,
    };
    forms.add(form.covering(source.at.clone()));
}
