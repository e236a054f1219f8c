//! `claviger workspace jwt-key`: public keys that a product's tokens are verified with.

use std::{
    io::{self, Read as _},
    path::PathBuf,
};

use anyhow::{Context as _, anyhow};
use clap::Subcommand;
use claviger_engine::{
    domain::{audit::Actor, jwt_key::Algorithm},
    setup::{self, Change, NewJwtKey},
    time::system_now,
};

use crate::{
    cli::{open, user::At},
    config::Settings,
    out,
};

#[derive(Subcommand)]
pub(in crate::cli) enum Command {
    /// Register a public key
    Add {
        /// What tokens call it in `kid`
        name: String,
        /// The one algorithm it is for: RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512 or EdDSA
        #[arg(long)]
        algorithm: String,
        /// The file with the key in PEM; - reads it from stdin
        file: PathBuf,
        #[command(flatten)]
        at: At,
    },
    /// List a workspace's public keys: name, algorithm, since when
    List {
        #[command(flatten)]
        at: At,
    },
    /// Remove a public key. Tokens that it verifies stop at once
    Remove {
        /// Its name
        name: String,
        #[command(flatten)]
        at: At,
    },
}

pub(super) async fn run(command: Command, settings: &Settings) -> anyhow::Result<()> {
    let store = open::current_store(settings).await?;
    let now = system_now();
    let mut conn = store.begin(Actor::Cli, now).await?;
    match command {
        Command::Add { name, algorithm, file, at } => {
            let new = NewJwtKey { name, algorithm: read(&algorithm)?, public_key: text(&file)? };
            let workspace = open::workspace(&mut conn, at.workspace.as_deref()).await?.id;
            let (vault, catalog) = (open::idle_vault()?, open::catalog()?);
            let mut to = Change { conn: &mut conn, vault: &vault, catalog: &catalog, now };
            let key = setup::jwt_key(&mut to, &workspace, &new).await?;
            conn.commit().await?;
            out::line(format_args!("{}  {}", key.name, key.algorithm.as_str()))?;
        }
        Command::List { at } => {
            let workspace = open::workspace(&mut conn, at.workspace.as_deref()).await?.id;
            for key in conn.jwt_keys(&workspace).await? {
                let (algorithm, since) = (key.algorithm.as_str(), key.created_at.rfc3339());
                out::line(format_args!("{}  {algorithm}  {since}", key.name))?;
            }
            drop(conn);
        }
        Command::Remove { name, at } => {
            let workspace = open::workspace(&mut conn, at.workspace.as_deref()).await?.id;
            let found = conn.jwt_keys(&workspace).await?.into_iter().find(|key| key.name == name);
            let found = found.ok_or_else(|| anyhow!("there is no JWT key {name:?} in this workspace"))?;
            conn.delete_jwt_key(&workspace, &found.id).await?;
            conn.commit().await?;
            out::line(format_args!("removed {name}"))?;
        }
    }
    store.close().await;
    Ok(())
}

fn read(algorithm: &str) -> anyhow::Result<Algorithm> {
    let all = || Algorithm::ALL.map(Algorithm::as_str).join(", ");
    Algorithm::parse(algorithm).ok_or_else(|| anyhow!("--algorithm: must be one of {}", all()))
}

fn text(file: &PathBuf) -> anyhow::Result<String> {
    if file.as_os_str() == "-" {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).context("the key can't be read from stdin")?;
        return Ok(text);
    }
    std::fs::read_to_string(file).with_context(|| format!("{} can't be read", file.display()))
}
