//! `claviger client-key`: our own keys towards providers, by which an integration's client shows who it is.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::{Args, Subcommand};
use claviger_engine::{
    connect::client_key,
    domain::{audit::Actor, client_key::signing, integration::Integration},
    id::ClientKeyId,
    setup::{self, Change, client_key::client_keys},
    store::Conn,
    time::system_now,
};

use super::{open, user::At};
use crate::{
    config::{self, Settings},
    out,
};

#[derive(Subcommand)]
pub(super) enum Command {
    /// List an integration's keys: id, algorithm, since when it signs or from when on, and where they are published
    List {
        #[command(flatten)]
        of: Of,
    },
    /// Make a new key. It is published at once, and signs after a while, when servers that keep the key set for some
    /// time have seen it; the key before it stays until it is removed
    Rotate {
        #[command(flatten)]
        of: Of,
        /// How long the new key is published before it signs; 0s where the key before it must not sign any more
        #[arg(long, value_name = "TIME", default_value = "1h")]
        wait: String,
    },
    /// Remove a key, by its id. What it signed is worth nothing once servers have read the key set again
    Remove {
        /// The key's id (ckey_…), as `list` shows it
        key: String,
        #[command(flatten)]
        of: Of,
        /// Also while it signs
        #[arg(long)]
        force: bool,
    },
}

#[derive(Args)]
pub(super) struct Of {
    /// The integration's key or id
    #[arg(long, value_name = "KEY")]
    integration: String,
    /// One of its auth options, by key
    #[arg(long, value_name = "KEY")]
    option: Option<String>,
    #[command(flatten)]
    at: At,
}

pub(super) async fn run(command: Command, settings: &Settings) -> anyhow::Result<()> {
    let store = open::current_store(settings).await?;
    let catalog = open::catalog()?;
    let now = system_now();
    let mut conn = store.begin(Actor::Cli, now).await?;
    match command {
        Command::List { of } => {
            let integration = find(&mut conn, &of).await?;
            let vault = open::idle_vault()?;
            let mut to = Change { conn: &mut conn, vault: &vault, catalog: &catalog, now };
            let keys = client_keys(&mut to, &integration).await?;
            for key in &keys {
                let signs = signing(&keys, key.alg, now).is_some_and(|one| one.id == key.id);
                let state = if signs { "signs since" } else { "signs from" };
                let state = if !signs && key.signs_from <= now { "signed from" } else { state };
                let (alg, from) = (key.alg.as_str(), key.signs_from.rfc3339());
                out::line(format_args!("{}  {alg}  {state} {from}", key.id))?;
            }
            drop(conn);
            out::line(published(settings, &integration))?;
        }
        Command::Rotate { of, wait } => {
            let wait = parse(&wait)?;
            let vault = open::vault(settings)?;
            open::check_keys(&store, &vault).await?;
            let integration = find(&mut conn, &of).await?;
            let mut to = Change { conn: &mut conn, vault: &vault, catalog: &catalog, now };
            let made = setup::client_key::rotate_client_keys(&mut to, &integration, wait).await?;
            conn.commit().await?;
            for key in made {
                let (alg, from) = (key.alg.as_str(), key.signs_from.rfc3339());
                out::line(format_args!("{}  {alg}  signs from {from}", key.id))?;
            }
            out::line(published(settings, &integration))?;
        }
        Command::Remove { key, of, force } => {
            let integration = find(&mut conn, &of).await?;
            let id =
                ClientKeyId::parse(&key).with_context(|| format!("{key:?} is not a key's id (ckey_…)"))?;
            let vault = open::idle_vault()?;
            let mut to = Change { conn: &mut conn, vault: &vault, catalog: &catalog, now };
            setup::client_key::remove_client_key(&mut to, &integration, &id, force).await?;
            conn.commit().await?;
            out::line(format_args!("removed {id}"))?;
        }
    }
    store.close().await;
    Ok(())
}

async fn find(conn: &mut Conn, of: &Of) -> anyhow::Result<Integration> {
    let workspace = open::workspace(conn, of.at.workspace.as_deref()).await?.id;
    let found = conn.integration_by_selector(&workspace, &of.integration).await?;
    let found =
        found.ok_or_else(|| anyhow!("there is no integration {:?} in this workspace", of.integration))?;
    let as_of = conn.as_option(&workspace, found, of.option.as_deref()).await?;
    as_of.ok_or_else(|| {
        anyhow!("the integration has no auth option {:?}", of.option.as_deref().unwrap_or_default())
    })
}

fn parse(wait: &str) -> anyhow::Result<Duration> {
    config::value::duration(wait).ok_or_else(|| anyhow!("--wait: must be a time such as 1h or 90m: {wait:?}"))
}

fn published(settings: &Settings, integration: &Integration) -> String {
    let url = client_key::url(&settings.public_url, integration);
    format!("published at {url}")
}
