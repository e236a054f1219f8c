//! Webhook endpoints and what was sent to them, as a key sees them. They belong to the whole workspace, so a key
//! that is limited to one integration sees none.

use std::{sync::Arc, time::Duration};

use crate::{
    access,
    broker::Broker,
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
};

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
/// As [`setup::webhook`].
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

/// Removes an endpoint, with what was still to be sent to it.
///
/// # Errors
/// `NotFound`.
pub async fn delete(broker: &Arc<Broker>, key: &ApiKey, id: &str) -> Result<()> {
    let mut conn = writing(broker, key).await?;
    let missing = || Error::NotFound { what: "webhook" };
    let id = EndpointId::parse(id).ok_or_else(missing)?;
    if !conn.delete_endpoint(&key.workspace_id, &id).await? {
        return Err(missing());
    }
    conn.commit().await
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

async fn find(conn: &mut Conn, key: &ApiKey, id: &str) -> Result<Endpoint> {
    let missing = || Error::NotFound { what: "webhook" };
    let id = EndpointId::parse(id).ok_or_else(missing)?;
    conn.endpoint(&key.workspace_id, &id).await?.ok_or_else(missing)
}

async fn find_delivery(conn: &mut Conn, key: &ApiKey, id: &str, delivery: &str) -> Result<ListedDelivery> {
    let endpoint = find(conn, key, id).await?;
    let missing = || Error::NotFound { what: "delivery" };
    let id = DeliveryId::parse(delivery).ok_or_else(missing)?;
    conn.delivery(&key.workspace_id, &endpoint.id, &id).await?.ok_or_else(missing)
}
