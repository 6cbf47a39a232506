//! What the repository does to itself: `cargo xtask test` is the test command, `cargo xtask codegen` writes the
//! generated code that is committed.

#[cfg(test)]
mod architecture;
mod codegen;
#[cfg(test)]
mod deploy;
mod full;
mod fuzz;
mod interop;
mod kryoptic;
mod smt;
mod test;
mod tools;
mod vectors;
mod wasm;

use clap::{Parser, Subcommand};

/// Bauta's own tasks.
#[derive(Parser)]
#[command(name = "cargo xtask", max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install or name what is missing, then run all that continuous integration runs.
    Test(test::Options),
    /// Let snarkjs, circomlibjs and gnark judge what a quickstart exports, and altered copies of it.
    Interop,
    /// Run every fuzz target for its share of the time; exit status 1 if one crashed.
    Fuzz(fuzz::Options),
    /// Run the parsers' and codecs' unit tests under Miri (nightly), a part of `test --full`.
    Miri(full::Options),
    /// Generate the signers' gRPC code from its .proto file, without protoc.
    Codegen {
        /// Compare with the committed code instead of writing it; exit status 1 if it differs.
        #[arg(long)]
        check: bool,
    },
    /// Build kryoptic's PKCS#11 module and print its path, or run the signers' token tests on it, a part of `test --full`.
    Kryoptic(kryoptic::Options),
    /// Prove the circuits' small gadgets over the field with cvc5.
    Smt,
    /// Let the verifier in Python judge the presentations' test vectors, and altered ones.
    Vectors(vectors::Options),
    /// Prove and show in WebAssembly, in Node and in headless Chromium, and verify natively.
    Wasm(wasm::Options),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().task {
        Task::Test(options) => test::run(&options),
        Task::Interop => interop::run(),
        Task::Fuzz(options) => fuzz::run(&options),
        Task::Miri(options) => full::run(&options),
        Task::Codegen { check } => codegen::run(check),
        Task::Kryoptic(options) => kryoptic::run(&options),
        Task::Smt => smt::run(),
        Task::Vectors(options) => vectors::run(&options),
        Task::Wasm(options) => wasm::run(&options),
    }
}
