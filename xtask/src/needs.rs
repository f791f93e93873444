//! What the machine must have, named precisely when it lacks it.
//!
//! Never installs anything: it says which package does.

use std::io::Write;
use std::process::{Command, Stdio};

/// One thing that a build or a test calls.
struct Need {
    what: &'static str,
    program: &'static str,
    args: &'static [&'static str],
    input: &'static str,
    remedy: &'static str,
}

const NEEDS: [Need; 3] = [
    Need {
        what: "a Rust toolchain (rust-toolchain.toml says which)",
        program: "rustc",
        args: &["--version"],
        input: "",
        remedy: "install rustup, see https://rustup.rs, and run the command again: it fetches the toolchain",
    },
    Need {
        // A compiler without the C library's headers is what `--no-install-recommends` leaves.
        what: "a C compiler with the C library's headers, for aws-lc and libgit2",
        program: "cc",
        args: &["-x", "c", "-c", "-o", "/dev/null", "-"],
        input: "#include <stdio.h>\n#include <pthread.h>\nint main(void) { return 0; }\n",
        remedy: "on Debian: apt-get install gcc libc6-dev",
    },
    Need {
        what: "git, which the tests and the demo make repositories with",
        program: "git",
        args: &["--version"],
        input: "",
        remedy: "on Debian: apt-get install git",
    },
];

/// Tries every need and names all that are lacking at once.
pub(crate) fn check() -> Result<(), String> {
    let lacking: Vec<String> = NEEDS.iter().filter_map(lack).collect();
    if lacking.is_empty() {
        Ok(())
    } else {
        Err(format!("error: this machine lacks\n{}", lacking.join("\n")))
    }
}

fn lack(need: &Need) -> Option<String> {
    let reason = attempt(need).err()?;
    let Need { what, remedy, .. } = need;
    Some(format!(
        "  - {what}\n      tried: {reason}\n      help: {remedy}"
    ))
}

fn attempt(need: &Need) -> Result<(), String> {
    let mut command = Command::new(need.program);
    command.args(need.args);
    let shown = spelled(&command);
    command.stdin(Stdio::piped());
    command.stdout(Stdio::null());
    command.stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .map_err(|error| format!("`{shown}`: {error}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that does not read its input closes the pipe; its status tells the rest.
        let _ = stdin.write_all(need.input.as_bytes());
    }
    let output = child
        .wait_with_output()
        .map_err(|error| format!("`{shown}`: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let first = stderr.lines().next().unwrap_or("no message");
    Err(format!("`{shown}`: {}: {first}", output.status))
}

/// The command as a person would type it.
pub(crate) fn spelled(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn need(program: &'static str, args: &'static [&'static str]) -> Need {
        Need {
            what: "a thing",
            program,
            args,
            input: "",
            remedy: "get it",
        }
    }

    #[test]
    fn a_program_that_is_not_there_is_named_with_its_remedy() {
        let said = lack(&need("no-such-program-of-ours", &["--version"])).unwrap();
        assert!(said.contains("no-such-program-of-ours --version"), "{said}");
        assert!(said.contains("help: get it"), "{said}");
    }

    #[test]
    fn a_program_that_fails_is_lacking_too() {
        let said = lack(&need("cargo", &["no-such-command"])).unwrap();
        assert!(said.contains("cargo no-such-command"), "{said}");
    }

    #[test]
    fn this_machine_lacks_nothing() {
        assert_eq!(check(), Ok(()));
    }
}
