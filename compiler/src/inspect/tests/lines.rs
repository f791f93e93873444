//! Every line that is named beside a value is the line that causes it: without it, the value is another, another line says
//! it that was named as beaten before, or nothing is left to show.
//!
//! Never looks into the compiler: pages are read as people read them. The corpus lies where `MESH_CORPUS` says; without it
//! that part skips loudly.

#![expect(
    clippy::disallowed_methods,
    reason = "examples and the corpus are files"
)]

mod page;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::path::{Path, PathBuf};

use super::super::*;
use crate::compile::analyse;
use crate::edit::without;
use crate::flow::Flows;
use crate::model::{Compat, Settings};
use crate::world::MemoryWorld;

use page::{Leaf, Leaves, Said, changed, places, read};

/// Everything that can be asked about the proxies of a repository, or the pages of it that are wanted.
fn leaves(
    world: &MemoryWorld,
    settings: &Settings,
    wanted: Option<&BTreeSet<&str>>,
) -> Option<Leaves> {
    let analysis = analyse(world, settings);
    if analysis.compiled.diagnostics.has_errors() {
        return None;
    }
    let mut leaves = Leaves::new();
    let flows = Flows::new(&analysis.compiled.bundle);
    for node in flows.nodes() {
        let proxy = node.kri.to_string();
        let mut told = |page: String, text: &dyn Fn() -> Result<String, NotShown>| {
            if wanted.is_none_or(|wanted| wanted.contains(&*page)) {
                read(&page, &text().expect("an answer"), &mut leaves);
            }
        };
        told(format!("proxy {proxy}"), &|| {
            super::super::proxy(&analysis.compiled, &proxy, Form::Human)
        });
        let mut questions = vec![
            Query::Policies(proxy.clone()),
            Query::Outbounds(proxy.clone()),
            Query::Inbounds(proxy.clone()),
            Query::ProxyWide(proxy.clone()),
            Query::Identity(proxy.clone()),
        ];
        for (_, outbound) in node.outbounds() {
            let port = &outbound.destination;
            questions.push(Query::Routes(proxy.clone(), port.to_string()));
            let service = port.without_section().to_string();
            questions.push(Query::Hostnames(service));
            let question = Question {
                from: proxy.clone(),
                to: port.to_string(),
                port: None,
                mesh: None,
                request: Some(crate::flow::Asked::new("GET", "/")),
            };
            told(format!("explain {proxy} {port}"), &|| {
                explain::steps(&analysis, &question)
            });
        }
        for asked in questions {
            told(format!("{asked:?}"), &|| {
                query(&analysis, &asked, Form::Human)
            });
        }
    }
    Some(leaves)
}

/// How many lines were tried, and how many values they were named for.
#[derive(Debug, Default)]
struct Tried {
    lines: usize,
    values: usize,
    /// Values of which every change made a document invalid.
    invalid: usize,
}

/// What is wrong with the lines that pages name.
fn judged(world: &MemoryWorld, settings: &Settings) -> Result<Tried, Vec<String>> {
    judged_of(world, |world, wanted| leaves(world, settings, wanted))
}

