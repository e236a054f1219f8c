//! Attempts: which deliveries are claimed, and what became of each attempt.
//!
//! A claim is one conditional update that gives the rows a lease and moves `next_at` to its end, so that what a
//! process that died had in hand is due again then. Only the head of each line can be claimed: nothing overtakes
//! an earlier delivery of the same endpoint and connection that still has something due.

use super::{
    Conn, delivery, event,
    statement::{Row, sql},
    webhook,
};
use crate::{
    domain::webhook::{Attempt, Errand},
    error::{Error, Result},
    id::{AttemptId, DeliveryId, EndpointId, WorkspaceId},
    time::Millis,
};

/// What is to be claimed of one endpoint.
#[derive(Debug)]
pub struct Claim<'a> {
    /// Which endpoint.
    pub endpoint: &'a EndpointId,
    /// How many deliveries at most.
    pub limit: i64,
    /// What names this claim, and no other ever.
    pub lease: &'a str,
    /// When the lease ends.
    pub until: Millis,
}

/// What an attempt leaves of its delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// It arrived.
    Delivered,
    /// It is due again then.
    Again(Millis),
    /// It was the last attempt.
    GivenUp,
}

impl Conn {
    /// The enabled endpoints that have a delivery to claim at `now`.
    pub async fn any_waiting_endpoints(&mut self, now: Millis) -> Result<Vec<(WorkspaceId, EndpointId)>> {
        let query = sql("select w.workspace_id, w.id from webhook_endpoint w where w.disabled_at is null \
                         and exists (select 1 from delivery d where d.endpoint_id = w.id and d.next_at <= $1 \
                         and not exists (select 1 from delivery e where e.endpoint_id = d.endpoint_id \
                         and e.connection_id = d.connection_id and e.nth < d.nth and e.next_at is not null)) \
                         order by w.id");
        let read = |row: &Row| {
            Ok((row.id("workspace_id", WorkspaceId::from_row)?, row.id("id", EndpointId::from_row)?))
        };
        self.rows(query.at(now)).await?.iter().map(read).collect()
    }

    /// Claims deliveries of one endpoint that are due, longest due first, at most one per connection; none of a
    /// disabled endpoint. The second look at `next_at` is for PostgreSQL, where two such updates may wait for each
    /// other's rows.
    pub async fn any_claim_deliveries(
        &mut self,
        claim: &Claim<'_>,
    ) -> Result<Vec<(WorkspaceId, DeliveryId)>> {
        let update = sql(
            "update delivery set lease = $1, next_at = $2 where id in (select d.id from delivery d \
                          where d.endpoint_id = $3 and d.next_at <= $4 \
                          and exists (select 1 from webhook_endpoint w where w.id = $3 and w.disabled_at is null) \
                          and not exists (select 1 from delivery e where e.endpoint_id = d.endpoint_id \
                          and e.connection_id = d.connection_id and e.nth < d.nth and e.next_at is not null) \
                          order by d.next_at, d.id limit $5) and next_at <= $4 returning workspace_id, id",
        );
        let update = update.text(claim.lease).at(claim.until).text(claim.endpoint.as_str());
        let read = |row: &Row| {
            Ok((row.id("workspace_id", WorkspaceId::from_row)?, row.id("id", DeliveryId::from_row)?))
        };
        self.changed_rows(update.at(self.now).int(claim.limit)).await?.iter().map(read).collect()
    }

    /// A claimed delivery with its event and endpoint as they are now; `None` when it is gone, the lease is lost, or
    /// its endpoint is disabled.
    pub async fn errand(&mut self, ws: &WorkspaceId, id: &DeliveryId, lease: &str) -> Result<Option<Errand>> {
        let query = sql("select * from delivery where workspace_id = $1 and id = $2 and lease = $3");
        let query = query.text(ws.as_str()).text(id.as_str()).text(lease);
        let Some(delivery) = self.row(query).await?.as_ref().map(delivery::read).transpose()? else {
            return Ok(None);
        };
        let query = sql("select * from event where workspace_id = $1 and id = $2");
        let query = query.text(ws.as_str()).text(delivery.event_id.as_str());
        let Some(event) = self.row(query).await?.as_ref().map(event::read).transpose()? else {
            return Ok(None);
        };
        let query =
            sql("select * from webhook_endpoint where workspace_id = $1 and id = $2 and disabled_at is null");
        let query = query.text(ws.as_str()).text(delivery.endpoint_id.as_str());
        let endpoint = self.row(query).await?.as_ref().map(webhook::read).transpose()?;
        Ok(endpoint.map(|endpoint| Errand { delivery, event, endpoint }))
    }

    /// How many attempts a delivery had, as long as the lease on it is held.
    pub async fn attempts_made(
        &mut self,
        ws: &WorkspaceId,
        id: &DeliveryId,
        lease: &str,
    ) -> Result<Option<i64>> {
        let query = sql("select attempts from delivery where workspace_id = $1 and id = $2 and lease = $3");
        let row = self.row(query.text(ws.as_str()).text(id.as_str()).text(lease)).await?;
        row.map(|row| row.int("attempts")).transpose()
    }

