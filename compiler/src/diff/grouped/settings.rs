//! Settings as lines: equal changes of many subjects, and of many elements of a list, are one.
//!
//! Never leaves a setting out, but for permissions of which the edges tell the effect.

use std::collections::{BTreeMap, BTreeSet};

use mesh_bundle::Kri;

use super::super::names::Names;
use super::super::{Difference, Setting, Subject, words};
use super::{Line, proxies, subject};

/// One change of a value: of each of these elements of a list, for each of these proxies, at each of these places.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::diff) struct Group<'d> {
    /// Without the names of elements.
    pub(in crate::diff) path: String,
    pub(in crate::diff) before: &'d Option<String>,
    pub(in crate::diff) after: &'d Option<String>,
    /// Of elements.
    pub(in crate::diff) names: BTreeSet<&'d str>,
    pub(in crate::diff) proxies: BTreeSet<&'d Kri>,
    pub(in crate::diff) subjects: BTreeSet<&'d Subject>,
    /// Not each for each: of so many combinations.
    pub(in crate::diff) only: Option<usize>,
    places: BTreeSet<String>,
}

/// Rank, side, path without the names of elements, value before and after.
type Change<'d> = (u8, u8, String, &'d Option<String>, &'d Option<String>);

/// Lines for one change of a value before they are counted together.
const LINES: usize = 4;

pub(in crate::diff) fn settings(difference: &Difference) -> Vec<Line> {
    let groups = groups(difference).into_iter();
    groups.map(|group| line(&difference.names, group)).collect()
}

pub(in crate::diff) fn groups(difference: &Difference) -> Vec<Group<'_>> {
    let mut changes: BTreeMap<Change<'_>, Vec<(&Setting, Option<&str>)>> = BTreeMap::new();
    for setting in difference.settings.iter().filter(|own| !own.is_told) {
        let (path, name) = unnamed(&setting.path);
        let key = (
            rank(setting),
            side(&setting.subject),
            path,
            &setting.before,
            &setting.after,
        );
        changes.entry(key).or_default().push((setting, name));
    }
    let mut groups = Vec::new();
    for ((.., path, before, after), settings) in changes {
        let blank = |only| Group {
            path: path.clone(),
            before,
            after,
            names: BTreeSet::new(),
            proxies: BTreeSet::new(),
            subjects: BTreeSet::new(),
            only,
            places: BTreeSet::new(),
        };
        let parts = parts(&settings);
        if parts.len() <= LINES {
            groups.extend(
                parts
                    .into_iter()
                    .map(|part| part.iter().fold(blank(None), add)),
            );
        } else {
            let combinations = settings.iter().map(|(own, _)| own.proxies.len().max(1));
            let only = Some(combinations.sum());
            groups.push(settings.iter().fold(blank(only), add));
        }
    }
    groups
}

/// Settings of which each name, each proxy and each subject go together.
fn parts<'d>(
    settings: &[(&'d Setting, Option<&'d str>)],
) -> Vec<Vec<(&'d Setting, Option<&'d str>)>> {
    let mut names: BTreeMap<(&BTreeSet<Kri>, &Subject), Vec<_>> = BTreeMap::new();
    for (setting, name) in settings {
        let known = names.entry((&setting.proxies, &setting.subject));
        known.or_default().push((*setting, *name));
    }
    let mut parts: BTreeMap<(&BTreeSet<Kri>, BTreeSet<Option<&str>>), Vec<_>> = BTreeMap::new();
    for ((proxies, _), own) in names {
        let named = own.iter().map(|(_, name)| *name).collect();
        parts.entry((proxies, named)).or_default().extend(own);
    }
    parts.into_values().collect()
}

fn add<'d>(mut group: Group<'d>, (setting, name): &(&'d Setting, Option<&'d str>)) -> Group<'d> {
    group.names.extend(name);
    group.proxies.extend(&setting.proxies);
    group.subjects.insert(&setting.subject);
    let origin = setting
        .after_origin
        .as_ref()
        .or(setting.before_origin.as_ref());
    group.places.extend(origin.map(ToString::to_string));
    group
}

fn line(names: &Names, group: Group<'_>) -> Line {
    let elements: BTreeSet<String> = group.names.iter().map(|name| (*name).to_owned()).collect();
    let path = named(&group.path, &words::listed(&elements));
    let subjects = group
        .subjects
        .iter()
        .map(|own| subject(names, own))
        .collect();
    let subjects = words::listed(&subjects);
    let what = match (group.before, group.after) {
        (Some(before), Some(after)) => format!("{path} {before} -> {after}"),
        // What a list of names has is its own name.
        (None, Some(value)) | (Some(value), None)
            if !elements.contains(value) && !path.contains(&format!("`{value}`")) =>
        {
            format!("{path} {value}")
        }
        _ => path,
    };
    let mut whose = match group.proxies.is_empty() {
        true => subjects,
        false => {
            let whose = group.proxies.into_iter().cloned().collect();
            format!("{} {subjects}", proxies(names, &whose))
        }
    };
    if let Some(only) = group.only {
        whose.push_str(&format!(", {only} combinations of them"));
    }
    Line {
        sign: match (group.before, group.after) {
            (None, _) => '+',
            (_, None) => '-',
            _ => '~',
        },
        text: format!("{}: {whose}", what.trim_start()),
        place: words::listed(&group.places),
    }
}

/// Who is who, and whether it is encrypted, before how long it may take.
fn rank(setting: &Setting) -> u8 {
    match (&setting.subject, setting.path.as_str()) {
        (Subject::Trust | Subject::Issuer(_), _) | (_, "tls" | "transport") => 0,
        (_, path) if path.starts_with("identity") => 0,
        (_, path) if path.starts_with("permissions") => 1,
        _ => 2,
    }
}

fn side(subject: &Subject) -> u8 {
    match subject {
        Subject::Trust => 0,
        Subject::Issuer(_) => 1,
        Subject::At(_) => 2,
        Subject::To(_) => 3,
        Subject::Listener(_) => 4,
        Subject::Proxy => 5,
    }
}

/// A path, and the name of the first element of a list in it.
fn unnamed(path: &str) -> (String, Option<&str>) {
    let found = path.split_once('[').and_then(|(list, rest)| {
        // Names of elements may have brackets in them; what follows an element begins with a point.
        let (name, rest) = match rest.rsplit_once("].") {
            Some((name, rest)) => (name, format!(".{rest}")),
            None => (rest.strip_suffix(']')?, String::new()),
        };
        Some((format!("{list}[]{rest}"), Some(name)))
    });
    found.unwrap_or_else(|| (path.to_owned(), None))
}

/// A path with names of elements, as people say it.
fn named(path: &str, names: &str) -> String {
    if let Some(rest) = path.strip_prefix("traffic.routes[]") {
        return match rest.strip_prefix('.') {
            None => format!("route {names}"),
            Some("backends") => format!("split of {names}"),
            Some("kri") => format!("name of {names}"),
            Some("filters.order") => format!("order of filters of {names}"),
            Some(filter) if filter.starts_with("filters[") => {
                let filter = filter.trim_start_matches("filters[").trim_end_matches(']');
                format!("filter `{filter}` of {names}")
            }
            Some(rest) => format!("{rest} of {names}"),
        };
    }
    match path {
        "traffic.route.backends" => "split".to_owned(),
        "traffic.route" => "connections".to_owned(),
        "traffic.type" => "traffic".to_owned(),
        "traffic.routes.order" => "order of routes".to_owned(),
        "identities[]" => format!("server identity {names}"),
        path => path.replacen("[]", &format!("[{names}]"), 1),
    }
}