fn judged_of(
    world: &MemoryWorld,
    leaves: impl Fn(&MemoryWorld, Option<&BTreeSet<&str>>) -> Option<Leaves>,
) -> Result<Tried, Vec<String>> {
    let Some(before) = leaves(world, None) else {
        return Ok(Tried::default());
    };
    let mut tried = Tried::default();
    let mut named: BTreeMap<(&str, u32), Vec<&Leaf>> = BTreeMap::new();
    for (leaf, said) in &before {
        for place in said.notes.iter().flat_map(|note| places(note)) {
            named.entry(place).or_default().push(leaf);
        }
    }
    let mut wrong = Vec::new();
    for ((file, line), leaves_of_line) in &named {
        let text = std::str::from_utf8(&world.files[*file]).expect("text");
        let mut there = without(text, *line).there;
        // The whole of it changes most at once.
        there.reverse();
        assert!(!there.is_empty(), "nothing begins at {file}:{line}");
        let mut left: Vec<&Leaf> = leaves_of_line.clone();
        let pages = left.iter().map(|leaf| leaf.page.as_str()).collect();
        let mut is_valid = false;
        for text in there {
            let mut world = world.clone();
            world.files.insert((*file).to_owned(), text.into_bytes());
            let Some(after) = leaves(&world, Some(&pages)) else {
                continue;
            };
            is_valid = true;
            let place = format!("{file}:{line}");
            left.retain(|leaf| !changed(&before[*leaf], after.get(*leaf), &place));
            if left.is_empty() {
                break;
            }
        }
        tried.lines += 1;
        tried.values += leaves_of_line.len();
        tried.invalid += if is_valid { 0 } else { left.len() };
        // What makes a document invalid counts as a change.
        for leaf in left.iter().filter(|_| is_valid) {
            let (page, path) = (&leaf.page, leaf.path.join(" / "));
            wrong.push(format!("{file}:{line} does not cause `{path}` of {page}"));
        }
    }
    match wrong.is_empty() {
        true => Ok(tried),
        false => Err(wrong),
    }
}

fn walk(directory: &Path, prefix: &str, world: &mut MemoryWorld) {
    let entries = std::fs::read_dir(directory).expect("a directory");
    for entry in entries {
        let entry = entry.expect("an entry");
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            walk(&entry.path(), &format!("{path}/"), world);
        } else {
            let bytes = std::fs::read(entry.path()).expect("a file");
            world.files.insert(path, bytes);
        }
    }
}

fn directories(of: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(of).expect("a directory");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut paths: Vec<PathBuf> = paths.filter(|path| path.is_dir()).collect();
    paths.sort();
    paths
}

#[test]
fn lines_of_the_examples_cause_what_they_are_named_for() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    for example in directories(&examples) {
        let mut world = MemoryWorld::default();
        walk(&example, "", &mut world);
        let judged = judged(&world, &Settings::default());
        let tried = judged.unwrap_or_else(|wrong| panic!("{example:?}:\n{}", wrong.join("\n")));
        assert!(
            tried.lines > 10 && 2 * tried.invalid < tried.values,
            "{example:?}: {tried:?}"
        );
    }
}

/// The shop, and the example of every kind that does something there.
fn everything() -> MemoryWorld {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut world = MemoryWorld::default();
    walk(&top.join("../examples/shop"), "", &mut world);
    for kind in [
        "hostname_generator",
        "mesh_access_log",
        "mesh_circuit_breaker",
        "mesh_external_service",
        "mesh_fault_injection",
        "mesh_health_check",
        "mesh_http_route",
        "mesh_load_balancing_strategy",
        "mesh_metric",
        "mesh_passthrough",
        "mesh_rate_limit",
        "mesh_retry",
        "mesh_tcp_route",
        "mesh_timeout",
        "mesh_tls",
        "mesh_trace",
        "mesh_trust",
    ] {
        let path = top.join("src/kinds").join(kind).join("example.yaml");
        let text = std::fs::read_to_string(path).expect("an example");
        let text = text.replace("kuma.io/effect: shadow", "rehearsed: no-longer");
        world
            .files
            .insert(format!("kinds/{kind}.yaml"), text.into_bytes());
    }
    // What the web may do, the outsider may not: it shows nothing else.
    world.files.remove("outsider/dataplane.yaml");
    let weaker = include_str!("weaker.yaml").as_bytes().to_vec();
    world.files.insert("weaker.yaml".to_owned(), weaker);
    world
}

