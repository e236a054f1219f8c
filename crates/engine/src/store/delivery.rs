//! Deliveries: written with their event, listed, put back in line.
//!
//! How they are claimed and what became of an attempt is in [`super::attempt`].

use super::{
    Conn, Page, Topic,
    statement::{Row, sql},
};
use crate::{
    domain::{
        event::EventKind,
        webhook::{Delivery, ListedDelivery, Standing},
    },
    error::{Error, Result},
    id::{ConnectionId, DeliveryId, EndpointId, EventId, WorkspaceId},
};

impl Conn {
    /// Keeps a new delivery, last in the line of its endpoint and connection: its own `nth` is not looked at.
    /// The commit wakes whoever sends.
    ///
    /// The connection's row must be written before, in this transaction: that is what makes two events about
    /// one connection take turns.
    pub async fn create_delivery(&mut self, ws: &WorkspaceId, delivery: &Delivery) -> Result<()> {
        let insert = sql(
            "insert into delivery (id, workspace_id, event_id, endpoint_id, connection_id, attempts, \
                          next_at, delivered_at, created_at, nth) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, \
                          (select coalesce(max(nth), 0) + 1 from delivery \
                           where endpoint_id = $4 and connection_id = $5))",
        );
        let insert = insert.text(delivery.id.as_str()).text(ws.as_str()).text(delivery.event_id.as_str());
        let insert = insert.text(delivery.endpoint_id.as_str()).text(delivery.connection_id.as_str());
        let insert = insert.int(delivery.attempts).maybe_at(delivery.next_at);
        match self.execute(insert.maybe_at(delivery.delivered_at).at(delivery.created_at)).await {
            // Its endpoint was removed since it was looked up. Nothing that the caller asked for is in conflict with
            // that: who has tokens to keep tries again, and finds the endpoint gone.
            Err(Error::Conflict { .. }) => {
                return Err(Error::internal("a delivery's endpoint was removed meanwhile"));
            }
            done => done?,
        };
        self.wakes = true;
        Ok(())
    }

    /// Removes up to `limit` deliveries of an endpoint, oldest first, with their attempts. Says how many.
    pub async fn drop_deliveries(
        &mut self,
        ws: &WorkspaceId,
        endpoint: &EndpointId,
        limit: i64,
    ) -> Result<i64> {
        let delete = sql("delete from delivery where workspace_id = $1 and id in (select id from delivery \
                          where workspace_id = $1 and endpoint_id = $2 order by created_at, id limit $3)");
        self.execute(delete.text(ws.as_str()).text(endpoint.as_str()).int(limit)).await
    }

    /// An event's deliveries, oldest first.
    pub async fn deliveries(&mut self, ws: &WorkspaceId, event: &EventId) -> Result<Vec<Delivery>> {
        let query =
            sql("select * from delivery where workspace_id = $1 and event_id = $2 order by created_at, id");
        self.rows(query.text(ws.as_str()).text(event.as_str())).await?.iter().map(read).collect()
    }

    /// An endpoint's deliveries, newest first; those that stand so, when asked for.
    pub async fn deliveries_of(
        &mut self,
        ws: &WorkspaceId,
        endpoint: &EndpointId,
        standing: Option<Standing>,
        page: &Page,
    ) -> Result<Vec<ListedDelivery>> {
        let query = sql("select d.*, e.kind from delivery d \
                         join event e on e.workspace_id = d.workspace_id and e.id = d.event_id \
                         where d.workspace_id = $1 and d.endpoint_id = $2 and ($3 is null \
                         or $3 = 'pending' and d.next_at is not null \
                         or $3 = 'delivered' and d.next_at is null and d.delivered_at is not null \
                         or $3 = 'failed' and d.next_at is null and d.delivered_at is null) \
                         order by d.created_at desc, d.id desc limit $4 offset $5");
        let query = query.text(ws.as_str()).text(endpoint.as_str());
        let query = query.maybe_text(standing.map(Standing::as_str)).int(page.limit).int(page.offset);
        self.rows(query).await?.iter().map(listed).collect()
    }

    /// One delivery of an endpoint.
    pub async fn delivery(
        &mut self,
        ws: &WorkspaceId,
        endpoint: &EndpointId,
        id: &DeliveryId,
    ) -> Result<Option<ListedDelivery>> {
        let query = sql("select d.*, e.kind from delivery d \
                         join event e on e.workspace_id = d.workspace_id and e.id = d.event_id \
                         where d.workspace_id = $1 and d.endpoint_id = $2 and d.id = $3");
        let query = query.text(ws.as_str()).text(endpoint.as_str()).text(id.as_str());
        self.row(query).await?.as_ref().map(listed).transpose()
    }

    /// Puts a delivery back in line, with all its attempts before it; `false` when there is none. One that was through
    /// goes to the end of its line, so that it holds nothing up; one that waits keeps its place. One that is being
    /// sent right now keeps its lease as well and only gets its attempts back.
    pub async fn requeue_delivery(
        &mut self,
        ws: &WorkspaceId,
        endpoint: &EndpointId,
        id: &DeliveryId,
    ) -> Result<bool> {
        let update = sql("update delivery set attempts = 0, delivered_at = null, \
                          nth = case when next_at is not null then nth else (select max(d.nth) + 1 from delivery d \
                          where d.endpoint_id = delivery.endpoint_id \
                          and d.connection_id = delivery.connection_id) end, \
                          next_at = case when lease is not null and next_at > $4 then next_at else $4 end, \
                          lease = case when lease is not null and next_at > $4 then lease else null end \
                          where workspace_id = $1 and endpoint_id = $2 and id = $3");
        let update = update.text(ws.as_str()).text(endpoint.as_str()).text(id.as_str()).at(self.now);
        if self.execute(update).await? == 0 {
            return Ok(false);
        }
        self.wakes = true;
        self.sign(Some(ws), Topic::Endpoint, "webhook_delivery.redeliver", id.as_str()).await?;
        Ok(true)
    }
}

pub(super) fn read(row: &Row) -> Result<Delivery> {
    Ok(Delivery {
        id: row.id("id", DeliveryId::from_row)?,
        workspace_id: row.id("workspace_id", WorkspaceId::from_row)?,
        event_id: row.id("event_id", EventId::from_row)?,
        endpoint_id: row.id("endpoint_id", EndpointId::from_row)?,
        connection_id: row.id("connection_id", ConnectionId::from_row)?,
        nth: row.int("nth")?,
        attempts: row.int("attempts")?,
        next_at: row.maybe_at("next_at")?,
        delivered_at: row.maybe_at("delivered_at")?,
        created_at: row.at("created_at")?,
    })
}

fn listed(row: &Row) -> Result<ListedDelivery> {
    Ok(ListedDelivery { delivery: read(row)?, kind: row.word("kind", EventKind::parse)? })
}
