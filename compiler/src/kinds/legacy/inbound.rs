//! Tags of inbounds, which became labels of the Dataplane, protocols and services (language 8.1).
//!
//! Never decides between two values of one label: then the tags stay, and the help says which they are.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::diag::{Change, NewDocument, Pointer};
use crate::envelope::is_label_text;
use crate::source::Node;
use crate::yaml;

use super::{Form, Home, Place, ServiceTag, labels_of};

const WORKLOAD: &str = "kuma.io/workload";
const SERVICE: &str = "kuma.io/service";
const PROTOCOL: &str = "kuma.io/protocol";
const ZONE: &str = "kuma.io/zone";

/// What an inbound can speak. Others that a tag could name were forwarded as bytes, and were told apart by nothing.
const PROTOCOLS: [&str; 6] = ["grpc", "http", "http2", "mysql", "tcp", "tls"];

/// A Dataplane of which inbounds have tags.
pub(super) struct Tagged<'a> {
    home: &'a Home<'a>,
    /// What holds the labels, and whether it has a mapping of them with anything in it.
    around: Pointer,
    labels: Labels,
    /// The values of each tag that becomes a label, over all inbounds.
    values: BTreeMap<String, BTreeSet<String>>,
    /// What the proxy belongs to: its label, or the service of the first inbound that has one.
    workload: Option<String>,
    /// Labels that are written, or that the fix of an inbound before this one writes.
    known: BTreeMap<String, String>,
}

/// How the labels of a Dataplane are written.
enum Labels {
    Absent,
    Empty,
    Some,
}

/// What becomes of the tags of one inbound.
#[derive(Default)]
struct Become {
    labels: Vec<(String, String)>,
    protocol: Option<String>,
    service: Option<String>,
    /// Why nobody but the author can do it.
    obstacle: Option<String>,
}

