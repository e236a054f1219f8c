//! Chosen: which connection the holder of a product's token means.
//!
//! By its id, or, for a customer, by the id or key of an integration where the customer has exactly one. What is not the
//! holder's own does not exist for it, whichever way it is named.

use super::holder::{Holder, Who};
use crate::{
    domain::connection::OwnerKind,
    error::{Error, Result},
    id::ConnectionId,
    store::{Conn, CustomerConnection, CustomerConnectionFilter, Page},
};

/// How many are named at most where one is meant and several are there.
const NAMED: Page = Page { offset: 0, limit: 5 };

/// The connection that is meant. One that was archived is found by its id only.
///
/// # Errors
/// `Denied` for a token that speaks for no customer and for not all of them; `NotFound` for what is not there or another
/// customer's; `Invalid` naming `connection` when it could be several.
pub async fn connection(conn: &mut Conn, holder: &Holder, selector: &str) -> Result<CustomerConnection> {
    let ws = &holder.workspace.id;
    let Who::Customer(customer) = &holder.who else {
        holder.admin()?;
        return match ConnectionId::parse(selector) {
            Some(id) => conn.customer_connection(ws, &id).await?.ok_or_else(missing),
            None => Err(missing()),
        };
    };
    if let Some(id) = ConnectionId::parse(selector)
        && let Some(found) = conn.customer_connection(ws, &id).await?
    {
        let owner = &found.connection.owner;
        let own = owner.kind == OwnerKind::Customer && owner.key.as_deref() == Some(customer.key.as_str());
        return if own { Ok(found) } else { Err(missing()) };
    }
    let integration = conn.integration_by_selector(ws, selector).await?.ok_or_else(missing)?;
    let filter = CustomerConnectionFilter {
        owner_key: Some(customer.key.clone()),
        integration_id: Some(integration.id),
        ..CustomerConnectionFilter::default()
    };
    let mut found = conn.customer_connections(ws, &filter, &NAMED).await?;
    match found.len() {
        0 | 1 => found.pop().ok_or_else(missing),
        _ => Err(Error::invalid("connection", several(&found))),
    }
}

fn several(found: &[CustomerConnection]) -> String {
    let ids: Vec<_> = found.iter().map(|it| it.connection.id.as_str()).collect();
    format!("There are several connections at this integration; name one by its id: {}", ids.join(", "))
}

fn missing() -> Error {
    Error::NotFound { what: "connection" }
}
