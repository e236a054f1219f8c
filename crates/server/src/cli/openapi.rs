//! `claviger openapi`: the OpenAPI document of a door.

use std::process::ExitCode;

use clap::ValueEnum;

use crate::{
    out,
    surface::{bundleup, informer, membrane},
};

/// Which door's.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The door
    #[arg(value_enum, default_value = "bundleup")]
    door: Door,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Door {
    Bundleup,
    Informer,
    Membrane,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let document = match args.door {
        Door::Bundleup => bundleup::openapi::document()?,
        Door::Informer => informer::openapi::document()?,
        Door::Membrane => membrane::openapi::document()?,
    };
    out::line(document.trim_end())?;
    Ok(ExitCode::SUCCESS)
}
