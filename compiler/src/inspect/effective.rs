//! Effective confs, and the documents that they are made of: what every question about policies is answered with.
//!
//! Never merges by itself: tables do, and this tells what they did.

use mesh_bundle::{Kri, Origin};
use serde::Serialize;
use serde_json::Value;

use crate::diag::Pointer;
use crate::kinds;
use crate::lower::route::{self, Rule};
use crate::policy::merge::Merged;
use crate::policy::outbound::{Item, Outbound, Towards};
use crate::policy::{Source, Table, inbound};

use super::asked::Proxy;
use super::matches;
use super::page::{Note, Page};
use super::words;

/// What holds of one kind of policy.
#[derive(Debug, Serialize)]
pub(super) struct Effective {
    pub(super) kind: &'static str,
    /// Merged, with the defaults that count as written.
    pub(super) conf: Value,
    /// Every item that took part, the weakest first, whether anything of it is left or not.
    pub(super) origins: Vec<Contribution>,
    /// Every value of `conf` that somebody wrote, and who that was.
    pub(super) values: Vec<Leaf>,
}

/// One rule for what an inbound takes.
#[derive(Debug, Serialize)]
pub(super) struct InboundRule {
    /// Whom it is about; `None`: everybody.
    #[serde(rename = "match")]
    pub(super) peer: Option<Value>,
    pub(super) conf: Value,
    pub(super) origin: Contribution,
}

/// A document, or one item of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Contribution {
    pub(super) kri: Kri,
    /// The place of the item in `to` or `rules`; `None`: the document as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rule_index: Option<usize>,
    #[serde(flatten)]
    pub(super) place: Place,
}

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Place {
    pub(super) file: String,
    /// Absent where nobody wrote the document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) line: Option<u32>,
}

/// One value.
#[derive(Debug, Serialize)]
pub(super) struct Leaf {
    /// A JSON pointer into the conf.
    pub(super) path: String,
    pub(super) value: Value,
    pub(super) origin: Contribution,
    /// What it beat, the strongest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) overridden: Vec<Beaten>,
}

/// A value that did not become effective.
#[derive(Debug, Serialize)]
pub(super) struct Beaten {
    pub(super) value: Value,
    pub(super) origin: Contribution,
}

impl From<Origin> for Contribution {
    fn from(origin: Origin) -> Self {
        Self {
            place: Place {
                line: (origin.line > 0).then_some(origin.line),
                file: origin.file,
            },
            kri: origin.resource,
            rule_index: None,
        }
    }
}

impl From<&Contribution> for Note {
    fn from(by: &Contribution) -> Self {
        Self::from(&by.origin())
    }
}

impl Contribution {
    /// As a bundle has it.
    pub(super) fn origin(&self) -> Origin {
        Origin {
            resource: self.kri.clone(),
            file: self.place.file.clone(),
            line: self.place.line.unwrap_or(0),
        }
    }

    fn at(mut self, index: usize) -> Self {
        self.rule_index = Some(index);
        self
    }
}

/// Is this a kind of routes, whose confs are lists of rules?
pub(super) fn is_route(table: &Table) -> bool {
    matches!(table.kind, "MeshHTTPRoute" | "MeshTCPRoute")
}

