//! `claviger token`: the API tokens that users made, for whoever has to stop one.

use std::process::ExitCode;

use anyhow::anyhow;
use clap::Subcommand;
use claviger_engine::{
    domain::{audit::Actor, token::UserToken, user::User},
    id::WorkspaceId,
    store::{Conn, Page},
    time::{Millis, system_now},
};

use super::{
    open,
    user::{self, At},
};
use crate::{config::Settings, out};

/// More users than a workspace has, and more tokens than a user has.
const ALL: Page = Page { offset: 0, limit: i32::MAX as i64 };

#[derive(Subcommand)]
pub(super) enum Command {
    /// List users' tokens: id, first characters, user, kind, name, state
    List {
        /// Only this user's
        username: Option<String>,
        #[command(flatten)]
        at: At,
    },
    /// Stop a token, by its id, its first characters, or the token itself
    Revoke {
        /// The token's id (tok_…), its first characters as `list` shows them, or all of it
        token: String,
        #[command(flatten)]
        at: At,
    },
}

pub(super) async fn run(command: Command, settings: &Settings) -> anyhow::Result<ExitCode> {
    let store = open::current_store(settings).await?;
    let now = system_now();
    match command {
        Command::List { username, at } => {
            let mut conn = store.read().await?;
            let workspace = open::workspace(&mut conn, at.workspace.as_deref()).await?.id;
            for (user, token) in tokens(&mut conn, &workspace, username.as_deref()).await? {
                out::line(line(&user, &token, now))?;
            }
        }
        Command::Revoke { token, at } => {
            let mut conn = store.begin(Actor::Cli, now).await?;
            let workspace = open::workspace(&mut conn, at.workspace.as_deref()).await?.id;
            let (user, token) = find(tokens(&mut conn, &workspace, None).await?, &token)?;
            conn.delete_user_token(&workspace, &user.id, &token.id).await?;
            conn.commit().await?;
            out::line(format_args!("revoked {} of {}", token.id, user.username))?;
        }
    }
    store.close().await;
    Ok(ExitCode::SUCCESS)
}

/// The tokens of one user, or of all, each with whose it is.
async fn tokens(
    conn: &mut Conn,
    workspace: &WorkspaceId,
    username: Option<&str>,
) -> anyhow::Result<Vec<(User, UserToken)>> {
    let users = match username {
        Some(name) => vec![user::find(conn, workspace, name).await?],
        None => conn.users(workspace, &ALL).await?,
    };
    let mut all = Vec::new();
    for user in users {
        let tokens = conn.user_tokens(workspace, &user.id, &ALL).await?;
        all.extend(tokens.into_iter().map(|token| (user.clone(), token)));
    }
    Ok(all)
}

fn line(user: &User, token: &UserToken, now: Millis) -> String {
    let state = match token.expires_at {
        Some(at) if at <= now => format!("expired {}", at.rfc3339()),
        Some(at) => format!("expires {}", at.rfc3339()),
        None => "active".to_owned(),
    };
    let reads = if token.read_only { " read-only" } else { "" };
    let name = token.name.as_deref().unwrap_or("-");
    format!("{}  {}…  {}  {}{reads}  {name}  {state}", token.id, token.prefix, user.username, token.kind)
}

/// The one token that is meant. All of it may be given too, by someone who has just found it where it should not be.
fn find(all: Vec<(User, UserToken)>, shown: &str) -> anyhow::Result<(User, UserToken)> {
    let shown = shown.trim_end_matches('…');
    let meant = |token: &UserToken| token.id.as_str() == shown || shown.starts_with(&token.prefix);
    let mut found = all.into_iter().filter(|(_, token)| meant(token));
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(anyhow!(
            "no user of this workspace has a token that begins like that: see `claviger token list`"
        )),
        (Some(_), Some(_)) => Err(anyhow!("several tokens begin like that: give the id")),
    }
}
