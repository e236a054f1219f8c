//! Integrations.

use super::{
    Conn, Page, Topic,
    statement::{Row, sql},
};
use crate::{
    domain::{
        connection::OwnerKind,
        integration::{AsOf, CallbackKind, Integration, Mode},
        share::Principal,
    },
    error::{Error, Result},
    id::{IntegrationId, WorkspaceId},
    vault::Sealed,
};

impl Conn {
    /// Keeps a new integration. [`Error::Conflict`] when its key is taken in the workspace.
    pub async fn create_integration(&mut self, ws: &WorkspaceId, integration: &Integration) -> Result<()> {
        let insert = sql(
            "insert into integration (id, workspace_id, slug, provider, name, name_sort, mode, \
                          client_id, client_secret, scopes, callback, config, version, disabled_at, created_at, \
                          updated_at, description, tags, owner, search, proxy_key) \
                          values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, \
                          $17, $18, $19, $20, $21)",
        );
        let insert = insert.text(integration.id.as_str()).text(ws.as_str()).text(&integration.key);
        let insert = insert.text(&integration.provider).text(&integration.name);
        let insert = insert.text(integration.name.to_lowercase()).text(integration.mode.as_str());
        let insert = insert.maybe_text(integration.client_id.as_deref());
        let insert = insert.maybe_sealed(integration.client_secret.as_ref()).json(&integration.scopes)?;
        let insert = insert.text(integration.callback.as_str()).json(&integration.config)?;
        let insert = insert.int(integration.version).maybe_at(integration.disabled_at);
        let insert = insert.at(integration.created_at).at(integration.updated_at);
        let insert = insert.maybe_text(integration.description.as_deref()).json(&integration.tags)?;
        let insert = insert.maybe_text(integration.owner.as_ref().map(Principal::to_text));
        let insert = insert.text(searched(integration)).maybe_text(integration.config.proxy_key.as_deref());
        self.execute(insert).await?;
        self.sign(Some(ws), Topic::Integration, "integration.create", integration.id.as_str()).await
    }

    /// An integration by id.
    pub async fn integration(&mut self, ws: &WorkspaceId, id: &IntegrationId) -> Result<Option<Integration>> {
        let query = sql("select * from integration where workspace_id = $1 and id = $2");
        self.row(query.text(ws.as_str()).text(id.as_str())).await?.as_ref().map(read).transpose()
    }

    /// An integration by id or by key. A key can look like an id; the id then wins.
    pub async fn integration_by_selector(
        &mut self,
        ws: &WorkspaceId,
        selector: &str,
    ) -> Result<Option<Integration>> {
        let query = sql("select * from integration where workspace_id = $1 and (id = $2 or slug = $2) \
                         order by case when id = $2 then 0 else 1 end limit 1");
        self.row(query.text(ws.as_str()).key(selector)).await?.as_ref().map(read).transpose()
    }

    /// Whether the integration is in use and still of this version; if so, no other process changes it until this
    /// unit of work ends.
    pub async fn hold_integration(
        &mut self,
        ws: &WorkspaceId,
        id: &IntegrationId,
        version: i64,
    ) -> Result<bool> {
        let update = sql("update integration set version = version \
                          where workspace_id = $1 and id = $2 and version = $3 and disabled_at is null");
        Ok(self.execute(update.text(ws.as_str()).text(id.as_str()).int(version)).await? > 0)
    }

    /// The workspace's integrations, oldest first.
    pub async fn integrations(&mut self, ws: &WorkspaceId, page: &Page) -> Result<Vec<Integration>> {
        let query = sql("select * from integration where workspace_id = $1 order by created_at, id \
                         limit $2 offset $3");
        let query = query.text(ws.as_str()).int(page.limit).int(page.offset);
        self.rows(query).await?.iter().map(read).collect()
    }

