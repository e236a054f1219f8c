//! Connections that are chosen together, by what they have in common, and the mark of one that is about to end.

use super::{Conn, connection, statement::sql};
use crate::{
    domain::connection::{Connection, OwnerKind, Status},
    error::Result,
    id::{ConnectionId, IntegrationId, WorkspaceId},
    time::Millis,
};

/// Which connections of a workspace; what is `None` does not narrow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// Only of this integration.
    pub integration_id: Option<IntegrationId>,
    /// Only of this notion of an owner.
    pub owner_kind: Option<OwnerKind>,
    /// Only of the owner with this key.
    pub owner_key: Option<String>,
    /// Only in this status.
    pub status: Option<Status>,
    /// Only those that are frozen, or only those that are not.
    pub frozen: Option<bool>,
    /// Only those made then or later.
    pub created_from: Option<Millis>,
    /// Only those made before.
    pub created_until: Option<Millis>,
    /// Only those used then or later.
    pub used_from: Option<Millis>,
    /// Only those not used since; of one that never was counts when it was made.
    pub used_until: Option<Millis>,
}

impl Conn {
    /// The connections that are chosen, by id, from behind `after` on.
    pub async fn chosen_connections(
        &mut self,
        ws: &WorkspaceId,
        choice: &Choice,
        after: Option<&ConnectionId>,
        limit: i64,
    ) -> Result<Vec<Connection>> {
        let query = sql("select * from connection where workspace_id = $1 and id > $2 \
             and ($3 is null or integration_id = $3) and ($4 is null or owner_kind = $4) \
             and ($5 is null or owner_key = $5) and ($6 is null or status = $6) \
             and ($7 is null or case when frozen_at is null then 'no' else 'yes' end = $7) \
             and (cast($8 as bigint) is null or created_at >= cast($8 as bigint)) \
             and (cast($9 as bigint) is null or created_at < cast($9 as bigint)) \
             and (cast($10 as bigint) is null or last_used_at >= cast($10 as bigint)) \
             and (cast($11 as bigint) is null or coalesce(last_used_at, created_at) < cast($11 as bigint)) \
             order by id limit $12");
        let query = query.text(ws.as_str()).text(after.map_or("", ConnectionId::as_str));
        let query = query.maybe_text(choice.integration_id.as_ref().map(IntegrationId::as_str));
        let query = query.maybe_text(choice.owner_kind.map(OwnerKind::as_str));
        let query = query.maybe_key(choice.owner_key.as_deref());
        let query = query.maybe_text(choice.status.map(Status::as_str));
        let query = query.maybe_text(choice.frozen.map(|frozen| if frozen { "yes" } else { "no" }));
        let query = query.maybe_at(choice.created_from).maybe_at(choice.created_until);
        let query = query.maybe_at(choice.used_from).maybe_at(choice.used_until).int(limit);
        self.rows(query).await?.iter().map(connection::read).collect()
    }

    /// Marks a connection as about to end, so that no other one's grant is kept alive for its sake; `false` when there is
    /// none. Authorized anew or thawed, it is not any more.
    pub async fn mark_ending(&mut self, ws: &WorkspaceId, id: &ConnectionId) -> Result<bool> {
        let update = sql("update connection set ending_at = $3 where workspace_id = $1 and id = $2");
        Ok(self.execute(update.text(ws.as_str()).text(id.as_str()).at(self.now)).await? > 0)
    }

    /// Takes the mark off a connection that did not end. One that is frozen keeps it: it is stopped, and to be ended by
    /// another run.
    pub async fn unmark_ending(&mut self, ws: &WorkspaceId, id: &ConnectionId) -> Result<()> {
        let update = sql("update connection set ending_at = null \
                          where workspace_id = $1 and id = $2 and frozen_at is null");
        self.execute(update.text(ws.as_str()).text(id.as_str())).await.map(drop)
    }
}