    /// Ends a lease with what the attempt left of the delivery; `false`, and nothing changed, when the lease was lost.
    ///
    /// What waits behind a delivery that is due again later is not looked at before then, and the next in line is due
    /// when this one is through. That only saves looking: whether something may go, the claim decides.
    pub async fn settle_delivery(
        &mut self,
        ws: &WorkspaceId,
        id: &DeliveryId,
        lease: &str,
        after: After,
    ) -> Result<bool> {
        let update = sql("update delivery set lease = null, attempts = attempts + 1, next_at = $4, \
                          delivered_at = $5 where workspace_id = $1 and id = $2 and lease = $3 \
                          returning endpoint_id, connection_id, nth");
        let (next_at, delivered_at) = match after {
            After::Delivered => (None, Some(self.now)),
            After::Again(at) => (Some(at), None),
            After::GivenUp => (None, None),
        };
        let update = update.text(ws.as_str()).text(id.as_str()).text(lease);
        let settled = self.changed_row(update.maybe_at(next_at).maybe_at(delivered_at)).await?;
        let Some(settled) = settled else { return Ok(false) };
        match next_at {
            Some(at) => self.hold_line(ws, &settled, at).await?,
            None => self.let_next_go(ws, &settled).await?,
        }
        Ok(true)
    }

    /// Has what waits behind a delivery wait as long as it does. What is written from now on is due at once, and
    /// looked at until the next attempt.
    async fn hold_line(&mut self, ws: &WorkspaceId, head: &Row, at: Millis) -> Result<()> {
        let update = sql("update delivery set next_at = $5 where workspace_id = $1 and endpoint_id = $2 \
                          and connection_id = $3 and nth > $4 and next_at < $5 and lease is null");
        let update =
            update.text(ws.as_str()).text(head.text("endpoint_id")?).text(head.text("connection_id")?);
        self.execute(update.int(head.int("nth")?).at(at)).await.map(drop)
    }

    /// Makes due what is next behind a delivery, unless it waits for an attempt of its own.
    async fn let_next_go(&mut self, ws: &WorkspaceId, head: &Row) -> Result<()> {
        let update = sql("update delivery set next_at = $5 where workspace_id = $1 and id = \
                          (select d.id from delivery d where d.endpoint_id = $2 and d.connection_id = $3 \
                          and d.nth > $4 and d.next_at is not null order by d.nth, d.id limit 1) \
                          and next_at > $5 and lease is null and attempts = 0");
        let update =
            update.text(ws.as_str()).text(head.text("endpoint_id")?).text(head.text("connection_id")?);
        let freed = self.execute(update.int(head.int("nth")?).at(self.now)).await?;
        self.wakes |= freed > 0;
        Ok(())
    }

    /// Keeps an attempt as the next of its delivery: its own `number` is not looked at. `false` when the delivery is
    /// gone.
    pub async fn add_attempt(&mut self, ws: &WorkspaceId, attempt: &Attempt) -> Result<bool> {
        let insert = sql(
            "insert into delivery_attempt (id, workspace_id, delivery_id, status, error, answer, \
                          duration_ms, at, number) \
                          select cast($1 as text), d.workspace_id, d.id, cast($2 as bigint), cast($3 as text), \
                          cast($4 as text), cast($5 as bigint), cast($6 as bigint), \
                          (select coalesce(max(a.number), 0) + 1 from delivery_attempt a \
                           where a.workspace_id = d.workspace_id and a.delivery_id = d.id) \
                          from delivery d where d.workspace_id = $7 and d.id = $8",
        );
        let insert = insert.text(attempt.id.as_str()).maybe_int(attempt.status);
        let insert = insert.maybe_text(attempt.error.as_deref()).maybe_text(attempt.answer.as_deref());
        let insert = insert.int(attempt.duration_ms).at(attempt.at).text(ws.as_str());
        match self.execute(insert.text(attempt.delivery_id.as_str())).await {
            // Removed between our look and our insert. On PostgreSQL nothing more can be done in this transaction.
            Err(Error::Conflict { .. }) => {
                Err(Error::internal("an attempt's delivery was removed meanwhile"))
            }
            added => Ok(added? > 0),
        }
    }

    /// A delivery's attempts, first to last.
    pub async fn attempts(&mut self, ws: &WorkspaceId, delivery: &DeliveryId) -> Result<Vec<Attempt>> {
        let query = sql(
            "select * from delivery_attempt where workspace_id = $1 and delivery_id = $2 order by number",
        );
        let rows = self.rows(query.text(ws.as_str()).text(delivery.as_str())).await?;
        let read = rows.iter().map(|row| {
            Ok(Attempt {
                id: row.id("id", AttemptId::from_row)?,
                delivery_id: row.id("delivery_id", DeliveryId::from_row)?,
                number: row.int("number")?,
                status: row.maybe_int("status")?,
                error: row.maybe_text("error")?,
                answer: row.maybe_text("answer")?,
                duration_ms: row.int("duration_ms")?,
                at: row.at("at")?,
            })
        });
        read.collect()
    }
}
