//! `cargo xtask bench compile`: what `meshc check` costs, measured on the process that users start, and what compiling
//! again costs after a commit of one file; and `cargo xtask bench lsp`: what an editor waits for.
//!
//! Never a test: it prints whether the goals hold, and fails for none, since machines differ.

pub(crate) mod delivery;
pub(crate) mod proxy;
mod repository;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::{cargo, run, tell};

/// Where nothing else is said.
const SIZES: [usize; 3] = [1_000, 10_000, 50_000];
/// Runs of each size: enough for a median on a noisy machine.
const RUNS: usize = 5;
/// The size that the goals are about, on two processors.
const JUDGED: usize = 10_000;
/// Milliseconds that a cold check of it may take.
const COLD: f64 = 400.0;
/// MiB that it may hold.
const HELD: f64 = 150.0;
/// Milliseconds that compiling it again may take, where few proxies are affected and where more are.
const FEW: f64 = 10.0;
const ALL: f64 = 300.0;
/// Milliseconds that an answer to an editor may take.
const KEYSTROKE: f64 = 50.0;
/// Milliseconds that a thousand tests of it may take, once it is compiled.
const INTENTS: f64 = 50.0;
/// What counts as few.
const FEW_PROXIES: usize = 100;
/// How much dearer one resource of the largest repository may be than one of the smallest: more is not linear.
const LINEAR: f64 = 1.5;
/// Between two looks at the memory of the process.
const LOOK: Duration = Duration::from_millis(1);
/// Of the processor times in `/proc`, on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// One run of the process.
struct Cost {
    wall: Duration,
    /// Processor time in milliseconds, as fine as the kernel's tick.
    cpu: f64,
    /// The most memory that it held, in MiB.
    peak: f64,
}

/// Builds `meshc` in release, and checks a generated repository of each size with it.
pub(crate) fn compile(sizes: &[&str]) -> Result<(), String> {
    let sizes: Vec<usize> = match sizes {
        [] => SIZES.to_vec(),
        sizes => sizes
            .iter()
            .map(|size| read(size))
            .collect::<Result<_, _>>()?,
    };
    let build = [
        "build",
        "--release",
        "--locked",
        "--package",
        "mesh-compiler",
    ];
    let mut build = cargo(&build);
    build.args(["--bin", "meshc"]);
    run(build)?;
    let target = target();
    let meshc = target.join("release").join("meshc");
    tell(
        "| resources | wall ms min / median / max | CPU ms median | us CPU per resource | peak RSS MiB | goals |\n",
    );
    tell("|---|---|---|---|---|---|\n");
    let mut each = Vec::new();
    for &size in &sizes {
        let repository = target.join("bench").join(format!("{size}"));
        generate(&repository, size)
            .map_err(|error| format!("error: cannot write {}: {error}", repository.display()))?;
        let costs = (0..RUNS).map(|_| check(&meshc, &repository));
        let costs = costs.collect::<Result<Vec<Cost>, String>>()?;
        let (row, cost) = row(size, &costs);
        each.push(cost);
        tell(&row);
    }
    if let (Some(first), Some(last)) = (each.first(), each.last()) {
        let times = last / first;
        let verdict = verdict(times, LINEAR);
        tell(&format!(
            "\nA resource of the largest repository costs {times:.2} times one of the smallest (goal {LINEAR}): {verdict}\n"
        ));
    }
    for &size in sizes.iter().filter(|size| **size <= JUDGED) {
        let repository = target.join("bench").join(format!("{size}"));
        recompile(&repository, size)?;
        intents(&repository, size)?;
    }
    Ok(())
}

/// Asks a thousand tests of it.
fn intents(repository: &Path, size: usize) -> Result<(), String> {
    let services = repository::services(size).to_string();
    for line in measured("intents", repository, &[&services])?.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        if let [tests, questions, least, median, most] = fields.as_slice() {
            let verdict = verdict(median.parse().unwrap_or(f64::MAX), INTENTS);
            tell(&format!(
                "\n{tests} tests of {size} resources, {questions} questions: {least} / {median} / {most} ms after compiling (goal {INTENTS} ms): {verdict}\n"
            ));
        }
    }
    Ok(())
}

/// Compiles again after commits of one file, in one process as meshd does.
fn recompile(repository: &Path, size: usize) -> Result<(), String> {
    let lines = measured("recompile", repository, &[])?;
    tell(&format!(
        "\n| {size} resources, after a commit of | proxies affected | wall ms min / median / max | CPU ms mean | goal |\n|---|---|---|---|---|\n"
    ));
    for line in lines.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        if let [what, proxies, least, median, most, cpu] = fields.as_slice() {
            let few = proxies
                .parse()
                .is_ok_and(|proxies: usize| proxies <= FEW_PROXIES);
            let goal = if few { FEW } else { ALL };
            let verdict = verdict(median.parse().unwrap_or(f64::MAX), goal);
            tell(&format!(
                "| {what} | {proxies} | {least} / {median} / {most} | {cpu} | {goal} ms: {verdict} |\n"
            ));
        }
    }
    Ok(())
}

