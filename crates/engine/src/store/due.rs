//! What the sweep looks for, over all workspaces: credentials that may be due for a refresh, and connections that may be
//! due for a verification.
//!
//! Only those in use: active, not frozen, not left alone after a failure, not being refreshed by anybody. Whether one is
//! due is not known here.

use super::{
    Conn,
    statement::{Row, sql},
};
use crate::{
    error::Result,
    id::{ConnectionId, IntegrationId, WorkspaceId},
    time::Millis,
};

/// A credential that may be due for a refresh.
#[derive(Debug, Clone)]
pub struct Due {
    /// Whose it is.
    pub workspace_id: WorkspaceId,
    /// Which connection it opens.
    pub connection_id: ConnectionId,
    /// The connection's integration.
    pub integration_id: IntegrationId,
    /// The key of the provider, by the connection's auth option where it has one.
    pub provider: String,
    /// The credential's version.
    pub version: i64,
    /// When its access token was obtained.
    pub obtained_at: Millis,
    /// When that expires.
    pub expires_at: Option<Millis>,
    /// When its refresh token expires.
    pub refresh_expires_at: Option<Millis>,
    /// When the connection was last used.
    pub last_used_at: Option<Millis>,
}

/// By which time credentials are gone through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DueBy {
    /// When the access token expires: those that do by a time.
    Expiry,
    /// When the tokens were obtained, of those whose refresh token dies some day: those that were by a time.
    Age,
}

/// Up to where credentials were gone through.
#[derive(Debug, Clone)]
pub struct DueMark {
    at: Millis,
    connection_id: String,
}

impl DueMark {
    /// The beginning.
    pub fn start() -> Self {
        Self::from(Millis(i64::MIN))
    }

    /// From this time on.
    pub fn from(at: Millis) -> Self {
        Self { at, connection_id: String::new() }
    }
}

/// Connections that may be due for a verification: of one integration, made in one way.
#[derive(Debug, Clone)]
pub struct Probed {
    /// Whose they are.
    pub workspace_id: WorkspaceId,
    /// Their integration.
    pub integration_id: IntegrationId,
    /// The auth option that they were made by; `None` for the integration's own way.
    pub auth_option: Option<String>,
    /// The provider's key.
    pub provider: String,
    /// What the operator set, as JSON.
    pub config: String,
}

/// A connection that may be due for a verification.
#[derive(Debug, Clone)]
pub struct Unverified {
    /// The connection.
    pub connection_id: ConnectionId,
    /// When its credential was last found to be taken, or given.
    pub since: Millis,
}

/// The status is hidden from the planner: nearly all connections are active, and few credentials are due.
macro_rules! due {
    ($column:literal, $only:literal) => {
        concat!(
            "select c.workspace_id as workspace_id, c.connection_id as connection_id, c.version as version, \
             c.obtained_at as obtained_at, c.expires_at as expires_at, \
             c.refresh_expires_at as refresh_expires_at, n.integration_id as integration_id, \
             n.last_used_at as last_used_at, coalesce(o.provider, i.provider) as provider from credential c \
             join connection n on n.workspace_id = c.workspace_id and n.id = c.connection_id \
             join integration i on i.workspace_id = n.workspace_id and i.id = n.integration_id \
             left join auth_option o on o.workspace_id = n.workspace_id \
             and o.integration_id = n.integration_id and o.key = n.auth_option \
             left join refresh_state s on s.connection_id = c.connection_id where ",
            $only,
            $column,
            " <= $1 and (",
            $column,
            " > $2 or (",
            $column,
            " = $2 and c.connection_id > $3)) and coalesce(n.status, '') = 'active' and n.frozen_at is null \
             and (s.retry_at is null or s.retry_at <= $4) and (s.owner is null or s.lease_until <= $4) order by ",
            $column,
            ", c.connection_id limit $5"
        )
    };
}

/// By when they expire.
pub(super) const BY_EXPIRY: &str = due!("c.expires_at", "c.expires_at is not null and ");
/// By their age.
pub(super) const BY_AGE: &str = due!("c.obtained_at", "c.refresh_expires_at is not null and ");

const UNVERIFIED: &str = "select id, coalesce(verified_at, authorized_at) as since from connection \
     where workspace_id = $1 and integration_id = $2 and coalesce(auth_option, '') = $3 and status = 'active' \
     and frozen_at is null and coalesce(verified_at, authorized_at) <= $4 \
     and (verify_after is null or verify_after <= $5) and id > $6 order by id limit $7";

