//! Whether what a setting says is so, on both sides.
//!
//! Never asks `diff`: it reads the bundles.

use mesh_bundle::resource::{
    HttpRoute, Inbound, InboundPolicy, SpiffeMatch, Traffic, WeightedBackend,
};
use proptest::prelude::*;
use serde_json::Value;

use super::super::names::Names;
use super::super::{Setting, Subject, words};
use super::settings::{permission, route_words};
use super::*;
use crate::flow::Node;

/// Is what a setting says so, on both sides and for all whom it names?
pub(super) fn is_true(
    setting: &Setting,
    difference: &Difference,
    both: &[&Flows<'_>; 2],
) -> Result<(), TestCaseError> {
    let said = [&setting.before, &setting.after];
    prop_assert!(said[0] != said[1], "{setting:?}");
    for (side, said) in both.iter().zip(said) {
        let about = |what: Option<String>| {
            prop_assert_eq!(&what, said, "{:?}", setting);
            Ok(())
        };
        match &setting.subject {
            Subject::To(port) if setting.path == "transport" => {
                let word = if side.is_tls_ready(port) {
                    "mTLS"
                } else {
                    "plaintext"
                };
                about(Some(word.to_owned()))?;
            }
            Subject::To(port) if setting.path == "server" => {
                let name = said
                    .as_ref()
                    .map(|own| own.split(' ').next().unwrap().to_owned());
                let mut servers = side.servers(port).iter();
                let is_there =
                    servers.any(|own| Some(difference.names.proxy(own.node.kri)) == name);
                prop_assert!(is_there || name.is_none(), "{setting:?}");
            }
            Subject::To(port) => {
                for kri in &setting.proxies {
                    let node = side.node(kri).unwrap();
                    let what = towards(node, port, (setting, said.as_ref()), difference);
                    about(what.map_err(|why| TestCaseError::fail(format!("{why}: {setting:?}")))?)?;
                }
            }
            Subject::At(section) => {
                for kri in &setting.proxies {
                    let node = side.node(kri).unwrap();
                    let mut inbounds = node.inbounds();
                    let (inbound, _, policy) = inbounds
                        .find(|(own, ..)| own.kri.section() == section)
                        .unwrap();
                    about(
                        at((inbound, policy), (setting, said.as_ref()), difference)
                            .map_err(|why| TestCaseError::fail(format!("{why}: {setting:?}")))?,
                    )?;
                }
            }
            Subject::Proxy => {
                for kri in &setting.proxies {
                    let identity = side.node(kri).unwrap().identity();
                    let id = identity.map(|own| own.spiffe_id.to_string());
                    match setting.path.as_str() {
                        "identity.spiffeId" => about(id)?,
                        path => {
                            prop_assert!(path.starts_with("identity"), "nobody judges {setting:?}");
                        }
                    }
                }
            }
            // Whom somebody trusts is asked as an edge; where a listener leads, in its own words.
            Subject::Trust | Subject::Issuer(_) | Subject::Listener(_) => {}
        }
    }
    Ok(())
}

/// A value of what one proxy does with what it sends to a port.
fn towards(
    node: Node<'_>,
    port: &Kri,
    (setting, said): (&Setting, Option<&String>),
    difference: &Difference,
) -> Result<Option<String>, String> {
    let destination = node.destination(port).map(|(_, own)| own);
    let routes = match destination.map(|own| &own.traffic) {
        Some(Traffic::Http { routes }) => routes.as_slice(),
        _ => &[],
    };
    let split = |backends: &[WeightedBackend]| {
        let share = |own: &WeightedBackend| {
            let cluster = own.cluster.as_ref();
            let cluster = cluster.map_or("unresolved".to_owned(), |own| difference.names.port(own));
            format!("{} {cluster}", own.weight)
        };
        backends.iter().map(share).collect::<Vec<_>>().join(" + ")
    };
    if let Some((name, rest)) = setting.path.strip_prefix("traffic.routes[").map(|rest| {
        rest.rsplit_once("].")
            .unwrap_or_else(|| (rest.strip_suffix(']').unwrap(), ""))
    }) {
        let route = named(routes, name);
        return match (rest, route) {
            (_, None) => Ok(None),
            ("backends", Some(route)) => Ok(Some(split(&route.backends))),
            // Filters have names, and what they do is told one by one.
            ("", Some(route)) => {
                let said = [&setting.before, &setting.after]
                    .into_iter()
                    .flatten()
                    .next();
                let words = said.cloned().unwrap_or_default();
                let splits =
                    words.split(" with ").next().unwrap_or_default() == split(&route.backends);
                (splits || route.backends.is_empty())
                    .then_some(Some(words))
                    .ok_or_else(|| format!("{setting:?}"))
            }
            // What it does not say itself, its destination says.
            (rest, Some(route)) => {
                let wholes: Vec<Value> = [value(route)]
                    .into_iter()
                    .chain(destination.map(value))
                    .collect();
                read(&difference.names, &wholes, said, rest)
            }
        };
    }
    Ok(match (setting.path.as_str(), destination) {
        ("timeouts.request", Some(own)) => Some(own.timeouts.request.value.to_string()),
        ("traffic.route.backends", Some(own)) => match &own.traffic {
            Traffic::Tcp { route } => Some(split(&route.backends)),
            Traffic::Http { .. } => None,
        },
        ("traffic.routes.order", _) => {
            let said =
                [&setting.before, &setting.after].map(|own| own.as_deref().unwrap_or_default());
            let common: Vec<&str> = said[0].split(", ").collect();
            let mut all: Vec<String> = Vec::new();
            for words in routes.iter().map(route_words) {
                let of_it = |own: &&String| own.split(" #").next() == Some(words.as_str());
                all.push(match all.iter().filter(of_it).count() {
                    0 => words,
                    before => format!("{words} #{}", before + 1),
                });
            }
            all.retain(|own| common.contains(&own.as_str()));
            Some(all.join(", "))
        }
        (path, _) => {
            let cluster = node.cluster(port).map(|(_, own)| value(own));
            let wholes: Vec<Value> = destination.map(value).into_iter().chain(cluster).collect();
            read(&difference.names, &wholes, said, path)?
        }
    })
}

/// Any other value, read where its path says; of what has parts, only whether it is there.
fn read(
    names: &Names,
    wholes: &[Value],
    said: Option<&String>,
    path: &str,
) -> Result<Option<String>, String> {
    // Of a list of names, whether one is there.
    if let Some((list, name)) = path.split_once('[') {
        let name = name.strip_suffix(']').ok_or("nobody judges it")?;
        let lists = wholes.iter().filter_map(|own| own.get(list)?.as_array());
        let mut elements = lists.flatten();
        let is_there =
            elements.any(|own| own == name || words::element(names, own).as_deref() == Some(name));
        return Ok(is_there.then(|| name.to_owned()));
    }
    let at = |whole: &Value| {
        let mut value = whole.clone();
        for key in path.split('.') {
            value = value.get_mut(key)?.take();
        }
        let inner = value.get("value").cloned();
        Some(inner.unwrap_or(value))
    };
    Ok(match wholes.iter().find_map(at) {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(match text.parse::<Kri>() {
            Ok(kri) => names.port(&kri),
            Err(_) => text,
        }),
        Some(Value::Object(_) | Value::Array(_)) => {
            Some(said.cloned().unwrap_or_else(|| "something".to_owned()))
        }
        Some(other) => Some(other.to_string()),
    })
}

fn value(resource: &impl serde::Serialize) -> Value {
    serde_json::to_value(resource).unwrap()
}

/// The route with this name; names that are there twice are counted.
fn named<'r>(routes: &'r [HttpRoute], name: &str) -> Option<&'r HttpRoute> {
    let (name, count) = match name.rsplit_once(" #") {
        Some((name, count)) => (name, count.parse().unwrap()),
        None => (name, 1),
    };
    let mut same = routes.iter().filter(|route| route_words(route) == name);
    same.nth(count - 1)
}

/// A value of what an inbound accepts.
fn at(
    (inbound, policy): (&Inbound, &InboundPolicy),
    (setting, said): (&Setting, Option<&String>),
    difference: &Difference,
) -> Result<Option<String>, String> {
    if let Some(peer) = permission(&setting.path) {
        let permissions = policy.permissions.as_ref();
        let list = permissions.map(|own| match setting.path.as_bytes()["permissions.".len()] {
            b'd' => &own.deny,
            _ => &own.allow,
        });
        let mut rules = list.into_iter().flatten();
        let listed = rules.any(|rule| {
            let id = rule.peer.spiffe_id.as_ref().unwrap();
            match id {
                SpiffeMatch::Exact(id) => difference.names.identity(id) == peer,
                SpiffeMatch::Prefix(id) => format!("{id}*") == peer,
            }
        });
        return Ok(listed.then(|| "listed".to_owned()));
    }
    read(
        &difference.names,
        &[value(policy), value(inbound)],
        said,
        &setting.path,
    )
}
