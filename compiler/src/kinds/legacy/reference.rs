//! References by name, namespace and tags, and kinds that are referred to no more (language 8.1).
//!
//! Never looks for what is referred to.

use serde_json::Value;

use crate::diag::Change;
use crate::yaml;

use super::{Form, Forms, Place, ServiceTag, labels_of};

const NAME: &str = "kuma.io/display-name";
const NAMESPACE: &str = "k8s.kuma.io/namespace";

/// Keys that a reference does not have any more, the one to tell first.
const KEYS: [&str; 5] = ["mesh", "name", "namespace", "tags", "proxyTypes"];

/// Kinds that something can be referred to by, now as then. Of any other the kind is the mistake.
const KINDS: [&str; 7] = [
    "",
    "Mesh",
    "Dataplane",
    "MeshService",
    "MeshExternalService",
    "MeshMultiZoneService",
    "MeshHTTPRoute",
];

/// The references of a policy.
pub(super) fn find(spec: &Place<'_>, kind: &str, forms: &mut Forms) {
    if let Some(target) = spec.field("targetRef") {
        top(&target, spec, forms);
    }
    let target = spec.field("targetRef");
    let attached = target.and_then(|target| target.text("kind")) == Some("MeshHTTPRoute");
    for item in spec.items("to") {
        match item.field("targetRef") {
            Some(target) if attached => of_route(&target, forms),
            Some(target) => destination(&target, forms),
            None => {}
        }
        if kind != "MeshHTTPRoute" && kind != "MeshTCPRoute" {
            continue;
        }
        for rule in item.items("rules") {
            let Some(conf) = rule.field("default") else {
                continue;
            };
            for backend in conf.items("backendRefs") {
                destination(&backend, forms);
            }
            for filter in conf.items("filters") {
                if let Some(backend) = filter.path(&["requestMirror", "backendRef"]) {
                    destination(&backend, forms);
                }
            }
        }
    }
}

/// A reference at the top of a policy.
fn top(target: &Place<'_>, spec: &Place<'_>, forms: &mut Forms) {
    let kind = target.text("kind").unwrap_or_default();
    let name = target.text("name");
    let form = match kind {
        "MeshSubset" => {
            let labels = labels_of(&target.pairs("tags"));
            let all = labels.is_empty().then(|| "{kind: Mesh}".to_owned());
            let modern = all.unwrap_or_else(|| dataplanes(&labels));
            let form = of_kind(target, format!("use `{modern}`"));
            let tags: serde_json::Map<String, Value> = labels
                .into_iter()
                .map(|(key, value)| (key, value.into()))
                .collect();
            match tags.is_empty() || target.node.entries().len() != 2 {
                true => form,
                // Whether the Dataplanes carry these labels is for them to say.
                false => form.unsafely(vec![
                    Change::Replace(target.at.field("kind"), "Dataplane".into()),
                    Change::Rename(target.at.field("tags"), "labels".to_owned()),
                    Change::Replace(target.at.field("tags"), tags.into()),
                ]),
            }
        }
        "MeshService" | "MeshServiceSubset" => {
            let help = match (name, labels_of(&target.pairs("tags"))) {
                (Some(name), tags) => {
                    let mut labels = workload(name);
                    labels.extend(tags);
                    let written = dataplanes(&labels);
                    format!(
                        "use `{written}`, or the labels that the MeshService `{name}` selects by"
                    )
                }
                (None, tags) if !tags.is_empty() => format!("use `{}`", dataplanes(&tags)),
                _ => "use `kind: Dataplane` with the labels that the MeshService selects by"
                    .to_owned(),
            };
            of_kind(target, help)
        }
        "MeshGateway" => {
            let mut labels = name.map(workload).unwrap_or_default();
            labels.extend(labels_of(&target.pairs("tags")));
            let written = dataplanes(&labels);
            let help = format!(
                "there are no builtin gateways: run a gateway of your choice beside a Dataplane with `gateway: {{type: DELEGATED}}`, and select it: `{written}`"
            );
            // What is attached to a gateway is written in another way altogether.
            of_kind(target, help).covering(spec.at.field("to"))
        }
        "MeshHTTPRoute" => {
            let route = named(target).labels;
            let route = match route.is_empty() {
                true => target.pairs("labels"),
                false => route,
            };
            let help = format!(
                "refer to the route in `to`: `to: [{{targetRef: {{kind: MeshHTTPRoute, labels: {}}}, default: …}}]`",
                yaml::mapping(&route)
            );
            of_kind(target, help)
        }
        _ => match keys(target, kind) {
            Some(form) => form,
            None => return,
        },
    };
    forms.add(form);
}

