//! Customers' connections, as tokens of their product see them: those that are there, and what is left of those that
//! were archived, each with our id of its customer.

use super::{
    Conn, Page, archived_connection,
    connection::read,
    integration_list::pattern,
    statement::{Row, sql},
};
use crate::{
    domain::connection::Connection,
    error::Result,
    id::{ConnectionId, CustomerId, IntegrationId, WorkspaceId},
    time::Millis,
};

/// A customer's connection.
#[derive(Debug, Clone)]
pub struct CustomerConnection {
    /// The connection, or what is left of it.
    pub connection: Connection,
    /// Our id of its customer. `None` when the customer is not known any more.
    pub customer_id: Option<CustomerId>,
    /// When it was archived.
    pub archived_at: Option<Millis>,
}

/// Which of a workspace's customers' connections; what is `None` does not narrow.
#[derive(Debug, Clone, Default)]
pub struct CustomerConnectionFilter {
    /// Only those of the customer with this key.
    pub owner_key: Option<String>,
    /// Only those of this integration.
    pub integration_id: Option<IntegrationId>,
    /// Only those of integrations of this provider.
    pub provider: Option<String>,
    /// Only those that are called so, or whose integration's name, key or description is such: these words, in this
    /// order.
    pub search: Option<String>,
    /// Only those that can be used, or only others.
    pub usable: Option<bool>,
    /// Archived ones too.
    pub archived: bool,
}

/// Which there are: `$2` is a customer's key, `$3` an integration, `$4` a provider, `$5` a pattern, `$6` whether they
/// can be used, `$7` whether archived ones count. `$of` repeats the owner where one is given, for the index.
macro_rules! listing {
    ($of:literal, $of_archived:literal) => {
        concat!(
            "select c.*, a.id as archived_id, a.integration_id as archived_integration, \
             a.owner_key as archived_owner, a.snapshot as snapshot, a.archived_at as archived_at, \
             a.created_at as archived_created, k.id as customer_id \
             from (select * from (\
             select c.id as id, c.created_at as created_at from connection c \
             join integration i on i.workspace_id = c.workspace_id and i.id = c.integration_id \
             where c.workspace_id = $1 and c.owner_kind = 'customer'",
            $of,
            " and ($2 is null or c.owner_key = $2) and ($3 is null or c.integration_id = $3) \
             and ($4 is null or i.provider = $4) \
             and ($5 is null or i.search like $5 escape '\\' or c.name_search like $5 escape '\\') \
             and ($6 is null or case when c.status = 'active' and c.frozen_at is null then 'yes' else 'no' end = $6) \
             union all \
             select a.id as id, a.created_at as created_at from archived_connection a \
             join integration i on i.workspace_id = a.workspace_id and i.id = a.integration_id \
             where a.workspace_id = $1 and $7 = 1",
            $of_archived,
            " and ($2 is null or a.owner_key = $2) and ($3 is null or a.integration_id = $3) \
             and ($4 is null or i.provider = $4) and ($5 is null or i.search like $5 escape '\\') \
             and ($6 is null or $6 = 'no')\
             ) every order by created_at desc, id desc limit $8 offset $9) p \
             left join connection c on c.workspace_id = $1 and c.id = p.id \
             left join archived_connection a on a.workspace_id = $1 and a.id = p.id \
             left join customer k on k.workspace_id = $1 and k.key = coalesce(c.owner_key, a.owner_key) \
             order by p.created_at desc, p.id desc"
        )
    };
}

/// Those of all customers.
pub(super) const LISTED: &str = listing!("", "");
/// Those of one.
pub(super) const OF_OWNER: &str = listing!(" and c.owner_key = $2", " and a.owner_key = $2");

const ONE: &str = "select c.*, a.id as archived_id, a.integration_id as archived_integration, \
     a.owner_key as archived_owner, a.snapshot as snapshot, a.archived_at as archived_at, \
     a.created_at as archived_created, k.id as customer_id \
     from (select id from connection where workspace_id = $1 and id = $2 and owner_kind = 'customer' \
     union all select id from archived_connection where workspace_id = $1 and id = $2) p \
     left join connection c on c.workspace_id = $1 and c.id = p.id \
     left join archived_connection a on a.workspace_id = $1 and a.id = p.id \
     left join customer k on k.workspace_id = $1 and k.key = coalesce(c.owner_key, a.owner_key)";

impl Conn {
    /// The workspace's customers' connections that pass the filter, newest first.
    pub async fn customer_connections(
        &mut self,
        ws: &WorkspaceId,
        filter: &CustomerConnectionFilter,
        page: &Page,
    ) -> Result<Vec<CustomerConnection>> {
        let query = sql(if filter.owner_key.is_some() { OF_OWNER } else { LISTED });
        let query = query.text(ws.as_str()).maybe_key(filter.owner_key.as_deref());
        let query = query.maybe_text(filter.integration_id.as_ref().map(IntegrationId::as_str));
        let query = query.maybe_key(filter.provider.as_deref());
        let query = query.maybe_key(filter.search.as_deref().and_then(pattern).as_deref());
        let query = query.maybe_text(filter.usable.map(|usable| if usable { "yes" } else { "no" }));
        let query = query.int(filter.archived.into()).int(page.limit).int(page.offset);
        self.rows(query).await?.iter().map(|row| listed(ws, row)).collect()
    }

    /// A customer's connection by id, or what is left of it.
    pub async fn customer_connection(
        &mut self,
        ws: &WorkspaceId,
        id: &ConnectionId,
    ) -> Result<Option<CustomerConnection>> {
        let query = sql(ONE).text(ws.as_str()).text(id.as_str());
        self.row(query).await?.as_ref().map(|row| listed(ws, row)).transpose()
    }

    /// Calls a connection something else.
    pub async fn name_connection(
        &mut self,
        ws: &WorkspaceId,
        id: &ConnectionId,
        name: Option<&str>,
    ) -> Result<bool> {
        let update = sql(
            "update connection set name = $3, name_search = $5, updated_at = $4 where workspace_id = $1 and id = $2",
        );
        let update = update.text(ws.as_str()).text(id.as_str()).maybe_text(name).at(self.now);
        let update = update.maybe_text(name.map(str::to_lowercase));
        if self.execute(update).await? == 0 {
            return Ok(false);
        }
        self.sign(Some(ws), super::Topic::Connection, "connection.name", id.as_str()).await?;
        Ok(true)
    }
}

fn listed(ws: &WorkspaceId, row: &Row) -> Result<CustomerConnection> {
    let customer_id = row.maybe_id("customer_id", CustomerId::from_row)?;
    if row.maybe_text("archived_id")?.is_some() {
        let (connection, archived_at) = archived_connection::read(ws, row)?;
        return Ok(CustomerConnection { connection, customer_id, archived_at: Some(archived_at) });
    }
    Ok(CustomerConnection { connection: read(row)?, customer_id, archived_at: None })
}