    /// Changes an integration and gives its new version. Writes only over the version that was read:
    /// [`Error::Conflict`] when another change came first. Id, workspace, owner and `created_at` never change here. A client
    /// secret that stays the same stays as it is stored: its data key may be wrapped anew since it was read.
    pub async fn update_integration(&mut self, ws: &WorkspaceId, integration: &Integration) -> Result<i64> {
        if integration.as_of != AsOf::default() {
            return Err(Error::internal("an integration was to be written in the words of another"));
        }
        let update = sql(
            "update integration set slug = $4, provider = $5, name = $6, name_sort = $7, mode = $8, \
                          client_id = $9, client_secret = case when replace(client_secret, $16, '') <> client_secret \
                          then client_secret else $10 end, scopes = $11, callback = $12, config = $13, \
                          disabled_at = $14, updated_at = $15, description = $17, tags = $18, search = $19, \
                          proxy_key = $20, version = version + 1 \
                          where workspace_id = $1 and id = $2 and version = $3 returning version",
        );
        let update = update.text(ws.as_str()).text(integration.id.as_str()).int(integration.version);
        let update = update.text(&integration.key).text(&integration.provider).text(&integration.name);
        let update = update.text(integration.name.to_lowercase()).text(integration.mode.as_str());
        let update = update.maybe_text(integration.client_id.as_deref());
        let update = update.maybe_sealed(integration.client_secret.as_ref()).json(&integration.scopes)?;
        let update = update.text(integration.callback.as_str()).json(&integration.config)?;
        let update = update.maybe_at(integration.disabled_at).at(self.now);
        let update = update.maybe_text(integration.client_secret.as_ref().and_then(Sealed::body));
        let update = update.maybe_text(integration.description.as_deref()).json(&integration.tags)?;
        let update = update.text(searched(integration)).maybe_text(integration.config.proxy_key.as_deref());
        let Some(row) = self.changed_row(update).await? else {
            return Err(match self.integration(ws, &integration.id).await? {
                Some(_) => Error::Conflict { message: "the integration was changed meanwhile".to_owned() },
                None => Error::NotFound { what: "integration" },
            });
        };
        self.sign(Some(ws), Topic::Integration, "integration.update", integration.id.as_str()).await?;
        row.int("version")
    }

    /// How many connections an integration has of each kind of owner that it has any of.
    pub async fn integration_connections(
        &mut self,
        ws: &WorkspaceId,
        id: &IntegrationId,
    ) -> Result<Vec<(OwnerKind, i64)>> {
        let query = sql("select owner_kind, count(*) as connections from connection \
                         where workspace_id = $1 and integration_id = $2 group by owner_kind order by owner_kind");
        let rows = self.rows(query.text(ws.as_str()).text(id.as_str())).await?;
        rows.iter()
            .map(|row| Ok((row.word("owner_kind", OwnerKind::parse)?, row.int("connections")?)))
            .collect()
    }

    /// Removes an integration with its flows and the API keys limited to it; `false` when there was none.
    /// [`Error::Conflict`] when it still has connections.
    pub async fn delete_integration(&mut self, ws: &WorkspaceId, id: &IntegrationId) -> Result<bool> {
        let used = sql("select id from connection where workspace_id = $1 and integration_id = $2 limit 1");
        if self.row(used.text(ws.as_str()).text(id.as_str())).await?.is_some() {
            return Err(Error::Conflict { message: "the integration still has connections".to_owned() });
        }
        let keys = sql("select id from api_key where workspace_id = $1 and integration_id = $2");
        for key in self.rows(keys.text(ws.as_str()).text(id.as_str())).await? {
            self.note(Some(ws), Topic::ApiKey, &key.text("id")?);
        }
        let delete = sql("delete from integration where workspace_id = $1 and id = $2");
        if self.execute(delete.text(ws.as_str()).text(id.as_str())).await? == 0 {
            return Ok(false);
        }
        self.sign(Some(ws), Topic::Integration, "integration.delete", id.as_str()).await?;
        Ok(true)
    }
}

/// What a search looks through.
fn searched(integration: &Integration) -> String {
    let description = integration.description.as_deref().unwrap_or_default();
    format!("{}\n{}\n{description}", integration.name, integration.key).to_lowercase()
}

pub(super) fn read(row: &Row) -> Result<Integration> {
    Ok(Integration {
        id: row.id("id", IntegrationId::from_row)?,
        workspace_id: row.id("workspace_id", WorkspaceId::from_row)?,
        key: row.text("slug")?,
        provider: row.text("provider")?,
        name: row.text("name")?,
        description: row.maybe_text("description")?,
        tags: row.json("tags")?,
        owner: row.maybe_text("owner")?.as_deref().and_then(Principal::parse),
        mode: row.word("mode", Mode::parse)?,
        client_id: row.maybe_text("client_id")?,
        client_secret: row.maybe_sealed("client_secret")?,
        scopes: row.json("scopes")?,
        callback: row.word("callback", CallbackKind::parse)?,
        config: row.json("config")?,
        version: row.int("version")?,
        disabled_at: row.maybe_at("disabled_at")?,
        created_at: row.at("created_at")?,
        updated_at: row.at("updated_at")?,
        as_of: AsOf::default(),
    })
}
