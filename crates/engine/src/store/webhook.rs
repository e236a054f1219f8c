//! Webhook endpoints.

use std::time::Duration;

use super::{
    Conn, Page, Topic,
    conn::found,
    statement::{Row, sql},
};
use crate::{
    domain::{
        event::EventKind,
        webhook::{DisabledReason, Endpoint, Format},
    },
    error::Result,
    id::{EndpointId, WorkspaceId},
    time::Millis,
    vault::Sealed,
};

/// Without an attempt for so long, what failed before says nothing about now.
const SILENCE: Duration = Duration::from_secs(24 * 3600);

/// An attempt, as far as it says something about its endpoint.
#[derive(Debug, Clone, Copy)]
pub struct Tried<'a> {
    /// Where it went.
    pub url: &'a str,
    /// When it began.
    pub at: Millis,
    /// Whether it arrived.
    pub arrived: bool,
}

impl Conn {
    /// Keeps a new endpoint.
    pub async fn create_endpoint(&mut self, ws: &WorkspaceId, endpoint: &Endpoint) -> Result<()> {
        let insert = sql(
            "insert into webhook_endpoint (id, workspace_id, name, url, events, secret, previous_secret, \
                          previous_secret_until, disabled_at, disabled_reason, last_triggered_at, created_at, \
                          updated_at, format) \
                          values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        );
        let insert =
            insert.text(endpoint.id.as_str()).text(ws.as_str()).text(&endpoint.name).text(&endpoint.url);
        let insert = insert.json(&words(&endpoint.events))?.text(endpoint.secret.as_str());
        let insert = insert.maybe_sealed(endpoint.previous_secret.as_ref());
        let insert = insert.maybe_at(endpoint.previous_secret_until).maybe_at(endpoint.disabled_at);
        let insert = insert.maybe_text(endpoint.disabled_reason.map(DisabledReason::as_str));
        let insert = insert.maybe_at(endpoint.last_triggered_at);
        let insert = insert.at(endpoint.created_at).at(endpoint.updated_at);
        self.execute(insert.text(endpoint.format.as_str())).await?;
        self.sign(Some(ws), Topic::Endpoint, "webhook_endpoint.create", endpoint.id.as_str()).await
    }

    /// An endpoint by id.
    pub async fn endpoint(&mut self, ws: &WorkspaceId, id: &EndpointId) -> Result<Option<Endpoint>> {
        let query = sql("select * from webhook_endpoint where workspace_id = $1 and id = $2");
        self.row(query.text(ws.as_str()).text(id.as_str())).await?.as_ref().map(read).transpose()
    }

    /// An endpoint by id, as it is now; no other process changes it until this unit of work ends.
    pub async fn hold_endpoint(&mut self, ws: &WorkspaceId, id: &EndpointId) -> Result<Option<Endpoint>> {
        let update = sql("update webhook_endpoint set updated_at = updated_at \
                          where workspace_id = $1 and id = $2 returning *");
        self.changed_row(update.text(ws.as_str()).text(id.as_str())).await?.as_ref().map(read).transpose()
    }

    /// The workspace's endpoints, oldest first.
    pub async fn endpoints(&mut self, ws: &WorkspaceId, page: &Page) -> Result<Vec<Endpoint>> {
        let query = sql("select * from webhook_endpoint where workspace_id = $1 order by created_at, id \
                         limit $2 offset $3");
        let query = query.text(ws.as_str()).int(page.limit).int(page.offset);
        self.rows(query).await?.iter().map(read).collect()
    }

    /// How many endpoints the workspace has.
    pub async fn count_endpoints(&mut self, ws: &WorkspaceId) -> Result<i64> {
        let query = sql("select count(*) as n from webhook_endpoint where workspace_id = $1");
        self.row(query.text(ws.as_str())).await?.map_or(Ok(0), |row| row.int("n"))
    }

    /// The endpoints that want this kind of event now.
    pub async fn endpoints_for(&mut self, ws: &WorkspaceId, kind: EventKind) -> Result<Vec<Endpoint>> {
        let query = sql("select * from webhook_endpoint where workspace_id = $1 and disabled_at is null \
                         order by created_at, id");
        let all: Result<Vec<_>> = self.rows(query.text(ws.as_str())).await?.iter().map(read).collect();
        Ok(all?.into_iter().filter(|endpoint| endpoint.events.contains(&kind)).collect())
    }

    /// Changes an endpoint's name, URL, events, format, secrets, and whether and why it is disabled. A secret that stays the
    /// same stays as it is stored: its data key may be wrapped anew since it was read. One that moves or is enabled again has
    /// failed at nothing yet.
    pub async fn update_endpoint(&mut self, ws: &WorkspaceId, endpoint: &Endpoint) -> Result<()> {
        let update = sql("update webhook_endpoint set name = $3, url = $4, events = $5, \
                          secret = case when replace(secret, $12, '') <> secret then secret else $6 end, \
                          previous_secret = case when replace(previous_secret, $13, '') <> previous_secret \
                          then previous_secret else $7 end, previous_secret_until = $8, disabled_at = $9, \
                          disabled_reason = $10, updated_at = $11, format = $14, failing_since = case \
                          when url = $4 and disabled_at is null then failing_since end \
                          where workspace_id = $1 and id = $2");
        let update = update.text(ws.as_str()).text(endpoint.id.as_str()).text(&endpoint.name);
        let update =
            update.text(&endpoint.url).json(&words(&endpoint.events))?.text(endpoint.secret.as_str());
        let update = update.maybe_sealed(endpoint.previous_secret.as_ref());
        let update = update.maybe_at(endpoint.previous_secret_until).maybe_at(endpoint.disabled_at);
        let update = update.maybe_text(endpoint.disabled_reason.map(DisabledReason::as_str)).at(self.now);
        let update = update.maybe_text(endpoint.secret.body());
        let update = update.maybe_text(endpoint.previous_secret.as_ref().and_then(Sealed::body));
        let update = update.text(endpoint.format.as_str());
        found(self.execute(update).await?, "webhook endpoint")?;
        self.sign(Some(ws), Topic::Endpoint, "webhook_endpoint.update", endpoint.id.as_str()).await
    }

    /// Disables an endpoint that is about to be removed, so that nothing more is put in line for it; `false` when
    /// there is none. Its removal is what is signed.
    pub async fn retire_endpoint(&mut self, ws: &WorkspaceId, id: &EndpointId) -> Result<bool> {
        let update = sql("update webhook_endpoint set disabled_at = coalesce(disabled_at, $3), \
                          disabled_reason = coalesce(disabled_reason, $4) where workspace_id = $1 and id = $2");
        let update = update.text(ws.as_str()).text(id.as_str()).at(self.now);
        if self.execute(update.text(DisabledReason::Asked.as_str())).await? == 0 {
            return Ok(false);
        }
        self.note(Some(ws), Topic::Endpoint, id.as_str());
        Ok(true)
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

    /// Disables an endpoint for what it answered at this URL; `false` when it was disabled or moved meanwhile.
    pub async fn disable_endpoint(
        &mut self,
        ws: &WorkspaceId,
        id: &EndpointId,
        url: &str,
        reason: DisabledReason,
    ) -> Result<bool> {
        let update =
            sql("update webhook_endpoint set disabled_at = $4, disabled_reason = $5, updated_at = $4 \
                          where workspace_id = $1 and id = $2 and url = $3 and disabled_at is null");
        let update = update.text(ws.as_str()).text(id.as_str()).text(url).at(self.now);
        if self.execute(update.text(reason.as_str())).await? == 0 {
            return Ok(false);
        }
        self.sign(Some(ws), Topic::Endpoint, "webhook_endpoint.disable", id.as_str()).await?;
        Ok(true)
    }

    /// Notes that a delivery to an endpoint was tried, and gives since when it has taken nothing; `None` when there is no
    /// such endpoint. A failure at a URL that it no longer has says nothing about it, and one after a day of silence
    /// is the first of a new row.
    pub async fn note_attempt(
        &mut self,
        ws: &WorkspaceId,
        id: &EndpointId,
        tried: &Tried<'_>,
    ) -> Result<Option<Option<Millis>>> {
        let update = sql("update webhook_endpoint set last_triggered_at = $3, failing_since = case \
             when $4 = 'yes' then null when url <> $5 then failing_since \
             when failing_since is null or last_triggered_at < $6 then $3 else failing_since end \
             where workspace_id = $1 and id = $2 returning failing_since");
        let update = update.text(ws.as_str()).text(id.as_str()).at(tried.at);
        let update = update.text(if tried.arrived { "yes" } else { "no" }).text(tried.url);
        let row = self.changed_row(update.at(tried.at.minus(SILENCE))).await?;
        row.map(|row| row.maybe_at("failing_since")).transpose()
    }
}

fn words(events: &[EventKind]) -> Vec<&'static str> {
    events.iter().map(|kind| kind.as_str()).collect()
}

pub(super) fn read(row: &Row) -> Result<Endpoint> {
    let events: Vec<String> = row.json("events")?;
    Ok(Endpoint {
        id: row.id("id", EndpointId::from_row)?,
        workspace_id: row.id("workspace_id", WorkspaceId::from_row)?,
        name: row.text("name")?,
        url: row.text("url")?,
        events: events.iter().filter_map(|kind| EventKind::parse(kind)).collect(),
        format: row.word("format", Format::parse)?,
        secret: row.sealed("secret")?,
        previous_secret: row.maybe_sealed("previous_secret")?,
        previous_secret_until: row.maybe_at("previous_secret_until")?,
        disabled_at: row.maybe_at("disabled_at")?,
        disabled_reason: row.maybe_text("disabled_reason")?.and_then(|text| DisabledReason::parse(&text)),
        last_triggered_at: row.maybe_at("last_triggered_at")?,
        created_at: row.at("created_at")?,
        updated_at: row.at("updated_at")?,
    })
}
