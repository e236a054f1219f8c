//! Subjects: the connections that were called with, and what they hang on, remembered.

use std::sync::Arc;

use super::ready::Ready;
use crate::{
    domain::{connection::Connection, integration::Integration},
    error::Result,
    id::{ConnectionId, WorkspaceId},
    memory::{Moment, Part, Remembered},
    store::{Board, Conn, Note, Topic},
};

/// How many connections are remembered.
const MOST: usize = 50_000;
/// How many integrations. Those connections share them.
const MOST_INTEGRATIONS: usize = 5_000;

/// The connections that are remembered.
#[derive(Debug)]
pub struct Subjects {
    connections: Part<Ready>,
    integrations: Part<Integration>,
}

impl Default for Subjects {
    fn default() -> Self {
        Self { connections: Part::new(MOST), integrations: Part::new(MOST_INTEGRATIONS) }
    }
}

impl Remembered for Ready {
    const BY_ID: &'static [Topic] = &[Topic::Connection, Topic::Credential];

    fn is_touched(&self, change: &Note) -> bool {
        self.integration.is_touched(change)
    }
}

impl Remembered for Integration {
    const BY_ID: &'static [Topic] = &[];

    fn is_touched(&self, change: &Note) -> bool {
        change.is_about(self.workspace_id.as_str(), Topic::Integration, self.id.as_str())
    }
}

impl Subjects {
    /// The connection of this id, whoever's it is.
    pub(super) fn get(&self, board: &Board, id: &ConnectionId) -> Option<Arc<Ready>> {
        self.connections.get(board, id.as_str())
    }

    /// Remembers what was read since this moment.
    pub(super) fn keep(&self, board: &Board, read: Moment, subject: Arc<Ready>) {
        let id = subject.connection.id.clone();
        self.connections.keep(board, read, id.as_str(), subject);
    }

    /// A connection's integration, as its auth option has it; `None` where either is gone.
    pub(super) async fn integration(
        &self,
        board: &Board,
        conn: &mut Conn,
        workspace: &WorkspaceId,
        connection: &Connection,
    ) -> Result<Option<Arc<Integration>>> {
        let (of, option) = (&connection.integration_id, connection.auth_option.as_deref());
        let name = format!("{workspace} {of} {}", option.unwrap_or_default());
        if let Some(known) = self.integrations.get(board, &name) {
            return Ok(Some(known));
        }
        let read = Moment::of(board);
        let Some(found) = conn.integration_as(workspace, of, option).await? else { return Ok(None) };
        let found = Arc::new(found);
        self.integrations.keep(board, read, &name, found.clone());
        Ok(Some(found))
    }

    /// Forgets those that were read long ago.
    pub(crate) fn forget_old(&self) {
        self.connections.forget_old();
        self.integrations.forget_old();
    }
}
