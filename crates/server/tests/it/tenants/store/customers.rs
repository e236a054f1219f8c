//! The same of customers, and of the keys by which their tokens are verified.

use std::time::Duration;

use claviger_engine::{
    domain::{
        customer::Customer,
        jwt_key::{Algorithm, JwtKey},
    },
    error::Result,
    id::{CustomerId, JwtKeyId, WorkspaceId},
    store::Conn,
};

use super::Theirs;
use crate::support::{Tenant, TestApp, app::ALL};

/// How many changes there are.
pub const CHANGES: usize = 5;

/// What belongs to a tenant's customers.
pub struct Customers {
    customer: Customer,
    key: JwtKey,
}

/// Gives a tenant a customer and a key.
pub async fn settle(app: &TestApp, tenant: &Tenant) -> Customers {
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
    app.change(async |to| {
        to.conn.create_customer(ws, &customer).await?;
        to.conn.create_jwt_key(ws, &key).await
    })
    .await;
    Customers { customer, key }
}

/// Every query: whether it finds something of theirs.
pub async fn look(conn: &mut Conn, ws: &WorkspaceId, of: &Theirs) -> Result<Vec<(&'static str, bool)>> {
    let Customers { customer, .. } = &of.customers;
    Ok(vec![
        ("customer", conn.customer(ws, &customer.id).await?.is_some()),
        ("customer_by_key", conn.customer_by_key(ws, &customer.key).await?.is_some()),
        ("customers", !conn.customers(ws, None, &ALL).await?.is_empty()),
        ("hold_customer", conn.hold_customer(ws, &customer.id).await?.is_some()),
        ("jwt_keys", !conn.jwt_keys(ws).await?.is_empty()),
    ])
}

/// The changes, by number; what removes something comes last.
pub async fn change(n: usize, conn: &mut Conn, ws: &WorkspaceId, of: &Theirs) -> (&'static str, Result<()>) {
    let Customers { customer, key } = &of.customers;
    let later = of.delivery.created_at.plus(Duration::from_secs(3600));
    match n {
        0 => ("touch_customer", conn.touch_customer(ws, &customer.id, later).await),
        1 => {
            let is = Customer { name: Some("Another".to_owned()), ..customer.clone() };
            ("tell_of_customer", conn.tell_of_customer(ws, &is).await)
        }
        2 => ("update_customer", conn.update_customer(ws, customer).await),
        3 => ("delete_customer", conn.delete_customer(ws, customer).await.map(drop)),
        _ => ("delete_jwt_key", conn.delete_jwt_key(ws, &key.id).await.map(drop)),
    }
}
