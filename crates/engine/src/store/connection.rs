//! Connections. Their credentials are in [`super::credential`].

use super::{
    Conn, Page, Topic,
    conn::found,
    statement::{Row, Statement, sql},
};
use crate::{
    domain::connection::{Account, Connection, Owner, OwnerKind, Status},
    error::Result,
    id::{ConnectionId, IntegrationId, WorkspaceId},
    time::Millis,
};

/// Which connections of a workspace; what is `None` does not narrow.
#[derive(Debug, Clone, Default)]
pub struct ConnectionFilter {
    /// Only of this integration.
    pub integration_id: Option<IntegrationId>,
    /// Only of this notion of an owner. A door always sets its own.
    pub owner_kind: Option<OwnerKind>,
    /// Only of the owner with this key.
    pub owner_key: Option<String>,
    /// Only in this status.
    pub status: Option<Status>,
    /// Only those made by the auth option with this key; empty for the integration's own way.
    pub auth_option: Option<String>,
}

/// A list's statement. The optional conditions can't use an index, so `$by` repeats the one that is to find the
/// rows; the values are the same whichever it is.
macro_rules! listing {
    ($by:literal) => {
        concat!(
            "select * from connection where workspace_id = $1 ",
            $by,
            "and ($2 is null or integration_id = $2) and ($3 is null or owner_kind = $3) \
             and ($4 is null or owner_key = $4) and ($5 is null or status = $5) \
             and ($6 is null or coalesce(auth_option, '') = $6) \
             order by created_at desc, id desc limit $7 offset $8"
        )
    };
}

/// All of a workspace.
pub(super) const LISTED: &str = listing!("");
/// Those of one integration.
pub(super) const OF_INTEGRATION: &str = listing!("and integration_id = $2 ");
/// Those of one owner.
pub(super) const OF_OWNER: &str = listing!("and owner_kind = $3 and owner_key = $4 ");

/// A user's own at an integration. The kind stands in the text: only so is the index of its kind used.
pub(super) const OF_USER: &str = "select * from connection where workspace_id = $1 and integration_id = $2 \
     and owner_kind = 'user' and owner_key = $3";
/// A customer's newest at an integration.
pub(super) const OF_CUSTOMER: &str = "select * from connection where workspace_id = $1 and integration_id = $2 \
     and owner_kind = 'customer' and owner_key = $3 order by created_at desc, id desc limit 1";
/// The one for all of a shared integration.
pub(super) const SHARED: &str =
    "select * from connection where workspace_id = $1 and integration_id = $2 and owner_kind = 'shared'";

/// A live connection but for one, of an account: of an integration's own way, or of an auth option. One that is about to
/// end keeps nothing alive: frozen for it, or marked since `$4`, for whoever marked it before that died over it.
macro_rules! live {
    ($at:literal, $of:literal) => {
        concat!(
            "exists (select 1 from connection c where ",
            $at,
            " and c.status = $2 and c.id <> $3 and (c.ending_at is null or c.frozen_at is null and c.ending_at < $4)",
            $of,
            ")"
        )
    };
}

/// The providers of a client's integrations and auth options that have a live connection of an account. The client may
/// be their own or an app that they name.
macro_rules! sharing {
    ($live:ident) => {
        concat!(
            "select i.provider as provider from integration i where i.client_id = $1 and ",
            $live!("c.workspace_id = i.workspace_id and c.integration_id = i.id and c.auth_option is null"),
            " union select o.provider as provider from auth_option o where o.client_id = $1 and ",
            $live!(
                "c.workspace_id = o.workspace_id and c.integration_id = o.integration_id \
                    and c.auth_option = o.key"
            ),
            " union select i.provider as provider from oauth_app a \
             join integration i on i.workspace_id = a.workspace_id and i.proxy_key = a.key \
             where a.client_id = $1 and ",
            $live!("c.workspace_id = i.workspace_id and c.integration_id = i.id and c.auth_option is null"),
            " union select o.provider as provider from oauth_app a \
             join auth_option o on o.workspace_id = a.workspace_id and o.proxy_key = a.key \
             where a.client_id = $1 and ",
            $live!(
                "c.workspace_id = o.workspace_id and c.integration_id = o.integration_id \
                    and c.auth_option = o.key"
            )
        )
    };
}

