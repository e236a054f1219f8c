//! `claviger key`: root keys.

use std::process::ExitCode;

use clap::Subcommand;
use claviger_engine::vault::KeyRing;

use crate::out;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Print a new root key. Keep it where the database is not: whoever has both has every credential
    Generate,
}

pub(super) fn run(command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Generate => out::line(KeyRing::generate()?.expose())?,
    }
    Ok(ExitCode::SUCCESS)
}
