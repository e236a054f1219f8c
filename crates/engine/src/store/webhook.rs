//! Webhook endpoints and deliveries to them.

use super::{
    Conn, Page, Topic,
    conn::found,
    statement::{Row, sql},
};
use crate::{
    domain::{
        event::EventKind,
        webhook::{Delivery, Endpoint},
    },
    error::Result,
    id::{DeliveryId, EndpointId, EventId, WorkspaceId},
};

impl Conn {
    /// Keeps a new endpoint.
    pub async fn create_endpoint(&mut self, ws: &WorkspaceId, endpoint: &Endpoint) -> Result<()> {
        let insert =
            sql("insert into webhook_endpoint (id, workspace_id, name, url, events, secret, disabled_at, \
                          last_triggered_at, created_at, updated_at) \
                          values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)");
        let insert =
            insert.text(endpoint.id.as_str()).text(ws.as_str()).text(&endpoint.name).text(&endpoint.url);
        let insert = insert.json(&words(&endpoint.events))?.text(endpoint.secret.as_str());
        let insert = insert.maybe_at(endpoint.disabled_at).maybe_at(endpoint.last_triggered_at);
        self.execute(insert.at(endpoint.created_at).at(endpoint.updated_at)).await?;
        self.sign(Some(ws), Topic::Endpoint, "webhook_endpoint.create", endpoint.id.as_str()).await
    }

    /// An endpoint by id.
    pub async fn endpoint(&mut self, ws: &WorkspaceId, id: &EndpointId) -> Result<Option<Endpoint>> {
        let query = sql("select * from webhook_endpoint where workspace_id = $1 and id = $2");
        self.row(query.text(ws.as_str()).text(id.as_str())).await?.as_ref().map(read).transpose()
    }

    /// The workspace's endpoints, oldest first.
    pub async fn endpoints(&mut self, ws: &WorkspaceId, page: &Page) -> Result<Vec<Endpoint>> {
        let query = sql("select * from webhook_endpoint where workspace_id = $1 order by created_at, id \
                         limit $2 offset $3");
        let query = query.text(ws.as_str()).int(page.limit).int(page.offset);
        self.rows(query).await?.iter().map(read).collect()
    }

    /// The endpoints that want this kind of event now.
    pub async fn endpoints_for(&mut self, ws: &WorkspaceId, kind: EventKind) -> Result<Vec<Endpoint>> {
        let query = sql("select * from webhook_endpoint where workspace_id = $1 and disabled_at is null \
                         order by created_at, id");
        let all: Result<Vec<_>> = self.rows(query.text(ws.as_str())).await?.iter().map(read).collect();
        Ok(all?.into_iter().filter(|endpoint| endpoint.events.contains(&kind)).collect())
    }

    /// Changes an endpoint's name, URL, events, secret, and whether it is disabled.
    pub async fn update_endpoint(&mut self, ws: &WorkspaceId, endpoint: &Endpoint) -> Result<()> {
        let update = sql("update webhook_endpoint set name = $3, url = $4, events = $5, secret = $6, \
                          disabled_at = $7, updated_at = $8 where workspace_id = $1 and id = $2");
        let update = update.text(ws.as_str()).text(endpoint.id.as_str()).text(&endpoint.name);
        let update =
            update.text(&endpoint.url).json(&words(&endpoint.events))?.text(endpoint.secret.as_str());
        found(self.execute(update.maybe_at(endpoint.disabled_at).at(self.now)).await?, "webhook endpoint")?;
        self.sign(Some(ws), Topic::Endpoint, "webhook_endpoint.update", endpoint.id.as_str()).await
    }

    /// Removes an endpoint with its deliveries; `false` when there was none.
    pub async fn delete_endpoint(&mut self, ws: &WorkspaceId, id: &EndpointId) -> Result<bool> {
        let delete = sql("delete from webhook_endpoint where workspace_id = $1 and id = $2");
        if self.execute(delete.text(ws.as_str()).text(id.as_str())).await? == 0 {
            return Ok(false);
        }
        self.sign(Some(ws), Topic::Endpoint, "webhook_endpoint.delete", id.as_str()).await?;
        Ok(true)
    }

    /// Keeps a new delivery.
    pub async fn create_delivery(&mut self, ws: &WorkspaceId, delivery: &Delivery) -> Result<()> {
        let insert =
            sql("insert into delivery (id, workspace_id, event_id, endpoint_id, attempts, next_at, \
                          delivered_at, created_at) values ($1, $2, $3, $4, $5, $6, $7, $8)");
        let insert = insert.text(delivery.id.as_str()).text(ws.as_str()).text(delivery.event_id.as_str());
        let insert = insert.text(delivery.endpoint_id.as_str()).int(delivery.attempts);
        let insert = insert.maybe_at(delivery.next_at).maybe_at(delivery.delivered_at);
        self.execute(insert.at(delivery.created_at)).await.map(drop)
    }

    /// An event's deliveries, oldest first.
    pub async fn deliveries(&mut self, ws: &WorkspaceId, event: &EventId) -> Result<Vec<Delivery>> {
        let query =
            sql("select * from delivery where workspace_id = $1 and event_id = $2 order by created_at, id");
        self.rows(query.text(ws.as_str()).text(event.as_str())).await?.iter().map(read_delivery).collect()
    }
}

fn words(events: &[EventKind]) -> Vec<&'static str> {
    events.iter().map(|kind| kind.as_str()).collect()
}

fn read(row: &Row) -> Result<Endpoint> {
    let events: Vec<String> = row.json("events")?;
    Ok(Endpoint {
        id: row.id("id", EndpointId::from_row)?,
        workspace_id: row.id("workspace_id", WorkspaceId::from_row)?,
        name: row.text("name")?,
        url: row.text("url")?,
        events: events.iter().filter_map(|kind| EventKind::parse(kind)).collect(),
        secret: row.sealed("secret")?,
        disabled_at: row.maybe_at("disabled_at")?,
        last_triggered_at: row.maybe_at("last_triggered_at")?,
        created_at: row.at("created_at")?,
        updated_at: row.at("updated_at")?,
    })
}

fn read_delivery(row: &Row) -> Result<Delivery> {
    Ok(Delivery {
        id: row.id("id", DeliveryId::from_row)?,
        workspace_id: row.id("workspace_id", WorkspaceId::from_row)?,
        event_id: row.id("event_id", EventId::from_row)?,
        endpoint_id: row.id("endpoint_id", EndpointId::from_row)?,
        attempts: row.int("attempts")?,
        next_at: row.maybe_at("next_at")?,
        delivered_at: row.maybe_at("delivered_at")?,
        created_at: row.at("created_at")?,
    })
}