impl Proxy<'_> {
    /// What holds for traffic towards something; `None` where no item is about it.
    pub(super) fn towards(&self, table: &Table, towards: &Towards) -> Option<Effective> {
        let subject = self.subject();
        let outbound = table.outbound(&subject);
        self.made_of(table, &outbound, &outbound.covering(towards))
    }

    /// What some items make together; `None` where there is none.
    pub(super) fn made_of(
        &self,
        table: &Table,
        outbound: &Outbound<'_>,
        items: &[&Item],
    ) -> Option<Effective> {
        if items.is_empty() {
            return None;
        }
        let origins = items.iter().filter_map(|item| {
            let source = outbound.source(item, &Pointer::default())?;
            Some(self.contribution(&source).at(item.strength.position))
        });
        let origins = origins.collect();
        let mut merged = outbound.fold(items);
        let place: &[&str] = match is_route(table) {
            true => &["to"],
            false => &["to", "default"],
        };
        if table.kind == "MeshHTTPRoute" {
            // The rules of several documents are one list (language 5.1.4), of which every rule has its own origin.
            let rules = route::rules(outbound, items);
            let rules = rules.iter().map(|rule| {
                serde_json::json!({"matches": rule.written, "default": rule.conf.to_value()})
            });
            merged.value.insert("rules".to_owned(), rules.collect());
        }
        Some(self.effective(table, &merged, origins, place))
    }

    /// What holds for the proxy as a whole; `None` where no policy says anything.
    pub(super) fn wide(&self, table: &Table) -> Option<Effective> {
        let subject = self.subject();
        let numbers = table.whole_numbers(&subject);
        let merged = table.fold_wholes(&numbers)?;
        let origins = table.numbered(&numbers).filter_map(|whole| {
            let policy = table.policies.get(whole.policy)?;
            Some(self.lines.document(&policy.meta).into())
        });
        Some(self.effective(table, &merged, origins.collect(), &["default"]))
    }

    /// The rules for an inbound, in the order in which they are looked at.
    pub(super) fn received(&self, table: &Table, section: &str) -> Vec<InboundRule> {
        let subject = self.subject();
        let inbound = table.inbound(&subject, section);
        let rule = |rule: &&inbound::Rule| {
            let source = inbound.source(rule, &Pointer::default())?;
            let mut conf = rule.conf.to_value();
            kinds::filled_conf(table.kind, &["rules", "default"], &mut conf);
            Some(InboundRule {
                peer: rule.peer.as_ref().map(matches::peer),
                conf,
                origin: self.contribution(&source).at(rule.strength.position),
            })
        };
        inbound.rules.iter().filter_map(rule).collect()
    }

    /// The rules of HTTP routes for a destination, the strongest first.
    pub(super) fn route_rules(&self, towards: &Towards) -> Vec<Rule> {
        let mut rules = Vec::new();
        let subject = self.subject();
        for table in self.tables() {
            if table.kind == "MeshHTTPRoute" {
                let outbound = table.outbound(&subject);
                rules.extend(route::rules(&outbound, &outbound.covering(towards)));
            }
        }
        rules
    }

    pub(super) fn contribution(&self, source: &Source) -> Contribution {
        self.lines.source(source).into()
    }

    fn effective(
        &self,
        table: &Table,
        merged: &Merged,
        origins: Vec<Contribution>,
        place: &[&str],
    ) -> Effective {
        let mut conf = merged.to_value();
        kinds::filled_conf(table.kind, place, &mut conf);
        Effective {
            kind: table.kind,
            conf,
            origins,
            values: self.values(merged),
        }
    }

    /// Every value of a merged conf.
    pub(super) fn values(&self, merged: &Merged) -> Vec<Leaf> {
        let whole = merged.to_value();
        let leaf = |(at, setting): (&Pointer, &crate::policy::merge::Setting)| {
            let path = at.to_string();
            let beaten = setting.beat.iter().map(|beaten| Beaten {
                value: beaten.value.clone(),
                origin: self.contribution(&beaten.by),
            });
            Some(Leaf {
                value: whole.pointer(&path)?.clone(),
                path,
                origin: self.contribution(&setting.by),
                overridden: beaten.collect(),
            })
        };
        merged.settings.iter().filter_map(leaf).collect()
    }
}

impl Effective {
    /// On a page: every value with its line, and what it beat.
    pub(super) fn show(&self, page: &mut Page, depth: usize) {
        page.line(depth, self.kind);
        show_values(page, depth + 1, &self.values);
        let written =
            |origin: &Contribution| self.values.iter().any(|leaf| leaf.origin.kri == origin.kri);
        for origin in self.origins.iter().filter(|origin| !written(origin)) {
            page.noted(depth + 1, "(nothing is left of)", origin);
        }
    }
}

pub(super) fn show_values(page: &mut Page, depth: usize, values: &[Leaf]) {
    for leaf in values {
        let path = leaf.path.trim_start_matches('/').replace('/', ".");
        let text = format!("{path}  {}", words::json(&leaf.value));
        page.noted(depth, &text, &leaf.origin);
        for beaten in &leaf.overridden {
            let text = format!("not {}", words::json(&beaten.value));
            page.noted(depth + 1, &text, &beaten.origin);
        }
    }
}

/// A conf that stands as it was written.
pub(super) fn show_conf(page: &mut Page, depth: usize, at: &str, conf: &Value) {
    match conf {
        Value::Object(fields) => {
            for (name, value) in fields {
                let inner = match at {
                    "" => name.clone(),
                    at => format!("{at}.{name}"),
                };
                show_conf(page, depth, &inner, value);
            }
        }
        leaf => page.line(depth, &format!("{at}  {}", words::json(leaf))),
    }
}
