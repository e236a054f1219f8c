//! The register: a workspace's customers as its product's admin tokens see and change them, and what a customer reads of
//! itself.
//!
//! What the product left with us about a customer is sealed and never given out. A customer changes neither its name nor
//! its fields: those are the product's to tell, by its tokens or as an admin.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::{
    access::Holder,
    broker::Broker,
    connect,
    domain::{
        connection::OwnerKind,
        customer::{self, Customer, FIELDS_MAX, KEY_MAX, NAME_MAX},
    },
    error::{Error, Result},
    id::{CustomerId, WorkspaceId},
    secret::Secret,
    store::{Conn, ConnectionFilter, Page},
    vault::Field,
};

/// Bytes of the longest credentials, as JSON.
const CREDENTIALS_MAX: usize = 16 * 1024;
/// How many connections are ended at once; and how often it is looked for more.
const BATCH: (i64, usize) = (100, 100);

/// A customer to be.
#[derive(Default)]
pub struct NewCustomer {
    /// The product's own id for it; our id stands in for one.
    pub key: Option<String>,
    /// What people call it.
    pub name: Option<String>,
    /// Whatever else the product tells of it.
    pub fields: Option<Map<String, Value>>,
    /// What the product leaves with us, as JSON.
    pub credentials: Option<Secret>,
}

/// What is to change about a customer; what is absent stays, and `Some(None)` clears.
#[derive(Default)]
pub struct CustomerEdit {
    /// The product's own id for it, which can't change: its connections go by it.
    pub key: Option<String>,
    /// What people call it.
    pub name: Option<Option<String>>,
    /// Whatever else the product tells of it, all of it.
    pub fields: Option<Option<Map<String, Value>>>,
    /// What the product leaves with us, as JSON.
    pub credentials: Option<Option<Secret>>,
}

/// Replaces, or with `None` removes, what is left with us about the customer who asks.
///
/// # Errors
/// `Denied` for a token that speaks for no customer, `Invalid` for too much.
pub async fn update_own(
    broker: &Arc<Broker>,
    holder: &Holder,
    credentials: Option<Option<Secret>>,
) -> Result<Customer> {
    let own = holder.customer()?;
    change(broker, holder, &own.id, CustomerEdit { credentials, ..CustomerEdit::default() }).await
}

/// The workspace's customers, newest first; with these words in name or id, where there are any.
///
/// # Errors
/// `Denied` unless the token is an admin's.
pub async fn list(
    broker: &Broker,
    holder: &Holder,
    search: Option<&str>,
    page: &Page,
) -> Result<Vec<Customer>> {
    holder.admin()?;
    broker.store.read().await?.customers(&holder.workspace.id, search, page).await
}

/// One customer, by our id or the product's.
///
/// # Errors
/// `Denied` unless the token is an admin's; `NotFound`.
pub async fn show(broker: &Broker, holder: &Holder, id: &str) -> Result<Customer> {
    holder.admin()?;
    find(&mut broker.store.read().await?, &holder.workspace.id, id).await
}

/// Makes a customer before any token speaks of it.
///
/// # Errors
/// `Denied` unless the token is an admin's; `Invalid` at what is wrong; `Conflict` when there is one with its key.
pub async fn create(broker: &Arc<Broker>, holder: &Holder, input: NewCustomer) -> Result<Customer> {
    holder.admin()?;
    let (id, workspace, now) = (CustomerId::new(), &holder.workspace.id, broker.clock.now());
    let key = input.key.unwrap_or_else(|| id.to_string());
    if !customer::is_key(&key) {
        let message = format!("Must have 1 to {KEY_MAX} characters, none of them a control character");
        return Err(Error::invalid("internalId", message));
    }
    let new = Customer {
        name: input.name.map(name).transpose()?,
        fields: fields(input.fields.unwrap_or_default())?,
        credentials: input.credentials.map(|it| sealed(broker, workspace, &id, &it)).transpose()?,
        id,
        workspace_id: workspace.clone(),
        key,
        seen_at: now,
        created_at: now,
        updated_at: now,
    };
    let mut conn = broker.store.begin(holder.actor(), now).await?;
    conn.create_customer(workspace, &new).await?;
    conn.commit().await?;
    Ok(new)
}

