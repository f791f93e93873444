//! `cargo xtask demo`: the example shop as a mesh of real processes, and six claims about it, proved with what was measured here.
//!
//! Never a second harness: it tells the story of the end-to-end tests to a person.

mod claims;
mod keep;
mod table;

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use mesh_tests::{Block, Mesh, Options};

use claims::Proof;

/// What is made a mesh of.
const EXAMPLE: &str = "shop";

#[tokio::main]
async fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let keep = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => false,
        ["--keep"] => true,
        _ => {
            say("usage: mesh-demo [--keep]\n");
            return ExitCode::from(2);
        }
    };
    let options = Options::on(Block::as_written(), EXAMPLE);
    let taken = options.taken();
    if !taken.is_empty() {
        say("these addresses are taken, by another demo or by something else on this machine:\n");
        for address in taken {
            say(&format!("  {address}\n"));
        }
        return ExitCode::FAILURE;
    }
    // A wait of the harness that ends without success panics; the table says it where it belongs.
    std::panic::set_hook(Box::new(|_| ()));
    say("starting a mesh from examples/shop …\n");
    let mesh = match attempt(options.start()).await {
        Ok(mesh) => Arc::new(mesh),
        Err(reason) => {
            say(&format!("the mesh does not start: {reason}\n"));
            return ExitCode::FAILURE;
        }
    };
    let failed = prove(&mesh).await;
    say(&table::figures(&mesh));
    if keep {
        say(&keep::look_around(&mesh).await);
        keep::until_stopped().await;
    }
    if failed.is_empty() {
        say("all six claims hold\n");
        return ExitCode::SUCCESS;
    }
    say(&format!("claims that do not hold: {}\n", failed.join(", ")));
    ExitCode::FAILURE
}

/// The numbers of the claims that do not hold.
async fn prove(mesh: &Arc<Mesh>) -> Vec<String> {
    let mut failed = Vec::new();
    for (number, claim) in (1..).zip(claims::TITLES) {
        let proof = attempt(claims::prove(number, Arc::clone(mesh))).await;
        let proof = proof.unwrap_or_else(|reason| Proof::failed(&reason));
        if !proof.holds() {
            failed.push(format!("{number} ({claim})"));
        }
        say(&table::row(number, claim, &proof));
    }
    failed
}

/// Runs a part of the story and returns its value, or why there is none.
async fn attempt<T: Send + 'static>(
    part: impl Future<Output = T> + Send + 'static,
) -> Result<T, String> {
    let error = match tokio::spawn(part).await {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    let Ok(panic) = error.try_into_panic() else {
        return Err("it was stopped".to_owned());
    };
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    Err(text.unwrap_or_else(|| "for no reason that is known".to_owned()))
}

fn say(text: &str) {
    // Nobody is left to tell when stdout is closed.
    let _ = std::io::stdout().write_all(text.as_bytes());
    let _ = std::io::stdout().flush();
}
