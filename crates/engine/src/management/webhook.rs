//! Webhook endpoints and what was sent to them, as a key sees them. They belong to the whole workspace, so a key
//! that is limited to one integration sees none.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::{
    access,
    broker::Broker,
    connect::persist::insist,
    domain::{
        api_key::ApiKey,
        audit::Actor,
        webhook::{Attempt, Endpoint, ListedDelivery, Standing},
    },
    error::{Error, Result},
    id::{DeliveryId, EndpointId},
    secret::Secret,
    setup::{self, Change, NewWebhook, WebhookEdit},
    store::{Conn, Page},
    time::Millis,
    webhook::again,
};

/// How many deliveries of a removed endpoint go in one transaction.
const AT_ONCE: i64 = 1000;
/// Of how many connections what happened is told again in one transaction.
const TOLD_AT_ONCE: i64 = 50;

/// The workspace's endpoints, oldest first.
///
/// # Errors
/// `Denied` for a key that may not read, or is limited to one integration; so with every verb here.
pub async fn list(broker: &Arc<Broker>, key: &ApiKey, page: &Page) -> Result<Vec<Endpoint>> {
    let mut conn = reading(broker, key).await?;
    conn.endpoints(&key.workspace_id, page).await
}

/// One endpoint.
///
/// # Errors
/// `NotFound`.
pub async fn show(broker: &Arc<Broker>, key: &ApiKey, id: &str) -> Result<Endpoint> {
    let mut conn = reading(broker, key).await?;
    find(&mut conn, key, id).await
}

/// Makes an endpoint, sleeping if `active` is false. Also returns its secret, this once.
///
/// # Errors
/// As [`setup::webhook()`].
pub async fn create(
    broker: &Arc<Broker>,
    key: &ApiKey,
    input: NewWebhook,
    active: bool,
) -> Result<(Endpoint, Secret)> {
    let mut conn = writing(broker, key).await?;
    let mut to = Change::of(broker, &mut conn);
    let (mut endpoint, secret) = setup::webhook(&mut to, &key.workspace_id, input).await?;
    if !active {
        let edit = WebhookEdit { active: Some(false), ..WebhookEdit::default() };
        endpoint = setup::update_webhook(&mut to, &endpoint, edit).await?;
    }
    conn.commit().await?;
    Ok((endpoint, secret))
}

/// Changes an endpoint.
///
/// # Errors
/// `NotFound`, and as [`setup::update_webhook`].
pub async fn update(broker: &Arc<Broker>, key: &ApiKey, id: &str, edit: WebhookEdit) -> Result<Endpoint> {
    let mut conn = writing(broker, key).await?;
    let was = find(&mut conn, key, id).await?;
    let endpoint = setup::update_webhook(&mut Change::of(broker, &mut conn), &was, edit).await?;
    conn.commit().await?;
    Ok(endpoint)
}

/// Gives an endpoint a new secret, which is returned this once; the old one signs as well for `overlap`.
///
/// # Errors
/// `NotFound`, and as [`setup::roll_webhook_secret`].
pub async fn roll(
    broker: &Arc<Broker>,
    key: &ApiKey,
    id: &str,
    overlap: Duration,
) -> Result<(Endpoint, Secret)> {
    let mut conn = writing(broker, key).await?;
    let was = find(&mut conn, key, id).await?;
    let rolled = setup::roll_webhook_secret(&mut Change::of(broker, &mut conn), &was, overlap).await?;
    conn.commit().await?;
    Ok(rolled)
}

/// Removes an endpoint, with what was still to be sent to it. It gets nothing new from the first moment; should it be
/// cut off before its end, the endpoint stays disabled and can be removed again.
///
/// # Errors
/// `NotFound`.
pub async fn delete(broker: &Arc<Broker>, key: &ApiKey, id: &str) -> Result<()> {
    access::require_write(key)?;
    access::require_whole(key)?;
    let id = EndpointId::parse(id).ok_or_else(missing)?;
    broker.to_its_end(remove(broker.clone(), key.clone(), id)).await
}

/// Disabled, emptied in transactions that hold nobody up, and only then removed. Each is tried again: on PostgreSQL a
/// claim of its deliveries may wait for one of these while it is waited for.
async fn remove(broker: Arc<Broker>, key: ApiKey, id: EndpointId) -> Result<()> {
    let (broker, ws, id) = (&broker, &key.workspace_id, &id);
    let what = format!("the removal of {id}");
    let retire = || async {
        let mut conn = writing(broker, &key).await?;
        if !conn.retire_endpoint(ws, id).await? {
            return Err(missing());
        }
        conn.commit().await
    };
    insist(&broker.clock, &what, retire).await?;
    let empty = || async {
        let mut conn = writing(broker, &key).await?;
        // The endpoint's row before its deliveries', as when an attempt is recorded.
        conn.hold_endpoint(ws, id).await?;
        let dropped = conn.drop_deliveries(ws, id, AT_ONCE).await?;
        conn.commit().await?;
        Ok(dropped)
    };
    while insist(&broker.clock, &what, empty).await? == AT_ONCE {}
    let repeated = AtomicBool::new(false);
    let finish = || async {
        let repeat = repeated.swap(true, Ordering::Relaxed);
        let mut conn = writing(broker, &key).await?;
        if conn.delete_endpoint(ws, id).await? {
            return conn.commit().await;
        }
        // Gone at a repeat: the try before removed it, and its commit only looked like a failure.
        if repeat { Ok(()) } else { Err(missing()) }
    };
    insist(&broker.clock, &what, finish).await
}

