//! The same of customers, of what they connect, and of the keys by which their tokens are verified.

use std::time::Duration;

use claviger_engine::{
    domain::{
        connection::{Connection, Owner},
        customer::Customer,
        jwt_key::{Algorithm, JwtKey},
    },
    error::Result,
    id::{ConnectionId, CustomerId, JwtKeyId, WorkspaceId},
    store::{Conn, CustomerConnectionFilter},
    vault::hash,
};

use super::Theirs;
use crate::support::{Tenant, TestApp, app::ALL};

/// How many changes there are.
pub const CHANGES: usize = 8;

/// What belongs to a tenant's customers.
pub struct Customers {
    customer: Customer,
    key: JwtKey,
    connection: Connection,
    request: String,
}

/// Gives a tenant a customer with a connection like another, a request that somebody listens to, and a key.
pub async fn settle(app: &TestApp, tenant: &Tenant, like: &Connection) -> Customers {
    let (ws, now) = (&tenant.workspace, app.broker.clock.now());
    let customer = Customer {
        id: CustomerId::new(),
        workspace_id: ws.clone(),
        key: "their-customer".to_owned(),
        name: Some("Their customer".to_owned()),
        fields: Default::default(),
        credentials: None,
        seen_at: now,
        created_at: now,
        updated_at: now,
    };
    let key = JwtKey {
        id: JwtKeyId::new(),
        workspace_id: ws.clone(),
        name: "theirs".to_owned(),
        algorithm: Algorithm::ES256,
        public_key: "their key".to_owned(),
        created_at: now,
    };
    let connection =
        Connection { id: ConnectionId::new(), owner: Owner::customer(&customer), ..like.clone() };
    let request = hash::token(connection.id.as_str());
    app.change(async |to| {
        to.conn.create_customer(ws, &customer).await?;
        to.conn.create_connection(ws, &connection).await?;
        to.conn.claim_connect_request(ws, &request, now.plus(Duration::from_secs(600))).await?;
        to.conn.create_jwt_key(ws, &key).await
    })
    .await;
    Customers { customer, key, connection, request }
}

/// Every query: whether it finds something of theirs.
pub async fn look(conn: &mut Conn, ws: &WorkspaceId, of: &Theirs) -> Result<Vec<(&'static str, bool)>> {
    let Customers { customer, connection, .. } = &of.customers;
    let (all, id) = (CustomerConnectionFilter::default(), of.integration.id.as_str());
    Ok(vec![
        ("customer", conn.customer(ws, &customer.id).await?.is_some()),
        ("customer_by_key", conn.customer_by_key(ws, &customer.key).await?.is_some()),
        ("customer_connection", conn.customer_connection(ws, &connection.id).await?.is_some()),
        ("customer_connections", !conn.customer_connections(ws, &all, &ALL).await?.is_empty()),
        ("customers", !conn.customers(ws, None, &ALL).await?.is_empty()),
        ("hold_customer", conn.hold_customer(ws, &customer.id).await?.is_some()),
        ("offered_integration", conn.offered_integration(ws, id).await?.is_some()),
        (
            "offered_integrations",
            conn.offered_integrations(ws, None, &ALL).await?.iter().any(|one| one.id == of.integration.id),
        ),
        ("jwt_keys", !conn.jwt_keys(ws).await?.is_empty()),
    ])
}

/// The changes, by number; what removes something comes last.
pub async fn change(n: usize, conn: &mut Conn, ws: &WorkspaceId, of: &Theirs) -> (&'static str, Result<()>) {
    let Customers { customer, key, connection, request } = &of.customers;
    let later = of.delivery.created_at.plus(Duration::from_secs(3600));
    match n {
        0 => ("touch_customer", conn.touch_customer(ws, &customer.id, later).await),
        1 => {
            let is = Customer { name: Some("Another".to_owned()), ..customer.clone() };
            ("tell_of_customer", conn.tell_of_customer(ws, &is).await)
        }
        2 => ("update_customer", conn.update_customer(ws, customer).await),
        3 => {
            let done = conn.name_connection(ws, &connection.id, Some("Another")).await;
            ("name_connection", done.map(drop))
        }
        4 => ("archive_connection", conn.archive_connection(ws, connection, later).await),
        5 => {
            let done = conn.end_connect_request(ws, request, None, Some("{}")).await;
            ("end_connect_request", done.map(drop))
        }
        6 => ("delete_customer", conn.delete_customer(ws, customer).await.map(drop)),
        _ => ("delete_jwt_key", conn.delete_jwt_key(ws, &key.id).await.map(drop)),
    }
}
