//! `claviger user`: who signs in at the Informer-style door, and what each may do.

use std::{io, process::ExitCode};

use anyhow::{Context as _, anyhow};
use clap::{Args, Subcommand};
use claviger_engine::{
    domain::{
        audit::Actor,
        user::{Permission, User},
    },
    id::WorkspaceId,
    secret::{Secret, token},
    setup::{self, Change, NewUser, UserEdit},
    store::{Conn, Page, Store},
    time::system_now,
};

use super::open;
use crate::{config::Settings, out};

/// Characters of a password that is made up: 120 bits.
const MADE_UP: usize = 20;
/// More users than a workspace has.
const ALL: Page = Page { offset: 0, limit: i32::MAX as i64 };

#[derive(Subcommand)]
pub(super) enum Command {
    /// Make a user. Its password is made up and printed, this once, unless it comes from stdin
    Create {
        /// The name it signs in with
        username: String,
        /// What people call it
        #[arg(long, value_name = "NAME")]
        display_name: Option<String>,
        /// Its e-mail address
        #[arg(long)]
        email: Option<String>,
        /// Let it do everything in its workspace
        #[arg(long)]
        superuser: bool,
        /// Something it may do: integration:write, integration:delete, integration:share, integration:changeOwner;
        /// may be given several times
        #[arg(long = "permission", value_name = "PERMISSION")]
        permissions: Vec<String>,
        #[command(flatten)]
        password: Password,
        #[command(flatten)]
        at: At,
    },
    /// Give a user a new password, end its sessions, and let it sign in again if it was disabled
    Reset {
        /// The name it signs in with
        username: String,
        #[command(flatten)]
        password: Password,
        #[command(flatten)]
        at: At,
    },
    /// Give a user further rights, or take some away
    Grant {
        /// The name it signs in with
        username: String,
        #[command(flatten)]
        rights: Rights,
        #[command(flatten)]
        at: At,
    },
    /// Shut a user out: its sessions end, and its API tokens stop
    Disable {
        /// The name it signs in with
        username: String,
        #[command(flatten)]
        at: At,
    },
    /// Let a user in again, with the password and the API tokens it had
    Enable {
        /// The name it signs in with
        username: String,
        #[command(flatten)]
        at: At,
    },
    /// List a workspace's users: name, rights, state, teams, display name
    List {
        #[command(flatten)]
        at: At,
    },
}

#[derive(Args)]
pub(super) struct Password {
    /// Read the password from the first line of stdin
    #[arg(long)]
    password_stdin: bool,
}

/// Which workspace a command is about.
#[derive(Args)]
pub(super) struct At {
    /// The workspace's client id; may be left out when there is only one
    #[arg(long, value_name = "CLIENT_ID")]
    pub(super) workspace: Option<String>,
}

#[derive(Args)]
#[group(required = true, multiple = true)]
pub(super) struct Rights {
    /// Something it may do from now on; may be given several times
    #[arg(long = "permission", value_name = "PERMISSION")]
    permissions: Vec<String>,
    /// Something it may do no longer; may be given several times
    #[arg(long, value_name = "PERMISSION")]
    withdraw: Vec<String>,
    /// Let it do everything in its workspace
    #[arg(long, conflicts_with = "no_superuser")]
    superuser: bool,
    /// Leave it only what is permitted to it by name
    #[arg(long)]
    no_superuser: bool,
}

pub(super) async fn run(command: Command, settings: &Settings) -> anyhow::Result<ExitCode> {
    let store = open::current_store(settings).await?;
    match command {
        Command::Create { username, display_name, email, superuser, permissions, password, at } => {
            let (plain, made_up) = password.get()?;
            let new = NewUser {
                username,
                display_name,
                email,
                password: Some(plain.clone()),
                superuser,
                permissions,
            };
            let user = create(&store, &at, new).await?;
            show(&user.username, made_up.then_some(&plain))?;
        }
        Command::Reset { username, password, at } => {
            let (plain, made_up) = password.get()?;
            let hash = setup::password_hash(plain.clone()).await?;
            let user = edit(&store, &at, &username, |_| UserEdit {
                password_hash: Some(hash),
                disabled: Some(false),
                ..UserEdit::default()
            });
            show(&user.await?.username, made_up.then_some(&plain))?;
        }
        Command::Grant { username, rights, at } => {
            let user = edit(&store, &at, &username, |was| rights.over(was)).await?;
            out::line(format_args!("{}  {}", user.username, shown(&user)))?;
        }
        Command::Disable { username, at } => {
            let disable = UserEdit { disabled: Some(true), ..UserEdit::default() };
            let user = edit(&store, &at, &username, |_| disable).await?;
            out::line(format_args!("disabled {}", user.username))?;
        }
        Command::Enable { username, at } => {
            let enable = UserEdit { disabled: Some(false), ..UserEdit::default() };
            let user = edit(&store, &at, &username, |_| enable).await?;
            out::line(format_args!("enabled {}", user.username))?;
        }
        Command::List { at } => list(&mut store.read().await?, &at).await?,
    }
    store.close().await;
    Ok(ExitCode::SUCCESS)
}

