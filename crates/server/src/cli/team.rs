//! `claviger team`: users with whom integrations are shared together.

use std::process::ExitCode;

use anyhow::anyhow;
use clap::Subcommand;
use claviger_engine::{
    domain::audit::Actor,
    error::Error,
    id::WorkspaceId,
    setup::{self, Change},
    store::{Conn, Page},
    time::system_now,
};

use super::{
    open,
    user::{self, At},
};
use crate::{config::Settings, out};

/// More teams, or users in one, than a workspace has.
const ALL: Page = Page { offset: 0, limit: i32::MAX as i64 };

#[derive(Subcommand)]
pub(super) enum Command {
    /// Make a team, with nobody in it
    Create {
        /// Its slug, by which it is named everywhere: a-z, 0-9, _ and -
        team: String,
        /// What people call it [default: the slug]
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        at: At,
    },
    /// Put users into a team
    Add {
        /// The team's slug
        team: String,
        /// The names they sign in with
        #[arg(required = true)]
        usernames: Vec<String>,
        #[command(flatten)]
        at: At,
    },
    /// Take users out of a team
    Remove {
        /// The team's slug
        team: String,
        /// The names they sign in with
        #[arg(required = true)]
        usernames: Vec<String>,
        #[command(flatten)]
        at: At,
    },
    /// Delete a team with its shares. Integrations that it owned are nobody's then
    Delete {
        /// The team's slug
        team: String,
        #[command(flatten)]
        at: At,
    },
    /// List a workspace's teams: slug, members, name
    List {
        #[command(flatten)]
        at: At,
    },
}

pub(super) async fn run(command: Command, settings: &Settings) -> anyhow::Result<ExitCode> {
    let store = open::current_store(settings).await?;
    let (vault, catalog, now) = (open::idle_vault()?, open::catalog()?, system_now());
    let mut conn = store.begin(Actor::Cli, now).await?;
    let mut to = Change { conn: &mut conn, vault: &vault, catalog: &catalog, now };
    match command {
        Command::Create { team, name, at } => {
            let workspace = open::workspace(to.conn, at.workspace.as_deref()).await?.id;
            setup::team(&mut to, &workspace, &team, name.as_deref().unwrap_or(&team)).await?;
            conn.commit().await?;
            out::line(format_args!("team {team}"))?;
            out::say(format_args!("Next: claviger team add {team} USERNAME"));
        }
        Command::Add { team, usernames, at } => {
            let workspace = open::workspace(to.conn, at.workspace.as_deref()).await?.id;
            for username in &usernames {
                let joined = setup::join_team(&mut to, &workspace, &team, username).await;
                if !joined.map_err(|error| missing(error, &team, username))? {
                    out::say(format_args!("{username} is in {team} already"));
                }
            }
            conn.commit().await?;
            out::line(format_args!("added to {team}: {}", usernames.join(", ")))?;
        }
        Command::Remove { team, usernames, at } => {
            let workspace = open::workspace(to.conn, at.workspace.as_deref()).await?.id;
            for username in &usernames {
                let left = setup::leave_team(&mut to, &workspace, &team, username).await;
                if !left.map_err(|error| missing(error, &team, username))? {
                    out::say(format_args!("{username} was not in {team}"));
                }
            }
            conn.commit().await?;
            out::line(format_args!("removed from {team}: {}", usernames.join(", ")))?;
        }
        Command::Delete { team, at } => {
            let workspace = open::workspace(to.conn, at.workspace.as_deref()).await?.id;
            anyhow::ensure!(to.conn.delete_team(&workspace, &team).await?, no_team(&team));
            conn.commit().await?;
            out::line(format_args!("deleted {team}"))?;
        }
        Command::List { at } => {
            let workspace = open::workspace(to.conn, at.workspace.as_deref()).await?.id;
            list(to.conn, &workspace).await?;
            // Closing waits for every connection.
            drop(conn);
        }
    }
    store.close().await;
    Ok(ExitCode::SUCCESS)
}

async fn list(conn: &mut Conn, workspace: &WorkspaceId) -> anyhow::Result<()> {
    for team in conn.teams(workspace, &ALL).await? {
        let members = conn.team_members(workspace, &team.id, &ALL).await?;
        let names: Vec<&str> = members.iter().map(|user| user.username.as_str()).collect();
        let names = if names.is_empty() { "-".to_owned() } else { names.join(",") };
        out::line(format_args!("{}  {names}  {}", team.id, team.name))?;
    }
    Ok(())
}

fn no_team(team: &str) -> anyhow::Error {
    anyhow!("there is no team {team:?} in this workspace: see `claviger team list`")
}

/// Says which of the two it was that is not there.
fn missing(error: Error, team: &str, username: &str) -> anyhow::Error {
    match error {
        Error::NotFound { what: "team" } => no_team(team),
        Error::NotFound { what: "user" } => user::no_user(username),
        other => other.into(),
    }
}
