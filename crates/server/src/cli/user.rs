//! `claviger user`: who signs in at the Informer-style door.

use std::{io, process::ExitCode};

use anyhow::{Context as _, anyhow};
use clap::Subcommand;
use claviger_engine::{
    domain::audit::Actor,
    secret::{Secret, token},
    setup::{self, Change, NewUser},
    store::Page,
    time::system_now,
    vault::{KeyRing, Vault},
};

use super::open;
use crate::{config::Settings, out};

/// Characters of a password that is made up: 120 bits.
const MADE_UP: usize = 20;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Make a user. Its password is made up and printed, this once, unless it comes from stdin
    Create {
        /// The name it signs in with
        username: String,
        /// Its e-mail address
        #[arg(long)]
        email: Option<String>,
        /// Let it do everything in its workspace
        #[arg(long)]
        superuser: bool,
        /// Something it may do; may be given several times
        #[arg(long = "permission", value_name = "PERMISSION")]
        permissions: Vec<String>,
        #[command(flatten)]
        common: Common,
    },
    /// Give a user a new password, and let it sign in again if it was disabled
    Reset {
        /// The name it signs in with
        username: String,
        #[command(flatten)]
        common: Common,
    },
    /// List a workspace's users
    List {
        /// The workspace's client id; may be left out when there is only one
        #[arg(long, value_name = "CLIENT_ID")]
        workspace: Option<String>,
    },
}

#[derive(clap::Args)]
pub(super) struct Common {
    /// Read the password from the first line of stdin
    #[arg(long)]
    password_stdin: bool,
    /// The workspace's client id; may be left out when there is only one
    #[arg(long, value_name = "CLIENT_ID")]
    workspace: Option<String>,
}

pub(super) async fn run(command: Command, settings: &Settings) -> anyhow::Result<ExitCode> {
    let store = open::current_store(settings).await?;
    let now = system_now();
    match command {
        Command::Create { username, email, superuser, permissions, common } => {
            let (password, made_up) = password(&common)?;
            let mut conn = store.begin(Actor::Cli, now).await?;
            let workspace = open::workspace(&mut conn, common.workspace.as_deref()).await?.id;
            // A password is hashed, not sealed: any vault will do.
            let vault = Vault::new(KeyRing::parse(KeyRing::generate()?.expose())?);
            let catalog = open::catalog()?;
            let mut to = Change { conn: &mut conn, vault: &vault, catalog: &catalog, now };
            let new = NewUser {
                username,
                display_name: None,
                email,
                password: Some(password.clone()),
                superuser,
                permissions,
            };
            let user = setup::user(&mut to, &workspace, new).await?;
            conn.commit().await?;
            show(&user.username, made_up.then_some(&password))?;
        }
        Command::Reset { username, common } => {
            let (password, made_up) = password(&common)?;
            let hash = setup::password_hash(password.clone()).await?;
            let mut conn = store.begin(Actor::Cli, now).await?;
            let workspace = open::workspace(&mut conn, common.workspace.as_deref()).await?.id;
            let user = conn.user_by_name(&workspace, &username).await?;
            let user = user.ok_or_else(|| anyhow!("there is no user {username:?} in this workspace"))?;
            conn.set_user_password(&workspace, &user.id, &hash).await?;
            if user.disabled_at.is_some() {
                conn.disable_user(&workspace, &user.id, None).await?;
            }
            conn.commit().await?;
            show(&user.username, made_up.then_some(&password))?;
        }
        Command::List { workspace } => {
            let mut conn = store.read().await?;
            let workspace = open::workspace(&mut conn, workspace.as_deref()).await?.id;
            for user in conn.users(&workspace, &Page { offset: 0, limit: i64::from(i32::MAX) }).await? {
                let rights = if user.superuser { "superuser".to_owned() } else { user.permissions.join(",") };
                let state = if user.disabled_at.is_some() { "disabled" } else { "active" };
                out::line(format_args!("{}  {rights}  {state}", user.username))?;
            }
        }
    }
    store.close().await;
    Ok(ExitCode::SUCCESS)
}

/// The password, and whether it was made up.
fn password(common: &Common) -> anyhow::Result<(Secret, bool)> {
    if !common.password_stdin {
        return Ok((Secret::new(&token()?.expose()[..MADE_UP]), true));
    }
    let mut line = String::new();
    io::stdin().read_line(&mut line).context("the password can't be read from stdin")?;
    let line = Secret::new(line);
    Ok((Secret::new(line.expose().trim_end_matches(['\r', '\n'])), false))
}

fn show(username: &str, made_up: Option<&Secret>) -> io::Result<()> {
    out::line(format_args!("username {username}"))?;
    match made_up {
        Some(password) => {
            out::line(format_args!("password {}", password.expose()))?;
            out::say("The password is shown this once.");
        }
        None => out::say("The password is the one from stdin."),
    }
    Ok(())
}
