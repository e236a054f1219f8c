//! API keys: prefix and hash, never the key.

use std::time::Duration;

use super::{
    Conn, Topic,
    statement::{Row, sql},
};
use crate::{
    domain::api_key::{ApiKey, Scope},
    error::Result,
    id::{ApiKeyId, IntegrationId, WorkspaceId},
    time::Millis,
};

/// How fresh `last_used_at` is kept: finer would write a row per proxied call.
const TOUCH: Duration = Duration::from_secs(60);

impl Conn {
    /// Keeps a new key.
    pub async fn create_api_key(&mut self, ws: &WorkspaceId, key: &ApiKey) -> Result<()> {
        let insert =
            sql("insert into api_key (id, workspace_id, name, prefix, hash, scopes, integration_id, \
                          expires_at, last_used_at, revoked_at, created_at) \
                          values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)");
        let insert = insert.text(key.id.as_str()).text(ws.as_str()).text(&key.name).text(&key.prefix);
        let insert = insert.text(&key.hash).json(&texts(&key.scopes))?;
        let insert = insert.maybe_text(key.integration_id.as_ref().map(IntegrationId::as_str));
        let insert = insert.maybe_at(key.expires_at).maybe_at(key.last_used_at).maybe_at(key.revoked_at);
        self.execute(insert.at(key.created_at)).await?;
        self.sign(Some(ws), Topic::ApiKey, "api_key.create", key.id.as_str()).await
    }

    /// The keys with this prefix, revoked and expired ones included: how a caller's workspace is found.
    pub async fn any_api_key_by_prefix(&mut self, prefix: &str) -> Result<Vec<ApiKey>> {
        let query = sql("select * from api_key where prefix = $1 order by created_at, id").key(prefix);
        self.rows(query).await?.iter().map(read).collect()
    }

    /// The workspace's keys, oldest first.
    pub async fn api_keys(&mut self, ws: &WorkspaceId) -> Result<Vec<ApiKey>> {
        let query = sql("select * from api_key where workspace_id = $1 order by created_at, id");
        self.rows(query.text(ws.as_str())).await?.iter().map(read).collect()
    }

    /// Changes what a key may do; `false` when there is none or it is revoked.
    pub async fn set_api_key_scopes(
        &mut self,
        ws: &WorkspaceId,
        id: &ApiKeyId,
        scopes: &[Scope],
    ) -> Result<bool> {
        let update = sql("update api_key set scopes = $3 \
                          where workspace_id = $1 and id = $2 and revoked_at is null");
        let update = update.text(ws.as_str()).text(id.as_str()).json(&texts(scopes))?;
        if self.execute(update).await? == 0 {
            return Ok(false);
        }
        self.sign(Some(ws), Topic::ApiKey, "api_key.update", id.as_str()).await?;
        Ok(true)
    }

    /// Revokes a key; `false` when there is none or it was revoked before.
    pub async fn revoke_api_key(&mut self, ws: &WorkspaceId, id: &ApiKeyId, at: Millis) -> Result<bool> {
        let update = sql("update api_key set revoked_at = $3 \
                          where workspace_id = $1 and id = $2 and revoked_at is null");
        if self.execute(update.text(ws.as_str()).text(id.as_str()).at(at)).await? == 0 {
            return Ok(false);
        }
        self.sign(Some(ws), Topic::ApiKey, "api_key.revoke", id.as_str()).await?;
        Ok(true)
    }

    /// Notes that a key was used, unless that was noted within the last minute.
    pub async fn touch_api_key(&mut self, ws: &WorkspaceId, id: &ApiKeyId, at: Millis) -> Result<()> {
        let update = sql("update api_key set last_used_at = $3 \
                          where workspace_id = $1 and id = $2 and (last_used_at is null or last_used_at < $4)");
        let update = update.text(ws.as_str()).text(id.as_str()).at(at).at(at.minus(TOUCH));
        self.execute(update).await.map(drop)
    }
}

fn texts(scopes: &[Scope]) -> Vec<&'static str> {
    scopes.iter().map(|scope| scope.as_str()).collect()
}

fn read(row: &Row) -> Result<ApiKey> {
    let scopes: Vec<String> = row.json("scopes")?;
    Ok(ApiKey {
        id: row.id("id", ApiKeyId::from_row)?,
        workspace_id: row.id("workspace_id", WorkspaceId::from_row)?,
        name: row.text("name")?,
        prefix: row.text("prefix")?,
        hash: row.text("hash")?,
        // A scope that this program does not know grants nothing.
        scopes: scopes.iter().filter_map(|scope| Scope::parse(scope)).collect(),
        integration_id: row.maybe_id("integration_id", IntegrationId::from_row)?,
        expires_at: row.maybe_at("expires_at")?,
        last_used_at: row.maybe_at("last_used_at")?,
        revoked_at: row.maybe_at("revoked_at")?,
        created_at: row.at("created_at")?,
    })
}
