//! The program itself, as a user has it: the quickstart, its death at any moment, the walkthrough, the command line.
//!
//! Everything runs the binary that Cargo built, in folders of its own; parameters are made once and shared.

mod ceremony;
mod command_line;
mod desk;
mod kill;
mod program;
mod quickstart;
mod token;
mod up;
mod walkthrough;
