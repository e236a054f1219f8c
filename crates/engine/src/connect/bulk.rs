//! Bulk: many connections frozen, thawed or ended at once, with a line on each of what came of it.
//!
//! First they are chosen, then something is done to them: what is shown before is what is done after. Broken off
//! anywhere it can be run again, and what was done already is told as it was then. How it is done: [`run`]. How one
//! connection ends is `end`'s.

use std::collections::{HashMap, HashSet};

pub use self::work::{Running, run};
use crate::{
    broker::Broker,
    domain::{
        connection::{Connection, Owner, Status},
        revocation::Outcome,
    },
    error::Result,
    id::{ConnectionId, WorkspaceId},
    store::{Choice, Conn},
    time::Millis,
};

mod work;

/// How many are read at once.
const PAGE: i64 = 500;

/// What is done to many connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// No call is made with them any more, and nothing is lost.
    Freeze,
    /// They can be used again.
    Thaw,
    /// They end, as by [`end()`](super::end()).
    End,
}

/// Which connections.
#[derive(Debug, Clone)]
pub enum Wanted {
    /// All that this fits.
    Like(Choice),
    /// These.
    These(Vec<ConnectionId>),
}

/// A connection that was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// Its id.
    pub id: ConnectionId,
    /// Its integration's key.
    pub integration: String,
    /// The key of the provider that it is at.
    pub provider: String,
    /// Whose it is.
    pub owner: Owner,
    /// Whether it could be used.
    pub status: Status,
    /// Since when it was frozen.
    pub frozen_at: Option<Millis>,
    /// When it was made.
    pub created_at: Millis,
}

/// What came of one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its id.
    pub id: ConnectionId,
    /// What it was; `None` for one that is not there.
    pub was: Option<Chosen>,
    /// What came of it.
    pub end: End,
    /// Why, in the provider's words where it has any.
    pub detail: String,
    /// When.
    pub at: Millis,
}

/// What came of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Nothing yet: it was only chosen.
    Chosen,
    /// It is frozen.
    Frozen,
    /// It is not frozen any more.
    Thawed,
    /// It is as it was, for that was right already.
    Unchanged,
    /// It is gone, and this became of its grant.
    Ended(Outcome),
    /// There is none in this workspace, and no trace of one that ended.
    Missing,
    /// Our own fault: it is as it was, and can be tried again.
    NotDone,
}

impl End {
    /// As reports name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Chosen => "chosen",
            Self::Frozen => "frozen",
            Self::Thawed => "unfrozen",
            Self::Unchanged => "unchanged",
            Self::Ended(outcome) => outcome.as_str(),
            Self::Missing => "missing",
            Self::NotDone => "not_done",
        }
    }

    /// Whether somebody has to look after it.
    pub fn is_bad(self) -> bool {
        matches!(self, Self::Ended(Outcome::Failed) | Self::Missing | Self::NotDone)
    }
}

/// Chooses connections, in the order in which they were made. Of ids that are named and not there it says what became of
/// them.
///
/// # Errors
/// `Internal` when the database fails.
pub async fn choose(
    broker: &Broker,
    workspace: &WorkspaceId,
    wanted: &Wanted,
) -> Result<(Vec<Chosen>, Vec<Line>)> {
    let mut conn = broker.store.read().await?;
    let mut names = Names::default();
    let (mut chosen, mut gone) = (Vec::new(), Vec::new());
    match wanted {
        Wanted::Like(choice) => {
            let mut after = None;
            loop {
                let page = conn.chosen_connections(workspace, choice, after.as_ref(), PAGE).await?;
                after = page.last().map(|last| last.id.clone()).or(after);
                let full = i64::try_from(page.len()).is_ok_and(|read| read == PAGE);
                for connection in page {
                    chosen.extend(names.chosen(&mut conn, connection).await?);
                }
                if !full {
                    break;
                }
            }
        }
        Wanted::These(ids) => {
            let mut seen = HashSet::new();
            for id in ids.iter().filter(|id| seen.insert(*id)) {
                match conn.connection(workspace, id).await? {
                    Some(connection) => chosen.extend(names.chosen(&mut conn, connection).await?),
                    None => gone.push(remembered(&mut conn, workspace, id, broker.clock.now()).await?),
                }
            }
        }
    }
    Ok((chosen, gone))
}

/// The integrations' keys and providers, each looked up once.
#[derive(Default)]
struct Names(HashMap<(String, Option<String>), (String, String)>);

impl Names {
    /// `None` for a connection whose integration was removed meanwhile: it is gone as well.
    async fn chosen(&mut self, conn: &mut Conn, it: Connection) -> Result<Option<Chosen>> {
        let at = (it.integration_id.to_string(), it.auth_option.clone());
        if !self.0.contains_key(&at) {
            let (of, option) = (&it.integration_id, it.auth_option.as_deref());
            let Some(found) = conn.integration_as(&it.workspace_id, of, option).await? else {
                return Ok(None);
            };
            self.0.insert(at.clone(), (found.key, found.provider));
        }
        let named = self.0.get(&at).cloned();
        Ok(named.map(|(integration, provider)| Chosen {
            id: it.id,
            integration,
            provider,
            owner: it.owner,
            status: it.status,
            frozen_at: it.frozen_at,
            created_at: it.created_at,
        }))
    }
}

/// What is known of a connection that is not there.
async fn remembered(
    conn: &mut Conn,
    workspace: &WorkspaceId,
    id: &ConnectionId,
    now: Millis,
) -> Result<Line> {
    let line = |end, detail, at| Line { id: id.clone(), was: None, end, detail, at };
    let told = conn.revocation_of(workspace, id).await?;
    Ok(match told.as_ref().and_then(|told| Some((told, Outcome::parse(&told.outcome)?))) {
        Some((told, outcome)) => {
            let why = if told.detail.is_empty() { String::new() } else { format!(": {}", told.detail) };
            line(End::Ended(outcome), format!("it had ended before{why}"), told.at)
        }
        None => line(End::Missing, "there is no such connection in this workspace".to_owned(), now),
    })
}

/// The line on one that is only to be shown.
pub fn only_chosen(was: Chosen, now: Millis) -> Line {
    let detail = was.frozen_at.map(|at| format!("frozen since {}", at.rfc3339())).unwrap_or_default();
    Line { id: was.id.clone(), was: Some(was), end: End::Chosen, detail, at: now }
}
