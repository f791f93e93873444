//! Who reaches what, asked of everybody.
//!
//! Never believes a word: each line is taken apart into what it claims, and asked.

use std::collections::{BTreeMap, BTreeSet};

use mesh_bundle::resource::Filter;
use proptest::prelude::*;

use super::super::grouped::edges::{Group, groups};
use super::super::names::Names;
use super::super::words;
use super::*;
use crate::flow::callers::{Caller, callers};
use crate::flow::{Fate, Node, Route};

type Key = (Caller, Kri, Option<Asked>);
type Answers = BTreeMap<Key, Reach>;

/// Both sides, everybody on them, and what was answered.
struct Court<'a, 'b> {
    names: &'a Names,
    both: [&'a Flows<'b>; 2],
    ports: BTreeSet<Kri>,
    callers: Vec<Caller>,
    questions: &'a [Asked],
    answers: [Answers; 2],
}

pub(super) fn judge(
    difference: &Difference,
    both: &[&Flows<'_>; 2],
    questions: &[Asked],
) -> Result<(), TestCaseError> {
    let court = Court::new(&difference.names, *both, questions);
    court.every_difference_is_told(difference)?;
    for group in groups(difference) {
        court.is_true(&group)?;
    }
    // Programs read the edges themselves.
    for edge in &difference.edges {
        for traffic in &edge.traffic {
            let example = Some(traffic.example.clone());
            let key = (edge.caller.clone(), edge.port.clone(), example);
            let asked = court.both.map(|side| court.ask(side, &key));
            prop_assert_eq!(asked, [traffic.before, traffic.after]);
            prop_assert!(traffic.before != traffic.after);
        }
        let key = (edge.caller.clone(), edge.port.clone(), None);
        let asked = court.both.map(|side| court.ask(side, &key));
        prop_assert_eq!((asked[0], asked[1]), edge.access);
    }
    Ok(())
}

impl<'a, 'b> Court<'a, 'b> {
    fn new(names: &'a Names, both: [&'a Flows<'b>; 2], questions: &'a [Asked]) -> Self {
        let mut ports = BTreeSet::new();
        for side in both {
            for proxy in side.bundle().proxies.values() {
                let endpoints = proxy.endpoints.iter();
                ports.extend(endpoints.map(|endpoint| endpoint.service.clone()));
            }
        }
        let mut court = Self {
            names,
            both,
            ports,
            callers: callers(&both),
            questions,
            answers: Default::default(),
        };
        court.answers = both.map(|side| {
            let keys = court.keys().into_iter();
            keys.map(|key| (key.clone(), court.ask(side, &key)))
                .collect()
        });
        court
    }

    /// Everything that can be asked.
    fn keys(&self) -> Vec<Key> {
        let mut keys = Vec::new();
        for caller in &self.callers {
            for port in &self.ports {
                let asked = self.questions.iter().cloned().map(Some);
                let asked = asked.chain([None]);
                keys.extend(asked.map(|asked| (caller.clone(), port.clone(), asked)));
            }
        }
        keys
    }

    fn ask(&self, side: &Flows<'_>, (caller, port, asked): &Key) -> Reach {
        match asked {
            None => side.access(side.servers(port), caller.peer().as_ref()),
            Some(asked) => {
                let senders = self.senders(side, caller, port);
                Reach::of(senders.iter().map(|node| {
                    let flow = side.follow(node.kri, port, asked);
                    flow.map_or(Reach::No, |flow| flow.reach())
                }))
            }
        }
    }

    /// The proxies that send to a port as somebody.
    fn senders<'f>(&self, side: &Flows<'f>, caller: &Caller, port: &Kri) -> Vec<Node<'f>> {
        let mut nodes: Vec<_> = side.nodes().collect();
        nodes.retain(|node| {
            let own = node.identity().map(|identity| &identity.spiffe_id);
            own == caller.identity() && node.outbound(port).is_some()
        });
        nodes
    }

    fn every_difference_is_told(&self, difference: &Difference) -> Result<(), TestCaseError> {
        let told = groups(difference);
        for (key, was) in &self.answers[0] {
            let is = self.answers[1][key];
            if *was == is {
                continue;
            }
            let (caller, port, asked) = key;
            let mut about = told.iter().filter(|group| {
                group.callers.contains(&self.names.caller(caller))
                    && group.ports.contains(&self.names.port(port))
                    && group.said.sign == if is > *was { '+' } else { '-' }
            });
            let is_told = match asked {
                // What is really sent and fares likewise says it, too.
                None => about.next().is_some(),
                Some(asked) => about.any(|group| {
                    let (what, change) = change(&group.said.what);
                    change.fits(*was, is)
                        && (what == "all requests" || self.all_told(key, asked).contains(&what))
                }),
            };
            let page = human(difference, None);
            prop_assert!(is_told, "{caller} {port} {asked:?}: {was:?} {is:?}\n{page}");
        }
        Ok(())
    }

    /// In which words a request may be told: those of any route that it takes, or of all that it takes.
    fn all_told(&self, key: &Key, asked: &Asked) -> BTreeSet<String> {
        let mut all: BTreeSet<String> = self.taken(key, asked).into_iter().flatten().collect();
        all.insert(self.told(key, asked));
        all
    }

    /// The routes that a request takes, by all senders of each side.
    fn taken(&self, (caller, port, _): &Key, asked: &Asked) -> [BTreeSet<String>; 2] {
        self.both.map(|side| {
            let senders = self.senders(side, caller, port).into_iter();
            senders.map(|node| route(side, node, port, asked)).collect()
        })
    }

    fn told(&self, key: &Key, asked: &Asked) -> String {
        let sides = self.taken(key, asked);
        let [old, new] = sides.map(|own| own.into_iter().collect::<Vec<_>>().join(" and "));
        match (old.as_str(), new.as_str()) {
            ("", only) | (only, "") => only.to_owned(),
            _ => format!("{new} (before: {old})"),
        }
    }

    /// Is it so, for all whom a line names?
    fn is_true(&self, group: &Group) -> Result<(), TestCaseError> {
        let named = |caller: &&Caller| group.callers.contains(&self.names.caller(caller));
        for caller in self.callers.iter().filter(named) {
            for port in self
                .ports
                .iter()
                .filter(|port| group.ports.contains(&self.names.port(port)))
            {
                let is_true = match group.said.is_access {
                    true => self.is_access_true(group, caller, port),
                    false => self.is_traffic_true(group, caller, port),
                };
                let said = &group.said;
                prop_assert!(is_true, "{} {caller} {port}: {}", said.sign, said.what);
            }
        }
        Ok(())
    }

    fn is_access_true(&self, group: &Group, caller: &Caller, port: &Kri) -> bool {
        let key = (caller.clone(), port.clone(), None);
        let (was, is) = (self.answers[0][&key], self.answers[1][&key]);
        let (what, change) = change(&group.said.what);
        let (words, side) = match is > was {
            true => (
                ["may call", "may call, though nothing is sent"],
                self.both[1],
            ),
            false => (
                ["may no longer call", "may no longer call; nothing was sent"],
                self.both[0],
            ),
        };
        let idle = !self.sends(side, caller, port);
        change.fits(was, is) && was != is && what == words[usize::from(idle)]
    }

    /// Does anything of anybody arrive at a port as if it were of a caller?
    fn sends(&self, side: &Flows<'_>, caller: &Caller, port: &Kri) -> bool {
        let arrives = |node: Node<'_>, asked: &Asked, to: &Kri| {
            let Ok(flow) = side.follow(node.kri, to, asked) else {
                return false;
            };
            let Fate::Split(shares) = flow.fate else {
                return false;
            };
            // A copy is sent, too.
            if let Route::Http { taken, .. } = flow.route
                && taken.filters.iter().any(|filter| matches!(filter, Filter::Mirror(own) if own.cluster.as_ref() == Some(port)))
            {
                let ready = side.is_tls_ready(port);
                let own = node.identity().map(|own| &own.spiffe_id).filter(|_| ready);
                return own == caller.identity();
            }
            let own = node.identity().map(|own| &own.spiffe_id);
            shares.iter().any(|share| match &share.end {
                crate::flow::End::Mesh { cluster, tls, .. } => {
                    let seen = if *tls { own } else { None };
                    share.backend.weight > 0 && cluster.kri == *port && seen == caller.identity()
                }
                _ => false,
            })
        };
        side.nodes().any(|node| {
            let mut outbounds = node.outbounds();
            outbounds.any(|(_, outbound)| {
                let mut asked = self.questions.iter();
                asked.any(|asked| arrives(node, asked, &outbound.destination))
            })
        })
    }

    /// All requests that take the route with these words, by the routes of one of the senders on one of the sides, fare
    /// as it is said; or all that are told by all the routes that they take.
    fn is_traffic_true(&self, group: &Group, caller: &Caller, port: &Kri) -> bool {
        let (what, change) = change(&group.said.what);
        let fares = |asked: &Asked| {
            let key = (caller.clone(), port.clone(), Some(asked.clone()));
            let (was, is) = (self.answers[0][&key], self.answers[1][&key]);
            was != is && (is > was) == (group.said.sign == '+') && change.fits(was, is)
        };
        if what == "all requests" {
            return self.questions.iter().all(fares);
        }
        let alike = |words: &dyn Fn(&Asked) -> bool| {
            let about: Vec<_> = self.questions.iter().filter(|asked| words(asked)).collect();
            !about.is_empty() && about.into_iter().all(fares)
        };
        let by_one = self.both.iter().any(|side| {
            let mut senders = self.senders(side, caller, port).into_iter();
            senders.any(|node| alike(&|asked| route(side, node, port, asked) == what))
        });
        let key = (caller.clone(), port.clone(), None);
        by_one || alike(&|asked| self.told(&key, asked) == what)
    }
}

/// The words of the route that a request takes.
fn route(side: &Flows<'_>, node: Node<'_>, port: &Kri, asked: &Asked) -> String {
    match side.follow(node.kri, port, asked).unwrap().route {
        Route::Http { taken, .. } => words::request(&serde_json::to_value(&taken.matches).unwrap()),
        Route::Tcp { .. } => "connections".to_owned(),
    }
}

/// How much it was and is.
struct Change {
    in_part: [bool; 2],
}

impl Change {
    fn fits(&self, was: Reach, is: Reach) -> bool {
        self.in_part
            == [
                was == Reach::Partly && is != Reach::Partly,
                is == Reach::Partly,
            ]
    }
}

/// What is said, and how much it was and is.
fn change(what: &str) -> (String, Change) {
    let (now, before) = (
        what.strip_suffix(", in part now"),
        what.strip_suffix(", in part before"),
    );
    let in_part = [before.is_some(), now.is_some()];
    let what = now.or(before).unwrap_or(what).to_owned();
    (what, Change { in_part })
}
