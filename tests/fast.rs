//! Everything that needs no process of its own: cases, golden files, the command line, and the invariants of the house.

mod cases;
mod cli;
mod golden;
mod tidy;