/// An endpoint's deliveries, newest first.
///
/// # Errors
/// `NotFound` for the endpoint.
pub async fn deliveries(
    broker: &Arc<Broker>,
    key: &ApiKey,
    id: &str,
    standing: Option<Standing>,
    page: &Page,
) -> Result<Vec<ListedDelivery>> {
    let mut conn = reading(broker, key).await?;
    let endpoint = find(&mut conn, key, id).await?;
    conn.deliveries_of(&key.workspace_id, &endpoint.id, standing, page).await
}

/// One delivery, with its attempts from the first to the last.
///
/// # Errors
/// `NotFound` for either.
pub async fn delivery(
    broker: &Arc<Broker>,
    key: &ApiKey,
    id: &str,
    delivery: &str,
) -> Result<(ListedDelivery, Vec<Attempt>)> {
    let mut conn = reading(broker, key).await?;
    let found = find_delivery(&mut conn, key, id, delivery).await?;
    let attempts = conn.attempts(&key.workspace_id, &found.delivery.id).await?;
    Ok((found, attempts))
}

/// Puts a delivery back in line, whether it arrived, was given up, or waits for its next attempt.
///
/// # Errors
/// `NotFound` for either.
pub async fn redeliver(
    broker: &Arc<Broker>,
    key: &ApiKey,
    id: &str,
    delivery: &str,
) -> Result<ListedDelivery> {
    let mut conn = writing(broker, key).await?;
    let found = find_delivery(&mut conn, key, id, delivery).await?.delivery;
    conn.requeue_delivery(&key.workspace_id, &found.endpoint_id, &found.id).await?;
    let again = find_delivery(&mut conn, key, id, delivery).await?;
    conn.commit().await?;
    Ok(again)
}

/// Puts in line again whatever an endpoint was told since a time, or would have been had it been enabled: each event once,
/// and of one connection in the order in which it happened. Says how many deliveries are in line for it. A disabled
/// endpoint gets them when it is enabled.
///
/// # Errors
/// `NotFound`.
pub async fn redeliver_since(broker: &Arc<Broker>, key: &ApiKey, id: &str, since: Millis) -> Result<i64> {
    access::require_write(key)?;
    access::require_whole(key)?;
    let id = EndpointId::parse(id).ok_or_else(missing)?;
    broker.to_its_end(requeue(broker.clone(), key.clone(), id, since)).await
}

/// Some connections in each transaction; each is tried again, as another one may wait for the same deliveries.
async fn requeue(broker: Arc<Broker>, key: ApiKey, id: EndpointId, since: Millis) -> Result<i64> {
    let (broker, ws) = (&broker, &key.workspace_id);
    let what = format!("the redelivery of what {id} was told");
    let mut conn = writing(broker, &key).await?;
    if !conn.begin_redelivery(ws, &id).await? {
        return Err(missing());
    }
    conn.commit().await?;
    let (mut after, mut queued) = (None, 0);
    loop {
        let told = broker.store.read().await?.told_since(ws, since, after.as_ref(), TOLD_AT_ONCE).await?;
        let Some(last) = told.last() else { return Ok(queued) };
        let some = || async {
            let mut conn = writing(broker, &key).await?;
            let endpoint = conn.endpoint(ws, &id).await?.ok_or_else(missing)?;
            let queued = again(&mut conn, &endpoint, &told, since, broker.clock.now()).await?;
            conn.commit().await?;
            Ok(queued)
        };
        queued += insist(&broker.clock, &what, some).await?;
        after = Some(last.clone());
    }
}

async fn reading(broker: &Broker, key: &ApiKey) -> Result<Conn> {
    access::require_read(key)?;
    access::require_whole(key)?;
    broker.store.read().await
}

async fn writing(broker: &Broker, key: &ApiKey) -> Result<Conn> {
    access::require_write(key)?;
    access::require_whole(key)?;
    broker.store.begin(Actor::ApiKey(key.id.to_string()), broker.clock.now()).await
}

fn missing() -> Error {
    Error::NotFound { what: "webhook" }
}

async fn find(conn: &mut Conn, key: &ApiKey, id: &str) -> Result<Endpoint> {
    let id = EndpointId::parse(id).ok_or_else(missing)?;
    conn.endpoint(&key.workspace_id, &id).await?.ok_or_else(missing)
}

async fn find_delivery(conn: &mut Conn, key: &ApiKey, id: &str, delivery: &str) -> Result<ListedDelivery> {
    let endpoint = find(conn, key, id).await?;
    let missing = || Error::NotFound { what: "delivery" };
    let id = DeliveryId::parse(delivery).ok_or_else(missing)?;
    conn.delivery(&key.workspace_id, &endpoint.id, &id).await?.ok_or_else(missing)
}
