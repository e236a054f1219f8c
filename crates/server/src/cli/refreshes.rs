//! `claviger refreshes`: refresh tokens that were sent, and nobody knows what their providers did with them.

use std::process::ExitCode;

use clap::Args as ClapArgs;
use claviger_engine::{
    domain::refresh::Intent,
    store::{Conn, Page},
    time::Millis,
};
use serde_json::{Value, json};

use super::open;
use crate::{config::Settings, out};

/// How many are read at once.
const PAGE: i64 = 500;

#[derive(ClapArgs)]
pub(super) struct Args {
    /// Only those of the workspace with this client id
    #[arg(long, value_name = "CLIENT_ID")]
    workspace: Option<String>,
    /// Those too that were found out since, or given up
    #[arg(long)]
    all: bool,
    /// One JSON object per line
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args, settings: &Settings) -> anyhow::Result<ExitCode> {
    let store = open::current_store(settings).await?;
    let mut conn = store.read().await?;
    let of = match &args.workspace {
        Some(client_id) => Some(open::workspace(&mut conn, Some(client_id)).await?.id),
        None => None,
    };
    let mut page = Page { offset: 0, limit: PAGE };
    loop {
        let found = read(&mut conn, args.all, &page).await?;
        for intent in found.iter().filter(|intent| of.as_ref().is_none_or(|id| *id == intent.workspace_id)) {
            out::line(&if args.json { object(intent).to_string() } else { line(intent) })?;
        }
        if found.len() < usize::try_from(PAGE).unwrap_or(usize::MAX) {
            return Ok(ExitCode::SUCCESS);
        }
        page.offset += PAGE;
    }
}

async fn read(conn: &mut Conn, all: bool, page: &Page) -> anyhow::Result<Vec<Intent>> {
    let found = match all {
        true => conn.any_refreshes_ever_unknown(page).await?,
        false => conn.any_unknown_refreshes(page).await?,
    };
    Ok(found)
}

/// Connection, when it was sent, and what is not known or what came of it.
fn line(intent: &Intent) -> String {
    let why = intent.unknown_why.as_deref().unwrap_or_default();
    let outcome = intent.outcome.as_deref().unwrap_or("unknown");
    format!("{}  {}  {outcome}  {why}", intent.connection_id, intent.sent_at.rfc3339())
}

fn object(intent: &Intent) -> Value {
    let at = |at: Option<Millis>| at.map(Millis::rfc3339);
    json!({
        "id": intent.id.as_str(),
        "workspace_id": intent.workspace_id.as_str(),
        "connection_id": intent.connection_id.as_str(),
        "version": intent.version,
        "fence": intent.fence,
        "tries": intent.tries,
        "sent_at": intent.sent_at.rfc3339(),
        "unknown_at": at(intent.unknown_at),
        "why": intent.unknown_why,
        "closed_at": at(intent.closed_at),
        "outcome": intent.outcome,
    })
}

#[cfg(test)]
mod tests {
    use claviger_engine::id::{ConnectionId, IntentId, WorkspaceId};

    use super::*;

    #[test]
    fn a_line_says_which_when_and_why() {
        let mut intent = Intent {
            id: IntentId::new(),
            workspace_id: WorkspaceId::new(),
            connection_id: ConnectionId::new(),
            version: 3,
            token_hash: "ab".into(),
            fence: 7,
            tries: 1,
            sent_at: Millis(1_767_323_045_678),
            unknown_at: Some(Millis(1_767_323_050_000)),
            unknown_why: Some("no answer".into()),
            closed_at: None,
            outcome: None,
        };
        let id = intent.connection_id.clone();
        assert_eq!(line(&intent), format!("{id}  2026-01-02T03:04:05.678Z  unknown  no answer"));
        intent.outcome = Some("late".into());
        assert!(line(&intent).contains("  late  "));
        let object = object(&intent);
        assert_eq!(
            (&object["fence"], &object["unknown_at"]),
            (&json!(7), &json!("2026-01-02T03:04:10.000Z"))
        );
        assert!(!object.to_string().contains("ab\""), "no hash of a token");
    }
}
