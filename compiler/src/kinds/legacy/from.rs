//! `from`, which became `rules` (language 8.1).
//!
//! Never guesses an identity: which SPIFFE ID a client has is for a `MeshIdentity` to say, so a help leaves the trust domain
//! open.

use crate::diag::Change;
use crate::source::Node;

use super::{Form, Forms, Place, ServiceTag};

/// Kinds that had `from`, and whether their rules can be about some clients only.
const KINDS: [(&str, bool); 7] = [
    ("MeshAccessLog", true),
    ("MeshCircuitBreaker", false),
    ("MeshFaultInjection", true),
    ("MeshRateLimit", true),
    ("MeshTimeout", true),
    ("MeshTLS", false),
    ("MeshTrafficPermission", true),
];

/// Kinds in which `to` and `rules` stand in policies of their own.
const APART: [&str; 3] = ["MeshAccessLog", "MeshRateLimit", "MeshTimeout"];

/// Where clients are told apart by their identities, what they are called.
enum Clients {
    /// All of the mesh.
    All,
    /// Those of one SPIFFE ID, or of all whose ID begins so.
    Matched(&'static str, String),
    /// Those with some tags, which no identity has.
    Tagged,
}

/// A `from` of a policy.
pub(super) fn find(spec: &Place<'_>, kind: &str, root: &Node, forms: &mut Forms) {
    let matched = KINDS.iter().find(|(name, _)| *name == kind);
    let (Some((_, matched)), Some(from)) = (matched, spec.field("from")) else {
        return;
    };
    let items = from.list();
    let help = match kind {
        "MeshTrafficPermission" => permission(&items, root),
        _ if items.is_empty() => "use `rules: [{default: …}]`".to_owned(),
        _ => rules(&items, *matched, root),
    };
    let all = |item: &Place<'_>| {
        item.field("targetRef")
            .is_none_or(|target| target.text("kind") == Some("Mesh"))
    };
    let same = kind != "MeshTrafficPermission" && !items.is_empty() && items.iter().all(all);
    let mut form = Form::field(from.at.clone(), "from", help);
    // What was sent and what was received could stand in one policy.
    let apart = APART.contains(&kind) && spec.node.get("to").is_some();
    if apart {
        form = form.left_to_you(
            "`to` and `rules` cannot stand in one policy, so one of them goes into a policy of its own",
        );
    } else if same && spec.node.entry("rules").is_none() {
        let targets = items.iter().filter_map(|item| item.field("targetRef"));
        let mut changes = vec![Change::Rename(from.at, "rules".to_owned())];
        changes.extend(targets.map(|target| Change::Remove(target.at)));
        form = form.safely(changes);
    }
    // What is missing is there, under its old name; and `rules` decide what the target may name.
    forms.add(
        form.covering(spec.at.field("rules"))
            .covering(spec.at.field("targetRef").field("sectionName")),
    );
}

fn rules(items: &[Place<'_>], matched: bool, root: &Node) -> String {
    let mut written = Vec::new();
    for item in items.iter().take(4) {
        let rule = match clients(item, root) {
            Clients::All => "{default: …}".to_owned(),
            _ if !matched => {
                return "use `rules: [{default: …}]`, which are for all clients: a rule for some of them does not exist".to_owned();
            }
            Clients::Matched(how, id) => {
                format!("{{matches: [{{spiffeID: {{type: {how}, value: {id}}}}}], default: …}}")
            }
            Clients::Tagged => {
                "{matches: [{spiffeID: {type: Exact, value: spiffe://<trust domain>/<client>}}], default: …}".to_owned()
            }
        };
        if !written.contains(&rule) {
            written.push(rule);
        }
    }
    if items.len() > 4 {
        written.push("…".to_owned());
    }
    format!("use `rules: [{}]`", written.join(", "))
}

fn permission(items: &[Place<'_>], root: &Node) -> String {
    let mut lists: [(&str, Vec<String>); 3] = [
        ("allow", Vec::new()),
        ("allowWithShadowDeny", Vec::new()),
        ("deny", Vec::new()),
    ];
    for item in items {
        let action = item.path(&["default"]).and_then(|conf| conf.text("action"));
        let action = action.unwrap_or_default().to_ascii_lowercase();
        // Everybody is denied who is not allowed.
        let all = matches!(clients(item, root), Clients::All);
        let list = match action.as_str() {
            "deny" if all => continue,
            "deny" => 2,
            "allowwithshadowdeny" | "allow_with_shadow_deny" => 1,
            _ => 0,
        };
        let id = match clients(item, root) {
            Clients::All => "{type: Prefix, value: spiffe://<trust domain>}".to_owned(),
            Clients::Matched(how, id) => format!("{{type: {how}, value: {id}}}"),
            Clients::Tagged => "{type: Exact, value: spiffe://<trust domain>/<client>}".to_owned(),
        };
        let entry = format!("{{spiffeID: {id}}}");
        if let Some((_, entries)) = lists
            .get_mut(list)
            .filter(|(_, entries)| !entries.contains(&entry))
        {
            entries.push(entry);
        }
    }
    let written: Vec<String> = lists
        .iter()
        .filter(|(_, entries)| !entries.is_empty())
        .map(|(name, entries)| {
            let more = if entries.len() > 4 { ", …" } else { "" };
            let first: Vec<&str> = entries.iter().take(4).map(String::as_str).collect();
            format!("{name}: [{}{more}]", first.join(", "))
        })
        .collect();
    match written.is_empty() {
        true if items.is_empty() => {
            "use `rules`, each with lists `allow`, `deny`, `allowWithShadowDeny` of SPIFFE IDs"
                .to_owned()
        }
        true => "use `rules: []`: whoever is not allowed is denied".to_owned(),
        false => format!("use `rules: [{{default: {{{}}}}}]`", written.join(", ")),
    }
}

fn clients(item: &Place<'_>, root: &Node) -> Clients {
    let Some(target) = item.field("targetRef") else {
        return Clients::All;
    };
    let tags = target.pairs("tags");
    let tag = |key: &str| {
        tags.iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    };
    let service = match target.text("kind") {
        Some("MeshService" | "MeshServiceSubset") => target.text("name").or(tag("kuma.io/service")),
        Some("MeshSubset") => tag("kuma.io/service"),
        _ => return Clients::All,
    };
    let kubernetes = root.entry("apiVersion").is_some();
    match (service, tag("k8s.kuma.io/namespace")) {
        (Some(name), _) => Clients::Matched("Exact", identity(name, kubernetes)),
        (None, Some(namespace)) => {
            Clients::Matched("Prefix", format!("spiffe://<trust domain>/ns/{namespace}"))
        }
        (None, None) if tags.is_empty() => Clients::All,
        (None, None) => Clients::Tagged,
    }
}

/// The SPIFFE ID that a `MeshIdentity` gives to the proxies of a service by default (language 3.8).
pub(super) fn identity(service: &str, kubernetes: bool) -> String {
    let domain = "spiffe://<trust domain>";
    match ServiceTag::read(service) {
        Some(tag) => format!("{domain}/ns/{}/sa/{}", tag.namespace, tag.name),
        None if kubernetes => format!("{domain}/ns/<namespace>/sa/{service}"),
        None => format!("{domain}/workload/{service}"),
    }
}
