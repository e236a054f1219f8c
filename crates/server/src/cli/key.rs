//! `claviger key`: root keys.
//!
//! `generate` needs no settings. The others work on a database whose schema is there; they make none and migrate
//! none, for they run beside processes that serve. A key is shown once, by `generate`; the others say ids.

use std::{process::ExitCode, sync::Arc};

use clap::Subcommand;
use claviger_engine::{broker::Broker, vault::KeyRing};

use super::{doctor::sqlite_is_missing, open};
use crate::{config::Settings, out};

mod list;
mod rotate;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Print a new root key. Keep it where the database is not: whoever has both has every credential
    Generate(Generate),
    /// List the root keys: what each wraps, and which processes hold it
    List {
        /// Print one line of JSON instead
        #[arg(long)]
        json: bool,
    },
    /// Wrap every stored secret's data key with the first root key, while everything goes on
    Rotate(rotate::Args),
}

#[derive(clap::Args)]
pub(super) struct Generate {
    /// Its id: 1 to 32 of A-Z a-z 0-9 _ -, another than that of any key in use
    #[arg(long, default_value = "k1")]
    id: String,
}

pub(super) fn generate(args: &Generate) -> anyhow::Result<ExitCode> {
    out::line(KeyRing::generate_as(&args.id)?.expose())?;
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn run(command: Command, settings: &Settings) -> anyhow::Result<ExitCode> {
    match command {
        Command::Generate(args) => generate(&args),
        Command::List { json } => {
            let broker = broker(settings).await?;
            let listed = list::run(&broker, json).await;
            broker.store.close().await;
            listed
        }
        Command::Rotate(args) => {
            let broker = broker(settings).await?;
            let rotated = rotate::run(&args, &broker).await;
            broker.store.close().await;
            rotated
        }
    }
}

/// The broker over a database that is there and up to date.
async fn broker(settings: &Settings) -> anyhow::Result<Arc<Broker>> {
    let vault = open::vault(settings)?;
    anyhow::ensure!(!sqlite_is_missing(settings), "{} does not exist yet", settings.database_shown());
    let store = open::store(settings).await?;
    let (found, ours) = store.schema().await?;
    anyhow::ensure!(
        found == ours,
        "the database's schema is number {found}, not {ours}: run `claviger migrate` first"
    );
    open::broker(settings, store, vault, false).await
}
