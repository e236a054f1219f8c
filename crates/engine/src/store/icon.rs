//! Icons of integrations. What comes in here is harmless already.

use std::collections::BTreeMap;

use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::{Conn, Topic, fault::unreadable, statement::sql};
use crate::{
    domain::icon::Icon,
    error::Result,
    id::{IntegrationId, WorkspaceId},
};

impl Conn {
    /// An integration's icon.
    pub async fn icon(&mut self, ws: &WorkspaceId, integration: &IntegrationId) -> Result<Option<Icon>> {
        let query = sql("select * from integration_icon where workspace_id = $1 and integration_id = $2");
        let row = self.row(query.text(ws.as_str()).text(integration.as_str())).await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Icon {
            media_type: row.text("media_type")?,
            body: BASE64_STANDARD.decode(row.text("body")?).map_err(|_| unreadable("body"))?,
            hash: row.text("hash")?,
            updated_at: row.at("updated_at")?,
        }))
    }

    /// The hash of an integration's icon.
    pub async fn icon_hash(
        &mut self,
        ws: &WorkspaceId,
        integration: &IntegrationId,
    ) -> Result<Option<String>> {
        let query = sql("select hash from integration_icon where workspace_id = $1 and integration_id = $2");
        let row = self.row(query.text(ws.as_str()).text(integration.as_str())).await?;
        row.map(|row| row.text("hash")).transpose()
    }

    /// The hashes of the icons in a workspace, by integration.
    pub async fn icon_hashes(&mut self, ws: &WorkspaceId) -> Result<BTreeMap<String, String>> {
        let query = sql("select integration_id, hash from integration_icon where workspace_id = $1");
        let rows = self.rows(query.text(ws.as_str())).await?;
        rows.iter().map(|row| Ok((row.text("integration_id")?, row.text("hash")?))).collect()
    }

    /// Gives an integration an icon, in place of the one it has. [`crate::error::Error::Conflict`] when there is no
    /// such integration.
    pub async fn set_icon(
        &mut self,
        ws: &WorkspaceId,
        integration: &IntegrationId,
        icon: &Icon,
    ) -> Result<()> {
        let upsert =
            sql("insert into integration_icon (workspace_id, integration_id, media_type, body, hash, \
                          updated_at) values ($1, $2, $3, $4, $5, $6) \
                          on conflict (workspace_id, integration_id) do update set \
                          media_type = excluded.media_type, body = excluded.body, hash = excluded.hash, \
                          updated_at = excluded.updated_at");
        let upsert = upsert.text(ws.as_str()).text(integration.as_str()).text(&icon.media_type);
        let upsert = upsert.text(BASE64_STANDARD.encode(&icon.body)).text(&icon.hash).at(icon.updated_at);
        self.execute(upsert).await?;
        self.sign(Some(ws), Topic::Integration, "integration.icon", integration.as_str()).await
    }

    /// Takes an integration's icon away; `false` when it had none.
    pub async fn delete_icon(&mut self, ws: &WorkspaceId, integration: &IntegrationId) -> Result<bool> {
        let delete = sql("delete from integration_icon where workspace_id = $1 and integration_id = $2");
        if self.execute(delete.text(ws.as_str()).text(integration.as_str())).await? == 0 {
            return Ok(false);
        }
        self.sign(Some(ws), Topic::Integration, "integration.icon", integration.as_str()).await?;
        Ok(true)
    }
}
