//! `claviger apply`: makes the installation what a YAML file says.
//!
//! [`file`] reads the file and its secrets, [`plan`] compares and changes, all in one transaction that is simply
//! not committed for `--dry-run`. A second run finds nothing to do. Secrets come from the environment or from
//! files; none is ever printed. What may be configured is the engine's `setup`.

use std::{path::PathBuf, process::ExitCode};

use claviger_engine::{domain::audit::Actor, secret::token, setup::Change, store::Store, time::system_now};

use super::{doctor::sqlite_is_missing, open};
use crate::config::Settings;

mod apps;
mod auth_options;
#[cfg(test)]
mod brand_tests;
mod certificates;
mod file;
mod integrations;
mod jwt_keys;
#[cfg(test)]
mod jwt_keys_tests;
mod keys;
#[cfg(test)]
mod options_tests;
mod people;
#[cfg(test)]
mod people_tests;
mod plan;
mod sharing;
#[cfg(test)]
mod tests;
mod told;
mod webhooks;

#[derive(clap::Args)]
pub(super) struct Args {
    /// The YAML file
    #[arg(short, long)]
    file: PathBuf,
    /// Print what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Also remove what the file does not name
    #[arg(long)]
    prune: bool,
    /// Print one line of JSON instead: what was done, and each integration's id and callback URL
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &Args, settings: &Settings) -> anyhow::Result<ExitCode> {
    let wanted = file::read(&args.file)?;
    let (vault, catalog) = (open::vault(settings)?, open::catalog()?);
    let (store, scratch) =
        if args.dry_run { untouched(settings).await? } else { (open::current_store(settings).await?, None) };
    let now = system_now();
    let mut conn = store.begin(Actor::Cli, now).await?;
    let mut to = Change { conn: &mut conn, vault: &vault, catalog: &catalog, now };
    let done = carry_out(&mut to, &wanted, args, settings).await;
    let done = match done {
        Ok(done) if !args.dry_run => {
            conn.commit().await?;
            Ok(done)
        }
        other => {
            drop(conn);
            other
        }
    };
    store.close().await;
    if let Some(dir) = scratch {
        std::fs::remove_dir_all(dir)?;
    }
    let done = done?;
    if args.json {
        done.json(args.dry_run)?;
    } else {
        done.text(args.dry_run)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes it so, and gathers what is told about it.
async fn carry_out(
    to: &mut Change<'_>,
    wanted: &file::Wanted,
    args: &Args,
    settings: &Settings,
) -> anyhow::Result<told::Told> {
    let steps = plan::carry_out(to, wanted, args.prune).await?;
    let workspaces =
        if args.dry_run { Vec::new() } else { told::gather(to, wanted, &settings.public_url).await? };
    Ok(told::Told { steps, workspaces })
}

/// The database for a dry run, whose schema must not be touched: the real one if it is up to date, and an empty
/// one in a temporary folder if there is none yet.
async fn untouched(settings: &Settings) -> anyhow::Result<(Store, Option<PathBuf>)> {
    if !sqlite_is_missing(settings) {
        let store = open::store(settings).await?;
        let (found, ours) = store.schema().await?;
        if found == ours {
            return Ok((store, None));
        }
        store.close().await;
        anyhow::ensure!(
            found == 0,
            "the database's schema is number {found}, not {ours}: run `claviger migrate` first"
        );
    }
    let dir = std::env::temp_dir().join(format!("claviger-plan-{}", &token()?.expose()[..16]));
    std::fs::create_dir(&dir)?;
    let store = Store::open(&format!("sqlite://{}", dir.join("empty.db").display())).await?;
    store.migrate().await?;
    Ok((store, Some(dir)))
}
