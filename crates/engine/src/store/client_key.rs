//! Our own keys towards providers.

use claviger_catalog::Alg;

use super::{
    Conn, Topic,
    statement::{Row, sql},
};
use crate::{
    domain::{
        client_key::{ClientKey, Purpose},
        integration::Integration,
    },
    error::Result,
    id::{AuthOptionId, ClientKeyId, IntegrationId, WorkspaceId},
};

impl Conn {
    /// Keeps a key.
    pub async fn create_client_key(&mut self, ws: &WorkspaceId, key: &ClientKey) -> Result<()> {
        let insert = sql(
            "insert into client_key (id, workspace_id, integration_id, option_id, kind, algorithm, public, \
                          secret, signs_from, created_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        );
        let insert = insert.text(key.id.as_str()).text(ws.as_str()).text(key.integration_id.as_str());
        let insert = insert.maybe_text(key.option_id.as_ref().map(AuthOptionId::as_str));
        let insert = insert.text(key.purpose.as_str()).text(key.alg.as_str()).text(&key.public);
        let insert = insert.text(key.secret.as_str()).at(key.signs_from).at(key.created_at);
        self.execute(insert).await?;
        self.sign(Some(ws), Topic::Integration, "client_key.create", key.id.as_str()).await
    }

    /// The keys of an integration's own way, or of one of its auth options, oldest first.
    pub async fn client_keys(
        &mut self,
        ws: &WorkspaceId,
        of: &IntegrationId,
        option: Option<&AuthOptionId>,
        purpose: Purpose,
    ) -> Result<Vec<ClientKey>> {
        let query = sql("select * from client_key where workspace_id = $1 and integration_id = $2 \
                         and coalesce(option_id, '') = $3 and kind = $4 order by created_at, id");
        let query = query.text(ws.as_str()).text(of.as_str());
        let query = query.text(option.map_or("", AuthOptionId::as_str)).text(purpose.as_str());
        self.rows(query).await?.iter().map(read).collect()
    }

    /// Removes a key; `false` when there was none.
    pub async fn delete_client_key(&mut self, ws: &WorkspaceId, id: &ClientKeyId) -> Result<bool> {
        let delete = sql("delete from client_key where workspace_id = $1 and id = $2");
        if self.execute(delete.text(ws.as_str()).key(id.as_str())).await? == 0 {
            return Ok(false);
        }
        self.sign(Some(ws), Topic::Integration, "client_key.delete", id.as_str()).await?;
        Ok(true)
    }

    /// The integration whose keys are published under this id: its own, or an auth option's, and then it is the
    /// integration as of that. Whoever asks is a provider's server, of which nothing is known.
    pub async fn any_integration_of_keys(&mut self, id: &str) -> Result<Option<Integration>> {
        let query = sql(
            "select workspace_id, id as integration_id, '' as option_key from integration where id = $1 \
                         union all select workspace_id, integration_id, key as option_key from auth_option \
                         where id = $1",
        );
        let Some(row) = self.row(query.key(id)).await? else { return Ok(None) };
        let ws = row.id("workspace_id", WorkspaceId::from_row)?;
        let of = row.id("integration_id", IntegrationId::from_row)?;
        let option = row.text("option_key")?;
        self.integration_as(&ws, &of, Some(&option)).await
    }
}

fn read(row: &Row) -> Result<ClientKey> {
    Ok(ClientKey {
        id: row.id("id", ClientKeyId::from_row)?,
        workspace_id: row.id("workspace_id", WorkspaceId::from_row)?,
        integration_id: row.id("integration_id", IntegrationId::from_row)?,
        option_id: row.maybe_text("option_id")?.map(AuthOptionId::from_row),
        purpose: row.word("kind", Purpose::parse)?,
        alg: row.word("algorithm", Alg::parse)?,
        public: row.text("public")?,
        secret: row.sealed("secret")?,
        signs_from: row.at("signs_from")?,
        created_at: row.at("created_at")?,
    })
}