async fn create(store: &Store, at: &At, new: NewUser) -> anyhow::Result<User> {
    let (vault, catalog, now) = (open::idle_vault()?, open::catalog()?, system_now());
    let mut conn = store.begin(Actor::Cli, now).await?;
    let workspace = open::workspace(&mut conn, at.workspace.as_deref()).await?.id;
    let mut to = Change { conn: &mut conn, vault: &vault, catalog: &catalog, now };
    let user = setup::user(&mut to, &workspace, new).await?;
    conn.commit().await?;
    Ok(user)
}

/// Changes a user as `change` says of what it was.
async fn edit(
    store: &Store,
    at: &At,
    username: &str,
    change: impl FnOnce(&User) -> UserEdit,
) -> anyhow::Result<User> {
    let (vault, catalog, now) = (open::idle_vault()?, open::catalog()?, system_now());
    let mut conn = store.begin(Actor::Cli, now).await?;
    let workspace = open::workspace(&mut conn, at.workspace.as_deref()).await?.id;
    let was = find(&mut conn, &workspace, username).await?;
    let mut to = Change { conn: &mut conn, vault: &vault, catalog: &catalog, now };
    let user = setup::update_user(&mut to, &was, change(&was)).await?;
    conn.commit().await?;
    Ok(user)
}

/// The user of this name.
pub(super) async fn find(conn: &mut Conn, workspace: &WorkspaceId, username: &str) -> anyhow::Result<User> {
    conn.user_by_name(workspace, username).await?.ok_or_else(|| no_user(username))
}

/// What is said when there is none.
pub(super) fn no_user(username: &str) -> anyhow::Error {
    anyhow!("there is no user {username:?} in this workspace: see `claviger user list`")
}

async fn list(conn: &mut Conn, at: &At) -> anyhow::Result<()> {
    let workspace = open::workspace(conn, at.workspace.as_deref()).await?.id;
    for user in conn.users(&workspace, &ALL).await? {
        let state = if user.disabled_at.is_some() { "disabled" } else { "active" };
        let teams = conn.teams_of(&workspace, &user.id).await?.join(",");
        let (rights, teams) = (shown(&user), if teams.is_empty() { "-" } else { &teams });
        let called = user.display_name.as_deref().or(user.email.as_deref()).unwrap_or("-");
        out::line(format_args!("{}  {rights}  {state}  {teams}  {called}", user.username))?;
    }
    Ok(())
}

/// A user's rights in one word.
fn shown(user: &User) -> String {
    match (user.superuser, user.permissions.as_slice()) {
        (true, _) => "superuser".to_owned(),
        (false, []) => "-".to_owned(),
        (false, some) => some.join(","),
    }
}

impl Rights {
    fn over(self, was: &User) -> UserEdit {
        // What is withdrawn may be out of use, but a slip of the pen must not look done.
        let known = |text: &String| Permission::parse(text).is_some() || was.permissions.contains(text);
        let slips = self.withdraw.iter().filter(|text| !known(text)).cloned();
        let kept = was.permissions.iter().filter(|text| !self.withdraw.contains(text)).cloned();
        let permissions = kept.chain(self.permissions.iter().cloned()).chain(slips).collect();
        let superuser = (self.superuser || self.no_superuser).then_some(self.superuser);
        UserEdit { superuser, permissions: Some(permissions), ..UserEdit::default() }
    }
}

impl Password {
    /// The password, and whether it was made up.
    fn get(&self) -> anyhow::Result<(Secret, bool)> {
        if !self.password_stdin {
            return Ok((Secret::new(&token()?.expose()[..MADE_UP]), true));
        }
        let mut line = String::new();
        io::stdin().read_line(&mut line).context("the password can't be read from stdin")?;
        let line = Secret::new(line);
        Ok((Secret::new(line.expose().trim_end_matches(['\r', '\n'])), false))
    }
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