impl Conn {
    /// The next credentials behind `after` that may be due, and the mark behind them, `None` when there are no more.
    /// `until` bounds the time that `by` names.
    pub async fn any_due(
        &mut self,
        by: DueBy,
        until: Millis,
        after: &DueMark,
        now: Millis,
        limit: i64,
    ) -> Result<(Vec<Due>, Option<DueMark>)> {
        let query = sql(match by {
            DueBy::Expiry => BY_EXPIRY,
            DueBy::Age => BY_AGE,
        });
        let query = query.at(until).at(after.at).text(&after.connection_id).at(now).int(limit);
        let due = self.rows(query).await?.iter().map(read).collect::<Result<Vec<_>>>()?;
        let full = i64::try_from(due.len()).is_ok_and(|many| many >= limit);
        let next = due.last().filter(|_| full).map(|last| DueMark {
            at: match by {
                DueBy::Expiry => last.expires_at.unwrap_or(until),
                DueBy::Age => last.obtained_at,
            },
            connection_id: last.connection_id.as_str().to_owned(),
        });
        Ok((due, next))
    }

    /// Whether a credential still is of this version, in use, and nobody is at it.
    pub async fn is_still_due(&mut self, due: &Due, now: Millis) -> Result<bool> {
        let query = sql("select c.version as version from credential c \
                         join connection n on n.workspace_id = c.workspace_id and n.id = c.connection_id \
                         left join refresh_state s on s.connection_id = c.connection_id \
                         where c.workspace_id = $1 and c.connection_id = $2 and c.version = $3 \
                         and n.status = 'active' and n.frozen_at is null \
                         and (s.retry_at is null or s.retry_at <= $4) \
                         and (s.owner is null or s.lease_until <= $4)");
        let query = query.text(due.workspace_id.as_str()).text(due.connection_id.as_str());
        Ok(self.row(query.int(due.version).at(now)).await?.is_some())
    }

    /// Every way of connecting whose connections are verified now and then.
    pub async fn any_probed(&mut self) -> Result<Vec<Probed>> {
        let query = sql(
            "select workspace_id, id as integration_id, cast(null as text) as auth_option, provider, config \
                         from integration where config like '%\"verify_every\"%' union all \
                         select workspace_id, integration_id, key as auth_option, provider, config \
                         from auth_option where config like '%\"verify_every\"%'",
        );
        self.rows(query).await?.iter().map(read_probed).collect()
    }

    /// Connections of one way, behind `after`, that nobody has verified since `before`, and that are not left alone.
    pub async fn unverified(
        &mut self,
        of: &Probed,
        before: Millis,
        after: &str,
        now: Millis,
        limit: i64,
    ) -> Result<Vec<Unverified>> {
        let query = sql(UNVERIFIED).text(of.workspace_id.as_str()).text(of.integration_id.as_str());
        let query = query.key(of.auth_option.as_deref().unwrap_or_default());
        let query = query.at(before).at(now).text(after).int(limit);
        let row = |row: &Row| {
            Ok(Unverified { connection_id: row.id("id", ConnectionId::from_row)?, since: row.at("since")? })
        };
        self.rows(query).await?.iter().map(row).collect()
    }

    /// Takes a connection's verification for itself until a time: `false` when somebody else has.
    pub async fn claim_verification(
        &mut self,
        ws: &WorkspaceId,
        id: &ConnectionId,
        until: Millis,
        now: Millis,
    ) -> Result<bool> {
        let update = sql("update connection set verify_after = $3 where workspace_id = $1 and id = $2 \
                          and (verify_after is null or verify_after <= $4)");
        let update = update.text(ws.as_str()).text(id.as_str()).at(until).at(now);
        Ok(self.execute(update).await? > 0)
    }

    /// Notes that a connection's provider took its credential just now.
    pub async fn note_verified(&mut self, ws: &WorkspaceId, id: &ConnectionId, at: Millis) -> Result<()> {
        let update = sql("update connection set verified_at = $3, verify_after = null \
                          where workspace_id = $1 and id = $2");
        self.execute(update.text(ws.as_str()).text(id.as_str()).at(at)).await.map(drop)
    }
}

fn read(row: &Row) -> Result<Due> {
    Ok(Due {
        workspace_id: row.id("workspace_id", WorkspaceId::from_row)?,
        connection_id: row.id("connection_id", ConnectionId::from_row)?,
        integration_id: row.id("integration_id", IntegrationId::from_row)?,
        provider: row.text("provider")?,
        version: row.int("version")?,
        obtained_at: row.at("obtained_at")?,
        expires_at: row.maybe_at("expires_at")?,
        refresh_expires_at: row.maybe_at("refresh_expires_at")?,
        last_used_at: row.maybe_at("last_used_at")?,
    })
}

fn read_probed(row: &Row) -> Result<Probed> {
    Ok(Probed {
        workspace_id: row.id("workspace_id", WorkspaceId::from_row)?,
        integration_id: row.id("integration_id", IntegrationId::from_row)?,
        auth_option: row.maybe_text("auth_option")?,
        provider: row.text("provider")?,
        config: row.text("config")?,
    })
}
