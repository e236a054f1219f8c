//! `claviger backup`: a copy of a live SQLite database.
//!
//! Needs no root key and takes none along: what is sealed stays sealed.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, bail};

use super::{doctor::sqlite_is_missing, open};
use crate::{app, config::Settings, out};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Where the copy goes; it must not exist yet
    file: PathBuf,
}

pub(super) async fn run(args: &Args, settings: &Settings) -> anyhow::Result<ExitCode> {
    if !settings.database_url.expose().starts_with("sqlite:") {
        bail!(
            "a PostgreSQL database is backed up with its own tools, while Claviger runs:\n\n    \
             pg_dump --format=custom --file={} \"$CLAVIGER_DATABASE_URL\"\n\n\
             Keep the root key apart from it: without the key no stored credential can be opened",
            args.file.display()
        );
    }
    if sqlite_is_missing(settings) {
        bail!("{} does not exist: correct database_url", settings.database_shown());
    }
    let store = open::store(settings).await?;
    out::say(format_args!("copying {} to {}", settings.database_shown(), args.file.display()));
    let mut stop = app::on_signal()?;
    let copied = tokio::select! {
        copied = store.backup(&args.file) => copied,
        _ = stop.wait_for(|stop| *stop) => bail!("stopped; nothing was kept"),
    };
    let copied = copied.with_context(|| format!("no backup was made at {}", args.file.display()))?;
    store.close().await;
    tell(&args.file, copied.bytes, copied.schema);
    Ok(ExitCode::SUCCESS)
}

fn tell(file: &Path, bytes: u64, schema: i64) {
    out::say(format_args!(
        "done: {} ({bytes} bytes, schema number {schema}), checked and on the disk\n\
         The root key is not in it. Keep a copy of the key elsewhere: without it no credential in this backup can be \
         opened, and with both, every one.",
        file.display()
    ));
}
