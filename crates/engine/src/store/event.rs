//! Events: the outbox. An event is written in the transaction that makes it true.

use super::{
    Conn, Page,
    statement::{Row, sql},
};
use crate::{
    domain::event::{Event, EventKind},
    error::Result,
    id::{ConnectionId, EventId, WorkspaceId},
};

impl Conn {
    /// Keeps a new event.
    pub async fn create_event(&mut self, ws: &WorkspaceId, event: &Event) -> Result<()> {
        let insert =
            sql("insert into event (id, workspace_id, kind, connection_id, data, created_at, about) \
                          values ($1, $2, $3, $4, $5, $6, $7)");
        let insert = insert.text(event.id.as_str()).text(ws.as_str()).text(event.kind.as_str());
        let insert = insert.text(event.connection_id.as_str()).json(&event.data)?.at(event.created_at);
        let insert = match &event.about {
            Some(about) => insert.json(about)?,
            None => insert.maybe_text(None::<&str>),
        };
        self.execute(insert).await.map(drop)
    }

    /// The workspace's events, newest first.
    pub async fn events(&mut self, ws: &WorkspaceId, page: &Page) -> Result<Vec<Event>> {
        let query = sql("select * from event where workspace_id = $1 order by created_at desc, id desc \
                         limit $2 offset $3");
        let query = query.text(ws.as_str()).int(page.limit).int(page.offset);
        self.rows(query).await?.iter().map(read).collect()
    }
}

pub(super) fn read(row: &Row) -> Result<Event> {
    Ok(Event {
        id: row.id("id", EventId::from_row)?,
        workspace_id: row.id("workspace_id", WorkspaceId::from_row)?,
        kind: row.word("kind", EventKind::parse)?,
        connection_id: row.id("connection_id", ConnectionId::from_row)?,
        data: row.json("data")?,
        about: row.maybe_text("about")?.and_then(|text| serde_json::from_str(&text).ok()),
        created_at: row.at("created_at")?,
    })
}
