//! Who has a connection's refresh to itself, and how refreshing it went.
//!
//! A lease is taken by one conditional statement, with the database's time in its values; its fencing number only goes
//! up. The row is locked before the credential's and the connection's, by everybody who writes more than one of them: so
//! nobody waits for each other.

use super::{
    Conn,
    statement::{Row, sql},
};
use crate::{
    domain::refresh::{RefreshState, Rest},
    error::{ProviderFault, Result},
    id::{ConnectionId, WorkspaceId},
    time::Millis,
};

/// A lease to be taken.
#[derive(Debug, Clone, Copy)]
pub struct Lease<'a> {
    /// What names who takes it, and nobody else ever.
    pub owner: &'a str,
    /// The database's time.
    pub now: Millis,
    /// When it ends, unless it is prolonged.
    pub until: Millis,
}

/// A look at a refresh that somebody else is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Glance {
    /// The version of the credential.
    pub version: i64,
    /// Until when somebody has the refresh to itself; `None` when nobody does.
    pub held_until: Option<Millis>,
}

impl Conn {
    /// How it stands with a connection's refreshes; `None` before the first.
    pub async fn refresh_state(
        &mut self,
        ws: &WorkspaceId,
        id: &ConnectionId,
    ) -> Result<Option<RefreshState>> {
        let query = sql("select * from refresh_state where workspace_id = $1 and connection_id = $2");
        self.row(query.text(ws.as_str()).text(id.as_str())).await?.as_ref().map(read).transpose()
    }

    /// Takes the refresh of a connection for whoever asks, unless somebody else has it. Gives the fencing number.
    pub async fn take_refresh(
        &mut self,
        ws: &WorkspaceId,
        id: &ConnectionId,
        lease: Lease<'_>,
    ) -> Result<Option<i64>> {
        let upsert =
            sql("insert into refresh_state (connection_id, workspace_id, owner, fence, lease_until, \
                          failures) values ($1, $2, $3, 1, $4, 0) on conflict (connection_id) do update \
                          set owner = excluded.owner, fence = refresh_state.fence + 1, \
                          lease_until = excluded.lease_until \
                          where refresh_state.workspace_id = excluded.workspace_id \
                          and (refresh_state.owner is null or refresh_state.owner = excluded.owner \
                          or refresh_state.lease_until <= $5) returning fence");
        let upsert = upsert.text(id.as_str()).text(ws.as_str()).text(lease.owner);
        let taken = self.changed_row(upsert.at(lease.until).at(lease.now)).await?;
        taken.map(|row| row.int("fence")).transpose()
    }

    /// Prolongs a lease that is still the last one; `false` when it is not.
    pub async fn prolong_refresh(
        &mut self,
        ws: &WorkspaceId,
        id: &ConnectionId,
        fence: i64,
        until: Millis,
    ) -> Result<bool> {
        let update = sql("update refresh_state set lease_until = $4 where workspace_id = $1 \
                          and connection_id = $2 and fence = $3 and owner is not null");
        let update = update.text(ws.as_str()).text(id.as_str()).int(fence).at(until);
        Ok(self.execute(update).await? > 0)
    }

    /// Locks the row for this unit of work, whoever has the lease: everybody who writes a connection's intents and its
    /// credential has it first. `false` when there is none.
    pub async fn lock_refresh(&mut self, ws: &WorkspaceId, id: &ConnectionId) -> Result<bool> {
        let update =
            sql("update refresh_state set fence = fence where workspace_id = $1 and connection_id = $2");
        Ok(self.execute(update.text(ws.as_str()).text(id.as_str())).await? > 0)
    }

    /// Ends a lease after which there is nothing to wait for: failures are forgotten. `false` when it is not the last one.
    pub async fn end_refresh(&mut self, ws: &WorkspaceId, id: &ConnectionId, fence: i64) -> Result<bool> {
        let update = sql("update refresh_state set owner = null, lease_until = 0, failures = 0, \
                          retry_at = null, fault = null, failure = null \
                          where workspace_id = $1 and connection_id = $2 and fence = $3");
        Ok(self.execute(update.text(ws.as_str()).text(id.as_str()).int(fence)).await? > 0)
    }

    /// Ends a lease, leaving how refreshing went as it was. `false` when it is not the last one.
    pub async fn leave_refresh(&mut self, ws: &WorkspaceId, id: &ConnectionId, owner: &str) -> Result<bool> {
        let update = sql("update refresh_state set owner = null, lease_until = 0 \
                          where workspace_id = $1 and connection_id = $2 and owner = $3");
        Ok(self.execute(update.text(ws.as_str()).text(id.as_str()).text(owner)).await? > 0)
    }

    /// Ends a lease after a failure that passes, and has the connection left alone for a while. `false` when it is not the
    /// last one.
    pub async fn rest_refresh(
        &mut self,
        ws: &WorkspaceId,
        id: &ConnectionId,
        fence: i64,
        rest: Rest<'_>,
    ) -> Result<bool> {
        let update = sql("update refresh_state set owner = null, lease_until = 0, failures = failures + 1, \
                          retry_at = $4, fault = $5, failure = $6 \
                          where workspace_id = $1 and connection_id = $2 and fence = $3");
        let update = update.text(ws.as_str()).text(id.as_str()).int(fence).at(rest.until);
        Ok(self.execute(update.text(rest.fault.as_str()).text(rest.failure)).await? > 0)
    }

    /// Forgets how refreshing a connection went, and gives up what is not known of tokens that were sent: it was authorized
    /// anew. To be called before its credential is written.
    pub async fn forget_refreshes(&mut self, ws: &WorkspaceId, id: &ConnectionId, now: Millis) -> Result<()> {
        let update =
            sql("update refresh_state set failures = 0, retry_at = null, fault = null, failure = null \
                          where workspace_id = $1 and connection_id = $2");
        self.execute(update.text(ws.as_str()).text(id.as_str())).await?;
        let close = sql("update refresh_intent set closed_at = $3, outcome = 'given_up' \
                         where workspace_id = $1 and connection_id = $2 and unknown_at is not null \
                         and closed_at is null");
        self.execute(close.text(ws.as_str()).text(id.as_str()).at(now)).await.map(drop)
    }

    /// One look at a refresh that somebody else is at; `None` when the connection is gone.
    pub async fn glance_at_refresh(&mut self, ws: &WorkspaceId, id: &ConnectionId) -> Result<Option<Glance>> {
        let query = sql("select c.version as version, s.lease_until as lease_until from credential c \
                         left join refresh_state s on s.connection_id = c.connection_id \
                         and s.owner is not null where c.workspace_id = $1 and c.connection_id = $2");
        let row = self.row(query.text(ws.as_str()).text(id.as_str())).await?;
        row.map(|row| Ok(Glance { version: row.int("version")?, held_until: row.maybe_at("lease_until")? }))
            .transpose()
    }
}

fn read(row: &Row) -> Result<RefreshState> {
    Ok(RefreshState {
        owner: row.maybe_text("owner")?,
        fence: row.int("fence")?,
        lease_until: row.at("lease_until")?,
        failures: row.int("failures")?,
        retry_at: row.maybe_at("retry_at")?,
        fault: row.maybe_text("fault")?.as_deref().and_then(ProviderFault::parse),
        failure: row.maybe_text("failure")?,
    })
}
