//! `claviger api-key`: how a product's server proves its workspace.

use std::{process::ExitCode, time::Duration};

use anyhow::{Context as _, anyhow};
use clap::Subcommand;
use claviger_engine::{
    domain::{api_key::Scope, audit::Actor},
    id::ApiKeyId,
    setup::{self, Change, NewApiKey},
    time::system_now,
};

use super::open;
use crate::{config::Settings, out};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Make a key and print it, this once
    Create {
        /// The workspace's client id; may be left out when there is only one
        #[arg(long, value_name = "CLIENT_ID")]
        workspace: Option<String>,
        /// What you call the key
        #[arg(long, default_value = "default")]
        name: String,
        /// What it may do: management, proxy, read-only; may be given several times [default: management and proxy]
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<String>,
        /// Limit it to one integration, by id or key
        #[arg(long, value_name = "INTEGRATION")]
        integration: Option<String>,
        /// Let it expire after so many days
        #[arg(long, value_name = "DAYS")]
        expires_in_days: Option<u32>,
    },
    /// Stop a key, by its id or its first characters
    Revoke {
        /// The key's id (key_…) or its first characters as `list` shows them
        key: String,
        /// The workspace's client id; may be left out when there is only one
        #[arg(long, value_name = "CLIENT_ID")]
        workspace: Option<String>,
    },
    /// List a workspace's keys: id, first characters, name, state
    List {
        /// The workspace's client id; may be left out when there is only one
        #[arg(long, value_name = "CLIENT_ID")]
        workspace: Option<String>,
    },
}

pub(super) async fn run(command: Command, settings: &Settings) -> anyhow::Result<ExitCode> {
    let store = open::current_store(settings).await?;
    let now = system_now();
    let mut conn = store.begin(Actor::Cli, now).await?;
    match command {
        Command::Create { workspace, name, scopes, integration, expires_in_days } => {
            let workspace = open::workspace(&mut conn, workspace.as_deref()).await?.id;
            let integration_id = match integration {
                Some(selector) => {
                    let found = conn.integration_by_selector(&workspace, &selector).await?;
                    Some(
                        found
                            .ok_or_else(|| anyhow!("there is no integration {selector:?} in this workspace"))?
                            .id,
                    )
                }
                None => None,
            };
            let expires_at =
                expires_in_days.map(|days| now.plus(Duration::from_secs(u64::from(days) * 86_400)));
            let (vault, catalog) = (open::idle_vault()?, open::catalog()?);
            let mut to = Change { conn: &mut conn, vault: &vault, catalog: &catalog, now };
            let new = NewApiKey { name, scopes: read_scopes(&scopes)?, integration_id, expires_at };
            let (key, text) = setup::api_key(&mut to, &workspace, new).await?;
            conn.commit().await?;
            out::line(text.expose())?;
            out::say(format_args!(
                "Key {}, shown this once. Revoke it with: claviger api-key revoke {0}",
                key.id
            ));
        }
        Command::Revoke { key, workspace } => {
            let workspace = open::workspace(&mut conn, workspace.as_deref()).await?.id;
            let id = match ApiKeyId::parse(&key) {
                Some(id) => id,
                None => find(&conn.api_keys(&workspace).await?, &key)?,
            };
            anyhow::ensure!(
                conn.revoke_api_key(&workspace, &id, now).await?,
                "there is no such key in this workspace, or it was revoked before"
            );
            conn.commit().await?;
            out::line(format_args!("revoked {id}"))?;
        }
        Command::List { workspace } => {
            let workspace = open::workspace(&mut conn, workspace.as_deref()).await?.id;
            for key in conn.api_keys(&workspace).await? {
                let state = match (key.revoked_at, key.expires_at) {
                    (Some(at), _) => format!("revoked {}", at.rfc3339()),
                    (None, Some(at)) if at <= now => format!("expired {}", at.rfc3339()),
                    (None, Some(at)) => format!("expires {}", at.rfc3339()),
                    (None, None) => "active".to_owned(),
                };
                let scopes: Vec<&str> = key.scopes.iter().map(|s| s.as_str()).collect();
                out::line(format_args!(
                    "{}  {}…  {}  {}  {state}",
                    key.id,
                    key.prefix,
                    key.name,
                    scopes.join(",")
                ))?;
            }
            // Closing waits for every connection.
            drop(conn);
        }
    }
    store.close().await;
    Ok(ExitCode::SUCCESS)
}

fn read_scopes(given: &[String]) -> anyhow::Result<Vec<Scope>> {
    if given.is_empty() {
        return Ok(vec![Scope::Management, Scope::Proxy]);
    }
    let read = |text: &String| Scope::parse(text);
    given.iter().map(read).collect::<Option<_>>().context("--scope: must be management, proxy or read-only")
}

fn find(keys: &[claviger_engine::domain::api_key::ApiKey], shown: &str) -> anyhow::Result<ApiKeyId> {
    // The whole key may be given too, by someone who has just found it where it should not be.
    let mut found = keys.iter().filter(|k| k.revoked_at.is_none() && shown.starts_with(&k.prefix));
    match (found.next(), found.next()) {
        (Some(key), None) => Ok(key.id.clone()),
        (None, _) => {
            Err(anyhow!("no active key of this workspace begins like that: see `claviger api-key list`"))
        }
        (Some(_), Some(_)) => Err(anyhow!("several keys begin like that: give the id")),
    }
}