#[test]
fn lines_of_every_kind_cause_what_they_are_named_for() {
    let world = everything();
    let analysis = analyse(&world, &Settings::default());
    let found = &analysis.compiled.diagnostics;
    assert!(!found.has_errors(), "{:#?}", found.list);
    let tried = judged(&world, &Settings::default());
    let tried = tried.unwrap_or_else(|wrong| panic!("{}", wrong.join("\n")));
    assert!(
        tried.lines > 100 && 3 * tried.invalid < tried.values,
        "{tried:?}"
    );
}

/// What stands below a value may leave it to that to say who said so.
#[test]
fn every_value_names_what_says_it() {
    let leaves = leaves(&everything(), &Settings::default(), None).expect("no errors");
    let is_noted = |page: &str, path: &[String]| {
        let leaf = Leaf {
            page: page.to_owned(),
            path: path.to_vec(),
        };
        let said = leaves.get(&leaf);
        said.is_some_and(|said| said.notes.iter().any(|note| !note.is_empty()))
    };
    let is_told = |page: &str| page.starts_with("proxy ") || page.starts_with("explain ");
    let mut wrong = BTreeSet::new();
    for leaf in leaves.keys().filter(|leaf| is_told(&leaf.page)) {
        let mut above = 2..=leaf.path.len();
        let next = leaves
            .range((Bound::Excluded(leaf), Bound::Unbounded))
            .next();
        let holds = |(other, _): (&Leaf, &Said)| {
            other.page == leaf.page && other.path.starts_with(&leaf.path)
        };
        let is_value = leaf.path.len() > 1 && !next.is_some_and(holds);
        if is_value && !above.any(|depth| is_noted(&leaf.page, &leaf.path[..depth])) {
            wrong.insert(format!("{}: {}", leaf.page, leaf.path.join(" / ")));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Were another line named than the one that causes a value, it would be found.
#[test]
fn a_line_that_causes_nothing_is_found() {
    let mut world = MemoryWorld::default();
    let shop = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/shop");
    walk(&shop, "", &mut world);
    for (right, wrong) in [
        // A timeout, and the outbound of one of those that it is for.
        ("api/timeouts.yaml:13", "web/dataplane.yaml:11"),
        // The permission of one workload, and the split.
        ("api/permission.yaml:13", "api/canary.yaml:18"),
        // The permission of a database, and a backend of something else.
        ("db/db.yaml:44", "api/canary.yaml:23"),
    ] {
        let lying = |world: &MemoryWorld, wanted: Option<&BTreeSet<&str>>| {
            let mut leaves = leaves(world, &Settings::default(), wanted)?;
            for said in leaves.values_mut() {
                for note in &mut said.notes {
                    *note = note.replace(right, wrong);
                }
            }
            Some(leaves)
        };
        let found = judged_of(&world, lying).expect_err("a lie");
        assert!(found.iter().all(|one| one.starts_with(wrong)), "{found:#?}");
    }
}

#[test]
fn lines_of_the_corpus_cause_what_they_are_named_for() {
    let Some(corpus) = std::env::var_os("MESH_CORPUS").map(PathBuf::from) else {
        println!("SKIPPED: MESH_CORPUS does not say where the corpus is");
        return;
    };
    let (mut repositories, mut lines) = (0, 0);
    let mut wrong = Vec::new();
    for suite in ["matching", "inspect"] {
        for group in directories(&corpus.join(suite)) {
            for case in directories(&group) {
                let mut world = MemoryWorld::default();
                walk(&case, "", &mut world);
                for compat in [Compat::Off, Compat::Kuma] {
                    let settings = Settings {
                        compat,
                        ..Settings::default()
                    };
                    match judged(&world, &settings) {
                        Ok(tried) => {
                            repositories += usize::from(tried.lines > 0);
                            lines += tried.lines;
                        }
                        Err(found) => {
                            let found = found.into_iter();
                            wrong.extend(found.map(|one| format!("{case:?} {compat:?}: {one}")));
                        }
                    }
                }
            }
        }
    }
    println!("{lines} lines of {repositories} repositories");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(
        repositories > 20,
        "only {repositories} repositories could be used"
    );
}