/// An item of a policy that is attached to a route. `Mesh` was the way to write it, and gives its place to the route;
/// anything else was never possible.
fn of_route(target: &Place<'_>, forms: &mut Forms) {
    let kind = target.text("kind").unwrap_or_default();
    if kind.is_empty() || kind == "Mesh" || kind == "MeshHTTPRoute" {
        return;
    }
    let message = format!("a policy about a route is not about a `{kind}` as well");
    let help = "refer to the route here, or make another policy for the destination";
    forms.add(Form::value(target.at.field("kind"), message, help).covering(target.at.clone()));
}

/// A reference to where traffic goes.
fn destination(target: &Place<'_>, forms: &mut Forms) {
    let kind = target.text("kind").unwrap_or_default();
    let form = match kind {
        "MeshSubset" | "MeshServiceSubset" | "MeshGateway" => of_kind(target, subset(target, kind)),
        _ => match keys(target, kind) {
            Some(form) => form,
            None => return,
        },
    };
    forms.add(form);
}

fn of_kind(target: &Place<'_>, help: String) -> Form {
    let kind = target.text("kind").unwrap_or_default();
    let message = format!("the kind `{kind}` in a reference does not exist any more");
    let message = match kind {
        "MeshService" | "MeshHTTPRoute" => {
            format!("a policy is not attached to a `{kind}` any more")
        }
        _ => message,
    };
    // What the reference says beside its kind is said in the old way too.
    Form::value(target.at.field("kind"), message, help).covering(target.at.clone())
}

/// A reference of a modern kind that still has a key of an older one.
fn keys(target: &Place<'_>, kind: &str) -> Option<Form> {
    if !KINDS.contains(&kind) {
        return None;
    }
    let old = KEYS
        .into_iter()
        .find(|key| target.node.entry(key).is_some())?;
    let help = match (kind, old) {
        (_, "mesh") => {
            "traffic between meshes leaves through a MeshExternalService of this mesh".to_owned()
        }
        (_, "proxyTypes") => proxy_types(target),
        ("Mesh", _) => {
            let tags = labels_of(&target.pairs("tags"));
            match tags.is_empty() {
                true => format!("remove `{old}`: `kind: Mesh` is all of the mesh of this document"),
                false => format!("use `{}`", dataplanes(&tags)),
            }
        }
        _ => {
            let modern = named(target);
            match modern.labels.is_empty() {
                true => "select by labels: `labels: {kuma.io/display-name: <name>}`".to_owned(),
                false => modern.help(),
            }
        }
    };
    let message = format!("a reference has no `{old}` any more");
    let form = Form::field(target.at.field(old), old, help);
    let covered = KEYS.into_iter().chain(["labels", "sectionName"]);
    let form = covered.fold(form, |form, key| form.covering(target.at.field(key)));
    let form = Form { message, ..form };
    Some(match modern(target, kind) {
        Some((true, changes)) => form.safely(changes),
        Some((false, changes)) => form.unsafely(changes),
        None => form,
    })
}

/// The changes that make a reference of a modern kind a modern one, where the document says enough; and whether it means
/// the same.
fn modern(target: &Place<'_>, kind: &str) -> Option<(bool, Vec<Change>)> {
    let old: Vec<&str> = KEYS
        .into_iter()
        .filter(|key| target.node.entry(key).is_some())
        .collect();
    let remove = |key: &&str| Change::Remove(target.at.field(*key));
    let proxies = target.items("proxyTypes");
    let gateways_only = matches!(proxies.as_slice(), [one] if one.node.as_str() == Some("Gateway"));
    if old.contains(&"mesh") || old.contains(&"tags") || gateways_only {
        return None;
    }
    if kind == "Mesh" || old == ["proxyTypes"] {
        return Some((true, old.iter().map(remove).collect()));
    }
    // What is selected by name and by labels at once is for somebody to say.
    let named = named(target);
    if kind.is_empty() || target.node.entry("labels").is_some() || named.labels.is_empty() {
        return None;
    }
    let (first, rest) = old.split_first()?;
    let labels: serde_json::Map<String, Value> = named
        .labels
        .into_iter()
        .map(|(key, value)| (key, value.into()))
        .collect();
    let mut changes = vec![
        Change::Rename(target.at.field(*first), "labels".to_owned()),
        Change::Replace(target.at.field(*first), labels.into()),
    ];
    changes.extend(rest.iter().map(remove));
    let section = named
        .section
        .filter(|_| target.node.entry("sectionName").is_none());
    if let Some(section) = section {
        changes.push(Change::Insert(
            target.at.clone(),
            "sectionName".to_owned(),
            section.into(),
        ));
    }
    Some((!named.tag, changes))
}

/// What a name stood for.
#[derive(Debug, Default)]
struct Named {
    labels: Vec<(String, String)>,
    section: Option<String>,
    /// It was the name of a port of a Kubernetes Service.
    tag: bool,
}

