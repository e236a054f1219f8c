//! Used: when connections were last used, noted off the caller's path and at most once a minute for each.
//!
//! It goes with the rows of the request log: what asked a provider has used its connection. A note that is lost is made
//! up for by the next call.

use std::collections::{BTreeMap, HashMap};

use crate::{
    domain::{audit::Actor, request_log::RequestLog},
    error::Result,
    id::{ConnectionId, WorkspaceId},
    store::Store,
    time::Millis,
};

/// How long a note stands before a newer one is made, in milliseconds.
const EVERY: i64 = 60_000;
/// The most connections of which this process remembers its note.
const MOST: usize = 100_000;

/// What this process noted lately.
#[derive(Default)]
pub(super) struct Noted(HashMap<ConnectionId, Millis>);

impl Noted {
    /// The connections of these rows whose note is older than a minute, in the order of their ids: so that two processes
    /// that note the same ones never wait for each other.
    fn due(&mut self, rows: &[RequestLog]) -> BTreeMap<ConnectionId, (WorkspaceId, Millis)> {
        let mut due = BTreeMap::new();
        for row in rows.iter().filter(|row| row.attempts > 0) {
            let before = self.0.get(&row.connection_id);
            if before.is_some_and(|before| row.at.0 < before.0.saturating_add(EVERY)) {
                continue;
            }
            let latest =
                due.entry(row.connection_id.clone()).or_insert_with(|| (row.workspace_id.clone(), row.at));
            latest.1 = latest.1.max(row.at);
        }
        due
    }

    fn remember(&mut self, due: BTreeMap<ConnectionId, (WorkspaceId, Millis)>) {
        if self.0.len() >= MOST {
            self.0.clear();
        }
        self.0.extend(due.into_iter().map(|(id, (_, at))| (id, at)));
    }
}

/// Notes which connections these calls used.
pub(super) async fn note(store: &Store, rows: &[RequestLog], noted: &mut Noted) -> Result<()> {
    let due = noted.due(rows);
    let Some(now) = due.values().map(|(_, at)| *at).max() else { return Ok(()) };
    let mut conn = store.begin(Actor::System, now).await?;
    for (id, (workspace, at)) in &due {
        conn.note_used(workspace, id, *at).await?;
    }
    conn.commit().await?;
    noted.remember(due);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{IntegrationId, LogId, RequestId};

    fn row(connection: &ConnectionId, attempts: u32, at: i64) -> RequestLog {
        RequestLog {
            id: LogId::new(),
            request_id: RequestId::from_row(String::new()),
            workspace_id: WorkspaceId::from_row("ws_1".to_owned()),
            api_key_id: None,
            user_id: None,
            connection_id: connection.clone(),
            integration_id: IntegrationId::new(),
            method: "GET".to_owned(),
            path: "/".to_owned(),
            status: 200,
            error: None,
            attempts,
            bytes_in: 0,
            bytes_out: 0,
            duration_ms: 0,
            at: Millis(at),
        }
    }

    #[test]
    fn each_connection_is_noted_once_a_minute_and_only_when_its_provider_was_asked() {
        let (one, other) = (ConnectionId::new(), ConnectionId::new());
        let mut noted = Noted::default();
        let mut due = |rows: &[RequestLog]| {
            let due = noted.due(rows);
            let at: Vec<_> = due.iter().map(|(id, (_, at))| (id.clone(), at.0)).collect();
            noted.remember(due);
            at
        };
        assert_eq!(
            due(&[row(&other, 0, 5), row(&one, 1, 7), row(&one, 2, 9), row(&one, 1, 8)]),
            [(one.clone(), 9)]
        );
        assert_eq!(due(&[row(&one, 1, 9 + EVERY - 1)]), []);
        assert_eq!(due(&[row(&one, 1, 9 + EVERY)]), [(one, 9 + EVERY)]);
        assert_eq!(due(&[row(&other, 1, 1)]), [(other, 1)]);
    }
}
