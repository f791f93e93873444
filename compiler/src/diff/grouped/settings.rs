//! Settings as lines: equal changes of many subjects, and of many elements of a list, are one.
//!
//! Never leaves a setting out, but for permissions of which the edges tell the effect.

use std::collections::{BTreeMap, BTreeSet};

use mesh_bundle::Kri;

use super::super::{Difference, Setting, Subject, words};
use super::{Line, place, proxies, subject};

/// Rank, side, path without the names of elements, value before and after.
type Group<'d> = (u8, u8, String, &'d Option<String>, &'d Option<String>);

/// What edges say of permissions.
struct Told<'d> {
    /// By policy and caller.
    callers: BTreeSet<(&'d Kri, String)>,
    /// Policies about more than one identity.
    classes: BTreeSet<&'d Kri>,
}

pub(in crate::diff) fn settings(difference: &Difference) -> Vec<Line> {
    let told = Told::of(difference);
    let mut groups: BTreeMap<Group<'_>, Vec<(&Setting, Option<&str>)>> = BTreeMap::new();
    for setting in &difference.settings {
        let (path, name) = unnamed(&setting.path);
        if told.holds(setting, name) {
            continue;
        }
        let key = (
            rank(setting),
            side(&setting.subject),
            path,
            &setting.before,
            &setting.after,
        );
        groups.entry(key).or_default().push((setting, name));
    }
    groups.into_iter().map(line).collect()
}

fn line(((_, _, path, before, after), group): (Group<'_>, Vec<(&Setting, Option<&str>)>)) -> Line {
    let names = group.iter().filter_map(|(_, name)| *name);
    let names: BTreeSet<String> = names.map(str::to_owned).collect();
    let path = named(&path, &words::listed(&names));
    let settings = || group.iter().map(|(setting, _)| *setting);
    let subjects: BTreeSet<String> = settings().map(|own| subject(&own.subject)).collect();
    let whose: BTreeSet<Kri> = settings().flat_map(|own| own.proxies.clone()).collect();
    let what = match (before, after) {
        (Some(before), Some(after)) => format!("{path} {before} -> {after}"),
        (None, Some(value)) | (Some(value), None) => format!("{path} {value}"),
        (None, None) => path,
    };
    let whose = match whose.is_empty() {
        true => words::listed(&subjects),
        false => format!("{} {}", proxies(&whose), words::listed(&subjects)),
    };
    let places: BTreeSet<String> = settings()
        .map(|own| place(own.after_origin.as_ref().or(own.before_origin.as_ref())))
        .filter(|place| !place.is_empty())
        .collect();
    Line {
        sign: match (before, after) {
            (None, _) => '+',
            (_, None) => '-',
            _ => '~',
        },
        text: format!("{}: {whose}", what.trim_start()),
        place: words::listed(&places),
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
            Some(rest) => format!("{rest} of {names}"),
        };
    }
    match path {
        "traffic.route.backends" => "split".to_owned(),
        path => path.replacen("[]", &format!("[{names}]"), 1),
    }
}

impl<'d> Told<'d> {
    fn of(difference: &'d Difference) -> Self {
        let (mut callers, mut classes) = (BTreeSet::new(), BTreeSet::new());
        for edge in &difference.edges {
            let Some(cause) = &edge.cause else { continue };
            callers.insert((&cause.resource, words::caller(&edge.caller)));
            if !matches!(edge.caller, crate::flow::callers::Caller::Named(_)) {
                classes.insert(&cause.resource);
            }
        }
        Self { callers, classes }
    }

    /// Is it a permission, and does an edge say what it does?
    fn holds(&self, setting: &Setting, name: Option<&str>) -> bool {
        let origins = [&setting.after_origin, &setting.before_origin];
        let origin = origins.into_iter().flatten().next();
        let Some((origin, name)) = origin.zip(name) else {
            return false;
        };
        setting.path.starts_with("permissions.")
            && (self.callers.contains(&(&origin.resource, name.to_owned()))
                || (name.ends_with('*') && self.classes.contains(&origin.resource)))
    }
}