impl Named {
    fn help(&self) -> String {
        let labels = yaml::mapping(&self.labels);
        match &self.section {
            Some(section) if self.tag => {
                let section = yaml::scalar(section);
                format!("select by labels: `labels: {labels}` with `sectionName: {section}`")
            }
            _ => format!("select by labels: `labels: {labels}`"),
        }
    }
}

fn named(target: &Place<'_>) -> Named {
    let mut named = Named::default();
    let mut label = |key: &str, value: &str| {
        if !value.is_empty() {
            named.labels.push((key.to_owned(), value.to_owned()));
        }
    };
    let name = target.text("name").unwrap_or_default();
    let namespace = target.text("namespace");
    match ServiceTag::read(name) {
        Some(tag) => {
            label(NAME, tag.name);
            label(NAMESPACE, namespace.unwrap_or(tag.namespace));
            named.section = tag.port.map(str::to_owned);
            named.tag = true;
        }
        None => {
            label(NAME, name);
            label(NAMESPACE, namespace.unwrap_or_default());
        }
    }
    let kept = target.pairs("labels");
    let tags = labels_of(&target.pairs("tags"));
    named.labels.extend(tags.into_iter().chain(kept));
    let written = target.scalar("sectionName");
    named.section = written.or(named.section);
    named
}

/// The proxies of a workload that was known as a service.
fn workload(name: &str) -> Vec<(String, String)> {
    let label = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    match ServiceTag::read(name) {
        Some(tag) => vec![
            label("kuma.io/workload", tag.name),
            label(NAMESPACE, tag.namespace),
        ],
        None => vec![label("kuma.io/workload", name)],
    }
}

fn dataplanes(labels: &[(String, String)]) -> String {
    match labels {
        [] => "{kind: Dataplane, labels: {<label>: <value>}}".to_owned(),
        labels => format!("{{kind: Dataplane, labels: {}}}", yaml::mapping(labels)),
    }
}

/// Some of the proxies of a service, as a destination.
fn subset(target: &Place<'_>, kind: &str) -> String {
    if kind == "MeshGateway" {
        return "there are no builtin gateways: refer to the MeshService that traffic goes to"
            .to_owned();
    }
    let name = target.text("name");
    let tags = target.pairs("tags");
    let mut labels = name.map(workload).unwrap_or_default();
    labels.extend(labels_of(&tags));
    let parts = name
        .into_iter()
        .chain(tags.iter().map(|(_, value)| value.as_str()));
    let own: Vec<String> = parts.map(str::to_lowercase).collect();
    let own = match own.is_empty() {
        true => "<name>".to_owned(),
        false => own.join("-"),
    };
    format!(
        "make a MeshService `{own}` with `selector: {{dataplaneLabels: {{matchLabels: {}}}}}`, and refer to it: `{{kind: MeshService, labels: {}}}`",
        yaml::mapping(&labels),
        yaml::mapping(&[(NAME, own.as_str())])
    )
}

fn proxy_types(target: &Place<'_>) -> String {
    let listed = target.items("proxyTypes");
    let types: Vec<&str> = listed
        .iter()
        .filter_map(|item| item.node.as_str())
        .collect();
    match types.as_slice() {
        ["Gateway"] => {
            "remove it, and select the gateways by the labels of their Dataplanes: `{kind: Dataplane, labels: {<label>: <value>}}`".to_owned()
        }
        _ => "remove it: a policy is about sidecars and gateways alike".to_owned(),
    }
}

/// Whose proxies a legacy match was about, as a modern reference; `*` is all of them.
pub(super) fn proxies(tags: &[(String, String)]) -> String {
    let mut labels = Vec::new();
    for (key, value) in labels_of(tags)
        .into_iter()
        .filter(|(_, value)| value != "*")
    {
        match key.as_str() {
            "kuma.io/workload" => labels.extend(workload(&value)),
            _ => labels.push((key, value)),
        }
    }
    match labels.is_empty() {
        true => "{kind: Mesh}".to_owned(),
        false => dataplanes(&labels),
    }
}

/// The service that a legacy match was about, as a modern reference; `*` is all of them.
pub(super) fn service(tags: &[(String, String)]) -> String {
    let named = tags.iter().find(|(key, _)| key == "kuma.io/service");
    match named.map(|(_, value)| value.as_str()) {
        None | Some("*") => "{kind: Mesh}".to_owned(),
        Some(name) => format!(
            "{{kind: MeshService, labels: {}}}",
            yaml::mapping(&by_name(name))
        ),
    }
}

fn by_name(name: &str) -> Vec<(&'static str, &str)> {
    match ServiceTag::read(name) {
        Some(tag) => vec![(NAME, tag.name), (NAMESPACE, tag.namespace)],
        None => vec![(NAME, name)],
    }
}
