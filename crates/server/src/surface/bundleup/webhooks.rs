//! `/v1/webhooks`: where a product's server is told of what happens to its customers' connections.

use std::collections::BTreeMap;

use axum::{
    extract::State,
    http::{StatusCode, Uri},
    response::IntoResponse as _,
};
use claviger_engine::{
    access,
    domain::{
        event::EventKind,
        webhook::{DisabledReason, Endpoint, Format},
    },
    error::{Error, Result},
    management::webhook,
    secret::Secret,
    setup::{DEFAULT_OVERLAP, NewWebhook, OVERLAP_MAX, WebhookEdit},
    time::Millis,
};
use serde::Serialize;
use serde_json::Value;

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

/// What a webhook shows and nobody sets: a client may send it back with a change.
const READ_ONLY: [&str; 7] = [
    "id",
    "disabled_reason",
    "has_secret",
    "previous_secret_until",
    "created_at",
    "updated_at",
    "last_triggered_at",
];

/// A webhook. Each field is there in snake case and in camel case.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Webhook)]
pub struct Shown {
    #[schema(example = "wh_0198c1f2a3b47c5d8e9f0a1b2c3d4e5f")]
    id: String,
    name: String,
    url: String,
    /// Each of the events, and whether it is sent.
    #[schema(example = json!({"connection.created": true, "connection.updated": false, "connection.deleted": true, "connection.expired": true, "connection.expiring": false, "webhook.disabled": false}))]
    events: BTreeMap<&'static str, bool>,
    /// In what shape events are told: `bundleup`, or `membrane`.
    #[schema(example = "bundleup")]
    format: &'static str,
    /// `active`, or `inactive`: nothing is sent.
    #[schema(example = "active")]
    status: &'static str,
    /// Why it is inactive: `asked`; `gone`: it answered 410; or `failing`: it took nothing for five days.
    disabled_reason: Option<&'static str>,
    /// Always true: every delivery is signed.
    has_secret: bool,
    /// Until when the secret before this one signs as well.
    previous_secret_until: Option<String>,
    #[schema(example = "2026-01-02T03:04:05.678Z")]
    created_at: String,
    updated_at: String,
    /// When something was last sent.
    last_triggered_at: Option<String>,
}

/// A webhook with its secret, which is shown this once.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = WebhookWithSecret)]
pub struct Revealed {
    #[serde(flatten)]
    webhook: Shown,
    /// What deliveries are signed with.
    #[schema(example = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD1fWnqpJn")]
    secret: String,
}

/// A webhook to be, or a change of one: then what is left out stays as it is.
#[derive(utoipa::ToSchema)]
#[schema(as = WebhookInput)]
#[expect(dead_code, reason = "it documents the body, which is read by hand for its error shape")]
pub struct Wanted {
    /// Required for a new one.
    name: Option<String>,
    /// Where deliveries are posted: https. Required for a new one.
    url: Option<String>,
    /// Which events are sent, as `{"connection.created": true}` or as a list of names; what is not named is not sent.
    /// Required for a new one.
    #[schema(value_type = Option<Object>)]
    events: Option<Value>,
    /// In what shape events are told: `bundleup`, or `membrane`. A new one has `bundleup` unless given.
    format: Option<String>,
    /// `active` or `inactive`.
    status: Option<String>,
    /// What deliveries are signed with, chosen by the caller; made up when left out.
    secret: Option<String>,
    /// With a change of the secret: for how many seconds the old one signs as well, 0 to 604800; 86400 unless given.
    overlap: Option<u32>,
}

/// How a secret is rolled.
#[derive(utoipa::ToSchema)]
#[schema(as = WebhookRoll)]
#[expect(dead_code, reason = "it documents the body, which is read by hand for its error shape")]
pub struct Rolled {
    /// For how many seconds the old secret signs as well, 0 to 604800; 86400 unless given.
    overlap: Option<u32>,
}

/// Lists webhooks, oldest first.
///
/// With a slash at the end of the path the answer is `{"data": […]}`, without one it is the array.
#[utoipa::path(
    get,
    path = "/v1/webhooks",
    operation_id = "list_webhooks",
    tag = "webhooks",
    security(("api_key" = [])),
    params(
        ("limit" = Option<u8>, Query, description = "1 to 100, 10 unless given."),
        ("offset" = Option<u64>, Query, description = "How many to skip.")
    ),
    responses(
        (status = 200, body = [Shown]),
        refusal::BadParameter,
        refusal::NotReadingAll
    )
)]
pub async fn list(State(app): State<App>, Caller(key): Caller, query: Query, uri: Uri) -> Answer {
    let page = paging::page(query.params())?;
    let endpoints = webhook::list(&app.broker, &key, &page).await?;
    let now = app.broker.clock.now();
    Ok(wire::list(&uri, endpoints.into_iter().map(|endpoint| shown(endpoint, now))))
}