/// What an editor waits for after a keystroke.
pub(crate) fn keystroke(size: Option<&str>) -> Result<(), String> {
    let size = size.map_or(Ok(JUDGED), read)?;
    let repository = target().join("bench").join(format!("{size}"));
    generate(&repository, size)
        .map_err(|error| format!("error: cannot write {}: {error}", repository.display()))?;
    let lines = measured("keystroke", &repository, &[])?;
    tell(&format!(
        "| {size} resources | wall ms min / median / max | goal |\n|---|---|---|\n"
    ));
    for line in lines.lines() {
        if let [what, least, median, most] = line.split('\t').collect::<Vec<_>>().as_slice() {
            let goal = match what.contains("first time") {
                true => String::new(),
                false => {
                    let verdict = verdict(median.parse().unwrap_or(f64::MAX), KEYSTROKE);
                    format!("{KEYSTROKE} ms: {verdict}")
                }
            };
            tell(&format!(
                "| {what} | {least} / {median} / {most} | {goal} |\n"
            ));
        }
    }
    Ok(())
}

/// What a benchmark of the compiler prints about a repository.
fn measured(bench: &str, repository: &Path, more: &[&str]) -> Result<String, String> {
    let repository = fs::canonicalize(repository)
        .map_err(|error| format!("error: no {}: {error}", repository.display()))?;
    let arguments = ["bench", "--quiet", "--locked", "--package", "mesh-compiler"];
    let mut command = cargo(&arguments);
    command
        .args(["--bench", bench, "--"])
        .arg(repository)
        .args(more);
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| format!("error: cargo does not start: {error}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(format!("error: the benchmark {bench} failed")),
    }
}

fn verdict(figure: f64, goal: f64) -> &'static str {
    match figure <= goal {
        true => "holds",
        false => "does not hold",
    }
}

fn read(size: &str) -> Result<usize, String> {
    let usable = size.parse().ok().filter(|size| *size >= 10);
    usable.ok_or_else(|| {
        format!("error: `{size}` is no number of resources, of which ten are the least")
    })
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from)
}

fn generate(repository: &Path, size: usize) -> io::Result<()> {
    if repository.exists() {
        fs::remove_dir_all(repository)?;
    }
    repository::write(repository, size)
}

fn check(meshc: &Path, repository: &Path) -> Result<Cost, String> {
    let failed = |error: io::Error| format!("error: `{} check` failed: {error}", meshc.display());
    let before = children().map_err(failed)?;
    let started = Instant::now();
    let mut child = Command::new(meshc)
        .arg("check")
        .arg(repository)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .map_err(failed)?;
    let mut peak = 0.0;
    let status = loop {
        if let Some(status) = child.try_wait().map_err(failed)? {
            break status;
        }
        peak = held(child.id()).unwrap_or(peak);
        std::thread::sleep(LOOK);
    };
    let wall = started.elapsed();
    if !status.success() {
        return Err(format!(
            "error: meshc finds errors in {}",
            repository.display()
        ));
    }
    let cpu = children().map_err(failed)? - before;
    Ok(Cost { wall, cpu, peak })
}

/// The processor time of all children that have ended, in milliseconds.
fn children() -> io::Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // The name of the process may hold anything, but ends at the last parenthesis; what follows begins with field 3.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks: f64 = fields
        .split_whitespace()
        .skip(13)
        .take(2)
        .filter_map(|f| f.parse::<f64>().ok())
        .sum();
    Ok(ticks * 1_000.0 / TICKS_PER_SECOND)
}

/// The most memory that a process has held so far, in MiB.
fn held(process: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib / 1_024.0)
}

/// A line of the table, and what one resource costs.
fn row(size: usize, costs: &[Cost]) -> (String, f64) {
    let sorted = |of: fn(&Cost) -> f64| {
        let mut values: Vec<f64> = costs.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or_default();
        (
            at(0),
            at(values.len() / 2),
            at(values.len().saturating_sub(1)),
        )
    };
    let (least, wall, most) = sorted(|cost| cost.wall.as_secs_f64() * 1_000.0);
    let (_, cpu, _) = sorted(|cost| cost.cpu);
    let (.., peak) = sorted(|cost| cost.peak);
    #[expect(clippy::cast_precision_loss, reason = "sizes are small")]
    let each = cpu * 1_000.0 / size as f64;
    let goals = match size {
        JUDGED => format!(
            "{COLD} ms: {}; {HELD} MiB: {}",
            verdict(wall, COLD),
            verdict(peak, HELD)
        ),
        _ => String::new(),
    };
    let row = format!(
        "| {size} | {least:.0} / {wall:.0} / {most:.0} | {cpu:.0} | {each:.0} | {peak:.0} | {goals} |\n"
    );
    (row, each)
}
