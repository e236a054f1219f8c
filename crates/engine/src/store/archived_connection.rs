//! What is left of customers' connections that were archived: a row without a credential, which nothing can be called
//! with. Kept until the integration goes.

use serde::{Deserialize, Serialize};

use super::{
    Conn,
    statement::{Row, sql},
};
use crate::{
    domain::connection::{Account, Connection, Owner, OwnerKind, Status},
    error::Result,
    id::{ConnectionId, IntegrationId, WorkspaceId},
    time::Millis,
};

/// Why an archived connection can't be used.
pub(super) const REASON: &str = "it was archived";

/// What is kept of a connection besides its columns: nothing that is secret, and nothing of whose account it was.
#[derive(Serialize, Deserialize)]
struct Snapshot {
    name: Option<String>,
    auth_option: Option<String>,
    authorized_at: i64,
    refreshed_at: Option<i64>,
}

impl Conn {
    /// Keeps what is left of a connection, in the transaction that removes it.
    pub async fn archive_connection(
        &mut self,
        ws: &WorkspaceId,
        connection: &Connection,
        now: Millis,
    ) -> Result<()> {
        let snapshot = Snapshot {
            name: connection.name.clone(),
            auth_option: connection.auth_option.clone(),
            authorized_at: connection.authorized_at.0,
            refreshed_at: connection.refreshed_at.map(|at| at.0),
        };
        let insert = sql(
            "insert into archived_connection (id, workspace_id, integration_id, owner_key, snapshot, archived_at, \
             created_at) values ($1, $2, $3, $4, $5, $6, $7)",
        );
        let insert = insert.text(connection.id.as_str()).text(ws.as_str());
        let insert = insert.text(connection.integration_id.as_str());
        let insert = insert.maybe_text(connection.owner.key.as_deref()).json(&snapshot)?;
        self.execute(insert.at(now).at(connection.created_at)).await.map(drop)
    }
}

/// Reads an archived connection from the columns that [`super::customer_connection`] selects.
pub(super) fn read(ws: &WorkspaceId, row: &Row) -> Result<(Connection, Millis)> {
    let snapshot: Snapshot = row.json("snapshot")?;
    let archived_at = row.at("archived_at")?;
    let connection = Connection {
        id: row.id("archived_id", ConnectionId::from_row)?,
        workspace_id: ws.clone(),
        integration_id: row.id("archived_integration", IntegrationId::from_row)?,
        owner: Owner { kind: OwnerKind::Customer, key: row.maybe_text("archived_owner")? },
        status: Status::NeedsReauth,
        status_reason: Some(REASON.to_owned()),
        scopes_asked: Vec::new(),
        scopes_granted: Vec::new(),
        account: Account::default(),
        inputs: std::collections::BTreeMap::new(),
        name: snapshot.name,
        auth_option: snapshot.auth_option,
        frozen_at: None,
        refreshed_at: snapshot.refreshed_at.map(Millis),
        expires_at: None,
        authorized_at: Millis(snapshot.authorized_at),
        created_at: row.at("archived_created")?,
        updated_at: archived_at,
    };
    Ok((connection, archived_at))
}
