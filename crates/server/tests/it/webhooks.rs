//! Stories of webhooks: what a product's server sees of its customers' connections, whatever goes wrong on the way.
//!
//! `deliver::round` is one pass of what a serving process does all the time, so that a story moves the clock and
//! waits for nothing.

mod again;
mod crash;
mod failing;
mod fails;
mod format;
mod hook;
mod kinds;
mod order;
mod secrets;
mod serving;

use claviger_engine::{
    domain::{
        connection::{Account, Connection, Owner, OwnerKind, Status},
        event::EventKind,
        webhook::{Attempt, Delivery, Endpoint},
    },
    id::{ConnectionId, DeliveryId},
    secret::Secret,
    setup::{self, NewWebhook, WebhookEdit},
    webhook::{deliver, emit},
};

use self::hook::{Hook, Rule, Told};
use crate::support::{TestApp, app::ALL};

/// An endpoint of the first tenant that wants everything.
async fn endpoint(app: &TestApp, url: &str) -> (Endpoint, Secret) {
    let (name, events) = ("ours".to_owned(), EventKind::ALL.to_vec());
    let new = NewWebhook { name, url: url.to_owned(), events, format: Default::default(), secret: None };
    app.change(async |to| setup::webhook(to, &app.acme.workspace, new).await).await
}

/// Changes an endpoint.
async fn edit(app: &TestApp, was: &Endpoint, edit: WebhookEdit) -> Endpoint {
    let was = now(app, was).await;
    app.change(async |to| setup::update_webhook(to, &was, edit).await).await
}

/// An endpoint as it is now.
async fn now(app: &TestApp, of: &Endpoint) -> Endpoint {
    app.read().await.endpoint(&app.acme.workspace, &of.id).await.expect("read").expect("an endpoint")
}

/// A connection to tell of; it need not be there to be told of.
fn connection(app: &TestApp) -> Connection {
    let at = app.broker.clock.now();
    Connection {
        id: ConnectionId::new(),
        workspace_id: app.acme.workspace.clone(),
        integration_id: app.acme.integration.clone(),
        owner: Owner { kind: OwnerKind::External, key: Some("Zoë \u{1f511}".to_owned()) },
        status: Status::Active,
        status_reason: None,
        scopes_asked: Vec::new(),
        scopes_granted: Vec::new(),
        account: Account::default(),
        inputs: Default::default(),
        name: None,
        auth_option: None,
        frozen_at: None,
        authorized_at: at,
        refreshed_at: None,
        expires_at: None,
        created_at: at,
        updated_at: at,
    }
}

/// Tells of a connection; gives the event's id.
async fn tell(app: &TestApp, of: &Connection, kind: EventKind) -> String {
    let at = app.broker.clock.now();
    app.change(async |to| emit(to.conn, kind, of, at).await).await;
    app.events(&app.acme).await.into_iter().map(|event| event.id.to_string()).max().expect("an event")
}

/// One pass; says how many attempts it made.
async fn round(app: &TestApp) -> usize {
    deliver::round(&app.broker).await.expect("a round")
}

/// Passes until there is nothing to do; says how many attempts they made.
async fn rounds(app: &TestApp) -> usize {
    let mut all = 0;
    loop {
        match round(app).await {
            0 => return all,
            some => all += some,
        }
    }
}

/// An endpoint's deliveries, oldest first.
async fn deliveries(app: &TestApp, to: &Endpoint) -> Vec<Delivery> {
    let found = app.read().await.deliveries_of(&app.acme.workspace, &to.id, None, &ALL).await;
    found.expect("read").into_iter().rev().map(|listed| listed.delivery).collect()
}

/// The one delivery of an endpoint.
async fn delivery(app: &TestApp, to: &Endpoint) -> Delivery {
    let mut all = deliveries(app, to).await;
    assert_eq!(all.len(), 1, "deliveries");
    all.remove(0)
}

/// A delivery's attempts.
async fn attempts(app: &TestApp, of: &DeliveryId) -> Vec<Attempt> {
    app.read().await.attempts(&app.acme.workspace, of).await.expect("read")
}

/// What is told by one call of `hook::Hook::seen`, as (connection, kind), of one connection.
fn kinds_of<'a>(seen: &'a [Told], of: &Connection) -> Vec<&'a str> {
    seen.iter().filter(|told| told.body["data"]["id"] == of.id.as_str()).map(Told::kind).collect()
}