/// Of one account, or of one that is not known.
macro_rules! of_account {
    ($at:literal) => {
        concat!(
            "(",
            live!($at, " and c.account_id = $5"),
            " or ",
            live!($at, " and c.account_id is null"),
            ")"
        )
    };
}

/// Of any account.
macro_rules! of_any {
    ($at:literal) => {
        live!($at, "")
    };
}

/// The providers of a client's integrations that have a live connection of an account, or of one that is not known.
pub(super) const SHARING_ACCOUNT: &str = sharing!(of_account);
/// The same, of any account.
pub(super) const SHARING_CLIENT: &str = sharing!(of_any);

/// The columns of a connection that is made, in the order of [`values`].
macro_rules! columns {
    () => {
        "id, workspace_id, integration_id, owner_kind, owner_key, status, status_reason, scopes_asked, \
         scopes_granted, account_id, account_name, account_email, inputs, frozen_at, refreshed_at, expires_at, \
         created_at, updated_at, authorized_at, name, auth_option, name_search"
    };
}
pub(super) use columns;

impl Conn {
    /// Keeps a new connection.
    pub async fn create_connection(&mut self, ws: &WorkspaceId, connection: &Connection) -> Result<()> {
        let insert = sql(concat!(
            "insert into connection (",
            columns!(),
            ") values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, \
             $20, $21, $22)",
        ));
        self.execute(values(insert, ws, connection)?).await?;
        self.sign(Some(ws), Topic::Connection, "connection.create", connection.id.as_str()).await
    }

    /// A connection by id.
    pub async fn connection(&mut self, ws: &WorkspaceId, id: &ConnectionId) -> Result<Option<Connection>> {
        let query = sql("select * from connection where workspace_id = $1 and id = $2");
        self.row(query.text(ws.as_str()).text(id.as_str())).await?.as_ref().map(read).transpose()
    }

    /// The connection that an owner's new credential at an integration goes over, where it is to have one only: of a
    /// user its own, of a shared integration the one for all, whoever made it, and of a customer its newest. None of a
    /// product's own words for an owner is found here.
    pub async fn connection_of(
        &mut self,
        ws: &WorkspaceId,
        integration: &IntegrationId,
        owner: &Owner,
    ) -> Result<Option<Connection>> {
        let query = match (owner.kind, owner.key.as_deref()) {
            (OwnerKind::User, Some(key)) => {
                sql(OF_USER).text(ws.as_str()).text(integration.as_str()).key(key)
            }
            (OwnerKind::Shared, _) => sql(SHARED).text(ws.as_str()).text(integration.as_str()),
            (OwnerKind::Customer, Some(key)) => {
                sql(OF_CUSTOMER).text(ws.as_str()).text(integration.as_str()).key(key)
            }
            (OwnerKind::User | OwnerKind::External | OwnerKind::Customer, _) => return Ok(None),
        };
        self.row(query).await?.as_ref().map(read).transpose()
    }

    /// The workspace's connections that pass the filter, newest first.
    pub async fn connections(
        &mut self,
        ws: &WorkspaceId,
        filter: &ConnectionFilter,
        page: &Page,
    ) -> Result<Vec<Connection>> {
        let text = match filter {
            ConnectionFilter { owner_kind: Some(_), owner_key: Some(_), .. } => OF_OWNER,
            ConnectionFilter { integration_id: Some(_), .. } => OF_INTEGRATION,
            _ => LISTED,
        };
        let query =
            sql(text).text(ws.as_str()).maybe_text(filter.integration_id.as_ref().map(IntegrationId::as_str));
        let query = query.maybe_text(filter.owner_kind.map(OwnerKind::as_str));
        let query =
            query.maybe_key(filter.owner_key.as_deref()).maybe_text(filter.status.map(Status::as_str));
        let query = query.maybe_key(filter.auth_option.as_deref()).int(page.limit).int(page.offset);
        self.rows(query).await?.iter().map(read).collect()
    }

