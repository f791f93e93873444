//! Standard output and standard error.
//!
//! Never fails because the reader went away: `meshc check | head` is no error. Nor does it hide what was found: the exit
//! code is the one that it would have been.

use std::io::{ErrorKind, Write};

use anyhow::anyhow;

/// Where text goes.
#[derive(Debug, Default)]
pub(super) struct Output {
    closed: bool,
}

impl Output {
    /// Results.
    pub(super) fn tell(&mut self, text: &str) -> Result<(), anyhow::Error> {
        self.bytes(text.as_bytes())
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Result<(), anyhow::Error> {
        let mut stdout = std::io::stdout().lock();
        let written = stdout.write_all(bytes).and_then(|()| stdout.flush());
        match written {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            Err(error) => Err(anyhow!(error).context("cannot write to standard output")),
            Ok(()) => Ok(()),
        }
    }

    /// What is no result.
    pub(super) fn complain(&mut self, text: &str) {
        // Nobody is left to tell when this fails.
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }

    /// Has the reader gone away?
    pub(super) fn closed(&self) -> bool {
        self.closed
    }
}
