//! `claviger workspace`: the tenant boundary.

use std::process::ExitCode;

use clap::Subcommand;
use claviger_engine::{
    domain::audit::Actor,
    setup::{self, Change, NewWorkspace},
    time::system_now,
};

use super::{open, user::At};
use crate::{config::Settings, out};

mod jwt_key;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Make a workspace, and print its client id and, this once, its secret
    Create {
        /// What its operators and the confirm page call it
        #[arg(long, default_value = "Default")]
        name: String,
        /// Its public client id; made up when absent
        #[arg(long)]
        client_id: Option<String>,
        /// A redirect URI to register, character for character; may be given several times
        #[arg(long = "redirect-uri", value_name = "URI")]
        redirect_uris: Vec<String>,
    },
    /// List the workspaces: client id and name
    List,
    /// Give a workspace another secret, and print it, this once. Tokens signed with the one before stop at once
    RollSecret {
        #[command(flatten)]
        at: At,
    },
    /// Public keys that the product's tokens are verified with
    #[command(subcommand)]
    JwtKey(jwt_key::Command),
}

pub(super) async fn run(command: Command, settings: &Settings) -> anyhow::Result<ExitCode> {
    match command {
        Command::Create { name, client_id, redirect_uris } => {
            let (vault, catalog) = (open::vault(settings)?, open::catalog()?);
            let store = open::current_store(settings).await?;
            let now = system_now();
            let mut conn = store.begin(Actor::Cli, now).await?;
            let mut to = Change { conn: &mut conn, vault: &vault, catalog: &catalog, now };
            let new = NewWorkspace { name, client_id, ..NewWorkspace::default() };
            let (workspace, secret) = setup::workspace(&mut to, new).await?;
            for uri in &redirect_uris {
                setup::redirect_uri(&mut to, &workspace.id, uri).await?;
            }
            conn.commit().await?;
            out::line(format_args!("client_id        {}", workspace.client_id))?;
            // What tokens name it by.
            out::line(format_args!("workspace_key    {}", workspace.client_id))?;
            out::line(format_args!("workspace_secret {}", secret.expose()))?;
            out::say("The secret is shown this once. Next: claviger api-key create");
            store.close().await;
        }
        Command::List => {
            let store = open::current_store(settings).await?;
            for workspace in store.read().await?.any_workspaces().await? {
                out::line(format_args!("{}  {}", workspace.client_id, workspace.name))?;
            }
            store.close().await;
        }
        Command::RollSecret { at } => {
            let (vault, catalog) = (open::vault(settings)?, open::catalog()?);
            let store = open::current_store(settings).await?;
            let now = system_now();
            let mut conn = store.begin(Actor::Cli, now).await?;
            let workspace = open::workspace(&mut conn, at.workspace.as_deref()).await?;
            let mut to = Change { conn: &mut conn, vault: &vault, catalog: &catalog, now };
            let secret = setup::roll_jwt_secret(&mut to, &workspace.id).await?;
            conn.commit().await?;
            out::line(format_args!("workspace_key    {}", workspace.client_id))?;
            out::line(format_args!("workspace_secret {}", secret.expose()))?;
            out::say("The secret is shown this once. Tokens signed with the one before no longer work");
            store.close().await;
        }
        Command::JwtKey(command) => jwt_key::run(command, settings).await?,
    }
    Ok(ExitCode::SUCCESS)
}
