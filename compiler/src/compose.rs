//! Documents that are written for people: filled into templates, with comments that say why each line is there.
//!
//! Never judges what it writes: whoever shows a document has compiled it.

use crate::yaml;

/// Fills in values by their names: `@name@`.
pub(crate) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut text = template.to_owned();
    for (name, value) in values {
        text = text.replace(&format!("@{name}@"), value);
    }
    text
}

/// A permission: the proxies with these labels may be called by these SPIFFE IDs.
pub(crate) fn permission(
    mesh: &str,
    name: &str,
    labels: &[(&str, &str)],
    clients: &[String],
) -> String {
    let pair = |(key, value): &(&str, &str)| {
        let (key, value) = (yaml::scalar(key), yaml::scalar(value));
        format!("{key}: {value}")
    };
    let pairs: Vec<String> = labels.iter().map(pair).collect();
    let told: Vec<String> = pairs.iter().map(|pair| format!("`{pair}`")).collect();
    let noun = if told.len() == 1 { "label" } else { "labels" };
    let clients = clients.iter().map(|id| {
        let id = yaml::scalar(id);
        format!("          - spiffeID:\n              type: Exact\n              value: {id}")
    });
    let clients: Vec<String> = clients.collect();
    let values = [
        ("mesh", mesh),
        ("name", name),
        ("selected", &format!("{noun} {}", told.join(" and "))),
        ("labels", &pairs.join("\n      ")),
        ("clients", &clients.join("\n")),
    ];
    fill(include_str!("../templates/new/permission.yaml"), &values)
}
