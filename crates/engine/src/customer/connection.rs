//! Connections, as the holder of a product's token sees them: shown, listed, named, archived.
//!
//! A customer sees what is its own; whatever else there is does not exist for it. An admin sees all of the workspace's
//! customers'. What users and `external_id`s connected is another door's.

use std::{collections::BTreeMap, sync::Arc};

use claviger_catalog::Kind;

use super::connect::{Held, Wish, bring, named};
use crate::{
    access::{Holder, Who, chosen},
    broker::Broker,
    connect,
    domain::{connection::Connection, health::Health, integration::Integration},
    error::{Error, Result},
    id::{ConnectionId, CustomerId, IntegrationId, WorkspaceId},
    refresh::{self, Subject},
    store::{Conn, CustomerConnection, CustomerConnectionFilter, Page},
    time::Millis,
};

/// A connection, as its customer sees it.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The connection, or what is left of it.
    pub connection: Connection,
    /// Its integration, by the auth option that the connection was made with.
    pub integration: Integration,
    /// Our id of its customer. `None` when the customer is not known any more.
    pub customer_id: Option<CustomerId>,
    /// When it was archived.
    pub archived_at: Option<Millis>,
    /// Whether its credential can be made anew without its customer, as far as its provider's file tells.
    pub can_refresh: bool,
    /// Whether its provider's file names a call that shows whether the credential works.
    pub can_test: bool,
    /// How it is doing.
    pub health: Health,
}

/// Which connections are wanted; what is `None` does not narrow.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Only at the integrations with these ids or keys: more than one is none.
    pub integrations: Vec<String>,
    /// Only of the customers with these ids, ours or the product's own: likewise.
    pub customers: Vec<String>,
    /// Only at integrations of this provider.
    pub provider: Option<String>,
    /// Only those called so, or at an integration that is.
    pub search: Option<String>,
    /// Only those that can be used, or only others.
    pub usable: Option<bool>,
    /// Archived ones too.
    pub archived: bool,
}

/// The holder's connections, newest first: a customer's own, or for an admin all customers'.
///
/// # Errors
/// `Denied` for a token that speaks for no customer and for not all of them.
pub async fn list(broker: &Arc<Broker>, holder: &Holder, wanted: &Wanted, page: &Page) -> Result<Vec<Shown>> {
    let ws = &holder.workspace.id;
    let mut filter = CustomerConnectionFilter {
        provider: wanted.provider.clone(),
        search: wanted.search.clone(),
        usable: wanted.usable,
        archived: wanted.archived,
        ..CustomerConnectionFilter::default()
    };
    match &holder.who {
        Who::Customer(customer) => filter.owner_key = Some(customer.key.clone()),
        Who::Admin | Who::Workspace => holder.admin()?,
    }
    let mut conn = broker.store.read().await?;
    for customer in &wanted.customers {
        let key = match CustomerId::parse(customer) {
            Some(id) => conn.customer(ws, &id).await?.map(|customer| customer.key),
            None => None,
        };
        if !only(&mut filter.owner_key, key.unwrap_or_else(|| customer.clone())) {
            return Ok(Vec::new());
        }
    }
    for selector in &wanted.integrations {
        let found = conn.integration_by_selector(ws, selector).await?;
        if !found.is_some_and(|found| only(&mut filter.integration_id, found.id)) {
            return Ok(Vec::new());
        }
    }
    let found = conn.customer_connections(ws, &filter, page).await?;
    shown(broker, &mut conn, ws, found).await
}

/// Narrows to one value; `false` when it was narrowed to another.
fn only<T: PartialEq>(narrowed: &mut Option<T>, to: T) -> bool {
    match narrowed {
        Some(narrowed) => *narrowed == to,
        None => {
            *narrowed = Some(to);
            true
        }
    }
}

/// One connection, archived or not: [`chosen::connection`].
///
/// # Errors
/// As there.
pub async fn show(broker: &Arc<Broker>, holder: &Holder, selector: &str) -> Result<Shown> {
    let mut conn = broker.store.read().await?;
    let found = chosen::connection(&mut conn, holder, selector).await?;
    one(broker, &mut conn, &holder.workspace.id, Some(found)).await
}

/// What a connection was made with that is no secret: [`show`] for an admin.
///
/// # Errors
/// As [`show`], and `Denied` for a customer: what its product set is not its to read.
pub async fn values(broker: &Arc<Broker>, holder: &Holder, selector: &str) -> Result<Shown> {
    holder.admin()?;
    show(broker, holder, selector).await
}

/// Calls a connection something else; without a name nothing changes.
///
/// # Errors
/// As [`show`], `NotFound` for one that was archived, and `Invalid` naming `name`.
pub async fn rename(
    broker: &Arc<Broker>,
    holder: &Holder,
    selector: &str,
    name: Option<&str>,
) -> Result<Shown> {
    let (ws, now) = (&holder.workspace.id, broker.clock.now());
    let name = name.map(|name| named(Some(name.to_owned()))).transpose()?;
    let mut conn = broker.store.begin(holder.actor(), now).await?;
    let found = live(&mut conn, holder, selector).await?;
    if let Some(name) = name {
        conn.name_connection(ws, &found.connection.id, name.as_deref()).await?;
    }
    let is = conn.customer_connection(ws, &found.connection.id).await?;
    let shown = one(broker, &mut conn, ws, is).await?;
    conn.commit().await?;
    Ok(shown)
}