    /// Sets whether a connection can be used, and why not.
    pub async fn set_connection_status(
        &mut self,
        ws: &WorkspaceId,
        id: &ConnectionId,
        status: Status,
        reason: Option<&str>,
        now: Millis,
    ) -> Result<()> {
        let update = sql("update connection set status = $3, status_reason = $4, updated_at = $5 \
                          where workspace_id = $1 and id = $2");
        let update =
            update.text(ws.as_str()).text(id.as_str()).text(status.as_str()).maybe_text(reason).at(now);
        found(self.execute(update).await?, "connection")?;
        self.note(Some(ws), Topic::Connection, id.as_str());
        Ok(())
    }

    /// Notes on the connection that its credential was refreshed. Of `is`, the connection as it now is, only
    /// what a refresh can change is kept: when it was, until when the token is good, granted scopes, inputs.
    pub async fn note_refreshed(&mut self, ws: &WorkspaceId, is: &Connection) -> Result<()> {
        let update = sql("update connection set refreshed_at = $3, expires_at = $4, scopes_granted = $5, \
                          inputs = $6, updated_at = $7 where workspace_id = $1 and id = $2");
        let update = update.text(ws.as_str()).text(is.id.as_str());
        let update = update.maybe_at(is.refreshed_at).maybe_at(is.expires_at).json(&is.scopes_granted)?;
        found(self.execute(update.json(&is.inputs)?.at(is.updated_at)).await?, "connection")?;
        self.note(Some(ws), Topic::Connection, is.id.as_str());
        Ok(())
    }

    /// Puts a connection that was authorized anew over what there was of it: all but whose it is, since when, and
    /// whether it is frozen.
    pub async fn authorize_connection(&mut self, ws: &WorkspaceId, is: &Connection) -> Result<()> {
        let update = sql("update connection set status = $3, status_reason = $4, scopes_asked = $5, \
                          scopes_granted = $6, account_id = $7, account_name = $8, account_email = $9, \
                          inputs = $10, refreshed_at = $11, expires_at = $12, authorized_at = $13, \
                          updated_at = $14, name = $15, auth_option = $16, name_search = $17, ending_at = null \
                          where workspace_id = $1 and id = $2");
        let update = update.text(ws.as_str()).text(is.id.as_str()).text(is.status.as_str());
        let update = update.maybe_text(is.status_reason.as_deref()).json(&is.scopes_asked)?;
        let update = update.json(&is.scopes_granted)?.maybe_text(is.account.id.as_deref());
        let update = update.maybe_text(is.account.name.as_deref()).maybe_text(is.account.email.as_deref());
        let update = update.json(&is.inputs)?.maybe_at(is.refreshed_at).maybe_at(is.expires_at);
        let update = update.at(is.authorized_at).at(is.updated_at).maybe_text(is.name.as_deref());
        let update = update.maybe_text(is.auth_option.as_deref()).maybe_text(folded(is));
        found(self.execute(update).await?, "connection")?;
        self.sign(Some(ws), Topic::Connection, "connection.authorize", is.id.as_str()).await
    }

    /// Freezes a connection since `at`, or thaws it with `None`, and then it is not about to end either; `false` when
    /// there is none.
    pub async fn freeze_connection(
        &mut self,
        ws: &WorkspaceId,
        id: &ConnectionId,
        at: Option<Millis>,
    ) -> Result<bool> {
        let update = sql("update connection set frozen_at = $3, updated_at = $4, ending_at = case when \
                 cast($3 as bigint) is null then null else ending_at end where workspace_id = $1 and id = $2");
        let update = update.text(ws.as_str()).text(id.as_str()).maybe_at(at).at(self.now);
        if self.execute(update).await? == 0 {
            return Ok(false);
        }
        let verb = if at.is_some() { "connection.freeze" } else { "connection.thaw" };
        self.sign(Some(ws), Topic::Connection, verb, id.as_str()).await?;
        Ok(true)
    }

