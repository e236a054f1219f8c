//! `/v1/webhooks/{id}/deliveries` and `/v1/webhooks/{id}/redeliver`: what was sent to a webhook, how it went, and sending
//! it again: one, or all since a time.

use axum::{
    extract::State,
    http::{StatusCode, Uri},
};
use claviger_engine::{
    access,
    domain::webhook::{Attempt, ListedDelivery, Standing},
    error::Error,
    management::webhook,
    time::Millis,
};
use serde::Serialize;

use super::{
    asked::{Answer, Body, Caller, Named, Query},
    error, refusal, wire,
};
use crate::{
    app::App,
    http::{
        body::{Casing, Fields},
        paging,
    },
};

/// One event on its way to one webhook. Each field is there in snake case and in camel case.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Delivery)]
pub struct Shown {
    #[schema(example = "dlv_0198c1f2a3b47c5d8e9f0a1b2c3d4e5f")]
    id: String,
    /// The event, which the header `webhook-id` names too.
    #[schema(example = "evt_0198c1f2a3b47c5d8e9f0a1b2c3d4e5f")]
    event_id: String,
    /// What happened.
    #[schema(example = "connection.created")]
    event_type: &'static str,
    #[schema(example = "conn_0198c1f2a3b47c5d8e9f0a1b2c3d4e5f")]
    connection_id: String,
    /// `pending`, `delivered`, or `failed`: given up after the last attempt.
    #[schema(example = "delivered")]
    status: &'static str,
    /// How many attempts were made since it was last put in line.
    attempt_count: i64,
    /// When the next attempt is due.
    next_attempt_at: Option<String>,
    delivered_at: Option<String>,
    #[schema(example = "2026-01-02T03:04:05.678Z")]
    created_at: String,
}

/// A delivery with its attempts, from the first to the last.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = DeliveryWithAttempts)]
pub struct Whole {
    #[serde(flatten)]
    delivery: Shown,
    attempts: Vec<Tried>,
}

/// One attempt.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Attempt)]
pub struct Tried {
    #[schema(example = "att_0198c1f2a3b47c5d8e9f0a1b2c3d4e5f")]
    id: String,
    /// The how-manieth of the delivery, from 1.
    number: i64,
    /// The status that the receiver answered with; null when it did not answer.
    status: Option<i64>,
    /// Why there was no answer.
    error: Option<String>,
    /// The answer's first kilobyte, as text.
    answer: Option<String>,
    duration_ms: i64,
    /// When it began.
    at: String,
}

/// Since when everything is sent again.
#[derive(utoipa::ToSchema)]
#[schema(as = Redelivery)]
#[expect(dead_code, reason = "it documents the body, which is read by hand for its error shape")]
pub struct Since {
    /// Events from then on, as RFC 3339 writes it.
    #[schema(example = "2026-01-02T03:04:05Z")]
    since: String,
}

/// What is sent again.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Redelivered)]
pub struct Queued {
    /// How many deliveries are in line for it.
    queued: i64,
}

/// Lists a webhook's deliveries, newest first.
///
/// With a slash at the end of the path the answer is `{"data": […]}`, without one it is the array.
#[utoipa::path(
    get,
    path = "/v1/webhooks/{id}/deliveries",
    operation_id = "list_deliveries",
    tag = "webhooks",
    security(("api_key" = [])),
    params(
        ("id" = String, Path, description = "The webhook."),
        ("limit" = Option<u8>, Query, description = "1 to 100, 10 unless given."),
        ("offset" = Option<u64>, Query, description = "How many to skip."),
        ("status" = Option<String>, Query, description = "`pending`, `delivered` or `failed`.")
    ),
    responses(
        (status = 200, body = [Shown]),
        refusal::BadParameter,
        refusal::NotReadingAll,
        refusal::NoWebhook
    )
)]
pub async fn list(
    State(app): State<App>,
    Caller(key): Caller,
    Named(id): Named<String>,
    query: Query,
    uri: Uri,
) -> Answer {
    let standing = query.filter("status", &["status"])?.map(|text| {
        Standing::parse(&text)
            .ok_or_else(|| Error::invalid("status", "Must be one of pending, delivered and failed"))
    });
    let (standing, page) = (standing.transpose()?, paging::page(query.params())?);
    let listed = webhook::deliveries(&app.broker, &key, &id, standing, &page).await?;
    Ok(wire::list(&uri, listed.into_iter().map(shown)))
}