/// Authorizes a connection anew with what its customer's caller brings: [`bring`]. Its id stays.
///
/// # Errors
/// As [`show`] and [`bring`], and `NotFound` for one that was archived.
pub async fn authorize(
    broker: &Arc<Broker>,
    holder: &Holder,
    selector: &str,
    wish: Wish,
    held: Option<Held>,
) -> Result<Shown> {
    let mut conn = broker.store.read().await?;
    let found = live(&mut conn, holder, selector).await?;
    drop(conn);
    let id = found.connection.id;
    let wish = Wish { connection: Some(id.to_string()), integration: None, ..wish };
    bring(broker, holder, wish, held).await?;
    told(broker, &holder.workspace.id, &id).await
}

/// Ends a connection and keeps in the archive that it was there: [`connect::archive`]. One that is archived stays so.
///
/// # Errors
/// As [`show`].
pub async fn archive(broker: &Arc<Broker>, holder: &Holder, selector: &str) -> Result<()> {
    let mut conn = broker.store.read().await?;
    let found = chosen::connection(&mut conn, holder, selector).await?;
    drop(conn);
    if found.archived_at.is_some() {
        return Ok(());
    }
    connect::archive(broker, &holder.workspace.id, &found.connection.id, holder.actor()).await
}

/// Makes a connection's credential anew now, or has its provider say whether it still takes it where there is nothing to
/// make it anew with: [`refresh::now`].
///
/// # Errors
/// As [`show`] and [`refresh::now`]; `Denied` for one that is frozen, `NotFound` for one that was archived.
pub async fn refresh(broker: &Arc<Broker>, holder: &Holder, selector: &str) -> Result<Shown> {
    let ws = &holder.workspace.id;
    let mut conn = broker.store.read().await?;
    let found = live(&mut conn, holder, selector).await?;
    let found = one(broker, &mut conn, ws, Some(found)).await?;
    drop(conn);
    if found.connection.frozen_at.is_some() {
        return Err(Error::Denied { message: "This connection is frozen".to_owned() });
    }
    let id = found.connection.id.clone();
    let subject = Subject {
        workspace_id: ws.clone(),
        provider: broker.provider(&found.integration)?,
        connection: Arc::new(found.connection),
        integration: Arc::new(found.integration),
    };
    refresh::now(broker, &subject).await?;
    told(broker, ws, &id).await
}

async fn live(conn: &mut Conn, holder: &Holder, selector: &str) -> Result<CustomerConnection> {
    let found = chosen::connection(conn, holder, selector).await?;
    if found.archived_at.is_some() { Err(missing()) } else { Ok(found) }
}

/// The connection that a flow ended with, for whoever is told of it. That they may know is already found.
///
/// # Errors
/// `NotFound` when it is no customer's, or gone.
pub async fn told(broker: &Broker, workspace: &WorkspaceId, id: &ConnectionId) -> Result<Shown> {
    let mut conn = broker.store.read().await?;
    let found = conn.customer_connection(workspace, id).await?;
    one(broker, &mut conn, workspace, found).await
}

pub(super) fn missing() -> Error {
    Error::NotFound { what: "connection" }
}

async fn one(
    broker: &Broker,
    conn: &mut Conn,
    workspace: &WorkspaceId,
    found: Option<CustomerConnection>,
) -> Result<Shown> {
    shown(broker, conn, workspace, found.into_iter().collect()).await?.pop().ok_or_else(missing)
}

/// Connections with their integrations, and how they are doing.
pub(super) async fn shown(
    broker: &Broker,
    conn: &mut Conn,
    workspace: &WorkspaceId,
    found: Vec<CustomerConnection>,
) -> Result<Vec<Shown>> {
    let ids: Vec<_> = found.iter().map(|found| &found.connection.id).collect();
    let mut healths = conn.healths(workspace, &ids).await?;
    let mut known: BTreeMap<(IntegrationId, Option<String>), Integration> = BTreeMap::new();
    let mut all = Vec::with_capacity(found.len());
    for CustomerConnection { connection, customer_id, archived_at } in found {
        let by = (connection.integration_id.clone(), connection.auth_option.clone());
        if !known.contains_key(&by) {
            // Gone with its connections, meanwhile.
            let Some(integration) = as_of(conn, workspace, &by).await? else { continue };
            known.insert(by.clone(), integration);
        }
        let Some(integration) = known.get(&by).cloned() else { continue };
        let provider = broker.catalog.get(&integration.provider);
        let can_refresh = archived_at.is_none() && provider.as_ref().is_some_and(|it| refreshes(it));
        let can_test = provider.is_some_and(|it| it.verify.is_some());
        let health = healths.remove(&connection.id).unwrap_or_default();
        all.push(Shown { connection, integration, customer_id, archived_at, can_refresh, can_test, health });
    }
    Ok(all)
}

/// An integration by an auth option, or, should that be gone, by its own way.
async fn as_of(
    conn: &mut Conn,
    workspace: &WorkspaceId,
    (id, option): &(IntegrationId, Option<String>),
) -> Result<Option<Integration>> {
    match conn.integration_as(workspace, id, option.as_deref()).await? {
        None => conn.integration(workspace, id).await,
        found => Ok(found),
    }
}

/// Whether tokens of this provider can be got anew without anybody's consent.
fn refreshes(provider: &claviger_catalog::Provider) -> bool {
    match provider.kind() {
        Kind::OAuth2Code | Kind::DeviceCode | Kind::ClientCredentials | Kind::WorkspaceToken => true,
        Kind::Typed => provider.keys().is_some_and(|keys| keys.kind.fetches()),
        Kind::OAuth1 => false,
    }
}
