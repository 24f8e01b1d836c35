//! The `stint` command.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    stint::cli::run(stint::cli::Cli::parse())
}