    /// Removes a connection and its credential; `false` when there was none.
    ///
    /// What is known of refreshes, the credential's row and the connection's, in the order in which a refresh writes
    /// them: neither waits for the other.
    pub async fn delete_connection(&mut self, ws: &WorkspaceId, id: &ConnectionId) -> Result<bool> {
        let forget = sql("delete from refresh_state where workspace_id = $1 and connection_id = $2");
        self.execute(forget.text(ws.as_str()).text(id.as_str())).await?;
        let erase = sql("delete from credential where workspace_id = $1 and connection_id = $2");
        self.execute(erase.text(ws.as_str()).text(id.as_str())).await?;
        let delete = sql("delete from connection where workspace_id = $1 and id = $2");
        if self.execute(delete.text(ws.as_str()).text(id.as_str())).await? == 0 {
            return Ok(false);
        }
        self.sign(Some(ws), Topic::Connection, "connection.delete", id.as_str()).await?;
        Ok(true)
    }

    /// The providers at which other active connections may share this one's grant: of the same OAuth client, and
    /// of the same account or one that is not known. Connections of other workspaces count as well. Which
    /// providers are related is not known here: the catalog says it. One that was said before `ending_since` to be about
    /// to end, and lives on, counts.
    pub async fn any_providers_sharing(
        &mut self,
        connection: &Connection,
        client_id: &str,
        ending_since: Millis,
    ) -> Result<Vec<String>> {
        let account = connection.account.id.as_deref();
        let query = sql(if account.is_some() { SHARING_ACCOUNT } else { SHARING_CLIENT });
        let query = query.text(client_id).text(Status::Active.as_str()).text(connection.id.as_str());
        let query = query.at(ending_since);
        let query = match account {
            Some(account) => query.text(account),
            None => query,
        };
        self.rows(query).await?.iter().map(|row| row.text("provider")).collect()
    }
}

/// A connection's values, for an insert.
pub(super) fn values(insert: Statement, ws: &WorkspaceId, connection: &Connection) -> Result<Statement> {
    let insert = insert.text(connection.id.as_str()).text(ws.as_str());
    let insert = insert.text(connection.integration_id.as_str()).text(connection.owner.kind.as_str());
    let insert = insert.maybe_text(connection.owner.key.as_deref()).text(connection.status.as_str());
    let insert = insert.maybe_text(connection.status_reason.as_deref());
    let insert = insert.json(&connection.scopes_asked)?.json(&connection.scopes_granted)?;
    let account = &connection.account;
    let insert = insert.maybe_text(account.id.as_deref()).maybe_text(account.name.as_deref());
    let insert = insert.maybe_text(account.email.as_deref()).json(&connection.inputs)?;
    let insert = insert.maybe_at(connection.frozen_at).maybe_at(connection.refreshed_at);
    let insert = insert.maybe_at(connection.expires_at).at(connection.created_at).at(connection.updated_at);
    let insert = insert.at(connection.authorized_at).maybe_text(connection.name.as_deref());
    Ok(insert.maybe_text(connection.auth_option.as_deref()).maybe_text(folded(connection)))
}

/// Its name as a search looks through it.
fn folded(connection: &Connection) -> Option<String> {
    connection.name.as_deref().map(str::to_lowercase)
}

pub(super) fn read(row: &Row) -> Result<Connection> {
    Ok(Connection {
        id: row.id("id", ConnectionId::from_row)?,
        workspace_id: row.id("workspace_id", WorkspaceId::from_row)?,
        integration_id: row.id("integration_id", IntegrationId::from_row)?,
        owner: Owner { kind: row.word("owner_kind", OwnerKind::parse)?, key: row.maybe_text("owner_key")? },
        status: row.word("status", Status::parse)?,
        status_reason: row.maybe_text("status_reason")?,
        scopes_asked: row.json("scopes_asked")?,
        scopes_granted: row.json("scopes_granted")?,
        account: Account {
            id: row.maybe_text("account_id")?,
            name: row.maybe_text("account_name")?,
            email: row.maybe_text("account_email")?,
        },
        inputs: row.json("inputs")?,
        name: row.maybe_text("name")?,
        auth_option: row.maybe_text("auth_option")?,
        frozen_at: row.maybe_at("frozen_at")?,
        refreshed_at: row.maybe_at("refreshed_at")?,
        expires_at: row.maybe_at("expires_at")?,
        authorized_at: row.at("authorized_at")?,
        created_at: row.at("created_at")?,
        updated_at: row.at("updated_at")?,
    })
}
