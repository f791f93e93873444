//! Compiling one commit after the other: what is known of a file is not found out again.
//!
//! Never answers anything else than [`compile`](crate::compile) does of the same files: what is kept is a function of the path, the bytes and
//! the settings alone. Never keeps anything of files that are gone.

use crate::analysis::Analysis;
use crate::compile::{Compiled, Judgement, judge};
use crate::lower::{Memory, Purpose};
use crate::model::Settings;
use crate::reading::{Known, Readings};
use crate::world::World;

/// A compiler that remembers the last repository.
#[derive(Debug, Default)]
pub struct Compiler {
    /// What is known was read with these.
    settings: Settings,
    files: Known,
    /// What was made of them.
    memory: Memory,
}

impl Compiler {
    /// Compiles a repository, faster where most of it is as it was the last time.
    pub fn compile(&mut self, world: &dyn World, settings: &Settings) -> Compiled {
        self.judge(world, settings).compiled()
    }

    /// The same, with what it was compiled from, for questions.
    pub(crate) fn analyse(&mut self, world: &dyn World, settings: &Settings) -> Analysis {
        let judgement = self.judge(world, settings);
        Analysis::new(judgement, &self.memory, settings)
    }

    fn judge(&mut self, world: &dyn World, settings: &Settings) -> Judgement {
        // The time says nothing about what stands in a file.
        let timeless = Settings {
            now: None,
            ..settings.clone()
        };
        if self.settings != timeless {
            self.settings = timeless;
            self.files.clear();
            self.memory = Memory::default();
        }
        let readings = Readings::of(world, settings, Some(&self.files));
        let judgement = judge(&readings, settings, Purpose::Bundle, &mut self.memory);
        self.files = readings.known();
        judgement
    }
}

#[cfg(test)]
mod tests;
