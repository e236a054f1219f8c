//! Redelivery: what an endpoint was told of one connection, or would have been, goes in line once more.
//!
//! Whoever does it holds the connection's row, as whoever writes an event has it: so what is told again and what is new
//! stay in order.

use super::{
    Conn, Topic, event,
    statement::{Row, sql},
};
use crate::{
    domain::event::Event,
    error::Result,
    id::{ConnectionId, DeliveryId, EndpointId, WorkspaceId},
    time::Millis,
};

impl Conn {
    /// The connections, and whatever else stands in their place, that something was told of since then: by id, from behind
    /// `after` on.
    pub async fn told_since(
        &mut self,
        ws: &WorkspaceId,
        since: Millis,
        after: Option<&ConnectionId>,
        limit: i64,
    ) -> Result<Vec<ConnectionId>> {
        let query = sql("select distinct connection_id from event where workspace_id = $1 \
                         and connection_id > $2 and created_at >= $3 order by connection_id limit $4");
        let query = query.text(ws.as_str()).text(after.map_or("", ConnectionId::as_str)).at(since);
        let read = |row: &Row| row.id("connection_id", ConnectionId::from_row);
        self.rows(query.int(limit)).await?.iter().map(read).collect()
    }

    /// Holds a connection: no other process changes it, and tells of that, until this unit of work ends. `false` when there
    /// is none; then nothing more is told of it.
    pub async fn hold_connection(&mut self, ws: &WorkspaceId, id: &ConnectionId) -> Result<bool> {
        let update = sql("update connection set status = status where workspace_id = $1 and id = $2");
        Ok(self.execute(update.text(ws.as_str()).text(id.as_str())).await? > 0)
    }

    /// What happened to a connection since then, in that order, each with the delivery of it that an endpoint has.
    pub async fn events_since(
        &mut self,
        ws: &WorkspaceId,
        endpoint: &EndpointId,
        connection: &ConnectionId,
        since: Millis,
    ) -> Result<Vec<(Event, Option<DeliveryId>)>> {
        let query = sql("select e.*, d.id as delivery_id from event e left join delivery d \
                         on d.workspace_id = e.workspace_id and d.event_id = e.id and d.endpoint_id = $2 \
                         where e.workspace_id = $1 and e.connection_id = $3 and e.created_at >= $4 \
                         order by e.created_at, e.id");
        let query = query.text(ws.as_str()).text(endpoint.as_str()).text(connection.as_str()).at(since);
        let read = |row: &Row| Ok((event::read(row)?, row.maybe_id("delivery_id", DeliveryId::from_row)?));
        self.rows(query).await?.iter().map(read).collect()
    }

    /// Puts a delivery at the end of its line, due now, with all its attempts before it; `false` when it is being sent
    /// right now, or is gone.
    pub async fn requeue_last(&mut self, ws: &WorkspaceId, id: &DeliveryId) -> Result<bool> {
        let update = sql(
            "update delivery set attempts = 0, delivered_at = null, lease = null, next_at = $3, \
                          nth = (select max(d.nth) + 1 from delivery d where d.endpoint_id = delivery.endpoint_id \
                          and d.connection_id = delivery.connection_id) \
                          where workspace_id = $1 and id = $2 and (lease is null or next_at <= $3)",
        );
        let update = update.text(ws.as_str()).text(id.as_str()).at(self.now);
        let requeued = self.execute(update).await? > 0;
        self.wakes |= requeued;
        Ok(requeued)
    }

    /// Signs that what an endpoint was told is told to it again; `false` when there is no such endpoint.
    pub async fn begin_redelivery(&mut self, ws: &WorkspaceId, endpoint: &EndpointId) -> Result<bool> {
        let update = sql("update webhook_endpoint set updated_at = $3 where workspace_id = $1 and id = $2");
        let update = update.text(ws.as_str()).text(endpoint.as_str()).at(self.now);
        if self.execute(update).await? == 0 {
            return Ok(false);
        }
        self.sign(Some(ws), Topic::Endpoint, "webhook_endpoint.redeliver", endpoint.as_str()).await?;
        Ok(true)
    }
}