/// Makes a webhook. The answer holds its secret, this once.
#[utoipa::path(
    post,
    path = "/v1/webhooks",
    operation_id = "create_webhook",
    tag = "webhooks",
    security(("api_key" = [])),
    request_body = Wanted,
    responses(
        (status = 201, body = Revealed),
        refusal::BadField,
        refusal::NotManagingAll,
        (status = 409, body = error::Problem, description = "The workspace has as many webhooks as it may have."),
        refusal::TooLarge
    )
)]
pub async fn create(State(app): State<App>, Caller(key): Caller, Body(body): Body) -> Answer {
    access::require_write(&key)?;
    let mut fields = Fields::read(&body, Casing::Both)?;
    let input = NewWebhook {
        name: fields.need("name")?,
        url: fields.need("url")?,
        events: events(&mut fields)?.ok_or_else(|| Error::invalid("events", "Is required"))?,
        format: format(&mut fields)?.unwrap_or_default(),
        secret: fields.secret("secret", &["secret"])?,
    };
    let active = active(&mut fields)?.unwrap_or(true);
    fields.done()?;
    let (endpoint, secret) = webhook::create(&app.broker, &key, input, active).await?;
    Ok(wire::object(StatusCode::CREATED, &revealed(endpoint, &secret, app.broker.clock.now())))
}

/// Shows a webhook.
#[utoipa::path(
    get,
    path = "/v1/webhooks/{id}",
    operation_id = "show_webhook",
    tag = "webhooks",
    security(("api_key" = [])),
    params(("id" = String, Path, description = "The webhook.")),
    responses(
        (status = 200, body = Shown),
        refusal::NotReadingAll,
        refusal::NoWebhook
    )
)]
pub async fn show(State(app): State<App>, Caller(key): Caller, Named(id): Named<String>) -> Answer {
    let endpoint = webhook::show(&app.broker, &key, &id).await?;
    Ok(wire::object(StatusCode::OK, &shown(endpoint, app.broker.clock.now())))
}

/// Changes a webhook: what the body leaves out stays as it is. `PATCH` does the same.
///
/// What a webhook shows and nobody sets, such as `created_at`, may be sent along and is ignored.
#[utoipa::path(
    put,
    path = "/v1/webhooks/{id}",
    operation_id = "update_webhook",
    tag = "webhooks",
    security(("api_key" = [])),
    params(("id" = String, Path, description = "The webhook.")),
    request_body = Wanted,
    responses(
        (status = 200, body = Shown),
        refusal::BadField,
        refusal::NotManagingAll,
        refusal::NoWebhook,
        refusal::TooLarge
    )
)]
pub async fn update(
    State(app): State<App>,
    Caller(key): Caller,
    Named(id): Named<String>,
    Body(body): Body,
) -> Answer {
    access::require_write(&key)?;
    let mut fields = Fields::read(&body, Casing::Both)?;
    fields.ignore(&READ_ONLY);
    let overlap = fields.seconds("overlap", OVERLAP_MAX)?;
    let edit = WebhookEdit {
        name: fields.text("name")?,
        url: fields.text("url")?,
        events: events(&mut fields)?,
        format: format(&mut fields)?,
        secret: fields.secret("secret", &["secret"])?,
        overlap: overlap.unwrap_or(DEFAULT_OVERLAP),
        active: active(&mut fields)?,
    };
    fields.done()?;
    if overlap.is_some() && edit.secret.is_none() {
        return Err(Error::invalid("overlap", "Belongs to a new secret").into());
    }
    let endpoint = webhook::update(&app.broker, &key, &id, edit).await?;
    Ok(wire::object(StatusCode::OK, &shown(endpoint, app.broker.clock.now())))
}

