//! Which requests a class has, in the words of the routes that it takes.
//!
//! Never says more than is so: the words of a route stand for all that it takes.

use std::collections::BTreeMap;

use mesh_bundle::decide::RouteTable;

use super::Sending;
use crate::diff::words;
use crate::flow::Reach;
use crate::flow::classes::RequestClass;

/// How much of what a class has was served, and is.
type Fared = (Reach, Reach);

/// The words for the classes that senders of both sides tell apart.
pub(super) struct Said {
    /// Those of the sending after first: for each class what its route is called.
    columns: Vec<Column>,
}

struct Column {
    is_after: bool,
    /// By class.
    words: Vec<String>,
    /// By words: how all that are called so fared, if alike.
    alike: BTreeMap<String, Option<Fared>>,
}

/// What requests are that no other route takes.
const REST: &str = "all other requests";

impl Said {
    pub(super) fn new(
        classes: &[RequestClass],
        fared: &[Fared],
        (old, new): (&Sending<'_>, &Sending<'_>),
    ) -> Self {
        let mut columns = Vec::new();
        for (sending, is_after) in [(new, true), (old, false)] {
            let tables = sending
                .tables
                .values()
                .map(|table| of_table(table, classes));
            let connections = vec!["connections".to_owned(); classes.len()];
            let connections = sending.connects.then_some(connections);
            columns.extend(tables.chain(connections).map(|words| Column {
                is_after,
                alike: alike(&words, fared),
                words,
            }));
        }
        Self { columns }
    }

    /// The words for one class: of a route of which all that it takes fares so, or of all routes that it takes.
    pub(super) fn words(&self, class: usize) -> String {
        let own = |column: &Column| column.words.get(class).cloned();
        let whole = self.columns.iter().filter_map(|column| {
            let words = own(column)?;
            column.alike.get(&words)?.map(|_| words)
        });
        let mut whole: Vec<String> = whole.collect();
        whole.sort_by_key(|words| words == REST);
        if let Some(words) = whole.into_iter().next() {
            return words;
        }
        let [before, after] = [false, true].map(|is_after| {
            let side = self.columns.iter().filter(|own| own.is_after == is_after);
            let mut words: Vec<String> = side.filter_map(own).collect();
            words.sort();
            words.dedup();
            words.join(" and ")
        });
        match (before.is_empty(), after.is_empty()) {
            (true, _) => after,
            (_, true) => before,
            _ => format!("{after} (before: {before})"),
        }
    }
}

/// For each class the words of the route that a table has for it.
fn of_table(table: &RouteTable, classes: &[RequestClass]) -> Vec<String> {
    let said = |matches| words::request(&serde_json::to_value(matches).unwrap_or_default());
    let routes = table.routes().iter();
    let routes: Vec<String> = routes.map(|own| said(&own.route.matches)).collect();
    let taken = classes.iter().map(|class| {
        let place = class.example.position(table);
        place.and_then(|place| routes.get(place).cloned())
    });
    taken.map(Option::unwrap_or_default).collect()
}

fn alike(words: &[String], fared: &[Fared]) -> BTreeMap<String, Option<Fared>> {
    let mut alike: BTreeMap<String, Option<Fared>> = BTreeMap::new();
    for (words, fared) in words.iter().zip(fared) {
        let known = alike.entry(words.clone()).or_insert(Some(*fared));
        *known = known.filter(|known| known == fared);
    }
    alike
}
