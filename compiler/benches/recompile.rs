//! What compiling again costs after a commit of one file, measured on a generated repository: `cargo xtask bench compile`
//! runs it and prints the table.
//!
//! Never compares with a bare look: every answer is held against that of a cold compiler, byte by byte.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a benchmark reads files and the clock, and prints what it measured"
)]

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mesh_bundle::Digest;
use mesh_compiler::model::Settings;
use mesh_compiler::world::{Entry, EntryKind};
use mesh_compiler::{Compiled, Compiler, World, compile};

/// As meshd has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Commits of each sort: enough for a median on a noisy machine.
const COMMITS: usize = 21;
/// Of the processor times in `/proc`, on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// A commit as meshd has it: what names the bytes of a file is known before they are read.
#[derive(Default)]
struct Commit {
    files: BTreeMap<String, Vec<u8>>,
    /// In the order of their paths.
    entries: Vec<Entry>,
}

impl World for Commit {
    fn entries(&self) -> Cow<'_, [Entry]> {
        self.entries.as_slice().into()
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let file = self.files.get(path).ok_or("no such file")?;
        Ok(file.clone())
    }

    fn shared(&self) -> Option<&(dyn World + Sync)> {
        Some(self)
    }
}

impl Commit {
    fn read(root: &Path) -> std::io::Result<Self> {
        let mut commit = Self::default();
        let mut open: Vec<PathBuf> = vec![root.to_path_buf()];
        while let Some(directory) = open.pop() {
            for entry in std::fs::read_dir(directory)? {
                let path = entry?.path();
                if path.is_dir() {
                    open.push(path);
                    continue;
                }
                let name = path.strip_prefix(root).unwrap_or(&path);
                let bytes = std::fs::read(&path)?;
                commit.write(&name.to_string_lossy(), bytes);
            }
        }
        Ok(commit)
    }

    fn write(&mut self, path: &str, bytes: Vec<u8>) {
        let entry = Entry {
            path: path.to_owned(),
            kind: EntryKind::File {
                size: bytes.len() as u64,
                version: Some(Digest::of(&bytes)),
            },
        };
        let place = self
            .entries
            .partition_point(|known| known.path.as_str() < path);
        match self.entries.get_mut(place) {
            Some(known) if known.path == path => *known = entry,
            _ => self.entries.insert(place, entry),
        }
        self.files.insert(path.to_owned(), bytes);
    }

    /// The first file that holds all of these.
    fn find(&self, texts: &[&str]) -> Option<(String, String)> {
        self.files.iter().find_map(|(path, bytes)| {
            let text = std::str::from_utf8(bytes).ok()?;
            let holds = texts.iter().all(|part| text.contains(part));
            holds.then(|| (path.clone(), text.to_owned()))
        })
    }
}

/// An edit that a commit makes and the next takes back.
struct Edit {
    what: &'static str,
    path: String,
    texts: [String; 2],
}

fn edits(commit: &Commit) -> Vec<Edit> {
    let replace = |what, texts: &[&str], from: &str, to: &str| {
        let (path, before) = commit.find(texts)?;
        let after = before.replace(from, to);
        assert_ne!(before, after, "{what}: `{from}` is not in {path}");
        Some(Edit {
            what,
            path,
            texts: [after, before],
        })
    };
    let of_service = ["type: MeshTimeout", "connectionTimeout: 2s"];
    let mesh_wide = "type: MeshTimeout\nmesh: default\nname: everywhere\nspec:\n  to:\n    - targetRef:\n        kind: Mesh\n      default:\n        http:\n          streamIdleTimeout: ";
    let mut edits = Vec::new();
    edits.extend(replace("a policy of one service", &of_service, "2s", "3s"));
    edits.extend(replace(
        "a dataplane",
        &["type: Dataplane"],
        "version: v",
        "version: w",
    ));
    edits.extend(replace(
        "a permission of one service",
        &["type: MeshTrafficPermission", "workload/svc-1\n"],
        "workload/svc-1\n",
        "workload/svc-0\n",
    ));
    edits.extend(replace(
        "a policy of the clients of one service",
        &["type: MeshTimeout", "-clients", "idleTimeout: 1m"],
        "1m",
        "9m",
    ));
    edits.extend(replace(
        "a route",
        &["type: MeshHTTPRoute", "weight: 90"],
        "90",
        "80",
    ));
    edits.extend(replace(
        "a service",
        &["type: MeshService", "appProtocol: http"],
        "port: 80",
        "port: 81",
    ));
    edits.push(Edit {
        what: "a policy of the whole mesh",
        path: "everywhere.yaml".to_owned(),
        texts: [format!("{mesh_wide}40s\n"), format!("{mesh_wide}50s\n")],
    });
    edits
}

/// How many proxies are given something else.
fn affected(before: &Compiled, after: &Compiled) -> usize {
    let proxies = after.bundle.proxies.iter();
    let changed = |(kri, proxy): &(&mesh_bundle::Kri, &Arc<mesh_bundle::BundledProxy>)| {
        before.bundle.proxies.get(*kri).map(|proxy| &proxy.manifest) != Some(&proxy.manifest)
    };
    proxies.filter(changed).count()
}

/// The processor time of this process in milliseconds, all of its threads together: what others do on the machine counts
/// less in it than in the time on the wall.
fn processor() -> std::io::Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // The name of the process may hold anything, but ends at the last parenthesis; what follows begins with field 3.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let fields = fields.split_whitespace().skip(11).take(2);
    let ticks: f64 = fields.filter_map(|field| field.parse::<f64>().ok()).sum();
    Ok(ticks * 1_000.0 / TICKS_PER_SECOND)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Cargo adds arguments of its own.
    let mut arguments = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"));
    let root = PathBuf::from(arguments.next().ok_or("say which repository")?);
    let only = arguments.next().unwrap_or_default();
    // More than enough for a median, for whoever looks where the time goes.
    let commits = arguments.next().map_or(Ok(COMMITS), |more| more.parse())?;
    let mut commit = Commit::read(&root)?;
    let settings = Settings::default();
    let edits = edits(&commit).into_iter();
    for Edit { what, path, texts } in edits.filter(|edit| edit.what.contains(&only)) {
        commit.write(&path, texts[1].clone().into_bytes());
        let mut compiler = Compiler::default();
        let mut before = compiler.compile(&commit, &settings);
        let mut spans: Vec<Duration> = Vec::new();
        let (mut proxies, mut cpu) = (0, 0.0);
        for text in texts.iter().cycle().take(commits) {
            commit.write(&path, text.clone().into_bytes());
            let (started, ran) = (Instant::now(), processor()?);
            let after = compiler.compile(&commit, &settings);
            spans.push(started.elapsed());
            cpu += processor()? - ran;
            proxies = proxies.max(affected(&before, &after));
            before = after;
        }
        let cold = compile(&commit, &settings);
        assert_eq!(cold.bundle.encode()?, before.bundle.encode()?, "{what}");
        assert_eq!(cold.diagnostics, before.diagnostics, "{what}");
        spans.sort();
        let ms = |at: usize| {
            spans
                .get(at)
                .map_or(0.0, |span| span.as_secs_f64() * 1_000.0)
        };
        let (least, median, most) = (ms(0), ms(commits / 2), ms(commits.saturating_sub(1)));
        #[expect(clippy::cast_precision_loss, reason = "there are few")]
        let each = cpu / commits as f64;
        println!("{what}\t{proxies}\t{least:.1}\t{median:.1}\t{most:.1}\t{each:.1}");
    }
    Ok(())
}
