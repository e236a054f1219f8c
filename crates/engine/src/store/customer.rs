//! Customers. Which connections are one's own is [`super::connection`]'s, by the customer's key.

use std::time::Duration;

use super::{
    Conn, Page,
    conn::found,
    integration_list::pattern,
    statement::{Row, sql},
};
use crate::{
    domain::customer::Customer,
    error::Result,
    id::{CustomerId, WorkspaceId},
    time::Millis,
};

/// How fresh `seen_at` is kept.
const TOUCH: Duration = Duration::from_secs(60);

/// A stretch of the workspace's, newest first.
pub(super) const LISTED: &str = "select * from customer where workspace_id = $1 \
     and ($2 is null or search like $2 escape '\\') order by created_at desc, id desc limit $3 offset $4";

const INSERT: &str = "insert into customer (id, workspace_id, key, name, fields, credentials, search, seen_at, \
     created_at, updated_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
/// Of two tokens that speak of a customer for the first time, the one that comes later finds what the other made.
const MEET: &str = "insert into customer (id, workspace_id, key, name, fields, credentials, search, seen_at, \
     created_at, updated_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
     on conflict (workspace_id, key) do update set seen_at = excluded.seen_at returning *";

impl Conn {
    /// Keeps a customer that somebody made. [`crate::error::Error::Conflict`] when its key is taken in the workspace.
    pub async fn create_customer(&mut self, ws: &WorkspaceId, customer: &Customer) -> Result<()> {
        self.execute(filled(INSERT, ws, customer)?).await?;
        self.audit(Some(ws), "customer.create", customer.id.as_str()).await
    }

    /// Keeps a customer of whom a token speaks, or gives the one with its key that is there already.
    pub async fn meet_customer(&mut self, ws: &WorkspaceId, customer: &Customer) -> Result<Customer> {
        let met = self.changed_row(filled(MEET, ws, customer)?).await?;
        met.as_ref().map_or_else(|| Ok(customer.clone()), read)
    }

    /// A customer by our id.
    pub async fn customer(&mut self, ws: &WorkspaceId, id: &CustomerId) -> Result<Option<Customer>> {
        let query = sql("select * from customer where workspace_id = $1 and id = $2");
        self.row(query.text(ws.as_str()).text(id.as_str())).await?.as_ref().map(read).transpose()
    }

    /// A customer by the product's own id for it.
    pub async fn customer_by_key(&mut self, ws: &WorkspaceId, key: &str) -> Result<Option<Customer>> {
        let query = sql("select * from customer where workspace_id = $1 and key = $2");
        self.row(query.text(ws.as_str()).key(key)).await?.as_ref().map(read).transpose()
    }

    /// The workspace's customers, newest first; only those with these words in name or key, in this order, where there
    /// are any.
    pub async fn customers(
        &mut self,
        ws: &WorkspaceId,
        search: Option<&str>,
        page: &Page,
    ) -> Result<Vec<Customer>> {
        let query = sql(LISTED).text(ws.as_str()).maybe_key(search.and_then(pattern).as_deref());
        self.rows(query.int(page.limit).int(page.offset)).await?.iter().map(read).collect()
    }

    /// A customer by our id; no other process changes it until this unit of work ends.
    pub async fn hold_customer(&mut self, ws: &WorkspaceId, id: &CustomerId) -> Result<Option<Customer>> {
        let update = sql("update customer set updated_at = updated_at where workspace_id = $1 and id = $2 \
                          returning *");
        self.changed_row(update.text(ws.as_str()).text(id.as_str())).await?.as_ref().map(read).transpose()
    }

    /// Keeps what a token newly tells of a customer: its name and its fields.
    pub async fn tell_of_customer(&mut self, ws: &WorkspaceId, is: &Customer) -> Result<()> {
        let update =
            sql("update customer set name = $3, fields = $4, search = $5, seen_at = $6, updated_at = $7 \
                          where workspace_id = $1 and id = $2");
        let update = update.text(ws.as_str()).text(is.id.as_str()).maybe_text(is.name.as_deref());
        let update = update.json(&is.fields)?.text(searched(is)).at(is.seen_at).at(is.updated_at);
        found(self.execute(update).await?, "customer")
    }

    /// Changes a customer: name, fields and credentials.
    pub async fn update_customer(&mut self, ws: &WorkspaceId, is: &Customer) -> Result<()> {
        let update = sql("update customer set name = $3, fields = $4, credentials = $5, search = $6, \
                          updated_at = $7 where workspace_id = $1 and id = $2");
        let update = update.text(ws.as_str()).text(is.id.as_str()).maybe_text(is.name.as_deref());
        let update = update.json(&is.fields)?.maybe_sealed(is.credentials.as_ref()).text(searched(is));
        found(self.execute(update.at(is.updated_at)).await?, "customer")?;
        self.audit(Some(ws), "customer.update", is.id.as_str()).await
    }

    /// Removes a customer, what it has begun to connect, and what is left of its archived connections; `false` when there
    /// was none. Its connections must be ended before.
    pub async fn delete_customer(&mut self, ws: &WorkspaceId, customer: &Customer) -> Result<bool> {
        let delete = sql("delete from customer where workspace_id = $1 and id = $2");
        if self.execute(delete.text(ws.as_str()).text(customer.id.as_str())).await? == 0 {
            return Ok(false);
        }
        let flows =
            sql("delete from flow where workspace_id = $1 and owner_kind = 'customer' and owner_key = $2");
        self.execute(flows.text(ws.as_str()).key(&customer.key)).await?;
        let archived = sql("delete from archived_connection where workspace_id = $1 and owner_key = $2");
        self.execute(archived.text(ws.as_str()).key(&customer.key)).await?;
        self.audit(Some(ws), "customer.delete", customer.id.as_str()).await?;
        Ok(true)
    }

    /// Keeps that a token spoke of a customer, unless that was less than a minute ago.
    pub async fn touch_customer(&mut self, ws: &WorkspaceId, id: &CustomerId, at: Millis) -> Result<()> {
        let update =
            sql("update customer set seen_at = $3 where workspace_id = $1 and id = $2 and seen_at < $4");
        let update = update.text(ws.as_str()).text(id.as_str()).at(at).at(at.minus(TOUCH));
        self.execute(update).await.map(drop)
    }
}

fn filled(text: &'static str, ws: &WorkspaceId, customer: &Customer) -> Result<super::statement::Statement> {
    let insert = sql(text).text(customer.id.as_str()).text(ws.as_str()).text(&customer.key);
    let insert = insert.maybe_text(customer.name.as_deref()).json(&customer.fields)?;
    let insert = insert.maybe_sealed(customer.credentials.as_ref()).text(searched(customer));
    Ok(insert.at(customer.seen_at).at(customer.created_at).at(customer.updated_at))
}

/// What a search looks through.
fn searched(customer: &Customer) -> String {
    format!("{}\n{}", customer.name.as_deref().unwrap_or_default(), customer.key).to_lowercase()
}

fn read(row: &Row) -> Result<Customer> {
    Ok(Customer {
        id: row.id("id", CustomerId::from_row)?,
        workspace_id: row.id("workspace_id", WorkspaceId::from_row)?,
        key: row.text("key")?,
        name: row.maybe_text("name")?,
        fields: row.json("fields")?,
        credentials: row.maybe_sealed("credentials")?,
        seen_at: row.at("seen_at")?,
        created_at: row.at("created_at")?,
        updated_at: row.at("updated_at")?,
    })
}