/// Removes a webhook, with what was still to be sent to it.
#[utoipa::path(
    delete,
    path = "/v1/webhooks/{id}",
    operation_id = "delete_webhook",
    tag = "webhooks",
    security(("api_key" = [])),
    params(("id" = String, Path, description = "The webhook.")),
    responses(
        (status = 204, description = "It is gone."),
        refusal::NotManagingAll,
        refusal::NoWebhook
    )
)]
pub async fn delete(State(app): State<App>, Caller(key): Caller, Named(id): Named<String>) -> Answer {
    webhook::delete(&app.broker, &key, &id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Gives a webhook a new secret. The answer holds it, this once.
///
/// While both are good, deliveries carry signatures of both.
#[utoipa::path(
    post,
    path = "/v1/webhooks/{id}/secret",
    operation_id = "roll_webhook_secret",
    tag = "webhooks",
    security(("api_key" = [])),
    params(("id" = String, Path, description = "The webhook.")),
    request_body = Option<Rolled>,
    responses(
        (status = 200, body = Revealed),
        refusal::BadField,
        refusal::NotManagingAll,
        refusal::NoWebhook,
        refusal::TooLarge
    )
)]
pub async fn roll(
    State(app): State<App>,
    Caller(key): Caller,
    Named(id): Named<String>,
    Body(body): Body,
) -> Answer {
    access::require_write(&key)?;
    let mut fields = Fields::maybe(&body, Casing::Both)?;
    let overlap = fields.seconds("overlap", OVERLAP_MAX)?.unwrap_or(DEFAULT_OVERLAP);
    fields.done()?;
    let (endpoint, secret) = webhook::roll(&app.broker, &key, &id, overlap).await?;
    Ok(wire::object(StatusCode::OK, &revealed(endpoint, &secret, app.broker.clock.now())))
}

/// Which events are wanted: a map of names to true and false, or a list of names.
fn events(fields: &mut Fields) -> Result<Option<Vec<EventKind>>> {
    let wrong = |what: &str| Error::invalid("events", what);
    let names = match fields.value("events")? {
        None => return Ok(None),
        Some(Value::Array(names)) => names.into_iter().map(|name| (name, Value::Bool(true))).collect(),
        Some(Value::Object(map)) => {
            map.into_iter().map(|(name, on)| (Value::String(name), on)).collect::<Vec<_>>()
        }
        Some(_) => return Err(wrong("Must be an object of names to true or false, or a list of names")),
    };
    let mut wanted = Vec::new();
    for (name, on) in names {
        let kind = name.as_str().and_then(EventKind::parse).ok_or_else(|| {
            wrong(&format!("Must name events out of {}", EventKind::ALL.map(EventKind::as_str).join(", ")))
        })?;
        let on = on.as_bool().ok_or_else(|| wrong("Must say true or false for each event"))?;
        if on {
            wanted.push(kind);
        }
    }
    Ok(Some(wanted))
}

fn format(fields: &mut Fields) -> Result<Option<Format>> {
    let wrong = || Error::invalid("format", "Must be bundleup or membrane");
    fields.text("format")?.map(|text| Format::parse(&text).ok_or_else(wrong)).transpose()
}

fn active(fields: &mut Fields) -> Result<Option<bool>> {
    match fields.text("status")?.as_deref() {
        None => Ok(None),
        Some("active") => Ok(Some(true)),
        Some("inactive") => Ok(Some(false)),
        Some(_) => Err(Error::invalid("status", "Must be active or inactive")),
    }
}

fn revealed(endpoint: Endpoint, secret: &Secret, now: Millis) -> Revealed {
    Revealed { webhook: shown(endpoint, now), secret: secret.expose().to_owned() }
}

fn shown(endpoint: Endpoint, now: Millis) -> Shown {
    let events = EventKind::ALL.map(|kind| (kind.as_str(), endpoint.events.contains(&kind)));
    Shown {
        id: endpoint.id.to_string(),
        name: endpoint.name,
        url: endpoint.url,
        events: events.into(),
        format: endpoint.format.as_str(),
        status: if endpoint.disabled_at.is_none() { "active" } else { "inactive" },
        disabled_reason: endpoint.disabled_reason.map(DisabledReason::as_str),
        has_secret: true,
        previous_secret_until: endpoint.previous_secret_until.filter(|at| *at > now).map(Millis::rfc3339),
        created_at: endpoint.created_at.rfc3339(),
        updated_at: endpoint.updated_at.rfc3339(),
        last_triggered_at: endpoint.last_triggered_at.map(Millis::rfc3339),
    }
}