impl<'a> Tagged<'a> {
    pub(super) fn of(inbounds: &[Place<'_>], root: &Node, home: &'a Home<'a>) -> Self {
        let (around, holder) = match root.entry("metadata") {
            Some(metadata) => (Pointer::default().field("metadata"), &metadata.value),
            None => (Pointer::default(), root),
        };
        let written = holder.entry("labels").map(|entry| &entry.value);
        let known: BTreeMap<String, String> = written
            .map(super::pairs)
            .unwrap_or_default()
            .into_iter()
            .collect();
        let labels = match written {
            None => Labels::Absent,
            Some(node) if node.entries().is_empty() => Labels::Empty,
            Some(_) => Labels::Some,
        };
        let mut values: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut service = None;
        for (key, value) in inbounds.iter().flat_map(|inbound| inbound.pairs("tags")) {
            match key.as_str() {
                SERVICE => service = service.or(Some(name(&value))),
                PROTOCOL => {}
                _ => drop(values.entry(key).or_default().insert(value)),
            }
        }
        Self {
            home,
            around,
            labels,
            values,
            workload: known.get(WORKLOAD).cloned().or(service),
            known,
        }
    }

    /// The form of the tags of one inbound; of the inbounds in their order.
    pub(super) fn form(&mut self, inbound: &Place<'_>, tags: &Place<'_>) -> Form {
        let become_ = self.becomes(inbound, tags);
        let form = Form::field(tags.at.clone(), "inbound.tags", self.help(&become_));
        if let Some(obstacle) = &become_.obstacle {
            return form.left_to_you(obstacle);
        }
        let mut changes = vec![Change::Remove(tags.at.clone())];
        if let Some(protocol) = &become_.protocol
            && inbound.node.entry("protocol").is_none()
        {
            // In the place of the tags, which then is not empty.
            let value = Value::from(protocol.as_str());
            changes = vec![
                Change::Rename(tags.at.clone(), "protocol".to_owned()),
                Change::Replace(tags.at.clone(), value),
            ];
        }
        let new = become_.labels.iter();
        let new: Vec<(String, String)> = new
            .filter(|(key, _)| !self.known.contains_key(key))
            .cloned()
            .collect();
        let made: Vec<NewDocument> = become_
            .service
            .iter()
            .filter_map(|name| self.service(name, inbound))
            .collect();
        // Whoever selects by labels selects this proxy from now on.
        let same = new.is_empty() && made.is_empty();
        self.insert(&new, &mut changes);
        self.known.extend(new);
        form.moving(made, changes, same, self.home)
    }

    fn becomes(&self, inbound: &Place<'_>, tags: &Place<'_>) -> Become {
        let mut becomes = Become::default();
        let pairs = super::pairs(tags.node);
        if pairs.len() != tags.node.entries().len() {
            becomes.obstacle = Some("a tag has a value that is no text".to_owned());
        }
        for (key, value) in &pairs {
            match key.as_str() {
                PROTOCOL => becomes.protocol = Some(value.to_ascii_lowercase()),
                SERVICE if self.workload.as_ref() != Some(&name(value)) => {
                    becomes.service = Some(name(value));
                }
                // Every document is of this zone.
                ZONE if self.home.zone() == Some(value) => {}
                SERVICE => becomes.labels.push((WORKLOAD.to_owned(), name(value))),
                _ => becomes
                    .labels
                    .extend(labels_of(&[(key.clone(), value.clone())])),
            }
        }
        let speaks = |protocol: &&String| !PROTOCOLS.contains(&protocol.as_str());
        if let Some(protocol) = becomes.protocol.as_ref().filter(speaks) {
            becomes.obstacle = Some(format!(
                "`{protocol}` is not a protocol here, `tcp` forwards it as it is"
            ));
        }
        if becomes.service.is_some() && inbound.scalar("port").is_none() {
            becomes.obstacle =
                Some("the inbound has no port that the service could lead to".to_owned());
        }
        if let Some(obstacle) = becomes.labels.iter().find_map(|label| self.obstacle(label)) {
            becomes.obstacle = Some(obstacle);
        }
        becomes
    }

    /// Why the Dataplane cannot have this label.
    fn obstacle(&self, (key, value): &(String, String)) -> Option<String> {
        if !is_label_text(key, value) {
            return Some(format!("`{key}: {value}` cannot be a label"));
        }
        if key == ZONE && self.home.zone().is_some() {
            return Some(format!("`{value}` is not the zone of these documents"));
        }
        let written = self.known.get(key).filter(|written| *written != value);
        let tagged = self.values.get(key).into_iter().flatten();
        let other = written.or(tagged.into_iter().find(|other| *other != value));
        let other = other.filter(|_| key != WORKLOAD)?;
        Some(format!(
            "`{key}` is `{value}` here and `{other}` elsewhere in this Dataplane, and a label has one value"
        ))
    }

    fn help(&self, becomes: &Become) -> String {
        let mut parts = Vec::new();
        if !becomes.labels.is_empty() {
            let labels = yaml::mapping(&becomes.labels);
            parts.push(format!("`labels: {labels}` for the Dataplane"));
        }
        if let Some(protocol) = &becomes.protocol {
            let protocol = yaml::scalar(protocol);
            parts.push(format!("`protocol: {protocol}` for the inbound"));
        }
        if let Some(service) = &becomes.service {
            parts.push(format!(
                "a MeshService `{service}` whose `targetPort` is this inbound"
            ));
        }
        match parts.is_empty() {
            true => "remove it: labels of the Dataplane take the place of tags".to_owned(),
            false => format!("use {}", parts.join(", and ")),
        }
    }

    fn insert(&self, labels: &[(String, String)], changes: &mut Vec<Change>) {
        let all: Map<String, Value> = labels
            .iter()
            .map(|(key, value)| (key.clone(), value.as_str().into()))
            .collect();
        let at = self.around.field("labels");
        match &self.labels {
            _ if labels.is_empty() => {}
            Labels::Absent => changes.push(Change::Insert(
                self.around.clone(),
                "labels".to_owned(),
                all.into(),
            )),
            Labels::Empty => changes.push(Change::Replace(at, all.into())),
            Labels::Some => {
                let insert = |(key, value)| Change::Insert(at.clone(), key, value);
                changes.extend(all.into_iter().map(insert));
            }
        }
    }

    /// A service that is one inbound of the workload.
    fn service(&self, name: &str, inbound: &Place<'_>) -> Option<NewDocument> {
        let port = inbound.field("port")?.node.to_json();
        let target = inbound.text("name").map_or(port.clone(), Value::from);
        let mut made = json!({ "port": port, "targetPort": target });
        let tags = inbound.pairs("tags");
        let spoken = inbound
            .text("protocol")
            .map(str::to_ascii_lowercase)
            .or_else(|| {
                let tag = tags.iter().find(|(key, _)| key == PROTOCOL);
                tag.map(|(_, value)| value.to_ascii_lowercase())
            });
        // A service has no other protocols; without one it is TCP.
        let spoken = spoken.filter(|it| ["grpc", "http", "http2", "tcp"].contains(&it.as_str()));
        if let (Some(spoken), Some(made)) = (spoken, made.as_object_mut()) {
            made.insert("appProtocol".to_owned(), spoken.into());
        }
        let labels = json!({ WORKLOAD: self.workload.as_deref()? });
        let spec = json!({
            "selector": { "dataplaneLabels": { "matchLabels": labels } },
            "ports": [made],
        });
        let document = self.home.document("MeshService", name, spec);
        Some(NewDocument {
            // Beside its Dataplanes, of which every one makes the same.
            namespace: document.namespace.map(|_| self.home.namespace().to_owned()),
            or_any: true,
            ..document
        })
    }
}

/// The name of a service without what Kubernetes added to it.
fn name(service: &str) -> String {
    match ServiceTag::read(service) {
        Some(tag) => tag.name.to_owned(),
        None => service.to_owned(),
    }
}