/// Shows a delivery with its attempts.
#[utoipa::path(
    get,
    path = "/v1/webhooks/{id}/deliveries/{delivery}",
    operation_id = "show_delivery",
    tag = "webhooks",
    security(("api_key" = [])),
    params(
        ("id" = String, Path, description = "The webhook."),
        ("delivery" = String, Path, description = "The delivery.")
    ),
    responses(
        (status = 200, body = Whole),
        refusal::NotReadingAll,
        refusal::NoDelivery
    )
)]
pub async fn show(
    State(app): State<App>,
    Caller(key): Caller,
    Named((id, delivery)): Named<(String, String)>,
) -> Answer {
    let (delivery, attempts) = webhook::delivery(&app.broker, &key, &id, &delivery).await?;
    let whole = Whole { delivery: shown(delivery), attempts: attempts.into_iter().map(tried).collect() };
    Ok(wire::object(StatusCode::OK, &whole))
}

/// Puts a delivery back in line, with all its attempts before it.
///
/// The receiver knows it by the same `webhook-id`.
#[utoipa::path(
    post,
    path = "/v1/webhooks/{id}/deliveries/{delivery}/redeliver",
    operation_id = "redeliver",
    tag = "webhooks",
    security(("api_key" = [])),
    params(
        ("id" = String, Path, description = "The webhook."),
        ("delivery" = String, Path, description = "The delivery.")
    ),
    responses(
        (status = 202, body = Shown),
        refusal::NotManagingAll,
        refusal::NoDelivery
    )
)]
pub async fn redeliver(
    State(app): State<App>,
    Caller(key): Caller,
    Named((id, delivery)): Named<(String, String)>,
) -> Answer {
    let again = webhook::redeliver(&app.broker, &key, &id, &delivery).await?;
    Ok(wire::object(StatusCode::ACCEPTED, &shown(again)))
}

/// Puts all events since a time in line, also those of when the webhook was inactive.
///
/// Each event is in line once, however often this is asked for, and those of one connection in the order in which they
/// happened. The receiver knows each by the same `webhook-id`. An inactive webhook gets them when it is active again.
#[utoipa::path(
    post,
    path = "/v1/webhooks/{id}/redeliver",
    operation_id = "redeliver_since",
    tag = "webhooks",
    security(("api_key" = [])),
    params(("id" = String, Path, description = "The webhook.")),
    request_body = Since,
    responses(
        (status = 202, body = Queued),
        (status = 400, body = error::FieldErrors, description = "`since` is missing or no time, or a field is unknown."),
        refusal::NotManagingAll,
        refusal::NoWebhook,
        refusal::TooLarge
    )
)]
pub async fn redeliver_since(
    State(app): State<App>,
    Caller(key): Caller,
    Named(id): Named<String>,
    Body(body): Body,
) -> Answer {
    access::require_write(&key)?;
    let mut fields = Fields::read(&body, Casing::Both)?;
    let since = fields.need("since")?;
    fields.done()?;
    let since = Millis::parse_rfc3339(&since)
        .ok_or_else(|| Error::invalid("since", "Must be a time such as 2026-01-02T03:04:05Z"))?;
    let queued = webhook::redeliver_since(&app.broker, &key, &id, since).await?;
    Ok(wire::object(StatusCode::ACCEPTED, &Queued { queued }))
}

fn shown(listed: ListedDelivery) -> Shown {
    let ListedDelivery { delivery, kind } = listed;
    Shown {
        status: Standing::of(&delivery).as_str(),
        id: delivery.id.to_string(),
        event_id: delivery.event_id.to_string(),
        event_type: kind.as_str(),
        connection_id: delivery.connection_id.to_string(),
        attempt_count: delivery.attempts,
        next_attempt_at: delivery.next_at.map(Millis::rfc3339),
        delivered_at: delivery.delivered_at.map(Millis::rfc3339),
        created_at: delivery.created_at.rfc3339(),
    }
}

fn tried(attempt: Attempt) -> Tried {
    Tried {
        id: attempt.id.to_string(),
        number: attempt.number,
        status: attempt.status,
        error: attempt.error,
        answer: attempt.answer,
        duration_ms: attempt.duration_ms,
        at: attempt.at.rfc3339(),
    }
}