/// Changes a customer. A token that tells another name or other fields changes them again.
///
/// # Errors
/// `Denied` unless the token is an admin's; `NotFound`; `Invalid` at what is wrong.
pub async fn update(broker: &Arc<Broker>, holder: &Holder, id: &str, edit: CustomerEdit) -> Result<Customer> {
    let found = show(broker, holder, id).await?;
    if edit.key.as_ref().is_some_and(|key| *key != found.key) {
        return Err(Error::invalid("internalId", "Can't be changed"));
    }
    change(broker, holder, &found.id, edit).await
}

/// Ends everything that a customer has connected, as [`connect::end`] does, and removes it with whatever is kept of it. A
/// token that speaks of it later makes it anew.
///
/// # Errors
/// `Denied` unless the token is an admin's; `NotFound`; `Conflict` while it goes on connecting.
pub async fn remove(broker: &Arc<Broker>, holder: &Holder, id: &str) -> Result<()> {
    let found = show(broker, holder, id).await?;
    let workspace = &holder.workspace.id;
    let (limit, rounds) = BATCH;
    let theirs = ConnectionFilter {
        owner_kind: Some(OwnerKind::Customer),
        owner_key: Some(found.key.clone()),
        ..ConnectionFilter::default()
    };
    let batch = Page { offset: 0, limit };
    for _ in 0..rounds {
        let left = broker.store.read().await?.connections(workspace, &theirs, &batch).await?;
        if left.is_empty() {
            break;
        }
        for connection in left {
            match connect::end(broker, workspace, &connection.id, holder.actor()).await {
                // Somebody else ended it meanwhile.
                Ok(()) | Err(Error::NotFound { .. }) => {}
                Err(other) => return Err(other),
            }
        }
    }
    let mut conn = broker.store.begin(holder.actor(), broker.clock.now()).await?;
    let gone = !conn.delete_customer(workspace, &found).await?;
    if !conn.connections(workspace, &theirs, &batch).await?.is_empty() {
        return Err(Error::Conflict { message: "The customer is connecting just now; try again".to_owned() });
    }
    conn.commit().await?;
    if gone { Err(missing()) } else { Ok(()) }
}

async fn change(
    broker: &Arc<Broker>,
    holder: &Holder,
    id: &CustomerId,
    edit: CustomerEdit,
) -> Result<Customer> {
    let (workspace, now) = (&holder.workspace.id, broker.clock.now());
    let mut conn = broker.store.begin(holder.actor(), now).await?;
    let mut is = conn.hold_customer(workspace, id).await?.ok_or_else(missing)?;
    if let Some(wanted) = edit.name {
        is.name = wanted.map(name).transpose()?;
    }
    if let Some(wanted) = edit.fields {
        is.fields = fields(wanted.unwrap_or_default())?;
    }
    if let Some(wanted) = edit.credentials {
        is.credentials = wanted.map(|it| sealed(broker, workspace, id, &it)).transpose()?;
    }
    is.updated_at = now;
    conn.update_customer(workspace, &is).await?;
    conn.commit().await?;
    Ok(is)
}

async fn find(conn: &mut Conn, workspace: &WorkspaceId, id: &str) -> Result<Customer> {
    let ours = match CustomerId::parse(id) {
        Some(id) => conn.customer(workspace, &id).await?,
        None => None,
    };
    match ours {
        Some(found) => Ok(found),
        None => conn.customer_by_key(workspace, id).await?.ok_or_else(missing),
    }
}

fn missing() -> Error {
    Error::NotFound { what: "customer" }
}

fn name(text: String) -> Result<String> {
    let long = text.chars().count() > NAME_MAX;
    if long || text.trim().is_empty() || text.chars().any(char::is_control) {
        return Err(Error::invalid("name", format!("Must be one line of 1 to {NAME_MAX} characters")));
    }
    Ok(text)
}

fn fields(fields: Map<String, Value>) -> Result<Map<String, Value>> {
    if customer::fits(&fields) {
        return Ok(fields);
    }
    Err(Error::invalid("fields", format!("Must have at most {FIELDS_MAX} bytes")))
}

fn sealed(
    broker: &Broker,
    workspace: &WorkspaceId,
    id: &CustomerId,
    credentials: &Secret,
) -> Result<crate::vault::Sealed> {
    if credentials.expose().len() > CREDENTIALS_MAX {
        return Err(Error::invalid("credentials", format!("Must have at most {CREDENTIALS_MAX} bytes")));
    }
    broker.vault.seal(&Field::CustomerCredentials.of(workspace, id.as_str()), credentials)
}
